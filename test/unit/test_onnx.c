/*
 * test_onnx.c: a graph survives the way to ONNX bytes and back, with and without weights; damaged
 * bytes are refused or read as something harmless, never more.
 */
#include "graph/op.h"
#include "onnx/onnx.h"
#include "onnx/wire.h"
#include "unit.h"

#include <stdlib.h>

static ax_error err;

static ax_graph *sample(void)
{
    ax_graph *g = NULL;
    ax_shape in = ax_shape_of(4, (const int64_t[]){AX_DIM_BATCH, 3, 8, 8});
    ax_shape kernel = ax_shape_of(4, (const int64_t[]){4, 3, 3, 3}), four = ax_shape_of(1, &kernel.dim[0]);
    ax_shape dense = ax_shape_of(2, (const int64_t[]){144, 2});
    float w[288];
    int x, k, b, d, v;
    ax_attr pads[] = {ax_attr_is("pads", 4, (const int64_t[]){0, 0, 0, 0}),
                      ax_attr_s("auto_pad", "NOTSET")};
    ax_attr alpha[] = {ax_attr_f("alpha", 0.5f)};

    for (int i = 0; i < 288; i++)
        w[i] = (float) (i % 7) - 3;
    ax_graph_create(unit_env(), "sample", &g, &err);
    ax_graph_add_input(g, "image", AX_FLOAT, &in, &x, &err);
    ax_graph_add_weight(g, "conv/kernel", AX_FLOAT, &kernel, true, w, &k, &err);
    ax_graph_add_weight(g, "conv/bias", AX_FLOAT, &four, true, w, &b, &err);
    ax_graph_add_weight(g, "dense/kernel", AX_FLOAT, &dense, true, w, &d, &err);
    ax_graph_add_node(g, "Conv", "conv", 3, (int[]){x, k, b}, 2, pads, &v, &err);
    ax_graph_add_node(g, "LeakyRelu", "conv/leaky", 1, &v, 1, alpha, &v, &err);
    ax_graph_add_node(g, "Flatten", "flatten", 1, &v, 0, NULL, &v, &err);
    ax_graph_add_node(g, "Gemm", "dense", 2, (int[]){v, d}, 0, NULL, &v, &err);
    ax_graph_add_output(g, v, &err);
    ax_graph_set_meta(g, "aiaas.task", "classification", &err);
    unit_status(ax_graph_bind(g, &err), AX_OK, &err, "a sample graph");
    return g;
}

static uint8_t *encode(const ax_graph *g, bool weights, size_t *size)
{
    uint8_t *buf;

    unit_status(ax_onnx_encoded_size(g, weights, size, &err), AX_OK, &err, "its size");
    buf = malloc(*size);
    unit_status(ax_onnx_encode(g, weights, buf, *size, &err), AX_OK, &err, "its bytes");
    return buf;
}

static void test_round_trip(const ax_graph *g, bool weights)
{
    size_t size, size2;
    uint8_t *bytes = encode(g, weights, &size), *again;
    ax_graph *h = NULL;
    int k;

    if (!unit_status(ax_onnx_decode(unit_env(), bytes, size, &h, &err), AX_OK, &err, "read back"))
        return;
    unit_is_int(h->n_nodes, g->n_nodes, "as many nodes");
    unit_is_str(h->name, "sample", "the name");
    unit_is_str(ax_graph_meta(h, "aiaas.task"), "classification", "the metadata");
    k = ax_graph_find_value(h, "conv/kernel");
    unit_check(k >= 0 && (h->value[k].data != NULL) == weights, "weights are there or awaited");
    if (weights) {
        unit_same(h->value[k].data, g->value[ax_graph_find_value(g, "conv/kernel")].data,
                  108 * sizeof(float), "the weights' bits");
        again = encode(h, true, &size2);
        unit_check(size == size2 && memcmp(bytes, again, size) == 0, "written again: same bytes");
        free(again);
    }
    ax_graph_free(h);
    free(bytes);
}

/* Cut at every byte, and with every bit of the first kilobyte flipped: no crash, no leak, no file. */
static void test_damage(const ax_graph *g)
{
    size_t size, before;
    uint8_t *bytes = encode(g, true, &size);
    int read = 0;

    before = unit_live_bytes();
    for (size_t n = 0; n < size; n++) {
        ax_graph *h = NULL;
        uint8_t *cut = malloc(n + 1); /* its own block: the sanitizer sees a read past the end */

        memcpy(cut, bytes, n);
        if (ax_onnx_decode(unit_env(), cut, n, &h, &err) == AX_OK) {
            read++;
            ax_graph_free(h);
        }
        free(cut);
    }
    unit_check(read < 8, "of %zu truncated files %d were read", size, read);
    for (size_t bit = 0; bit < 8 * AX_MIN(size, 1024); bit++) {
        ax_graph *h = NULL;

        bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
        if (ax_onnx_decode(unit_env(), bytes, size, &h, &err) == AX_OK)
            ax_graph_free(h);
        bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
    }
    unit_check(unit_live_bytes() == before, "nothing leaks from damaged files");
    free(bytes);
}

static void test_external(void)
{
    static const uint8_t file[] = "\x08\x08"                  /* ir_version 8 */
                                  "\x3a\x31"                  /* graph */
                                  "\x2a\x2f\x08\x04\x10\x01"  /* initializer: dims 4, float */
                                  "\x42\x01w"                 /* name */
                                  "\x6a\x24\x0a\x08location"  /* external_data */
                                  "\x12\x18/etc/passwd/not/readable"
                                  "\x70\x01";
    ax_graph *g = NULL;

    unit_status(ax_onnx_decode(unit_env(), file, sizeof(file) - 1, &g, &err), AX_ERR_UNSUPPORTED,
                &err, "a tensor kept in a file is refused");
}

static void test_no_memory(const ax_graph *g)
{
    size_t size, before;
    uint8_t *bytes = encode(g, true, &size);
    int bad = 0;

    before = unit_live_bytes();
    for (long n = 1;; n++) {
        ax_graph *h = NULL;
        ax_status status = ax_onnx_decode(unit_env_fail_at(n), bytes, size, &h, &err);

        if (!unit_env_tripped()) {
            ax_graph_free(h);
            break;
        }
        bad += status != AX_ERR_NOMEM || unit_live_bytes() != before;
    }
    unit_check(bad == 0, "reading without memory fails cleanly");
    free(bytes);
}

static void test_wire(void)
{
    static const uint8_t endless[] = {0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                      0xff, 0xff, 0xff, 0x01};
    static const uint8_t group[] = {0x0b, 0x00};
    static const uint8_t long_bytes[] = {0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x00};
    ax_field f;
    ax_wire w = ax_wire_of(endless, sizeof(endless));

    unit_check(!ax_wire_next(&w, &f) && w.bad, "a varint of eleven bytes is refused");
    w = ax_wire_of(group, sizeof(group));
    unit_check(!ax_wire_next(&w, &f) && w.bad, "a group is refused");
    w = ax_wire_of(long_bytes, sizeof(long_bytes));
    unit_check(!ax_wire_next(&w, &f) && w.bad, "a length past the end is refused");
}

int main(void)
{
    ax_graph *g = sample();

    test_round_trip(g, true);
    test_round_trip(g, false);
    test_damage(g);
    test_no_memory(g);
    test_external();
    test_wire();
    ax_graph_free(g);
    return unit_done();
}
