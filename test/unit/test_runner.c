/*
 * test_runner.c: rows through ax_model_predict one at a time, by the short way that opens for quick networks, and
 * in batches between them: the answers are the same, a quick network asks nobody whether to go on, and one that
 * takes its time does ask.
 */
#include "unit.h"

#include <time.h>

#define ROWS 150
#define WIDTH 6

static ax_error err;
static float rows[ROWS][WIDTH];

/* A network of fresh weights over rows of `width` floats. */
static ax_model *build(const ax_env *env, const char *layers, int64_t width, int outputs)
{
    ax_model_spec spec = {.name = "m",
                          .layers = layers,
                          .layers_len = strlen(layers),
                          .input_type = AX_FLOAT,
                          .input_rank = 1,
                          .input_dim = {width},
                          .task = AX_TASK_REGRESSION,
                          .n_outputs = outputs};
    ax_options *o = NULL;
    ax_model *m = NULL;

    if (ax_options_parse(env, NULL, 0, &o, &err) == AX_OK)
        unit_status(ax_model_build(env, &spec, o, &m, &err), AX_OK, &err, "a network is built");
    ax_options_free(o);
    return m;
}

/* Rows [first, first + n) one by one. Returns how many failed. */
static int one_by_one(ax_model *m, int first, int n, int outputs, float *out)
{
    int bad = 0;

    for (int i = first; i < first + n; i++)
        bad += ax_model_predict(m, rows[i], 1, out + i * outputs, &err) != AX_OK;
    return bad;
}

static void test_answers(const char *what, const char *layers, int outputs)
{
    ax_model *m = build(unit_env(), layers, WIDTH, outputs);
    float single[ROWS * WIDTH], again[ROWS * WIDTH], batch[ROWS * WIDTH];
    size_t bytes = sizeof(float) * (size_t) (ROWS * outputs);
    int bad = one_by_one(m, 0, ROWS, outputs, single);

    unit_is_int(bad, 0, "%s: every row alone", what);
    unit_status(ax_model_predict(m, rows, ROWS, batch, &err), AX_OK, &err, "%s: all at once", what);
    unit_close(single, batch, ROWS * outputs, 1e-5, "%s: the same answers", what);
    /* a larger plan has moved the memory, and the short way opens anew; more batches lie between */
    bad = 0;
    for (int i = 0; i < ROWS; i += 30) {
        bad += one_by_one(m, i, 30, outputs, again);
        bad += ax_model_predict(m, rows, 3, batch, &err) != AX_OK;
    }
    unit_is_int(bad, 0, "%s: alone, with batches between", what);
    unit_same(single, again, bytes, "%s: the same bits as before", what);
    ax_model_free(m);
}

static void wait_for_the_next_poll(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 30000000}, NULL);
}

static void test_quick(void)
{
    const ax_env *env = unit_env_cancel_at(1000000);
    ax_model *m = build(env, "[{\"Dense\": {\"units\": 4}}, {\"Dense\": {\"units\": 1}}]", WIDTH, 1);
    float out[ROWS];
    long polls;

    unit_is_int(one_by_one(m, 0, ROWS, 1, out), 0, "a quick network");
    polls = unit_polls();
    unit_env_cancel_at(1);
    wait_for_the_next_poll();
    unit_is_int(one_by_one(m, 0, ROWS, 1, out), 0, "asks nobody whether to go on");
    unit_is_int(unit_polls() - polls, 0, "not once");
    unit_status(ax_model_predict(m, rows, ROWS, out, &err), AX_ERR_CANCELLED, &err, "a batch of it does ask");
    ax_model_free(m);
}

/* 16 million multiplications a row. */
static void test_slow(void)
{
    const ax_env *env = unit_env_cancel_at(1000000);
    ax_model *m = build(env, "[{\"Dense\": {\"units\": 4000}}, {\"Dense\": {\"units\": 4000}}, {\"Dense\": {\"units\": 1}}]",
                        WIDTH, 1);
    float out[ROWS];

    unit_is_int(one_by_one(m, 0, 3, 1, out), 0, "a slow network");
    unit_env_cancel_at(1);
    wait_for_the_next_poll();
    unit_status(ax_model_predict(m, rows[0], 1, out, &err), AX_ERR_CANCELLED, &err, "asks whether to go on");
    unit_env_cancel_at(1000000);
    unit_status(ax_model_predict(m, rows[0], 1, out, &err), AX_OK, &err, "and answers the next row");
    ax_model_free(m);
}

int main(void)
{
    unit_seed(11);
    unit_fill(&rows[0][0], ROWS * WIDTH, -2, 2);
    test_answers("two layers", "[{\"Dense\": {\"units\": 9, \"activation\": \"relu\"}}, {\"Dense\": {\"units\": 1}}]", 1);
    test_answers("four outputs", "[{\"Dense\": {\"units\": 8, \"activation\": \"tanh\"}}, {\"Dense\": {\"units\": 4}}]", 4);
    test_answers("nothing but a new shape", "[{\"Flatten\": {}}]", WIDTH);
    test_quick();
    test_slow();
    return unit_done();
}
