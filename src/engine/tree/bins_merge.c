/*
 * bins_merge.c: the cuts of a column's pieces become the bins of the table.
 *
 * One set of cuts is taken as it is. Several are cut once more, with their bins as points.
 */
#include <math.h>

#include "tree/bins_private.h"

static float *copy_edges(const ax_env *env, const float *edge, int n)
{
    float *copy = ax_alloc(env, (size_t) AX_MAX(n, 1) * sizeof(*copy));

    if (copy != NULL && n > 0)
        memcpy(copy, edge, (size_t) n * sizeof(*copy));
    return copy;
}

static float *code_edges(const ax_env *env, int n)
{
    float *code = ax_alloc(env, (size_t) AX_MAX(n, 1) * sizeof(*code));

    for (int i = 0; i < n && code != NULL; i++)
        code[i] = (float) i;
    return code;
}

static bool point_before(const ax_cut_point *a, const ax_cut_point *b)
{
    return a->high < b->high || (a->high == b->high && a->low < b->low);
}

/* Heap sort: it needs no memory. */
static void sink(ax_cut_point *p, int64_t at, int64_t n)
{
    for (int64_t child; (child = 2 * at + 1) < n; at = child) {
        ax_cut_point swap = p[at];

        if (child + 1 < n && point_before(&p[child], &p[child + 1]))
            child++;
        if (!point_before(&p[at], &p[child]))
            return;
        p[at] = p[child];
        p[child] = swap;
    }
}

static void sort_points(ax_cut_point *p, int64_t n)
{
    for (int64_t i = n / 2 - 1; i >= 0; i--)
        sink(p, i, n);
    for (int64_t i = n - 1; i > 0; i--) {
        ax_cut_point swap = p[0];

        p[0] = p[i];
        p[i] = swap;
        sink(p, 0, i);
    }
}

/* The bins of all cuts of a column as points, in order; equal ones become one. */
static int64_t collect_points(const cuts *c, ax_cut_point *p)
{
    int64_t n = 0, kept = 0;

    for (; c != NULL; c = c->next)
        for (int i = 0; i < c->n; i++) {
            float low = i > 0 ? c->edge[i - 1] : nextafterf(c->low, -INFINITY);
            float high = i < c->n - 1 ? c->edge[i] : c->high;

            if (c->count[i] == 0)
                continue;
            p[n++] = c->exact ? (ax_cut_point){c->value[i], c->value[i], false, c->count[i]}
                              : (ax_cut_point){low, AX_MIN(high, c->high), true, c->count[i]};
        }
    sort_points(p, n);
    for (int64_t i = 0; i < n; i++) {
        if (kept > 0 && p[kept - 1].low == p[i].low && p[kept - 1].high == p[i].high)
            p[kept - 1].count += p[i].count;
        else
            p[kept++] = p[i];
    }
    return kept;
}

static int cut_points(const ax_cut_point *p, int64_t n, int max_bin, float *edge)
{
    ax_cutter cutter;
    int64_t rows = 0;
    int bins;

    for (int64_t i = 0; i < n; i++)
        rows += p[i].count;
    ax_cutter_start(&cutter, max_bin, rows, edge);
    for (int64_t i = 0; i < n; i++)
        ax_cutter_count(&cutter, p[i].count);
    ax_cutter_counted(&cutter);
    for (int64_t i = 0; i < n; i++)
        ax_cutter_add(&cutter, p[i]);
    bins = ax_cutter_end(&cutter);
    for (int i = AX_MAX(bins - 1, 0); i < AX_MAX_BINS; i++)
        edge[i] = INFINITY;
    return bins;
}

static void map_cuts(cuts *c, const float *edge, int bins)
{
    int steps = ax_search_steps(bins);

    for (int i = 0; i < c->n; i++) {
        float low = i > 0 ? c->edge[i - 1] : c->low;
        float high = i < c->n - 1 ? AX_MIN(c->edge[i], c->high) : c->high;
        float middle = c->exact ? c->value[i] : low < high ? ax_cut_between(low, high) : high;

        c->map[i] = (uint8_t) ax_bin_of(edge, steps, middle);
    }
    c->map[AX_BIN_MISSING] = AX_BIN_MISSING;
}

static ax_status merge_cuts(ax_binner *b, cuts *newest, ax_bin_column *out, ax_error *err)
{
    float edge[AX_MAX_BINS];
    ax_cut_point *p;
    int64_t n = 0;

    for (cuts *c = newest; c != NULL; c = c->next)
        n += c->n;
    p = ax_alloc(&b->env, (size_t) n * sizeof(*p));
    if (p == NULL)
        return ax_nomem(err);
    n = collect_points(newest, p);
    out->n = cut_points(p, n, b->max_bin, edge);
    ax_free(&b->env, p);
    for (cuts *c = newest; c != NULL; c = c->next)
        map_cuts(c, edge, out->n);
    out->edge = copy_edges(&b->env, edge, AX_MAX(out->n - 1, 0));
    return out->edge != NULL ? AX_OK : ax_nomem(err);
}

ax_status ax_binner_close_column(ax_binner *b, int j, ax_bin_column *out, ax_error *err)
{
    const binner_column *col = &b->column[j];
    cuts *c = col->newest;

    out->category = col->category;
    out->missing = col->missing;
    if (c != NULL && c->next != NULL)
        return merge_cuts(b, c, out, err);
    out->n = col->category ? col->codes : c != NULL ? c->n : 0;
    for (int i = 0; i <= AX_MAX_BINS && c != NULL; i++)
        c->map[i] = (uint8_t) i;
    out->edge = col->category ? code_edges(&b->env, out->n)
                              : copy_edges(&b->env, c != NULL ? c->edge : NULL, AX_MAX(out->n - 1, 0));
    return out->edge != NULL ? AX_OK : ax_nomem(err);
}
