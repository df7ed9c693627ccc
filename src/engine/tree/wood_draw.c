/*
 * wood_draw.c: the rows of a tree: all of them, some of them, or a bootstrap sample, in which a row that was drawn
 * k times is one row of k times the weight.
 */
#include "tree/wood_private.h"

#define BLOCK 65536

/* No row is drawn 255 times by chance; one that was is not counted further, so that the byte holds. */
static bool draw_again(ax_wood_slot *s, int64_t n, int64_t m)
{
    for (int64_t j = 0; j < m; j++) {
        uint8_t *drawn = &s->drawn[ax_rng_below(&s->rng, (uint64_t) n)];

        *drawn = (uint8_t) (*drawn + (*drawn < UINT8_MAX));
        if (j % BLOCK == BLOCK - 1 && ax_wood_tick(s, BLOCK))
            return false;
    }
    return true;
}

/* m of n without replacement (Floyd): each subset is as likely as any other. */
static bool draw_once(ax_wood_slot *s, int64_t n, int64_t m)
{
    for (int64_t j = n - m; j < n; j++) {
        uint64_t at = ax_rng_below(&s->rng, (uint64_t) j + 1);

        if (s->drawn[at])
            at = (uint64_t) j;
        s->drawn[at] = 1;
        if (j % BLOCK == BLOCK - 1 && ax_wood_tick(s, BLOCK))
            return false;
    }
    return true;
}

static ax_wood_sample sample_of(const ax_wood *w, int64_t i, int times)
{
    int32_t row = ax_wood_row(w, i);
    ax_wood_sample out = {.row = row, .weight = (float) times};

    if (w->rows.weights != NULL)
        out.weight *= w->rows.weights[row];
    if (w->params.criterion == AX_SQUARED_ERROR)
        out.value = w->rows.values[row];
    else if (w->params.criterion != AX_RANDOM_CUTS)
        out.class = w->rows.classes[row];
    return out;
}

/* The drawn rows that weigh something, in their order. */
static bool collect(ax_wood_slot *s, int64_t n)
{
    s->n_sample = 0;
    s->root_weight = 0;
    for (int64_t i = 0; i < n; i++) {
        if (s->drawn[i]) {
            ax_wood_sample x = sample_of(s->wood, i, s->drawn[i]);

            s->sample[s->n_sample] = x;
            s->n_sample += x.weight > 0;
            s->root_weight += x.weight;
        }
        if (i % BLOCK == BLOCK - 1 && ax_wood_tick(s, BLOCK))
            return false;
    }
    return true;
}

/* With weights all rows of a small sample may weigh nothing: then it takes the first row that does. */
static void take_one(ax_wood_slot *s, int64_t n)
{
    for (int64_t i = 0; i < n && s->n_sample == 0; i++) {
        s->sample[0] = sample_of(s->wood, i, 1);
        s->n_sample = s->sample[0].weight > 0;
        s->root_weight = s->sample[0].weight;
    }
}

bool ax_wood_draw(ax_wood_slot *s)
{
    const ax_wood *w = s->wood;
    int64_t n = w->rows.n;
    bool all = !w->params.bootstrap && w->samples == n;

    memset(s->drawn, all, (size_t) n);
    if (w->params.bootstrap && !draw_again(s, n, w->samples))
        return false;
    if (!w->params.bootstrap && !all && !draw_once(s, n, w->samples))
        return false;
    if (!collect(s, n))
        return false;
    take_one(s, n);
    return true;
}
