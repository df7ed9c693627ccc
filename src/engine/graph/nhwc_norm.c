/*
 * nhwc_norm.c: BatchNormalization with the channels last, and the relu behind it. The arithmetic, and where shards
 * meet, is that of op_batchnorm.c; rows of channels go through tensor/channel.h.
 *
 * A shard's moments are taken about its first row, in floats for BLOCK_ROWS rows and in doubles beyond.
 */
#include <math.h>

#include "graph/moments.h"
#include "graph/nhwc.h"

#define BLOCK_ROWS 128

typedef struct norm {
    int64_t rows, c;
    float epsilon, momentum;
    bool relu;
    int64_t padded; /* c, rounded up to a cache line */
} norm;

/* What a shard keeps of a channel from forward to backward. */
typedef struct channel {
    ax_moments moments; /* of the shard */
    double sum, product;    /* of the shard's gradient: of g, of g * x^ */
} channel;

/* saved: channels, then rows of floats. */
typedef enum row { ROW_MEAN, ROW_INV, ROW_K, ROW_A, ROW_B, ROW_SUM, ROW_SQUARE, N_ROWS } row;

static channel *channels_of(const ax_run *r)
{
    return r->saved;
}

static float *row_of(const ax_run *r, row i)
{
    const norm *p = r->prep;
    size_t head = ((size_t) p->c * sizeof(channel) + AX_ALIGN - 1) / AX_ALIGN * AX_ALIGN;

    return (float *) ((uint8_t *) (r->training ? r->saved : r->scratch) + (r->training ? head : 0)) +
           i * p->padded;
}

static ax_status setup(ax_setup *s, bool relu)
{
    norm *p = ax_setup_prep(s, sizeof(*p));
    const ax_shape *x = &s->in[0].shape;
    size_t rows;

    if (p == NULL)
        return ax_nomem(s->err);
    AX_TRY(ax_setup_float(s, 0, 2, AX_MAX_RANK));
    p->c = x->dim[x->rank - 1];
    p->rows = ax_shape_span(x, 0, x->rank - 1);
    p->epsilon = ax_node_float(s->node, "epsilon", 1e-5f);
    p->momentum = ax_node_float(s->node, "momentum", 0.9f);
    p->relu = relu;
    p->padded = (p->c + 15) / 16 * 16;
    rows = N_ROWS * (size_t) p->padded * sizeof(float);
    if (s->training)
        s->saved = (size_t) p->c * sizeof(channel) + AX_ALIGN + rows;
    else
        s->scratch = rows;
    ax_setup_same(s, 0);
    return AX_OK;
}

static ax_status setup_plain(ax_setup *s)
{
    return setup(s, false);
}

static ax_status setup_relu(ax_setup *s)
{
    return setup(s, true);
}

/* ---- statistics ------------------------------------------------------------------------------ */

static void forward_stats(const ax_run *r)
{
    const norm *p = r->prep;
    const float *x = r->in[0].data, *shift = x;
    float *sum = row_of(r, ROW_SUM), *square = row_of(r, ROW_SQUARE);
    channel *ch = channels_of(r);

    memset(ch, 0, (size_t) p->c * sizeof(*ch));
    for (int64_t i = 0; i < p->rows; i += BLOCK_ROWS) {
        int64_t n = AX_MIN(BLOCK_ROWS, p->rows - i);

        memset(sum, 0, (size_t) p->c * sizeof(float));
        memset(square, 0, (size_t) p->c * sizeof(float));
        ax_kernels_get()->channels->moments(n, p->c, x + i * p->c, shift, sum, square);
        for (int64_t c = 0; c < p->c; c++) {
            double s = sum[c], mean = s / (double) n;

            ax_moments_add(&ch[c].moments, &(ax_moments){(double) n, shift[c] + mean,
                                                         fmax(square[c] - s * mean, 0)});
        }
    }
}

static void forward_merge(const ax_run *const *shard, int n)
{
    const norm *p = shard[0]->prep;

    for (int64_t c = 0; c < p->c; c++) {
        ax_moments batch = {0};
        double inv;

        for (int s = 0; s < n; s++) {
            const channel *ch = channels_of(shard[s]) + c;

            ax_moments_add(&batch, &ch->moments);
        }
        if (batch.count == 0)
            continue;
        ax_moments_move_running(shard[0], p->momentum, c, &batch);
        inv = 1.0 / sqrt(batch.m2 / batch.count + p->epsilon);
        for (int s = 0; s < n; s++) {
            row_of(shard[s], ROW_MEAN)[c] = (float) batch.mean;
            row_of(shard[s], ROW_INV)[c] = (float) inv;
            channels_of(shard[s])[c].moments.count = batch.count;
        }
    }
}

/* ---- forward --------------------------------------------------------------------------------- */

static void forward(const ax_run *r)
{
    const norm *p = r->prep;
    const float *scale = r->in[1].data, *bias = r->in[2].data, *var = r->in[4].data;
    const float *mean = r->training ? row_of(r, ROW_MEAN) : r->in[3].data;
    float *k = row_of(r, ROW_K), *inv = row_of(r, ROW_INV);

    for (int64_t c = 0; c < p->c; c++) {
        if (!r->training)
            inv[c] = (float) (1.0 / sqrt((double) var[c] + p->epsilon));
        k[c] = scale[c] * inv[c];
    }
    ax_kernels_get()->channels->normalize(p->rows, p->c, r->in[0].data, mean, k, bias, p->relu,
                                          r->out[0].data);
}

/* ---- backward -------------------------------------------------------------------------------- */

static void backward_stats(const ax_run *r)
{
    const norm *p = r->prep;
    const float *x = r->in[0].data, *mean = row_of(r, ROW_MEAN), *inv = row_of(r, ROW_INV);
    const float *g = r->dout[0].data, *k = row_of(r, ROW_K);
    const float *relu = p->relu ? r->in[2].data : NULL;
    float *sum = row_of(r, ROW_SUM), *product = row_of(r, ROW_SQUARE);
    channel *ch = channels_of(r);

    for (int64_t c = 0; c < p->c; c++)
        ch[c].sum = ch[c].product = 0;
    for (int64_t i = 0; i < p->rows; i += BLOCK_ROWS) {
        memset(sum, 0, (size_t) p->c * sizeof(float));
        memset(product, 0, (size_t) p->c * sizeof(float));
        ax_kernels_get()->channels->moments_back(AX_MIN(BLOCK_ROWS, p->rows - i), p->c,
                                                 g + i * p->c, x + i * p->c, mean, k, relu,
                                                 sum, product);
        for (int64_t c = 0; c < p->c; c++) {
            ch[c].sum += sum[c];
            ch[c].product += (double) product[c] * inv[c];
        }
    }
}

static void backward_merge(const ax_run *const *shard, int n)
{
    const norm *p = shard[0]->prep;

    for (int64_t c = 0; c < p->c; c++) {
        double sum = 0, product = 0, count = channels_of(shard[0])[c].moments.count;

        for (int s = 0; s < n; s++) {
            sum += channels_of(shard[s])[c].sum;
            product += channels_of(shard[s])[c].product;
        }
        for (int s = 0; s < n && count > 0; s++) {
            row_of(shard[s], ROW_A)[c] = (float) (sum / count);
            row_of(shard[s], ROW_B)[c] = (float) (product / count * row_of(shard[s], ROW_INV)[c]);
        }
    }
}

static void backward(const ax_run *r)
{
    const norm *p = r->prep;
    const channel *ch = channels_of(r);
    float *dscale = ax_wants_grad(r, 1) ? r->din[1].data : NULL;
    float *dbias = ax_wants_grad(r, 2) ? r->din[2].data : NULL;

    for (int64_t c = 0; c < p->c; c++) {
        if (dscale != NULL)
            dscale[c] = (float) ch[c].product + (r->add[1] ? dscale[c] : 0);
        if (dbias != NULL)
            dbias[c] = (float) ch[c].sum + (r->add[2] ? dbias[c] : 0);
    }
    if (ax_wants_grad(r, 0))
        ax_kernels_get()->channels->normalize_back(
            p->rows, p->c, r->dout[0].data, r->in[0].data, row_of(r, ROW_MEAN), row_of(r, ROW_K),
            p->relu ? r->in[2].data : NULL, row_of(r, ROW_A), row_of(r, ROW_B), r->add[0], r->din[0].data);
}

static const ax_attr_spec attrs[] = {{"epsilon", AX_ATTR_FLOAT},
                                     {"momentum", AX_ATTR_FLOAT},
                                     {"training_mode", AX_ATTR_INT},
                                     {NULL, 0}};

#define NORM(name, label, setup_fn)                                                                \
    const ax_op name = {.type = label,                                                             \
                        .min_in = 5,                                                               \
                        .max_in = 5,                                                               \
                        .min_out = 1,                                                              \
                        .max_out = 1,                                                              \
                        .flags = AX_KEEP_IN0 | AX_KEEP_IN1 | AX_INPLACE,                           \
                        .attr = attrs,                                                             \
                        .setup = setup_fn,                                                         \
                        .forward = forward,                                                        \
                        .backward = backward,                                                      \
                        .forward_stats = forward_stats,                                            \
                        .forward_merge = forward_merge,                                            \
                        .backward_stats = backward_stats,                                          \
                        .backward_merge = backward_merge}

NORM(ax_nhwc_batch_normalization, "BatchNormalization", setup_plain);
NORM(ax_nhwc_batch_normalization_relu, "BatchNormalization+Relu", setup_relu);
