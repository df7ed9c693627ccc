/*
 * test_train.c: the training loop on small networks made by hand: it learns, one step is the step
 * that the formula says, the bits do not depend on threads, and every way to fail leaves nothing
 * behind.
 */
#include <math.h>
#include <stdio.h>

#include "table/dataset.h"
#include "nn/network.h"
#include "nn/runner.h"
#include "nn/shards.h"
#include "unit.h"

static ax_error err;

/* ---- models made by hand --------------------------------------------------------------------- */

typedef struct net {
    ax_model model;
    int last;    /* value number */
    int64_t width;
    int count;
    uint64_t seed;
    ax_status status;
} net;

static void net_begin(net *n, const ax_env *env, ax_dtype type, int64_t width)
{
    const int64_t dim[] = {AX_DIM_BATCH, width};
    ax_shape shape = ax_shape_of(2, dim);

    *n = (net) {.model = {.env = *env, .ready = true}, .width = width, .seed = 11};
    n->status = ax_graph_create(env, "net", &n->model.graph, &err);
    if (n->status == AX_OK)
        n->status = ax_graph_add_input(n->model.graph, "x", type, &shape, &n->model.input, &err);
    n->last = n->model.input;
}

static int net_weight(net *n, const char *what, int rank, const int64_t *dim, bool trainable,
                      float mean, float sd)
{
    float *data;
    ax_shape shape = ax_shape_of(rank, dim);
    int64_t count = ax_shape_elements(&shape);
    ax_rng rng = ax_rng_make(n->seed, (uint64_t) n->count);
    char name[32];
    int v = -1;

    if (n->status != AX_OK)
        return -1;
    snprintf(name, sizeof(name), "%s_%d", what, n->count++);
    data = ax_alloc(&n->model.env, (size_t) count * sizeof(float));
    if (data == NULL) {
        n->status = ax_nomem(&err);
        return -1;
    }
    for (int64_t i = 0; i < count; i++)
        data[i] = mean + sd * ax_rng_normal(&rng);
    n->status = ax_graph_add_weight(n->model.graph, name, AX_FLOAT, &shape, trainable, data, &v,
                                    &err);
    ax_free(&n->model.env, data);
    return v;
}

static void net_node(net *n, const char *op, int n_in, const int *in)
{
    char name[32];

    if (n->status != AX_OK)
        return;
    snprintf(name, sizeof(name), "%s_%d", op, n->count++);
    n->status = ax_graph_add_node(n->model.graph, op, name, n_in, in, 0, NULL, &n->last, &err);
}

static void net_dense(net *n, int64_t units)
{
    const int64_t dim[] = {n->width, units};
    int in[3] = {n->last};

    in[1] = net_weight(n, "w", 2, dim, true, 0, 1 / sqrtf((float) n->width));
    in[2] = net_weight(n, "b", 1, dim + 1, true, 0, 0);
    net_node(n, "Gemm", 3, in);
    n->width = units;
}

static void net_op(net *n, const char *op)
{
    const int in = n->last;

    net_node(n, op, 1, &in);
}

static void net_batch_norm(net *n)
{
    int in[5] = {n->last};

    in[1] = net_weight(n, "scale", 1, &n->width, true, 1, 0);
    in[2] = net_weight(n, "shift", 1, &n->width, true, 0, 0);
    in[3] = net_weight(n, "mean", 1, &n->width, false, 0, 0);
    in[4] = net_weight(n, "variance", 1, &n->width, false, 1, 0);
    net_node(n, "BatchNormalization", 5, in);
}

/* The head: loss_value is where the net stands now; `activation`, if any, makes the output. */
static void net_end(net *n, ax_task task, int n_classes, ax_loss_kind loss, const char *activation)
{
    ax_model *m = &n->model;

    m->task = task;
    m->n_classes = n_classes;
    m->n_outputs = (int) n->width;
    m->n_targets = task == AX_TASK_REGRESSION ? m->n_outputs : 1;
    m->loss = (ax_loss) {.kind = loss, .delta = 1, .on_logits = activation != NULL};
    m->loss_value = n->last;
    if (activation != NULL)
        net_op(n, activation);
    m->output = n->last;
    if (n->status == AX_OK)
        n->status = ax_graph_add_output(m->graph, n->last, &err);
    if (n->status == AX_OK)
        n->status = ax_graph_bind(m->graph, &err);
}

static void net_free(net *n)
{
    ax_runner_free(n->model.runner);
    ax_graph_free(n->model.graph);
    n->model.graph = NULL;
    n->model.runner = NULL;
}

/* Everything that could make a difference: normalization over the batch, dropout, odd widths. */
static void make_classifier(net *n, const ax_env *env)
{
    net_begin(n, env, AX_FLOAT, 5);
    net_dense(n, 17);
    net_batch_norm(n);
    net_op(n, "Relu");
    net_op(n, "Dropout");
    net_dense(n, 3);
    net_end(n, AX_TASK_CLASSIFICATION, 3, AX_LOSS_SPARSE_CCE, "Softmax");
}

static void make_linear(net *n, const ax_env *env, int64_t width)
{
    net_begin(n, env, AX_FLOAT, width);
    net_dense(n, 1);
    net_end(n, AX_TASK_REGRESSION, 0, AX_LOSS_MSE, NULL);
}

/* ---- data ------------------------------------------------------------------------------------ */

/* Three blobs in five dimensions; spread 0.3 is easy, 3 is noise. */
static ax_status make_blobs(const ax_env *env, int rows, float spread, ax_dataset **out)
{
    static int32_t classes[4096];
    ax_rng rng = ax_rng_make(77, 0);
    ax_dataset *d = NULL;
    ax_status status = ax_dataset_create(env, AX_FLOAT, 5, &d, &err);

    for (int i = 0; i < rows && status == AX_OK; i++) {
        float row[5];

        classes[i] = (int32_t) ax_rng_below(&rng, 3);
        for (int j = 0; j < 5; j++)
            row[j] = spread * ax_rng_normal(&rng) + (j == classes[i] ? 1 : 0);
        status = ax_dataset_append(d, row, &err);
    }
    if (status == AX_OK)
        status = ax_dataset_set_classes(d, classes, 3, &err);
    if (status == AX_OK)
        *out = d;
    else
        ax_dataset_free(d);
    return status;
}

/* ---- a whole training ------------------------------------------------------------------------ */

typedef struct history {
    int epochs, slices;
    ax_train_report last;
    double train[64][8], valid[64][8];
} history;

static void note_epoch(history *h, const ax_train_report *r)
{
    h->last = *r;
    for (int i = 0; i < AX_MIN(r->n_metrics, 8) && h->epochs < 64; i++) {
        h->train[h->epochs][i] = r->train[i].value;
        h->valid[h->epochs][i] = r->valid != NULL ? r->valid[i].value : 0;
    }
    h->epochs++;
}

static ax_status train(const ax_env *env, ax_model *m, ax_dataset *d, ax_dataset *valid,
                       const char *json, int threads, history *h)
{
    ax_options *o = NULL;
    ax_trainer *t = NULL;
    ax_train_event event = AX_TRAIN_MORE;
    ax_status status;

    *h = (history) {.epochs = 0};
    status = ax_options_parse(env, json, strlen(json), &o, &err);
    if (status == AX_OK)
        status = ax_trainer_create(env, m, d, valid, o, threads, &t, &err);
    while (status == AX_OK && event != AX_TRAIN_DONE) {
        status = ax_trainer_step(t, &event, &err);
        h->slices++;
        if (status == AX_OK && event == AX_TRAIN_EPOCH)
            note_epoch(h, ax_trainer_report(t));
    }
    ax_trainer_free(t);
    ax_options_free(o);
    return status;
}

static void check_learns(void)
{
    history h;
    net n;
    ax_dataset *d = NULL;

    make_classifier(&n, unit_env());
    unit_status(n.status, AX_OK, &err, "a classifier is made");
    unit_status(make_blobs(unit_env(), 600, 0.3F, &d), AX_OK, &err, "and rows for it");
    unit_status(train(unit_env(), &n.model, d, NULL,
                      "{\"epochs\": 15, \"learning_rate\": 0.01, \"validation_split\": 0.2}", 2,
                      &h),
                AX_OK, &err, "it is trained");
    unit_is_int(h.epochs, 15, "for 15 epochs");
    unit_check(h.valid[14][1] > 0.95, "validation accuracy %.3f", h.valid[14][1]);
    unit_check(h.train[14][0] < h.train[0][0] / 2, "loss %.3f, then %.3f", h.train[0][0],
               h.train[14][0]);
    unit_check(h.last.epoch == 15 && h.last.epochs == 15 && !h.last.stopped_early,
               "the report counts");
    unit_check(h.last.train_rows == 480 && h.last.valid_rows == 120, "rows are 480 and 120");
    unit_check(h.last.n_metrics == 2 && h.last.learning_rate == 0.01, "two metrics, the rate");
    unit_check(h.last.seconds >= 0 && h.last.seconds_total >= h.last.seconds, "and the time");
    net_free(&n);
    ax_dataset_free(d);
}

/* Bytes in, a sigmoid out: the sum of the row decides. */
static void check_binary(void)
{
    static int32_t classes[400];
    uint8_t row[4];
    history h;
    net n;
    ax_dataset *d = NULL;
    ax_attr to = ax_attr_i("to", AX_FLOAT);

    net_begin(&n, unit_env(), AX_UINT8, 4);
    ax_graph_add_node(n.model.graph, "Cast", "cast", 1, &n.model.input, 1, &to, &n.last, &err);
    net_dense(&n, 1);
    net_end(&n, AX_TASK_CLASSIFICATION, 2, AX_LOSS_BCE, "Sigmoid");
    ax_dataset_create(unit_env(), AX_UINT8, 4, &d, &err);
    for (int i = 0; i < 400; i++) {
        for (int j = 0; j < 4; j++)
            row[j] = (uint8_t) unit_below(10);
        classes[i] = row[0] + row[1] > row[2] + row[3];
        ax_dataset_append(d, row, &err);
    }
    ax_dataset_set_classes(d, classes, 2, &err);
    unit_status(train(unit_env(), &n.model, d, NULL,
                      "{\"epochs\": 20, \"learning_rate\": 0.05, \"validation_split\": 0.25, "
                      "\"metrics\": [\"accuracy\", \"auc\", \"f1\"]}",
                      2, &h),
                AX_OK, &err, "a sigmoid over bytes is trained");
    unit_check(h.valid[19][1] > 0.95 && h.valid[19][2] > 0.99 && h.valid[19][3] > 0.95,
               "accuracy %.3f, auc %.3f, f1 %.3f", h.valid[19][1], h.valid[19][2], h.valid[19][3]);
    net_free(&n);
    ax_dataset_free(d);
}

/* Two numbers a row, huber, weights: rows of weight 0 are wrong on purpose. */
static void check_vector_target(void)
{
    static float values[300][2], weights[300];
    float row[3];
    history h;
    net n;
    ax_dataset *d = NULL;

    net_begin(&n, unit_env(), AX_FLOAT, 3);
    net_dense(&n, 2);
    net_end(&n, AX_TASK_REGRESSION, 0, AX_LOSS_HUBER, NULL);
    ax_dataset_create(unit_env(), AX_FLOAT, 3, &d, &err);
    for (int i = 0; i < 300; i++) {
        unit_fill_normal(row, 3, 1);
        weights[i] = i % 3 == 0 ? 0 : 1;
        values[i][0] = row[0] - 2 * row[1] + (weights[i] == 0 ? 100 : 0);
        values[i][1] = row[2] + 1;
        ax_dataset_append(d, row, &err);
    }
    ax_dataset_set_values(d, values[0], 2, &err);
    ax_dataset_set_weights(d, weights, &err);
    unit_status(train(unit_env(), &n.model, d, NULL,
                      "{\"epochs\": 40, \"learning_rate\": 0.02, \"validation_split\": 0.1, "
                      "\"metrics\": [\"mae\", \"rmse\", \"r2\"]}",
                      2, &h),
                AX_OK, &err, "a regression of two numbers is trained");
    unit_check(h.valid[39][1] < 0.05 && h.valid[39][2] < 0.05 && h.valid[39][3] > 0.99,
               "mae %.4f, rmse %.4f, r2 %.4f", h.valid[39][1], h.valid[39][2], h.valid[39][3]);
    net_free(&n);
    ax_dataset_free(d);
}

/* ---- one step -------------------------------------------------------------------------------- */

/*
 * Linear regression, one batch of all rows: w -= rate * 2 / rows * sum weight (x w - y) x, whatever
 * the number of shards.
 */
static void check_step(int rows, bool weighted)
{
    static float x[64][3], y[64], weight[64];
    double want[3], grad[3] = {0}, bias = 0;
    float got[3];
    char json[160];
    net n;
    history h;
    ax_dataset *d = NULL;

    make_linear(&n, unit_env(), 3);
    ax_dataset_create(unit_env(), AX_FLOAT, 3, &d, &err);
    for (int i = 0; i < rows; i++) {
        unit_fill_normal(x[i], 3, 1);
        y[i] = unit_normal();
        weight[i] = weighted ? unit_uniform(0, 3) : 1;
        ax_dataset_append(d, x[i], &err);
    }
    ax_dataset_set_values(d, y, 1, &err);
    if (weighted)
        ax_dataset_set_weights(d, weight, &err);
    for (int j = 0; j < 3; j++)
        want[j] = (double) n.model.graph->param[j];
    for (int i = 0; i < rows; i++) {
        double e = -(double) y[i];

        for (int j = 0; j < 3; j++)
            e += want[j] * (double) x[i][j];
        for (int j = 0; j < 3; j++)
            grad[j] += 2.0 / rows * e * (double) x[i][j] * (double) weight[i];
        bias += 2.0 / rows * e * (double) weight[i];
    }
    snprintf(json, sizeof(json),
             "{\"optimizer\": \"sgd\", \"learning_rate\": 0.1, \"epochs\": 1, \"batch_size\": %d}",
             rows);
    unit_status(train(unit_env(), &n.model, d, NULL, json, 2, &h), AX_OK, &err, "a step of %d rows",
                rows);
    for (int j = 0; j < 3; j++)
        got[j] = (float) (want[j] - 0.1 * grad[j]);
    unit_close(n.model.graph->param, got, 3, 1e-6, "the weights are where the formula says");
    unit_near((double) n.model.graph->param[16], -0.1 * bias, 1e-6, "and the bias");
    net_free(&n);
    ax_dataset_free(d);
}

static void check_shard_count(void)
{
    const struct {
        int64_t batch, n_param;
        int want;
    } c[] = {{1, 100, 1},       {16, 100, 1},       {17, 100, 2},       {32, 100, 2},
             {256, 100, 16},    {1024, 100, 16},    {64, 16 << 20, 4},  {256, 8 << 20, 8},
             {64, 1 << 30, 4},  {3, 1 << 30, 1},    {33, 1 << 30, 3}};
    int bad = 0;

    for (int i = 0; i < AX_COUNT(c); i++)
        bad += ax_shard_count(c[i].batch, c[i].n_param) != c[i].want;
    unit_check(bad == 0, "the number of shards follows from batch and parameters");
}

/* ---- the same bits --------------------------------------------------------------------------- */

static uint64_t hash_of(const ax_graph *g)
{
    uint64_t h = 1469598103934665603U;

    for (int i = 0; i < g->n_values; i++) {
        const ax_value *v = &g->value[i];
        const uint8_t *p = v->data;

        if (v->role != AX_VALUE_WEIGHT)
            continue;
        for (size_t k = 0; k < ax_tensor_bytes(v->type, &v->shape); k++)
            h = (h ^ p[k]) * 1099511628211U;
    }
    return h;
}

static uint64_t train_and_hash(ax_dataset *d, const char *json, int threads, history *h)
{
    uint64_t hash;
    net n;

    make_classifier(&n, unit_env());
    if (train(unit_env(), &n.model, d, NULL, json, threads, h) != AX_OK)
        unit_check(false, "training failed: %s", err.message);
    hash = hash_of(n.model.graph);
    net_free(&n);
    return hash;
}

static void check_same_bits(int rows, const char *json)
{
    history first, again;
    ax_dataset *d = NULL;
    uint64_t want;

    make_blobs(unit_env(), rows, 0.5F, &d);
    want = train_and_hash(d, json, 1, &first);
    unit_note("%d rows, %s", rows, json);
    for (int threads = 1; threads <= 4; threads++) {
        unit_check(train_and_hash(d, json, threads, &again) == want,
                   "the same weights with %d threads", threads);
        unit_check(memcmp(first.train, again.train, sizeof(first.train)) == 0 &&
                       memcmp(first.valid, again.valid, sizeof(first.valid)) == 0,
                   "and the same metrics");
    }
    unit_check(train_and_hash(d, "{\"epochs\": 2, \"seed\": 5}", 1, &again) != want,
               "another seed gives another model");
    ax_dataset_free(d);
}

/* ---- metrics of an epoch --------------------------------------------------------------------- */

/* With a rate that moves nothing, an epoch's training metrics are those of the model. */
static void check_epoch_metrics(void)
{
    const char *json = "{\"optimizer\": \"sgd\", \"learning_rate\": 1e-30, \"epochs\": 2, "
                       "\"batch_size\": 17, \"metrics\": [\"accuracy\", \"auc\", \"f1\", "
                       "\"top_2_accuracy\", \"precision_micro\"]}";
    const ax_metric *got;
    int count;
    history h;
    net n;
    ax_dataset *d = NULL;
    ax_options *o = NULL;
    ax_evaluator *e = NULL;

    net_begin(&n, unit_env(), AX_FLOAT, 5);
    net_dense(&n, 3);
    net_end(&n, AX_TASK_CLASSIFICATION, 3, AX_LOSS_SPARSE_CCE, "Softmax");
    make_blobs(unit_env(), 200, 0.5F, &d);
    unit_status(train(unit_env(), &n.model, d, d, json, 2, &h), AX_OK, &err, "a still training");
    ax_options_parse(unit_env(), json, strlen(json), &o, &err);
    unit_status(ax_evaluator_create(unit_env(), &n.model, o, false, &e, &err), AX_OK, &err,
                "an evaluator");
    for (int i = 0; i < 200; i++)
        ax_evaluator_add(e, ax_dataset_row(d, i), 1, d->classes + i, NULL, NULL, &err);
    unit_status(ax_evaluator_result(e, &got, &count, &err), AX_OK, &err, "and its result");
    unit_is_int(count, h.last.n_metrics, "as many metrics");
    for (int i = 0; i < AX_MIN(count, 8); i++) {
        unit_near(h.train[1][i], got[i].value, 1e-6, "training %s is %.4f", got[i].name,
                  got[i].value);
        unit_near(h.valid[1][i], got[i].value, 1e-6, "so is the validation's");
    }
    ax_evaluator_free(e);
    ax_options_free(o);
    net_free(&n);
    ax_dataset_free(d);
}

static void check_evaluator_refusals(void)
{
    const float row[5] = {0}, negative = -1;
    const int32_t high = 3, fine = 0;
    const ax_metric *got;
    int count;
    net n;
    ax_evaluator *e = NULL;

    make_classifier(&n, unit_env());
    unit_status(ax_evaluator_create(unit_env(), &n.model, NULL, true, &e, &err), AX_OK, &err,
                "an evaluator of all metrics");
    unit_status(ax_evaluator_result(e, &got, &count, &err), AX_ERR_INVALID, &err, "no rows yet");
    unit_status(ax_evaluator_add(e, row, 1, &high, NULL, NULL, &err), AX_ERR_INVALID, &err,
                "a class too high");
    unit_status(ax_evaluator_add(e, row, 1, NULL, row, NULL, &err), AX_ERR_INVALID, &err,
                "values for classes");
    unit_status(ax_evaluator_add(e, row, 1, &fine, NULL, &negative, &err), AX_ERR_INVALID, &err,
                "a negative weight");
    unit_status(ax_evaluator_add(e, row, 1, &fine, NULL, NULL, &err), AX_OK, &err, "a good row");
    unit_status(ax_evaluator_result(e, &got, &count, &err), AX_OK, &err, "has a result");
    ax_evaluator_free(e);
    net_free(&n);
}

/* ---- early stopping -------------------------------------------------------------------------- */

static void check_early_stopping(void)
{
    history h;
    net n;
    ax_dataset *d = NULL, *valid = NULL;
    ax_evaluator *e = NULL;
    const ax_metric *got;
    int count;

    make_classifier(&n, unit_env());
    make_blobs(unit_env(), 60, 3, &d);
    make_blobs(unit_env(), 400, 3, &valid);
    unit_status(train(unit_env(), &n.model, d, valid,
                      "{\"epochs\": 60, \"learning_rate\": 0.05, \"early_stopping\": 4}", 2, &h),
                AX_OK, &err, "a training that overfits");
    unit_check(h.last.stopped_early && h.epochs < 60, "stops early, after %d epochs", h.epochs);
    unit_is_int(h.epochs, h.last.best_epoch + 4, "4 epochs after the best");
    ax_evaluator_create(unit_env(), &n.model, NULL, false, &e, &err);
    for (int i = 0; i < 400; i++)
        ax_evaluator_add(e, ax_dataset_row(valid, i), 1, valid->classes + i, NULL, NULL, &err);
    unit_status(ax_evaluator_result(e, &got, &count, &err), AX_OK, &err, "the model is judged");
    unit_near(got[0].value, h.valid[h.last.best_epoch - 1][0], 1e-6,
              "it is the best epoch's, running statistics and all");
    unit_check(h.valid[h.epochs - 1][0] > got[0].value, "and the last was worse");
    ax_evaluator_free(e);
    net_free(&n);
    ax_dataset_free(d);
    ax_dataset_free(valid);
}

static void check_plateau(void)
{
    history h;
    net n;
    ax_dataset *d = NULL;

    make_classifier(&n, unit_env());
    make_blobs(unit_env(), 50, 3, &d);
    unit_status(train(unit_env(), &n.model, d, NULL,
                      "{\"epochs\": 6, \"learning_rate\": 1e-30, \"optimizer\": \"sgd\", "
                      "\"schedule\": {\"ReduceLROnPlateau\": {\"patience\": 1, \"min_delta\": 100, "
                      "\"factor\": 0.5}}}",
                      1, &h),
                AX_OK, &err, "a training that never gets better");
    unit_near(h.last.learning_rate / 1e-30, 1.0 / 16, 1e-9, "halves its rate each epoch");
    net_free(&n);
    ax_dataset_free(d);
}

/* ---- class weights --------------------------------------------------------------------------- */

/* Class 0 counts for nothing: then its rows teach nothing, and are never predicted. */
static void check_class_weight(void)
{
    history h, plain;
    net n;
    ax_dataset *d = NULL;

    make_blobs(unit_env(), 300, 0.5F, &d);
    make_classifier(&n, unit_env());
    train(unit_env(), &n.model, d, NULL, "{\"epochs\": 1, \"shuffle\": false}", 1, &plain);
    net_free(&n);
    make_classifier(&n, unit_env());
    ax_graph_set_meta(n.model.graph, "aiaas.labels", "[\"cat\", \"dog\", \"cow\"]", &err);
    unit_status(train(unit_env(), &n.model, d, NULL,
                      "{\"epochs\": 1, \"shuffle\": false, \"class_weight\": {\"cat\": 0, "
                      "\"dog\": 1, \"cow\": 1}}",
                      1, &h),
                AX_OK, &err, "class weights by label");
    unit_check(h.train[0][0] < plain.train[0][0] * 0.8, "loss %.3f without a class, %.3f with",
               h.train[0][0], plain.train[0][0]);
    unit_status(train(unit_env(), &n.model, d, NULL,
                      "{\"epochs\": 1, \"class_weight\": {\"cta\": 2}}", 1, &h),
                AX_ERR_UNKNOWN, &err, "an unknown label");
    unit_is_str(err.message, "option \"class_weight\": there is no class \"cta\"", "is named");
    unit_status(train(unit_env(), &n.model, d, NULL,
                      "{\"epochs\": 1, \"class_weight\": {\"cat\": -2}}", 1, &h),
                AX_ERR_INVALID, &err, "a negative weight");
    unit_status(train(unit_env(), &n.model, d, NULL,
                      "{\"epochs\": 1, \"class_weight\": \"balanced\"}", 1, &h),
                AX_OK, &err, "balanced");
    net_free(&n);
    ax_dataset_free(d);
}

/* ---- NaN ------------------------------------------------------------------------------------- */

static void check_numeric(void)
{
    history h;
    net n;
    ax_dataset *d = NULL;
    ax_options *o = NULL;
    ax_trainer *t = NULL;
    ax_train_event event;
    const char *json = "{\"optimizer\": \"sgd\", \"learning_rate\": 1e25, \"epochs\": 3}";
    float row[3] = {1, NAN, 2}, y[40] = {0};

    make_linear(&n, unit_env(), 3);
    ax_dataset_create(unit_env(), AX_FLOAT, 3, &d, &err);
    for (int i = 0; i < 40; i++)
        ax_dataset_append(d, row, &err);
    ax_dataset_set_values(d, y, 1, &err);
    unit_status(train(unit_env(), &n.model, d, NULL, "{\"epochs\": 3}", 1, &h), AX_ERR_NUMERIC,
                &err, "a NaN in the rows");
    unit_is_str(err.message, "loss became NaN at epoch 1, step 1", "is found at once");
    unit_check(strstr(err.hint, "learning_rate") != NULL, "with a hint");
    ax_dataset_free(d);
    net_free(&n);

    make_classifier(&n, unit_env());
    make_blobs(unit_env(), 100, 1, &d);
    ax_options_parse(unit_env(), json, strlen(json), &o, &err);
    ax_trainer_create(unit_env(), &n.model, d, NULL, o, 1, &t, &err);
    while (ax_trainer_step(t, &event, &err) == AX_OK && event != AX_TRAIN_DONE)
        ;
    unit_is_int(err.status, AX_ERR_NUMERIC, "an absurd learning rate: %s", err.message);
    unit_status(ax_trainer_step(t, &event, &err), AX_ERR_INTERNAL, &err,
                "a training that failed cannot go on");
    ax_trainer_free(t);
    ax_options_free(o);
    net_free(&n);
    ax_dataset_free(d);
}

/* ---- events ---------------------------------------------------------------------------------- */

static void check_events(void)
{
    net n;
    ax_dataset *d = NULL;
    ax_options *o = NULL;
    ax_trainer *t = NULL;
    ax_train_event event;
    const char *json = "{\"epochs\": 2, \"batch_size\": 1000000}";

    make_classifier(&n, unit_env());
    make_blobs(unit_env(), 33, 1, &d);
    ax_options_parse(unit_env(), json, strlen(json), &o, &err);
    unit_status(ax_trainer_create(unit_env(), &n.model, d, NULL, o, 1000, &t, &err), AX_OK, &err,
                "a batch larger than the data, more threads than there can be");
    for (int i = 1; i <= 2; i++) {
        unit_status(ax_trainer_step(t, &event, &err), AX_OK, &err, "a slice");
        unit_check(event == AX_TRAIN_EPOCH && ax_trainer_report(t)->epoch == i, "ends epoch %d", i);
    }
    for (int i = 0; i < 2; i++) {
        unit_status(ax_trainer_step(t, &event, &err), AX_OK, &err, "after the last epoch");
        unit_check(event == AX_TRAIN_DONE, "it is done");
    }
    unit_check(ax_trainer_report(t)->valid == NULL, "no validation in the report");
    ax_trainer_free(t);
    ax_options_free(o);
    net_free(&n);
    ax_dataset_free(d);
    ax_trainer_free(NULL);
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void refuse(const char *label, ax_model *m, ax_dataset *d, ax_dataset *valid,
                   const char *json, ax_status status, const char *message)
{
    history h;

    unit_status(train(unit_env(), m, d, valid, json, 1, &h), status, &err, "%s is refused", label);
    unit_is_str(err.message, message, "with these words");
}

static void check_refusals(void)
{
    const float five[5] = {0}, values[2] = {0};
    const int32_t classes[2] = {0, 1};
    net n, linear;
    ax_dataset *good = NULL, *d = NULL;

    make_classifier(&n, unit_env());
    make_linear(&linear, unit_env(), 5);
    make_blobs(unit_env(), 40, 1, &good);
    ax_dataset_create(unit_env(), AX_FLOAT, 5, &d, &err);
    refuse("no row", &n.model, d, NULL, "{}", AX_ERR_INVALID, "there are no training rows");
    refuse("no validation row", &n.model, good, d, "{}", AX_ERR_INVALID,
           "there are no validation rows");
    ax_dataset_append(d, five, &err);
    refuse("no target", &n.model, d, NULL, "{}", AX_ERR_INVALID,
           "the training rows have no classes");
    ax_dataset_set_values(d, values, 1, &err);
    refuse("values for classes", &n.model, d, NULL, "{}", AX_ERR_INVALID,
           "the training rows have no classes");
    refuse("classes for values", &linear.model, good, NULL, "{}", AX_ERR_INVALID,
           "the training rows have no target values");
    ax_dataset_set_values(d, values, 2, &err);
    refuse("a vector for a number", &linear.model, d, NULL, "{}", AX_ERR_INVALID,
           "the targets of the training rows have 2 numbers, the model gives 1");
    ax_dataset_set_classes(d, classes, 4, &err);
    refuse("too many classes", &n.model, d, NULL, "{}", AX_ERR_INVALID,
           "the training rows have 4 classes, the model has 3");
    ax_dataset_free(d);
    ax_dataset_create(unit_env(), AX_UINT8, 5, &d, &err);
    ax_dataset_append(d, five, &err);
    refuse("another type", &n.model, d, NULL, "{}", AX_ERR_INVALID,
           "the training rows are uint8, the model takes float");
    ax_dataset_free(d);
    ax_dataset_create(unit_env(), AX_FLOAT, 4, &d, &err);
    ax_dataset_append(d, five, &err);
    refuse("another width", &n.model, d, NULL, "{}", AX_ERR_INVALID,
           "the training rows have 4 elements, the model takes 5");
    ax_dataset_free(d);
    refuse("an unknown optimizer", &n.model, good, NULL, "{\"optimizer\": \"adma\"}",
           AX_ERR_UNKNOWN, "optimizer \"adma\" does not exist");
    refuse("an unknown metric", &n.model, good, NULL, "{\"metrics\": [\"accurracy\"]}",
           AX_ERR_UNKNOWN, "metric \"accurracy\" does not exist");
    refuse("two schedules", &n.model, good, NULL,
           "{\"schedule\": \"cosine\", \"learning_rate\": {\"CosineDecay\": {}}}", AX_ERR_INVALID,
           "option \"schedule\" and a learning_rate that is a schedule exclude each other");
    net_free(&n);
    net_free(&linear);
    ax_dataset_free(good);
}

/* ---- sweeps ---------------------------------------------------------------------------------- */

static ax_status whole_life(const ax_env *env, int threads)
{
    history h;
    net n;
    ax_dataset *d = NULL;
    ax_status status;

    make_classifier(&n, env);
    status = n.status;
    if (status == AX_OK)
        status = make_blobs(env, 50, 1, &d);
    if (status == AX_OK)
        status = train(env, &n.model, d, NULL,
                       "{\"epochs\": 2, \"batch_size\": 13, \"validation_split\": 0.2, "
                       "\"early_stopping\": true, \"metrics\": [\"accuracy\", \"auc\", \"f1\"], "
                       "\"class_weight\": \"balanced\", \"global_clipnorm\": 1}",
                       threads, &h);
    net_free(&n);
    ax_dataset_free(d);
    return status;
}

static void check_out_of_memory(void)
{
    int bad = 0;
    long n;

    for (n = 1;; n++) {
        ax_status status = whole_life(unit_env_fail_at(n), 2);

        if (!unit_env_tripped())
            break;
        bad += status != AX_ERR_NOMEM || unit_live_bytes() != 0;
    }
    unit_check(bad == 0 && n > 30, "out of memory at any of %ld allocations", n - 1);
}

static void check_cancel(void)
{
    int bad = 0;
    long n;

    for (n = 1;; n++) {
        ax_status status = whole_life(unit_env_cancel_at(n), 2);

        if (!unit_env_tripped())
            break;
        bad += status != AX_ERR_CANCELLED || unit_live_bytes() != 0;
    }
    unit_check(bad == 0 && n > 3, "cancelled at any of %ld moments", n - 1);
}

int main(void)
{
    unit_seed(21);
    check_learns();
    check_binary();
    check_vector_target();
    check_shard_count();
    check_step(1, false);
    check_step(7, true);
    check_step(32, false);
    check_step(61, true);
    check_same_bits(100, "{\"epochs\": 3, \"batch_size\": 32, \"validation_split\": 0.3}");
    check_same_bits(77, "{\"epochs\": 2, \"batch_size\": 100, \"global_clipnorm\": 0.1}");
    check_same_bits(40, "{\"epochs\": 2, \"batch_size\": 7, \"optimizer\": \"rmsprop\"}");
    check_same_bits(9, "{\"epochs\": 2, \"batch_size\": 1}");
    check_epoch_metrics();
    check_evaluator_refusals();
    check_early_stopping();
    check_plateau();
    check_class_weight();
    check_numeric();
    check_events();
    check_refusals();
    check_out_of_memory();
    check_cancel();
    return unit_done();
}
