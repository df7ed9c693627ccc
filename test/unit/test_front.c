/*
 * test_front.c: columns in front of a graph: what a text stands for, the way to ONNX bytes and back with names of
 * every kind, what is refused, damaged bytes, and every allocation failing in turn.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "graph/graph.h"
#include "onnx/onnx.h"
#include "onnx/wire.h"

#include "unit.h"

static ax_error err;

static const char *const jobs[] = {"teacher", "nurse", "a rather long name of a profession", "été", "n", "\"quoted\""};
static const float job_values[] = {1, 2, 3, 4, NAN, -0.0f};

static const ax_front_column columns[] = {
    {.name = "age", .width = 1},
    {.name = "job", .text = true, .width = 1, .n_keys = 6, .key = jobs, .key_value = job_values, .otherwise = -1,
     .missing = NAN},
    {.name = "x", .width = 3}, /* which is the graph's own input */
    {.name = "Mixed \"Case\" é", .text = true, .width = 1, .otherwise = NAN, .missing = 5},
    {.name = "aiaas.front/code/1", .width = 2},
};

static ax_graph *new_graph(const ax_env *env, int64_t width)
{
    ax_shape shape = ax_shape_of(2, (const int64_t[]){AX_DIM_BATCH, width});
    ax_graph *g = NULL;
    int x;

    if (ax_graph_create(env, "table", &g, &err) != AX_OK)
        return NULL;
    if (ax_graph_add_input(g, "x", AX_FLOAT, &shape, &x, &err) != AX_OK ||
        ax_graph_add_node(g, "Relu", "age", 1, &x, 0, NULL, &x, &err) != AX_OK || /* a column has this name, too */
        ax_graph_add_output(g, x, &err) != AX_OK || ax_graph_bind(g, &err) != AX_OK) {
        ax_graph_free(g);
        return NULL;
    }
    return g;
}

static ax_graph *sample(void)
{
    ax_graph *g = new_graph(unit_env(), 8);

    unit_status(ax_graph_set_front(g, AX_COUNT(columns), columns, &err), AX_OK, &err, "five columns");
    return g;
}

static float value(const ax_front_column *c, const char *text)
{
    return ax_front_value(c, text, strlen(text));
}

static void check_values(const ax_front *f)
{
    for (int i = 0; i < AX_COUNT(jobs); i++) {
        float v = value(&f->column[1], jobs[i]);

        unit_same(&v, &job_values[i], sizeof(v), "what \"%s\" stands for", jobs[i]);
    }
    unit_near(value(&f->column[1], "nurses"), -1, 0, "an unknown text");
    unit_near(value(&f->column[1], "nurs"), -1, 0, "the beginning of a text");
    unit_near(ax_front_value(&f->column[1], "nurses", 5), 2, 0, "only the bytes that are told of");
    unit_near(ax_front_value(&f->column[1], "n\0\0", 3), -1, 0, "a zero is a byte like any other");
    unit_check(isnan(ax_front_value(&f->column[1], NULL, 0)), "the empty text is missing");
    unit_check(isnan(value(&f->column[3], "any")), "no text is known: NaN");
    unit_near(value(&f->column[3], ""), 5, 0, "but the empty one is");
}

static void test_values(void)
{
    ax_graph *g = sample();

    check_values(g->front);
    ax_graph_free(g);
}

static void test_many(void)
{
    enum { MANY = 100000 };
    const char **key = calloc(MANY, sizeof(*key));
    float *number = calloc(MANY, sizeof(*number));
    ax_front_column c = {.name = "id", .text = true, .width = 1, .n_keys = MANY, .key = key, .key_value = number,
                         .otherwise = -1};
    ax_graph *g = new_graph(unit_env(), 1);
    int bad = 0;

    for (int i = 0; i < MANY; i++) {
        char text[32];

        snprintf(text, sizeof text, "%x", i * 7919);
        key[i] = strdup(text);
        number[i] = (float) i;
    }
    unit_status(ax_graph_set_front(g, 1, &c, &err), AX_OK, &err, "%d categories", MANY);
    for (int i = 0; i < MANY; i++)
        bad += value(&g->front->column[0], key[i]) != (float) i;
    unit_is_int(bad, 0, "each is found");
    free((char *) key[5]);
    key[5] = key[7];
    unit_status(ax_graph_set_front(g, 1, &c, &err), AX_ERR_INVALID, &err, "one twice");
    for (int i = 0; i < MANY; i++)
        if (i != 5)
            free((char *) key[i]);
    ax_graph_free(g);
    free(key);
    free(number);
}

/* ---- there and back -------------------------------------------------------------------------- */

static uint8_t *encode(const ax_graph *g, size_t *size)
{
    uint8_t *bytes;

    unit_status(ax_onnx_encoded_size(g, true, size, &err), AX_OK, &err, "its size");
    bytes = malloc(*size);
    unit_status(ax_onnx_encode(g, true, bytes, *size, &err), AX_OK, &err, "its bytes");
    return bytes;
}

static void check_same(const ax_front *a, const ax_front *b)
{
    unit_is_int(b->n, a->n, "as many columns");
    for (int i = 0; i < a->n; i++) {
        unit_is_str(b->column[i].name, a->column[i].name, "name of column %d", i);
        unit_check(a->column[i].text == b->column[i].text && a->column[i].width == b->column[i].width &&
                       a->column[i].n_keys == b->column[i].n_keys,
                   "column %d", i);
    }
}

static void test_round_trip(void)
{
    ax_graph *g = sample(), *h = NULL;
    size_t size, size_again;
    uint8_t *bytes = encode(g, &size), *again;

    if (!unit_status(ax_onnx_decode(unit_env(), bytes, size, &h, &err), AX_OK, &err, "read back"))
        return;
    unit_check(h->front != NULL && h->n_inputs == 1 && h->n_nodes == g->n_nodes, "the front is off the graph");
    unit_is_str(h->value[h->input[0]].name, "x", "the input's own name");
    unit_is_int(h->value[h->input[0]].shape.dim[1], 8, "and its width");
    check_same(g->front, h->front);
    check_values(h->front);
    again = encode(h, &size_again);
    unit_check(size == size_again && memcmp(bytes, again, size) == 0, "written again: same bytes");
    ax_graph_free(g);
    ax_graph_free(h);
    free(bytes);
    free(again);
}

static void test_numbers_alone(void)
{
    ax_graph *g = new_graph(unit_env(), 4), *h = NULL;
    ax_front_column c = {.name = "vector", .width = 4};
    size_t size;
    uint8_t *bytes;

    unit_status(ax_graph_set_front(g, 1, &c, &err), AX_OK, &err, "one array and nothing else");
    bytes = encode(g, &size);
    unit_check(memmem(bytes, size, "ai.onnx.ml", 10) == NULL, "no second domain");
    unit_status(ax_onnx_decode(unit_env(), bytes, size, &h, &err), AX_OK, &err, "read back");
    check_same(g->front, h->front);
    ax_graph_free(g);
    ax_graph_free(h);
    free(bytes);
}

static void test_many_columns(void)
{
    enum { MANY = 3000 };
    ax_front_column *c = calloc(MANY, sizeof(*c));
    ax_graph *g = new_graph(unit_env(), MANY), *h = NULL;
    size_t size;
    uint8_t *bytes;

    for (int i = 0; i < MANY; i++) {
        char name[32];

        snprintf(name, sizeof name, "column %d", i);
        c[i] = (ax_front_column){.name = strdup(name), .text = i % 2, .width = 1};
    }
    unit_status(ax_graph_set_front(g, MANY, c, &err), AX_OK, &err, "%d columns", MANY);
    bytes = encode(g, &size);
    unit_status(ax_onnx_decode(unit_env(), bytes, size, &h, &err), AX_OK, &err, "read back");
    check_same(g->front, h->front);
    for (int i = 0; i < MANY; i++)
        free((char *) c[i].name);
    ax_graph_free(g);
    ax_graph_free(h);
    free(bytes);
    free(c);
}

/* ---- what is no front ------------------------------------------------------------------------ */

static void refuse(int n, const ax_front_column *c, const char *what)
{
    ax_graph *g = new_graph(unit_env(), 2);

    unit_status(ax_graph_set_front(g, n, c, &err), AX_ERR_INVALID, &err, "%s", what);
    unit_check(g->front == NULL, "and no front is there");
    ax_graph_free(g);
}

static void test_refusals(void)
{
    ax_front_column c[2] = {{.name = "a", .width = 1}, {.name = "b", .width = 1}};

    refuse(1, c, "too narrow");
    c[1].name = "a";
    refuse(2, c, "two of one name");
    c[1].name = "";
    refuse(2, c, "no name");
    c[1] = (ax_front_column){.name = "b", .text = true, .width = 1, .n_keys = 1, .key = (const char *const[]){""},
                             .key_value = job_values};
    refuse(2, c, "an empty category");
    c[0] = (ax_front_column){.name = "b", .text = true, .width = 2};
    refuse(1, c, "a text of width 2");
    c[0] = (ax_front_column){.name = "b", .width = INT64_MAX};
    c[1] = (ax_front_column){.name = "c", .width = INT64_MAX};
    refuse(2, c, "absurd widths");
}

/* Exchanges one text for another of its length in an encoded front. */
static void change(const char *from, const char *to, bool last, ax_status status, const char *what)
{
    ax_graph *g = sample(), *h = NULL;
    size_t size;
    uint8_t *bytes = encode(g, &size), *at = memmem(bytes, size, from, strlen(from));

    for (uint8_t *next = at; last && next != NULL; next = memmem(at + 1, size - (size_t) (at + 1 - bytes), from, strlen(from)))
        at = next;
    unit_check(at != NULL, "\"%s\" is there", from);
    memcpy(at, to, strlen(from));
    unit_status(ax_onnx_decode(unit_env(), bytes, size, &h, &err), status, &err, "%s", what);
    ax_graph_free(g);
    ax_graph_free(h);
    free(bytes);
}

static void test_other_forms(void)
{
    change("Concat", "Concxt", false, AX_ERR_UNSUPPORTED, "no Concat behind the encoders");
    change("LabelEncoder", "LabelEncodex", false, AX_ERR_UNSUPPORTED, "another operator on a text");
    change("keys_strings", "keys_stringz", false, AX_ERR_UNSUPPORTED, "another attribute");
    change("values_floats", "values_floatz", false, AX_ERR_UNSUPPORTED, "no values");
    change("default_float", "default_floaz", true, AX_ERR_UNSUPPORTED, "no default");
    change("axis", "axiz", false, AX_ERR_UNSUPPORTED, "no axis");
    change("job", "jab", true, AX_ERR_UNSUPPORTED, "an encoder without its input");
    change("nurse", "n\0rse", false, AX_ERR_CORRUPT, "a zero in a category");
}

static void test_damage(void)
{
    ax_graph *g = sample();
    size_t size, before = unit_live_bytes();
    uint8_t *bytes = encode(g, &size);
    int read = 0;

    for (size_t n = 0; n < size; n++) {
        ax_graph *h = NULL;
        uint8_t *cut = malloc(n + 1);

        memcpy(cut, bytes, n);
        read += ax_onnx_decode(unit_env(), cut, n, &h, &err) == AX_OK;
        ax_graph_free(h);
        free(cut);
    }
    unit_check(read < 8, "of %zu truncated files %d were read", size, read);
    read = 0;
    for (size_t bit = 0; bit < 8 * size; bit++) {
        ax_graph *h = NULL;

        bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
        if (ax_onnx_decode(unit_env(), bytes, size, &h, &err) == AX_OK) {
            size_t size_again;

            read++;
            (void) !ax_onnx_encoded_size(h, true, &size_again, &err);
        }
        ax_graph_free(h);
        bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
    }
    unit_check(read > 0 && unit_live_bytes() == before, "%d of %zu damaged files were read, nothing leaks", read, 8 * size);
    ax_graph_free(g);
    free(bytes);
}

static ax_status live(const ax_env *env)
{
    static uint8_t bytes[4096];
    ax_graph *g = new_graph(env, 8), *h = NULL;
    size_t size;
    ax_status status = g == NULL ? AX_ERR_NOMEM : ax_graph_set_front(g, AX_COUNT(columns), columns, &err);

    if (status == AX_OK)
        status = ax_onnx_encoded_size(g, true, &size, &err);
    if (status == AX_OK)
        status = ax_onnx_encode(g, true, bytes, size, &err);
    if (status == AX_OK)
        status = ax_onnx_decode(env, bytes, size, &h, &err);
    ax_graph_free(h);
    ax_graph_free(g);
    return status;
}

static void test_no_memory(void)
{
    size_t before = unit_live_bytes();
    int bad = 0, tried = 0;

    for (long n = 1;; n++, tried++) {
        ax_status status = live(unit_env_fail_at(n));

        if (!unit_env_tripped())
            break;
        if (status != AX_ERR_NOMEM || unit_live_bytes() != before)
            unit_note("allocation %ld: %s, %zu bytes left", n, unit_status_name(status), unit_live_bytes() - before);
        bad += status != AX_ERR_NOMEM || unit_live_bytes() != before;
    }
    unit_check(bad == 0 && tried > 8, "each of %d allocations may fail", tried);
}

int main(void)
{
    test_values();
    test_many();
    test_round_trip();
    test_numbers_alone();
    test_many_columns();
    test_refusals();
    test_other_forms();
    test_damage();
    test_no_memory();
    return unit_done();
}
