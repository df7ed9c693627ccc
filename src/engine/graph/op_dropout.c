/*
 * op_dropout.c: Dropout.
 *
 *     training     y = keep ? x / (1 - ratio) : 0        dx = keep ? dy / (1 - ratio) : 0
 *     inference    y = x, the very same bytes
 *
 * Whether an element is kept is a function of the step's key, its row within the whole batch and
 * its place within the row, so that neither shards nor threads have a say. One 64-bit draw decides
 * two elements, 32 bits each. The decisions are saved as bytes for backward, and are the second
 * output where somebody asks for it.
 *
 * Whether this is training is the plan's decision; the third input, training_mode, which exporters
 * write as a constant, is not looked at.
 */
#include "graph/op_common.h"
#include "graph/op_list.h"

typedef struct dropout_prep {
    bool drops;         /* training, and a ratio above 0 */
    float scale;        /* 1 / (1 - ratio) */
    uint32_t threshold; /* draws below it drop: ratio * 2^32 */
    uint64_t seed;
    int64_t rows, width;
} dropout_prep;

static ax_status dropout_ratio(ax_setup *s, float *ratio)
{
    *ratio = 0.5f;
    if (ax_setup_absent(s, 1))
        return AX_OK;
    AX_TRY(ax_setup_float(s, 1, 0, 1));
    if (ax_shape_elements(&s->in[1].shape) != 1)
        return ax_setup_fail(s, "ratio is not a single number");
    if (!s->in[1].data)
        return ax_setup_unsupported(s, "ratio is computed; it must be a constant");
    *ratio = *(const float *) s->in[1].data;
    if (!(*ratio >= 0 && *ratio < 1))
        return ax_setup_fail(s, "ratio is %g, not in [0, 1)", (double) *ratio);
    return AX_OK;
}

static ax_status dropout_setup(ax_setup *s)
{
    const ax_shape *shape = &s->in[0].shape;
    bool wants_mask = s->n_out > 1 && s->node->out[1] >= 0;
    dropout_prep *p;
    float ratio;

    AX_TRY(ax_setup_float(s, 0, 0, AX_MAX_RANK));
    AX_TRY(dropout_ratio(s, &ratio));
    ax_setup_same(s, 0);
    if (s->n_out > 1)
        s->out[1] = (ax_tensor){.type = AX_BOOL, .shape = *shape};
    p = ax_setup_prep(s, sizeof *p);
    if (!p)
        return ax_nomem(s->err);
    p->drops = s->training && ratio > 0;
    p->scale = 1 / (1 - ratio);
    p->threshold = (uint32_t) ((double) ratio * 0x1p32); /* ratio < 1 is a float: no overflow */
    p->seed = (uint64_t) ax_node_int(s->node, "seed", 0);
    p->rows = shape->rank > 0 ? shape->dim[0] : 1;
    p->width = ax_shape_span(shape, 1, shape->rank);
    if (p->drops)
        s->saved = ax_tensor_bytes(AX_BOOL, shape);
    else if (!wants_mask)
        s->alias = 0;
    return AX_OK;
}

static void dropout_forward(const ax_run *r)
{
    const dropout_prep *p = r->prep;
    uint64_t key = ax_rng_at(r->key, p->seed);
    uint8_t *keep = r->saved, *mask = r->n_out > 1 ? r->out[1].data : NULL;
    int64_t total = p->rows * p->width;

    if (!p->drops) {
        ax_copy_forward(r);
        if (mask)
            memset(mask, 1, (size_t) total);
        return;
    }
    for (int64_t i = 0; i < p->rows; i++) {
        uint64_t row = (uint64_t) (r->row0 + i) * ((uint64_t) p->width / 2 + 1);

        ax_kernels_get()->dropout(p->width, key, row, p->threshold, p->scale,
                                  (const float *) r->in[0].data + i * p->width,
                                  keep + i * p->width, (float *) r->out[0].data + i * p->width);
    }
    if (mask)
        memcpy(mask, keep, (size_t) total);
}

static void dropout_backward(const ax_run *r)
{
    const dropout_prep *p = r->prep;

    if (!p->drops)
        ax_copy_backward(r);
    else if (ax_wants_grad(r, 0))
        ax_kernels_get()->dropout_back(p->rows * p->width, r->saved, p->scale, r->dout[0].data,
                                       r->din[0].data, r->add[0]);
}

static const ax_attr_spec dropout_attrs[] = {{"seed", AX_ATTR_INT}, {NULL, 0}};

const ax_op ax_op_dropout = {
    .type = "Dropout",
    .since = 13,
    .min_in = 1,
    .max_in = 3,
    .min_out = 1,
    .max_out = 2,
    .flags = AX_RANDOM | AX_INPLACE | AX_ELEMENTWISE,
    .attr = dropout_attrs,
    .setup = dropout_setup,
    .forward = dropout_forward,
    .backward = dropout_backward,
};
