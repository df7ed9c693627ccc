/*
 * op_batchnorm.c: BatchNormalization (ONNX 15). Axis 1 is the channel; x is (N, C, ...).
 *
 *     y = scale * (x - mean) / sqrt(var + epsilon) + bias
 *
 * In a training plan mean and variance are those of the whole batch, all shards together: every shard counts (n,
 * mean, M2) per channel, the merge combines them in the order of the shards (Chan, Golub, LeVeque), and moves the
 * running statistics: running = momentum * running + (1 - momentum) * batch, with the population variance, as
 * ONNX says. Otherwise the running ones are used.
 *
 * Backward, with x^ = (x - mean) * inv and sums over the batch of N rows a channel:
 *     dbias = sum(g), dscale = sum(g x^), dx = scale * inv * (g - dbias / N - x^ * dscale / N).
 * Of dscale and dbias each shard writes its own part: gradients of shards are added later.
 */
#include <math.h>

#include "graph/moments.h"

typedef struct norm {
    int64_t n, c, plane;
    float epsilon, momentum;
} norm;

/* What a shard keeps of a channel from forward to backward. */
typedef struct channel {
    ax_moments moments; /* of the shard; after the merge mean is the batch's, m2 its 1/sqrt(var + epsilon) */
    double sum_g, sum_gx;   /* of the shard; after the merge of the batch, divided by its count */
    double scale_part, bias_part; /* the shard's own sums */
} channel;

static ax_status setup(ax_setup *s)
{
    norm *p = ax_setup_prep(s, sizeof(*p));
    const ax_shape *x = &s->in[0].shape;

    if (p == NULL)
        return ax_nomem(s->err);
    AX_TRY(ax_setup_float(s, 0, 2, AX_MAX_RANK));
    p->n = x->dim[0];
    p->c = x->dim[1];
    p->plane = ax_shape_span(x, 2, x->rank);
    p->epsilon = ax_node_float(s->node, "epsilon", 1e-5f);
    p->momentum = ax_node_float(s->node, "momentum", 0.9f);
    for (int i = 1; i < 5; i++) {
        AX_TRY(ax_setup_float(s, i, 1, 1));
        if (s->in[i].shape.dim[0] != p->c)
            return ax_setup_fail(s, "input %d has %lld entries for %lld channels", i + 1,
                                 (long long) s->in[i].shape.dim[0], (long long) p->c);
    }
    if (ax_node_int(s->node, "training_mode", 0) != 0)
        return ax_setup_unsupported(s, "training_mode 1");
    if (s->training)
        s->saved = (size_t) p->c * sizeof(channel);
    ax_setup_same(s, 0);
    return AX_OK;
}

/* ---- statistics of a shard, and of the batch ------------------------------------------------- */

static void count_plane(channel *ch, int64_t n, const float *x)
{
    double sum = 0, m2 = 0, mean;

    for (int64_t i = 0; i < n; i++)
        sum += x[i];
    mean = n > 0 ? sum / (double) n : 0;
    for (int64_t i = 0; i < n; i++)
        m2 += (x[i] - mean) * (x[i] - mean);
    ax_moments_add(&ch->moments, &(ax_moments){(double) n, mean, m2});
}

/* Rank 2: the channels of a row lie side by side, and a plane is one element. */
static void forward_stats(const ax_run *r)
{
    const norm *p = r->prep;
    const float *x = r->in[0].data;
    channel *ch = r->saved;

    memset(ch, 0, (size_t) p->c * sizeof(*ch));
    for (int64_t n = 0; n < p->n; n++)
        for (int64_t c = 0; c < p->c; c++, x += p->plane)
            count_plane(&ch[c], p->plane, x);
}

static void forward_merge(const ax_run *const *shard, int n)
{
    const norm *p = shard[0]->prep;

    for (int64_t c = 0; c < p->c; c++) {
        ax_moments batch = {0};
        double inv;

        for (int s = 0; s < n; s++) {
            const channel *ch = (const channel *) shard[s]->saved + c;

            ax_moments_add(&batch, &ch->moments);
        }
        if (batch.count == 0)
            continue;
        ax_moments_move_running(shard[0], p->momentum, c, &batch);
        inv = 1.0 / sqrt(batch.m2 / batch.count + p->epsilon);
        for (int s = 0; s < n; s++) {
            channel *ch = (channel *) shard[s]->saved + c;

            ch->moments.mean = batch.mean;
            ch->moments.m2 = inv;
            ch->moments.count = batch.count;
        }
    }
}

/* ---- forward --------------------------------------------------------------------------------- */

static void forward(const ax_run *r)
{
    const norm *p = r->prep;
    const float *x = r->in[0].data, *scale = r->in[1].data, *bias = r->in[2].data;
    const float *mean = r->in[3].data, *var = r->in[4].data;
    const channel *ch = r->training ? r->saved : NULL;
    float *y = r->out[0].data;

    for (int64_t n = 0; n < p->n && !ax_pool_stopped(r->pool); n++) {
        for (int64_t c = 0; c < p->c; c++, x += p->plane, y += p->plane) {
            double m = ch != NULL ? ch[c].moments.mean : mean[c];
            double inv = ch != NULL ? ch[c].moments.m2 : 1.0 / sqrt((double) var[c] + p->epsilon);
            float k = (float) (scale[c] * inv), at = (float) m, b = bias[c];

            for (int64_t i = 0; i < p->plane; i++)
                y[i] = k * (x[i] - at) + b;
        }
    }
}

/* ---- backward -------------------------------------------------------------------------------- */

static void backward_stats(const ax_run *r)
{
    const norm *p = r->prep;
    const float *x = r->in[0].data, *g = r->dout[0].data;
    channel *ch = r->saved;

    for (int64_t c = 0; c < p->c; c++)
        ch[c].sum_g = ch[c].sum_gx = 0;
    for (int64_t n = 0; n < p->n; n++) {
        for (int64_t c = 0; c < p->c; c++, x += p->plane, g += p->plane) {
            double sum = 0, sum_x = 0, mean = ch[c].moments.mean;

            for (int64_t i = 0; i < p->plane; i++) {
                sum += g[i];
                sum_x += g[i] * (x[i] - mean);
            }
            ch[c].sum_g += sum;
            ch[c].sum_gx += sum_x * ch[c].moments.m2;
        }
    }
    for (int64_t c = 0; c < p->c; c++) {
        ch[c].bias_part = ch[c].sum_g;
        ch[c].scale_part = ch[c].sum_gx;
    }
}

static void backward_merge(const ax_run *const *shard, int n)
{
    const norm *p = shard[0]->prep;

    for (int64_t c = 0; c < p->c; c++) {
        double sum = 0, sum_x = 0;

        for (int s = 0; s < n; s++) {
            const channel *ch = (const channel *) shard[s]->saved + c;

            sum += ch->bias_part;
            sum_x += ch->scale_part;
        }
        for (int s = 0; s < n; s++) {
            channel *ch = (channel *) shard[s]->saved + c;

            ch->sum_g = ch->moments.count > 0 ? sum / ch->moments.count : 0;
            ch->sum_gx = ch->moments.count > 0 ? sum_x / ch->moments.count : 0;
        }
    }
}

static void backward_input(const ax_run *r)
{
    const norm *p = r->prep;
    const float *x = r->in[0].data, *scale = r->in[1].data, *g = r->dout[0].data;
    const channel *ch = r->saved;
    float *dx = r->din[0].data;
    bool add = r->add[0];

    for (int64_t n = 0; n < p->n; n++) {
        for (int64_t c = 0; c < p->c; c++, x += p->plane, g += p->plane, dx += p->plane) {
            float mean = (float) ch[c].moments.mean, inv = (float) ch[c].moments.m2;
            float k = scale[c] * inv, a = (float) ch[c].sum_g, b = (float) ch[c].sum_gx * inv;

            for (int64_t i = 0; i < p->plane; i++) {
                float d = k * (g[i] - a - (x[i] - mean) * b);

                dx[i] = add ? dx[i] + d : d;
            }
        }
    }
}

static void backward(const ax_run *r)
{
    const norm *p = r->prep;
    const channel *ch = r->saved;
    float *dscale = ax_wants_grad(r, 1) ? r->din[1].data : NULL;
    float *dbias = ax_wants_grad(r, 2) ? r->din[2].data : NULL;

    for (int64_t c = 0; c < p->c; c++) {
        if (dscale != NULL)
            dscale[c] = (float) ch[c].scale_part + (r->add[1] ? dscale[c] : 0);
        if (dbias != NULL)
            dbias[c] = (float) ch[c].bias_part + (r->add[2] ? dbias[c] : 0);
    }
    if (ax_wants_grad(r, 0))
        backward_input(r);
}

static const ax_attr_spec attrs[] = {{"epsilon", AX_ATTR_FLOAT},
                                     {"momentum", AX_ATTR_FLOAT},
                                     {"training_mode", AX_ATTR_INT},
                                     {NULL, 0}};

const ax_op ax_op_batch_normalization = {.type = "BatchNormalization",
                                         .since = 15,
                                         .min_in = 5,
                                         .max_in = 5,
                                         .min_out = 1,
                                         .max_out = 1,
                                         .flags = AX_KEEP_IN0 | AX_KEEP_IN1,
                                         .attr = attrs,
                                         .setup = setup,
                                         .forward = forward,
                                         .backward = backward,
                                         .forward_stats = forward_stats,
                                         .forward_merge = forward_merge,
                                         .backward_stats = backward_stats,
                                         .backward_merge = backward_merge};
