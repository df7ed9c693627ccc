/*
 * packed.c: see packed.h.
 *
 * A packed block is, column by column, a header, the values that its bytes stand for, and the bytes; or the header and
 * floats. Room is for a whole block and for all 255 values, so that it can be packed again where it is.
 */
#include "table/packed.h"

#include <math.h>

#define KEPT_BYTES ((size_t) 64 << 20)
#define BLOCK_ROWS 65536
#define BLOCK_BYTES ((size_t) 16 << 20) /* at most: wide rows come in smaller blocks */
#define MISSING 255
#define VALUES 255
#define SAMPLE 4096
#define SLOTS 1024 /* of the hash that counts different values */

struct ax_packer {
    bool *exact;
    int n_packed; /* blocks [0, n_packed) are packed */
    size_t packed_bytes;
    float *window;
    int in_window; /* -1: none */
    bool changed;
    float *column, *spare; /* (block_rows) work */
};

typedef struct packed_column {
    int64_t bytes; /* of what follows: 1 a row, or 4 */
    float value[VALUES];
} packed_column;

/* Where the bytes of a column begin; the header is in front of them. */
static uint8_t *codes_of(packed_column *c)
{
    return (uint8_t *) (c + 1);
}

static packed_column *next_column(const ax_dataset *d, packed_column *c)
{
    size_t bytes = (size_t) (c->bytes * d->block_rows);

    return (packed_column *) (void *) (codes_of(c) + (bytes + 7) / 8 * 8);
}

static int64_t rows_in_block(const ax_dataset *d, int b)
{
    return AX_MIN(d->block_rows, d->rows - (int64_t) b * d->block_rows);
}

/* ---- which values ---------------------------------------------------------------------------- */

/* Bits of a number; -0 is 0. */
static uint32_t bits_of(float x)
{
    uint32_t u;

    x += 0.0f;
    memcpy(&u, &x, sizeof(u));
    return u;
}

/* A small hash of values to their places. */
typedef struct places {
    int n;
    float value[VALUES];
    int16_t slot[SLOTS]; /* place + 1, 0 is free */
} places;

/* The place of x, added when it is new; -1 when there is no more room. */
static int place_of(places *p, float x)
{
    uint32_t bits = bits_of(x), at = (bits * 2654435761u) >> 22;

    for (;; at = (at + 1) & (SLOTS - 1)) {
        if (p->slot[at] == 0)
            break;
        if (bits_of(p->value[p->slot[at] - 1]) == bits)
            return p->slot[at] - 1;
    }
    if (p->n == VALUES)
        return -1;
    p->slot[at] = (int16_t) (p->n + 1);
    p->value[p->n] = x;
    return p->n++;
}

/* Few values: a place each. False: they are too many. */
static bool pack_few(const float *x, int64_t n, packed_column *c)
{
    places p = {.n = 0};
    uint8_t *code = codes_of(c);

    for (int64_t i = 0; i < n; i++) {
        int k = isnan(x[i]) ? MISSING : place_of(&p, x[i]);

        if (k < 0)
            return false;
        code[i] = (uint8_t) k;
    }
    memcpy(c->value, p.value, sizeof(p.value));
    return true;
}

/* Where a column is cut: at most VALUES - 1 different numbers out of a sample, ascending. */
static int find_cuts(ax_packer *p, const float *x, int64_t n, float *cut)
{
    int64_t step = AX_MAX(n / SAMPLE, 1), taken = 0, left;
    const float *sorted;
    int n_cuts = 0;

    for (int64_t i = 0; i < n && taken < 2 * SAMPLE; i += step)
        p->column[taken++] = x[i];
    left = ax_sort_floats(p->column, p->spare, taken, &sorted);
    for (int k = 1; k < VALUES && left > 0; k++) {
        float at = sorted[left * k / VALUES];

        if (n_cuts == 0 || at > cut[n_cuts - 1])
            cut[n_cuts++] = at;
    }
    return n_cuts;
}

/* How many cuts are below x. */
static int part_of(const float *cut, int n, float x)
{
    int low = 0;

    while (n > 0) {
        int half = n / 2;

        if (cut[low + half] < x) {
            low += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    return low;
}

static void pack_many(ax_packer *p, const float *x, int64_t n, packed_column *c)
{
    float cut[VALUES];
    double sum[VALUES] = {0};
    int64_t count[VALUES] = {0};
    int n_cuts = find_cuts(p, x, n, cut);
    uint8_t *code = codes_of(c);

    for (int64_t i = 0; i < n; i++) {
        int k = isnan(x[i]) ? MISSING : part_of(cut, n_cuts, x[i]);

        code[i] = (uint8_t) k;
        if (k != MISSING && isfinite(x[i])) {
            sum[k] += x[i];
            count[k]++;
        }
    }
    for (int k = 0; k <= n_cuts; k++)
        c->value[k] = count[k] > 0 ? (float) (sum[k] / (double) count[k]) : k == 0 ? -INFINITY : INFINITY;
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static void take_column(const ax_dataset *d, const float *block, int64_t j, int64_t n, float *out)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = block[i * d->width + j];
}

/* Packs a column into where its header is; `floats`: as it is. */
static void pack_column(ax_dataset *d, packed_column *c, float *x, int64_t n)
{
    if (c->bytes == (int64_t) sizeof(float))
        memcpy(codes_of(c), x, (size_t) n * sizeof(float));
    else if (!pack_few(x, n, c))
        pack_many(d->packer, x, n, c);
}

/* Are there too many values to keep each? */
static bool too_many(const float *x, int64_t n)
{
    places p = {.n = 0};

    for (int64_t i = 0; i < n; i++)
        if (!isnan(x[i]) && place_of(&p, x[i]) < 0)
            return true;
    return false;
}

/* The bytes a number of each column, and of the whole. */
static size_t choose_bytes(ax_dataset *d, const float *block, int64_t n, float *x, uint8_t *bytes)
{
    size_t all = 0;

    for (int64_t j = 0; j < d->width; j++) {
        take_column(d, block, j, n, x);
        bytes[j] = d->packer->exact[j] && too_many(x, n) ? sizeof(float) : 1;
        all += sizeof(packed_column) + ((size_t) bytes[j] * (size_t) d->block_rows + 7) / 8 * 8;
    }
    return all;
}

static ax_status pack_block(ax_dataset *d, int b, uint8_t *bytes, float *x, ax_error *err)
{
    const float *block = (const float *) (const void *) d->block[b];
    size_t size = choose_bytes(d, block, d->block_rows, x, bytes);
    packed_column *first = ax_alloc(&d->env, size), *c = first;

    if (first == NULL)
        return ax_nomem(err);
    for (int64_t j = 0; j < d->width; j++, c = next_column(d, c)) {
        c->bytes = bytes[j];
        take_column(d, block, j, d->block_rows, x);
        pack_column(d, c, x, d->block_rows);
    }
    ax_free(&d->env, d->block[b]);
    d->block[b] = (uint8_t *) first;
    d->packer->packed_bytes += size;
    return AX_OK;
}

ax_status ax_packer_make_room(ax_dataset *d, ax_error *err)
{
    ax_packer *p = d->packer;
    size_t each = (size_t) d->block_rows * d->row_bytes;
    uint8_t *bytes;
    float *x;
    ax_status status = AX_OK;

    if (p == NULL || (size_t) (d->n_blocks - p->n_packed) * each < KEPT_BYTES)
        return AX_OK;
    bytes = ax_alloc(&d->env, (size_t) d->width);
    x = ax_alloc(&d->env, (size_t) d->block_rows * sizeof(*x));
    if (bytes == NULL || x == NULL)
        status = ax_nomem(err);
    for (; status == AX_OK && p->n_packed < d->n_blocks; p->n_packed += status == AX_OK) {
        status = ax_may_continue(&d->env) ? AX_OK : ax_cancelled(err);
        if (status == AX_OK)
            status = pack_block(d, p->n_packed, bytes, x, err);
    }
    ax_free(&d->env, bytes);
    ax_free(&d->env, x);
    return status;
}

/* ---- the window ------------------------------------------------------------------------------ */

static void unpack(const ax_dataset *d, int b)
{
    packed_column *c = (packed_column *) (void *) d->block[b];
    int64_t n = rows_in_block(d, b);

    for (int64_t j = 0; j < d->width; j++, c = next_column(d, c)) {
        const uint8_t *code = codes_of(c);
        float *out = d->packer->window + j;

        for (int64_t i = 0; i < n; i++, out += d->width) {
            if (c->bytes == 1)
                *out = code[i] == MISSING ? NAN : c->value[code[i]];
            else
                memcpy(out, code + i * (int64_t) sizeof(float), sizeof(float));
        }
    }
}

/* What was changed goes back to its block. */
static void flush(const ax_dataset *d)
{
    ax_packer *p = d->packer;
    packed_column *c = (packed_column *) (void *) d->block[p->in_window];
    int64_t n = rows_in_block(d, p->in_window);
    float *x = p->column + 2 * SAMPLE;

    for (int64_t j = 0; j < d->width; j++, c = next_column(d, c)) {
        take_column(d, p->window, j, n, x);
        pack_column((ax_dataset *) (uintptr_t) d, c, x, n);
    }
    p->changed = false;
}

const void *ax_packer_block(const ax_dataset *d, int b)
{
    ax_packer *p = d->packer;

    if (b >= p->n_packed)
        return d->block[b];
    if (p->in_window == b)
        return p->window;
    if (p->changed)
        flush(d);
    p->in_window = b;
    unpack(d, b);
    return p->window;
}

void ax_packer_changed(ax_dataset *d)
{
    d->packer->changed = d->packer->in_window >= 0;
}

/* ---- beginning and end ----------------------------------------------------------------------- */

const bool *ax_packer_exact(const ax_dataset *d)
{
    return d->packer->exact;
}

size_t ax_packer_memory(const ax_dataset *d)
{
    const ax_packer *p = d->packer;
    size_t each = (size_t) d->block_rows * d->row_bytes;

    return p->packed_bytes + (size_t) (d->n_blocks - p->n_packed + 1) * each;
}

void ax_packer_free(ax_dataset *d)
{
    ax_packer *p = d->packer;

    if (p == NULL)
        return;
    ax_free(&d->env, p->exact);
    ax_free(&d->env, p->window);
    ax_free(&d->env, p->column);
    ax_free(&d->env, p->spare);
    ax_free(&d->env, p);
    d->packer = NULL;
}

static ax_status take_memory(ax_dataset *d, const bool *exact, ax_error *err)
{
    ax_packer *p = d->packer;

    p->exact = ax_alloc(&d->env, (size_t) d->width * sizeof(*p->exact));
    p->window = ax_alloc(&d->env, (size_t) d->block_rows * d->row_bytes);
    p->column = ax_alloc(&d->env, (2 * SAMPLE + (size_t) d->block_rows) * sizeof(*p->column));
    p->spare = ax_alloc(&d->env, 2 * SAMPLE * sizeof(*p->spare));
    if (p->exact == NULL || p->window == NULL || p->column == NULL || p->spare == NULL)
        return ax_nomem(err);
    memcpy(p->exact, exact, (size_t) d->width * sizeof(*p->exact));
    return AX_OK;
}

ax_status ax_dataset_compress(ax_dataset *d, const bool *exact, ax_error *err)
{
    ax_status status;

    if (d->type != AX_FLOAT || d->rows > 0 || d->packer != NULL)
        return ax_fail(err, AX_ERR_INTERNAL, "rows that cannot be packed");
    d->block_rows = AX_MAX(AX_MIN((int64_t) (BLOCK_BYTES / d->row_bytes), BLOCK_ROWS), 1);
    d->packer = ax_zalloc(&d->env, sizeof(*d->packer));
    if (d->packer == NULL)
        return ax_nomem(err);
    d->packer->in_window = -1;
    status = take_memory(d, exact, err);
    if (status != AX_OK)
        ax_packer_free(d);
    return status;
}
