/*
 * bins.c: see bins.h.
 *
 * Rows are kept as floats in chunks, column by column within a chunk, until there are RAW_BYTES of them. Then the
 * column's floats are turned into bytes: a piece. What the bytes of a piece's column mean is written in its cuts: the
 * edges, how many rows each bin has, and the smallest and the largest value. A later piece uses the cuts of the one
 * before when they share its rows out well enough, as they do unless the rows come in some order; else it makes its
 * own.
 *
 * At the end the cuts of each column are put together. One: its bins are the table's. Several: they are cut once more,
 * with bins as points, and each bin of a piece becomes the bin of the table where its middle lies. So a column with few
 * distinct values is binned exactly, and any other is off by no more than a bin of a piece.
 */
#include "tree/bins.h"

#include <math.h>

#include "tree/cuts.h"
#include "tree/work.h"

#define RAW_BYTES      ((size_t) 64 << 20)
#define CHUNK_BYTES    ((size_t) 64 << 10)
#define MAX_PIECE_ROWS ((int64_t) 4 << 20) /* what is sorted at once */
#define MIN_PIECE_ROWS 256
#define BLOCK          4096 /* values binned between two questions */

/* The bins of a column in one or more pieces. */
typedef struct cuts {
    struct cuts *next; /* older */
    int n;
    bool exact;        /* a bin a value */
    float low, high;   /* smallest and largest value */
    float edge[AX_MAX_BINS];   /* n - 1, then infinities */
    float value[AX_MAX_BINS];  /* exact: of each bin */
    int64_t count[AX_MAX_BINS];
    uint8_t map[AX_MAX_BINS + 1]; /* to the bins of the table */
} cuts;

typedef struct piece {
    struct piece *next;
    int64_t rows, stride;
    uint8_t *data;   /* (columns, stride) */
    cuts **of;       /* (columns) */
} piece;

typedef struct binner_column {
    bool category, missing;
    int codes; /* category: the largest code and one */
    cuts *newest;
} binner_column;

struct ax_binner {
    ax_env env;
    int columns, max_bin;
    int64_t rows, raw_rows, raw_limit;
    int64_t chunk_rows;
    float **chunk; /* each (columns, chunk_rows) */
    int64_t n_chunks;
    binner_column *column;
    piece *first, *last;
    size_t memory;
};

/* ---- memory ---------------------------------------------------------------------------------- */

static void *take(ax_binner *b, size_t size)
{
    void *p = ax_alloc(&b->env, size);

    if (p != NULL)
        b->memory = ax_sum_alloc(b->memory, 1, size);
    return p;
}

static void free_raw(ax_binner *b)
{
    for (int64_t i = 0; i < b->n_chunks; i++) {
        ax_free(&b->env, b->chunk[i]);
        b->chunk[i] = NULL;
    }
    b->n_chunks = 0;
    b->raw_rows = 0;
}

static void free_piece(ax_binner *b, piece *p)
{
    if (p != NULL) {
        ax_free(&b->env, p->data);
        ax_free(&b->env, p->of);
        ax_free(&b->env, p);
    }
}

static void free_all(ax_binner *b)
{
    free_raw(b);
    while (b->first != NULL) {
        piece *p = b->first;

        b->first = p->next;
        free_piece(b, p);
    }
    b->last = NULL;
    for (int j = 0; j < b->columns && b->column != NULL; j++)
        while (b->column[j].newest != NULL) {
            cuts *c = b->column[j].newest;

            b->column[j].newest = c->next;
            ax_free(&b->env, c);
        }
    b->memory = 0;
    b->rows = 0;
}

void ax_binner_free(ax_binner *b)
{
    ax_env env;

    if (b == NULL)
        return;
    env = b->env;
    free_all(b);
    ax_free(&env, b->column);
    ax_free(&env, b->chunk);
    ax_free(&env, b);
}

void ax_bins_free(ax_bins *b)
{
    ax_env env;

    if (b == NULL)
        return;
    env = b->env;
    for (int j = 0; j < b->columns && b->column != NULL; j++)
        ax_free(&env, (void *) b->column[j].edge);
    ax_free(&env, b->column);
    ax_free(&env, b->data);
    ax_free(&env, b);
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* Sizes of a chunk and of all of them. */
static void plan_raw(ax_binner *b, size_t raw_bytes)
{
    size_t row = (size_t) AX_MAX(b->columns, 1) * sizeof(float);
    int64_t limit = AX_MIN((int64_t) (raw_bytes / row), MAX_PIECE_ROWS);

    b->chunk_rows = AX_MIN(AX_MAX((int64_t) (CHUNK_BYTES / row), 16), 4096);
    limit = AX_MAX(limit, MIN_PIECE_ROWS);
    b->raw_limit = (limit + b->chunk_rows - 1) / b->chunk_rows * b->chunk_rows;
}

ax_status ax_binner_create_small(const ax_env *env, int columns, const bool *category, int max_bin,
                                 size_t raw_bytes, ax_binner **out, ax_error *err)
{
    ax_binner *b = ax_zalloc(env, sizeof(*b));

    if (b == NULL)
        return ax_nomem(err);
    b->env = *env;
    b->columns = columns;
    b->max_bin = AX_MIN(AX_MAX(max_bin, 2), AX_MAX_BINS);
    plan_raw(b, raw_bytes);
    b->column = ax_zalloc(env, (size_t) columns * sizeof(*b->column));
    b->chunk = ax_zalloc(env, (size_t) (b->raw_limit / b->chunk_rows) * sizeof(*b->chunk));
    if (b->column == NULL || b->chunk == NULL) {
        ax_binner_free(b);
        return ax_nomem(err);
    }
    for (int j = 0; j < columns; j++)
        b->column[j].category = category != NULL && category[j];
    *out = b;
    return AX_OK;
}

ax_status ax_binner_create(const ax_env *env, int columns, const bool *category, int max_bin, ax_binner **out,
                           ax_error *err)
{
    return ax_binner_create_small(env, columns, category, max_bin, RAW_BYTES, out, err);
}

size_t ax_binner_memory(const ax_binner *b)
{
    size_t fixed = ax_sum_alloc(sizeof(*b), (size_t) b->columns, sizeof(*b->column));

    return ax_sum_alloc(b->memory + fixed, (size_t) (b->raw_limit / b->chunk_rows), sizeof(*b->chunk));
}

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

static piece *new_piece(ax_binner *b)
{
    piece *p = ax_zalloc(&b->env, sizeof(*p));
    size_t size;

    if (p == NULL)
        return NULL;
    p->rows = b->raw_rows;
    p->stride = (p->rows + AX_ALIGN - 1) / AX_ALIGN * AX_ALIGN;
    if (ax_mul_size((size_t) b->columns, (size_t) p->stride, &size)) {
        p->data = take(b, size);
        p->of = ax_zalloc(&b->env, (size_t) b->columns * sizeof(*p->of));
    }
    if (p->data == NULL || p->of == NULL) {
        free_piece(b, p);
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

static ax_status seal(ax_binner *b, ax_pool *pool, ax_error *err)
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
        free_piece(b, s.p);
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

ax_status ax_binner_append(ax_binner *b, const float *row, ax_error *err)
{
    float *to;
    int64_t chunk;

    if (b->rows == INT32_MAX)
        return ax_fail(err, AX_ERR_LIMIT, "a table may have at most %d rows", INT32_MAX);
    if (b->raw_rows == b->raw_limit)
        AX_TRY(seal(b, NULL, err));
    chunk = b->raw_rows / b->chunk_rows;
    if (chunk == b->n_chunks) {
        b->chunk[chunk] = take(b, (size_t) b->columns * (size_t) b->chunk_rows * sizeof(float));
        if (b->chunk[chunk] == NULL)
            return ax_nomem(err);
        b->n_chunks++;
    }
    to = b->chunk[chunk] + b->raw_rows % b->chunk_rows;
    for (int j = 0; j < b->columns; j++)
        to[j * b->chunk_rows] = row[j];
    b->raw_rows++;
    b->rows++;
    return AX_OK;
}

/* ---- putting the pieces together -------------------------------------------------------------- */

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

static ax_status close_column(ax_binner *b, int j, ax_bin_column *out, ax_error *err)
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

/* ---- closing ---------------------------------------------------------------------------------- */

typedef struct joining {
    ax_work work;
    const piece *p;
    ax_bins *bins;
    int64_t at; /* first row of the piece */
} joining;

static void join_task(void *arg, int column)
{
    joining *j = arg;
    const uint8_t *from = j->p->data + column * j->p->stride;
    uint8_t *to = j->bins->data + column * j->bins->stride + j->at;
    const cuts *c = j->p->of[column];

    if (c == NULL) {
        memcpy(to, from, (size_t) j->p->rows);
        return;
    }
    for (int64_t i = 0; i < j->p->rows; i++)
        to[i] = c->map[from[i]];
}

/* The pieces' bytes one after the other; each piece is freed behind. */
static ax_status join_pieces(ax_binner *b, ax_pool *pool, ax_bins *bins, ax_error *err)
{
    joining j = {.work = {.env = b->env, .pool = pool}, .bins = bins};

    if (b->first != NULL && b->first->next == NULL) {
        bins->data = b->first->data;
        bins->stride = b->first->stride;
        b->first->data = NULL;
        return AX_OK;
    }
    bins->stride = (b->rows + AX_ALIGN - 1) / AX_ALIGN * AX_ALIGN;
    bins->data = ax_alloc_large(&b->env, (size_t) b->columns * (size_t) bins->stride);
    if (bins->data == NULL)
        return ax_nomem(err);
    while (b->first != NULL) {
        piece *p = b->first;

        j.p = p;
        AX_TRY(ax_work_run(&j.work, join_task, &j, b->columns, err));
        j.at += p->rows;
        b->first = p->next;
        free_piece(b, p);
    }
    return AX_OK;
}

static ax_status make_bins(ax_binner *b, ax_pool *pool, ax_bins *bins, ax_error *err)
{
    bins->env = b->env;
    bins->rows = b->rows;
    bins->columns = b->columns;
    bins->column = ax_zalloc(&b->env, (size_t) b->columns * sizeof(*bins->column));
    if (bins->column == NULL)
        return ax_nomem(err);
    if (b->raw_rows > 0)
        AX_TRY(seal(b, pool, err));
    free_raw(b);
    for (int j = 0; j < b->columns; j++) {
        if (j % 64 == 0 && !ax_may_continue(&b->env))
            return ax_cancelled(err);
        AX_TRY(close_column(b, j, &bins->column[j], err));
    }
    return join_pieces(b, pool, bins, err);
}

ax_status ax_binner_close(ax_binner *b, ax_pool *pool, ax_bins **out, ax_error *err)
{
    ax_bins *bins = ax_zalloc(&b->env, sizeof(*bins));
    ax_status status;

    if (bins == NULL)
        return ax_nomem(err);
    status = make_bins(b, pool, bins, err);
    free_all(b);
    if (status != AX_OK) {
        ax_bins_free(bins);
        return status;
    }
    *out = bins;
    return AX_OK;
}
