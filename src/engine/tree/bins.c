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

#include "tree/bins_private.h"

#define RAW_BYTES      ((size_t) 64 << 20)
#define CHUNK_BYTES    ((size_t) 64 << 10)
#define MAX_PIECE_ROWS ((int64_t) 4 << 20) /* what is sorted at once */
#define MIN_PIECE_ROWS 256

/* ---- memory ---------------------------------------------------------------------------------- */

void *ax_binner_take(ax_binner *b, size_t size)
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

static void free_all(ax_binner *b)
{
    free_raw(b);
    while (b->first != NULL) {
        piece *p = b->first;

        b->first = p->next;
        ax_binner_free_piece(b, p);
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

ax_status ax_binner_append(ax_binner *b, const float *row, ax_error *err)
{
    float *to;
    int64_t chunk;

    if (b->rows == INT32_MAX)
        return ax_fail(err, AX_ERR_LIMIT, "a table may have at most %d rows", INT32_MAX);
    if (b->raw_rows == b->raw_limit)
        AX_TRY(ax_binner_seal(b, NULL, err));
    chunk = b->raw_rows / b->chunk_rows;
    if (chunk == b->n_chunks) {
        b->chunk[chunk] = ax_binner_take(b, (size_t) b->columns * (size_t) b->chunk_rows * sizeof(float));
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
        ax_binner_free_piece(b, p);
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
        AX_TRY(ax_binner_seal(b, pool, err));
    free_raw(b);
    for (int j = 0; j < b->columns; j++) {
        if (j % 64 == 0 && !ax_may_continue(&b->env))
            return ax_cancelled(err);
        AX_TRY(ax_binner_close_column(b, j, &bins->column[j], err));
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
