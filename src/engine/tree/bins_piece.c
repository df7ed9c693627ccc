/*
 * bins_piece.c: the floats of the rows that came become a piece: bytes and the cuts that they mean.
 */
#include <math.h>

#include "tree/bins_private.h"

/* ---- a piece: one column --------------------------------------------------------------------- */

/* What the threads share while the floats are turned into a piece. */
typedef struct sealing {
    ax_work work;
    ax_binner *b;
    piece *p;
    uint32_t **keys; /* (threads) room for two times the piece's rows */
    cuts **fresh;    /* (columns) room for cuts, taken by who needs it */
    atomic_int next; /* column */
} sealing;

static const float *raw_values(const ax_binner *b, int column, int64_t from, int64_t *n)
{
    int64_t chunk = from / b->chunk_rows;

    *n = AX_MIN(b->chunk_rows, b->raw_rows - from);
    return b->chunk[chunk] + column * b->chunk_rows;
}

static bool sealing_stopped(void *arg)
{
    return ax_work_stopped(&((sealing *) arg)->work);
}

/* The keys of all values that are not missing. */
static int64_t collect_keys(const ax_binner *b, int column, uint32_t *key)
{
    int64_t filled = 0, n;

    for (int64_t from = 0; from < b->raw_rows; from += n) {
        const float *x = raw_values(b, column, from, &n);

        for (int64_t i = 0; i < n; i++) {
            key[filled] = ax_key_of_float(x[i]);
            filled += !isnan(x[i]);
        }
    }
    return filled;
}

/* The end of the run of equal keys that starts at `from`. */
static int64_t run_end(const uint32_t *key, int64_t from, int64_t n)
{
    int64_t to = from + 1;

    while (to < n && key[to] == key[from])
        to++;
    return to;
}

static void cut_sorted(cuts *c, const uint32_t *key, int64_t n, int max_bin)
{
    ax_cutter cutter;

    ax_cutter_start(&cutter, max_bin, n, c->edge);
    for (int64_t i = 0, to; i < n; i = to) {
        to = run_end(key, i, n);
        ax_cutter_count(&cutter, to - i);
    }
    ax_cutter_counted(&cutter);
    c->exact = cutter.points <= max_bin;
    for (int64_t i = 0, to; i < n; i = to) {
        float x = ax_float_of_key(key[i]);

        to = run_end(key, i, n);
        ax_cutter_add(&cutter, (ax_cut_point){x, x, false, to - i});
        if (c->exact)
            c->value[cutter.n] = x;
    }
    c->n = ax_cutter_end(&cutter);
    c->low = n > 0 ? ax_float_of_key(key[0]) : INFINITY;
    c->high = n > 0 ? ax_float_of_key(key[n - 1]) : -INFINITY;
}

/* Of its own quantiles. False: stopped. */
static bool make_cuts(sealing *s, int column, uint32_t *key)
{
    ax_binner *b = s->b;
    cuts *c = s->fresh[column];
    int64_t n = collect_keys(b, column, key);
    uint32_t *sorted = ax_sort_keys(key, key + b->raw_rows, n, sealing_stopped, s);

    if (sorted == NULL)
        return false;
    memset(c, 0, sizeof(*c));
    cut_sorted(c, sorted, n, b->max_bin);
    for (int i = AX_MAX(c->n - 1, 0); i < AX_MAX_BINS; i++)
        c->edge[i] = INFINITY;
    c->next = b->column[column].newest;
    b->column[column].newest = c;
    s->fresh[column] = NULL;
    return true;
}

/* Bytes of a column by given cuts, and how many rows each bin gets. False: stopped. */
static bool bin_numbers(sealing *s, int column, const cuts *c, int64_t count[AX_MAX_BINS + 1])
{
    uint8_t *out = s->p->data + column * s->p->stride;
    int steps = ax_search_steps(c->n);
    int64_t n;

    memset(count, 0, (AX_MAX_BINS + 1) * sizeof(*count));
    for (int64_t from = 0; from < s->b->raw_rows; from += n) {
        const float *x = raw_values(s->b, column, from, &n);

        if (ax_work_stopped(&s->work))
            return false;
        for (int64_t i = 0; i < n; i++) {
            int bin = ax_bin_of(c->edge, steps, x[i]);

            bin = isnan(x[i]) ? AX_BIN_MISSING : bin;
            out[from + i] = (uint8_t) bin;
            count[bin]++;
        }
    }
    return true;
}

static void bin_codes(sealing *s, int column)
{
    uint8_t *out = s->p->data + column * s->p->stride;
    binner_column *col = &s->b->column[column];
    int64_t n;

    for (int64_t from = 0; from < s->b->raw_rows; from += n) {
        const float *x = raw_values(s->b, column, from, &n);

        for (int64_t i = 0; i < n; i++) {
            int code = x[i] >= 0 && x[i] < AX_MAX_BINS ? (int) x[i] : AX_BIN_MISSING;

            out[from + i] = (uint8_t) code;
            col->missing = col->missing || code == AX_BIN_MISSING;
            col->codes = code == AX_BIN_MISSING ? col->codes : AX_MAX(col->codes, code + 1);
        }
    }
}

/* Has the column no value but those of exact cuts? */
static bool all_known(const sealing *s, int column, const cuts *c)
{
    const uint8_t *bin = s->p->data + column * s->p->stride;
    int64_t n, unknown = 0;

    for (int64_t from = 0; from < s->b->raw_rows; from += n) {
        const float *x = raw_values(s->b, column, from, &n);

        for (int64_t i = 0; i < n; i++)
            unknown += bin[from + i] != AX_BIN_MISSING && c->value[bin[from + i]] != x[i];
    }
    return unknown == 0;
}

/* Do the shares of a piece's rows resemble those of the pieces before? */
static bool cuts_fit(const sealing *s, int column, const cuts *c, const int64_t *count)
{
    int64_t old = 0, all = 0;

    if (c->exact)
        return all_known(s, column, c);
    for (int i = 0; i < c->n; i++) {
        old += c->count[i];
        all += count[i];
    }
    for (int i = 0; i < c->n; i++) {
        double share = old > 0 ? (double) c->count[i] / (double) old : 0;

        if ((double) count[i] > 2 * (double) all * share + 16)
            return false;
    }
    return true;
}

static void widen(sealing *s, int column, cuts *c)
{
    int64_t n;

    for (int64_t from = 0; from < s->b->raw_rows; from += n) {
        const float *x = raw_values(s->b, column, from, &n);

        for (int64_t i = 0; i < n; i++) {
            c->low = x[i] < c->low ? x[i] : c->low;
            c->high = x[i] > c->high ? x[i] : c->high;
        }
    }
}

static void seal_column(sealing *s, int column, uint32_t *key)
{
    binner_column *col = &s->b->column[column];
    int64_t count[AX_MAX_BINS + 1];
    cuts *c = col->newest;

    if (col->category) {
        bin_codes(s, column);
        return;
    }
    if (c == NULL || !bin_numbers(s, column, c, count) || !cuts_fit(s, column, c, count)) {
        if (!make_cuts(s, column, key))
            return;
        c = col->newest;
        if (!bin_numbers(s, column, c, count))
            return;
    } else {
        widen(s, column, c);
    }
    for (int i = 0; i < c->n; i++)
        c->count[i] += count[i];
    col->missing = col->missing || count[AX_BIN_MISSING] > 0;
    s->p->of[column] = c;
}

static void seal_task(void *arg, int task)
{
    sealing *s = arg;

    for (;;) {
        int column = atomic_fetch_add(&s->next, 1);

        if (column >= s->b->columns || ax_work_stopped(&s->work))
            return;
        seal_column(s, column, s->keys[task]);
    }
}

/* ---- a piece ---------------------------------------------------------------------------------- */

void ax_binner_free_piece(ax_binner *b, piece *p)
{
    if (p != NULL) {
        ax_free(&b->env, p->data);
        ax_free(&b->env, p->of);
        ax_free(&b->env, p);
    }
}

static piece *new_piece(ax_binner *b)
{
    piece *p = ax_zalloc(&b->env, sizeof(*p));
    size_t size;

    if (p == NULL)
        return NULL;
    p->rows = b->raw_rows;
    p->stride = (p->rows + AX_ALIGN - 1) / AX_ALIGN * AX_ALIGN;
    if (ax_mul_size((size_t) b->columns, (size_t) p->stride, &size)) {
        p->data = ax_binner_take(b, size);
        p->of = ax_zalloc(&b->env, (size_t) b->columns * sizeof(*p->of));
    }
    if (p->data == NULL || p->of == NULL) {
        ax_binner_free_piece(b, p);
        return NULL;
    }
    return p;
}

/* Room for the threads' keys, and for cuts where some may be made. */
static bool sealing_room(sealing *s, int threads)
{
    const ax_env *env = &s->work.env;
    bool ok = true;

    s->keys = ax_zalloc(env, (size_t) threads * sizeof(*s->keys));
    s->fresh = ax_zalloc(env, (size_t) s->b->columns * sizeof(*s->fresh));
    if (s->keys == NULL || s->fresh == NULL)
        return false;
    for (int t = 0; t < threads; t++) {
        s->keys[t] = ax_alloc(env, 2 * (size_t) s->b->raw_rows * sizeof(uint32_t));
        ok = ok && s->keys[t] != NULL;
    }
    for (int j = 0; j < s->b->columns && ok; j++)
        if (!s->b->column[j].category) {
            s->fresh[j] = ax_alloc(env, sizeof(cuts));
            ok = s->fresh[j] != NULL;
        }
    return ok;
}

static void sealing_end(sealing *s, int threads)
{
    for (int t = 0; t < threads && s->keys != NULL; t++)
        ax_free(&s->work.env, s->keys[t]);
    for (int j = 0; j < s->b->columns && s->fresh != NULL; j++)
        ax_free(&s->work.env, s->fresh[j]);
    ax_free(&s->work.env, s->keys);
    ax_free(&s->work.env, s->fresh);
}

ax_status ax_binner_seal(ax_binner *b, ax_pool *pool, ax_error *err)
{
    sealing s = {.work = {.env = b->env, .pool = pool}, .b = b, .p = new_piece(b)};
    int threads = AX_MAX(AX_MIN(ax_work_threads(&s.work), b->columns), 1);
    ax_status status = AX_ERR_NOMEM;

    if (s.p != NULL && sealing_room(&s, threads))
        status = ax_work_run(&s.work, seal_task, &s, threads, err);
    else
        ax_nomem(err);
    for (int j = 0; j < b->columns && status == AX_OK; j++)
        if (!b->column[j].category && s.fresh[j] == NULL)
            b->memory = ax_sum_alloc(b->memory, 1, sizeof(cuts));
    sealing_end(&s, threads);
    if (status != AX_OK) {
        ax_binner_free_piece(b, s.p);
        return status;
    }
    if (b->last != NULL)
        b->last->next = s.p;
    else
        b->first = s.p;
    b->last = s.p;
    b->raw_rows = 0;
    return AX_OK;
}
