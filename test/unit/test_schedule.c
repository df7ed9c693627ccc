/*
 * test_schedule.c: learning rates against Keras's formulas, the plateau and early stopping against
 * their stories, epoch by epoch.
 */
#include <math.h>

#include "nn/schedule.h"
#include "nn/stopping.h"
#include "unit.h"

static ax_error err;
static ax_model model = {.task = AX_TASK_CLASSIFICATION, .n_classes = 3, .n_outputs = 3};
static ax_metrics metrics; /* loss, accuracy */
static ax_arena arena;     /* of the JSON */

static const ax_json *parse(const char *text)
{
    ax_json *v = NULL;

    if (text == NULL)
        return NULL;
    unit_status(ax_json_parse(&arena, text, strlen(text), &v, &err), AX_OK, &err, "%s", text);
    return v;
}

static ax_status read_schedule(const char *text, bool has_valid, ax_schedule *out)
{
    ax_schedule_spec spec = {.choice = parse(text),
                             .learning_rate = 0.5,
                             .steps = 10,
                             .epochs = 20,
                             .metrics = &metrics,
                             .has_valid = has_valid};

    return ax_schedule_read(&spec, out, &err);
}

/* ---- rates ----------------------------------------------------------------------------------- */

typedef struct point {
    int64_t step, epoch;
    double rate;
} point;

typedef struct rate_case {
    const char *json;
    point point[6];
    int n;
} rate_case;

static const rate_case rate_cases[] = {
    {NULL, {{0, 0, 0.5}, {199, 19, 0.5}}, 2},
    {"\"constant\"", {{150, 15, 0.5}}, 1},
    {"{\"step\": {\"step_size\": 3, \"factor\": 0.1}}",
     {{0, 0, 0.5}, {29, 2, 0.5}, {30, 3, 0.05}, {95, 9, 0.0005}},
     4},
    {"\"step\"", {{99, 9, 0.5}, {100, 10, 0.25}}, 2},
    {"{\"class_name\": \"ExponentialDecay\", \"config\": {\"initial_learning_rate\": 0.1, "
     "\"decay_steps\": 4, \"decay_rate\": 0.25, \"staircase\": false, \"name\": \"e\"}}",
     {{0, 0, 0.1}, {2, 0, 0.05}, {4, 0, 0.025}, {8, 0, 0.00625}},
     4},
    {"{\"ExponentialDecay\": {\"initial_learning_rate\": 0.1, \"decay_steps\": 4, \"decay_rate\": "
     "0.25, \"staircase\": true}}",
     {{3, 0, 0.1}, {4, 0, 0.025}, {7, 0, 0.025}},
     3},
    {"\"exponential\"", {{0, 0, 0.5}, {10, 1, 0.48}}, 2},
    {"{\"CosineDecay\": {\"initial_learning_rate\": 0.4, \"decay_steps\": 8, \"alpha\": 0.1}}",
     {{0, 0, 0.4}, {4, 0, 0.4 * 0.55}, {8, 0, 0.04}, {100, 9, 0.04}},
     4},
    /* Keras: warms up over 10 steps, then decays over 8 from the target. */
    {"{\"CosineDecay\": {\"initial_learning_rate\": 0.0, \"decay_steps\": 8, "
     "\"warmup_target\": 0.2, \"warmup_steps\": 10}}",
     {{0, 0, 0}, {5, 0, 0.1}, {10, 1, 0.2}, {14, 1, 0.1}, {18, 1, 0}, {50, 5, 0}},
     6},
    {"\"cosine\"", {{0, 0, 0.5}, {100, 10, 0.25}, {200, 20, 0}}, 3},
    {"{\"cosine\": {\"warmup_steps\": 100}}",
     {{0, 0, 0}, {50, 5, 0.25}, {100, 10, 0.5}, {150, 15, 0.25}, {200, 20, 0}},
     5},
};

static void check_rates(void)
{
    for (int i = 0; i < AX_COUNT(rate_cases); i++) {
        const rate_case *c = &rate_cases[i];
        ax_schedule s;

        if (!unit_status(read_schedule(c->json, false, &s), AX_OK, &err, "is read"))
            continue;
        for (int k = 0; k < c->n; k++)
            unit_near(ax_schedule_rate(&s, c->point[k].step, c->point[k].epoch), c->point[k].rate,
                      1e-12, "step %d", (int) c->point[k].step);
    }
}

static void check_refusals(void)
{
    ax_schedule s;

    unit_status(read_schedule("\"cosin\"", false, &s), AX_ERR_UNKNOWN, &err, "unknown schedule");
    unit_is_str(err.hint, "Did you mean \"cosine\"?", "the nearest is named");
    unit_status(read_schedule("{\"cosine\": {\"decay_rate\": 1}}", false, &s), AX_ERR_UNKNOWN, &err,
                "a setting of another schedule");
    unit_is_str(err.message, "schedule \"cosine\" has no setting \"decay_rate\"", "is named");
    unit_status(read_schedule("{\"step\": {\"step_size\": 0}}", false, &s), AX_ERR_INVALID, &err,
                "step_size 0");
    unit_status(read_schedule("{\"step\": {\"step_size\": 1.5}}", false, &s), AX_ERR_INVALID, &err,
                "step_size 1.5");
    unit_status(read_schedule("{\"ReduceLROnPlateau\": {\"monitor\": \"acuracy\"}}", true, &s),
                AX_ERR_UNKNOWN, &err, "an unknown metric");
    unit_is_str(err.hint, "Did you mean \"accuracy\"?", "the nearest is named");
    unit_status(read_schedule("{\"ReduceLROnPlateau\": {\"monitor\": \"val_loss\"}}", false, &s),
                AX_ERR_INVALID, &err, "a validation metric without validation");
    unit_status(read_schedule("{\"ReduceLROnPlateau\": {\"mode\": \"up\"}}", false, &s),
                AX_ERR_INVALID, &err, "an unknown mode");
}

/* ---- plateau --------------------------------------------------------------------------------- */

/* Feeds losses, one an epoch, and checks the rate after each. */
static void check_plateau(const char *json, const double *loss, const double *rate, int n)
{
    ax_schedule s;
    int bad = 0;

    unit_status(read_schedule(json, false, &s), AX_OK, &err, "is read");
    for (int i = 0; i < n; i++) {
        ax_schedule_epoch(&s, (const double[]) {loss[i], 0}, NULL);
        if (fabs(ax_schedule_rate(&s, 0, i) - rate[i]) > 1e-12) {
            unit_note("epoch %d: rate %g, not %g", i, ax_schedule_rate(&s, 0, i), rate[i]);
            bad++;
        }
    }
    unit_check(bad == 0, "the rate falls when it should");
}

static void check_plateaus(void)
{
    check_plateau("{\"ReduceLROnPlateau\": {\"patience\": 2, \"factor\": 0.1, \"min_delta\": 0}}",
                  (const double[]) {1, 0.5, 0.6, 0.6, 0.6, 0.6, 0.4},
                  (const double[]) {0.5, 0.5, 0.5, 0.05, 0.05, 0.005, 0.005}, 7);
    check_plateau("{\"ReduceLROnPlateau\": {\"patience\": 1, \"factor\": 0.1, \"cooldown\": 2}}",
                  (const double[]) {1, 1, 1, 1, 1, 1},
                  (const double[]) {0.5, 0.05, 0.05, 0.005, 0.005, 0.0005}, 6);
    check_plateau("{\"ReduceLROnPlateau\": {\"patience\": 1, \"factor\": 0.1, \"min_lr\": 0.02}}",
                  (const double[]) {1, 1, 1, NAN}, (const double[]) {0.5, 0.05, 0.02, 0.02}, 4);
    check_plateau("{\"reduce_on_plateau\": {\"patience\": 1, \"monitor\": \"loss\", \"mode\": "
                  "\"max\", \"factor\": 0.5}}",
                  (const double[]) {1, 2, 3, 2}, (const double[]) {0.5, 0.5, 0.5, 0.25}, 4);
}

/* ---- early stopping -------------------------------------------------------------------------- */

typedef struct stop_case {
    const char *json;
    double value[8]; /* val_loss and val_accuracy alike */
    int n, stop, best;
    bool restore;
} stop_case;

static const stop_case stop_cases[] = {
    {NULL, {1, 2, 3, 4, 5, 6}, 6, 0, 1, false},
    {"false", {1, 2, 3, 4, 5, 6}, 6, 0, 1, false},
    {"true", {3, 2, 4, 4, 4, 1}, 6, 5, 2, true},
    {"2", {3, 2, 4, 4, 4, 1}, 6, 4, 2, true},
    {"{}", {3, 2, 1, 1, 1}, 5, 4, 3, false},
    {"{\"patience\": 1, \"min_delta\": 0.5}", {3, 2, 1.9, 1}, 4, 3, 2, false},
    {"{\"patience\": 1, \"monitor\": \"val_accuracy\", \"restore_best_weights\": true}",
     {0.1, 0.5, 0.6, 0.6},
     4,
     4,
     3,
     true},
    {"{\"patience\": 2, \"baseline\": 0.5}", {0.9, 0.8, 0.85, 0.4}, 4, 3, 2, false},
    {"{\"patience\": 1, \"start_from_epoch\": 3}", {1, 2, 3, 4, 5}, 5, 5, 4, false},
    {"{\"patience\": 2}", {NAN, NAN, NAN, NAN}, 4, 2, 1, false},
};

static void check_stopping(const stop_case *c)
{
    ax_stopping s;
    int stopped = 0;

    if (!unit_status(ax_stopping_read(parse(c->json), &metrics, true, &s, &err), AX_OK, &err,
                     "early stopping %s", c->json != NULL ? c->json : "not given"))
        return;
    for (int e = 1; e <= c->n && stopped == 0; e++) {
        double valid[] = {c->value[e - 1], c->value[e - 1]};

        if ((ax_stopping_epoch(&s, e, valid, valid) & AX_VERDICT_STOP) != 0)
            stopped = e;
    }
    unit_is_int(stopped, c->stop, "stops after epoch %d", c->stop);
    unit_is_int(s.best_epoch, c->best, "the best was %d", c->best);
    unit_check(s.restore_best_weights == c->restore, "weights are restored or not");
}

static void check_stopping_refusals(void)
{
    ax_stopping s;

    unit_status(ax_stopping_read(parse("{\"patiense\": 1}"), &metrics, true, &s, &err),
                AX_ERR_UNKNOWN, &err, "an unknown setting");
    unit_is_str(err.hint, "Did you mean \"patience\"?", "the nearest is named");
    unit_status(ax_stopping_read(parse("-1"), &metrics, true, &s, &err), AX_ERR_INVALID, &err,
                "patience -1");
    unit_status(ax_stopping_read(parse("{\"monitor\": \"val_accuracy\"}"), &metrics, false, &s,
                                 &err),
                AX_ERR_INVALID, &err, "validation accuracy without validation");
    unit_is_str(err.hint, "Set validation_split, or monitor \"accuracy\".", "the hint helps");
    unit_status(ax_stopping_read(parse("true"), &metrics, false, &s, &err), AX_OK, &err,
                "by default without validation");
    unit_check(!s.watch.valid && s.watch.metric == 0, "the training loss is watched");
}

/* ---- snapshots ------------------------------------------------------------------------------- */

static void check_snapshot(void)
{
    const int64_t dim = 5;
    const ax_shape shape = ax_shape_of(1, &dim);
    const float start[] = {1, 2, 3, 4, 5};
    ax_graph *g = NULL;
    ax_snapshot s = {.bytes = NULL};
    int w, r;

    ax_graph_create(unit_env(), "g", &g, &err);
    ax_graph_add_weight(g, "w", AX_FLOAT, &shape, true, start, &w, &err);
    ax_graph_add_weight(g, "running_mean", AX_FLOAT, &shape, false, start, &r, &err);
    unit_status(ax_graph_bind(g, &err), AX_OK, &err, "a graph with two weights");
    unit_status(ax_snapshot_open(unit_env(), g, &s, &err), AX_OK, &err, "a snapshot");
    ax_snapshot_restore(&s, g);
    unit_same(g->value[w].data, start, sizeof(start), "restoring nothing changes nothing");
    ax_snapshot_take(&s, g);
    memset(g->value[w].data, 0, sizeof(start));
    memset(g->value[r].data, 0, sizeof(start));
    ax_snapshot_restore(&s, g);
    unit_same(g->value[w].data, start, sizeof(start), "the trained weight is back");
    unit_same(g->value[r].data, start, sizeof(start), "and the running one");
    ax_snapshot_close(&s);
    ax_graph_free(g);
}

int main(void)
{
    ax_arena_init(&arena, unit_env());
    unit_status(ax_metrics_open(unit_env(), &model, NULL, false, &metrics, &err), AX_OK, &err,
                "loss and accuracy");
    check_rates();
    check_refusals();
    check_plateaus();
    for (int i = 0; i < AX_COUNT(stop_cases); i++)
        check_stopping(&stop_cases[i]);
    check_stopping_refusals();
    check_snapshot();
    ax_metrics_close(&metrics);
    ax_arena_free(&arena);
    return unit_done();
}
