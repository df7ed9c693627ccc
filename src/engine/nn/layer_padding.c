/*
 * layer_padding.c: zeros around the planes of an image or the steps of a row.
 *
 * "padding" is one number for every side; one number a dimension, for both of its sides; or a pair a dimension,
 * begin and end. Over steps there is one dimension, and a pair is its two sides.
 */
#include "nn/layer.h"

static ax_status wrong_padding(ax_builder *b, int n)
{
    ax_build_fail(b, AX_ERR_INVALID, "\"padding\" does not say how much goes on each side");
    ax_hint(b->err, n == 1 ? "Write a number, or [begin, end]."
                           : "Write a number, [height, width], or [[top, bottom], [left, right]].");
    return AX_ERR_INVALID;
}

/* pad[2 i] and pad[2 i + 1]: before and behind dimension i of n. */
static ax_status read_padding(ax_builder *b, const ax_layer *l, int n, int64_t *pad)
{
    const ax_layer_value *v = ax_layer_get(l, "padding");
    float number[4] = {1, 1, 1, 1};
    int64_t count = v->given ? ax_layer_numbers(l, "padding", number, AX_COUNT(number)) : 1;

    if ((count != 1 && count != n && count != 2 * n) ||
        (v->given && v->json->kind == AX_JSON_ARRAY && v->json->count != AX_MAX(n, 2)))
        return wrong_padding(b, n);
    for (int i = 0; i < 2 * n; i++) {
        float x = number[count == 1 ? 0 : count == n ? i / 2 : i];

        if (x < 0 || x > (float) AX_MAX_UNITS || x != (float) (int64_t) x)
            return ax_build_fail(b, AX_ERR_INVALID,
                                 "\"padding\" must hold integers from 0 to %lld",
                                 (long long) AX_MAX_UNITS);
        pad[i] = (int64_t) x;
    }
    return AX_OK;
}

static ax_status build_padding(ax_builder *b, const ax_layer *l)
{
    int64_t side[4] = {0}, pads[8] = {0}; /* pads: batch, channels, then the plane; begins, then ends */
    ax_window w;
    int more;

    AX_TRY(ax_window_planes(b, l, &w));
    AX_TRY(read_padding(b, l, w.n, side));
    for (int i = 0; i < w.n; i++) {
        pads[2 + i] = side[2 * i];
        pads[w.n + 4 + i] = side[2 * i + 1];
        w.out[i] = w.in[i] + side[2 * i] + side[2 * i + 1];
    }
    AX_TRY(ax_window_close(b, &w, w.channels));
    AX_TRY(ax_build_integers(b, "pads", 2 * (w.n + 2), pads, &more));
    return ax_build_node(b, "Pad", NULL, 1, &more, 0, NULL);
}

static const ax_layer_key padding_keys[] = {
    {.name = "padding", .kind = AX_KEY_NUMBERS}, AX_KEY_FORMAT_ROW, AX_KEY_END};

const ax_layer_kind ax_layers_padding[] = {
    {"ZeroPadding1D", NULL, padding_keys, AX_LAYER_PLANES, 2, NULL, NULL, NULL, build_padding},
    {"ZeroPadding2D", NULL, padding_keys, AX_LAYER_PLANES, 3, NULL, NULL, NULL, build_padding},
    {.name = NULL},
};
