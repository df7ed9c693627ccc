/*
 * dataset.c: rows in blocks, their targets, and the cut into training and validation.
 *
 * A block holds whole rows, about BLOCK_BYTES of them, so that growing copies nothing but the list
 * of blocks, and 150 MB of images cost 150 MB. Targets come once all rows are there.
 */
#include "table/dataset.h"

#include <math.h>

#include "table/packed.h"

#define BLOCK_BYTES ((size_t) 256 * 1024)
#define MAX_ROW_BYTES ((size_t) 1 << 30)

static bool has_targets(const ax_dataset *d)
{
    return d->classes != NULL || d->values != NULL || d->weights != NULL;
}

ax_status ax_dataset_create(const ax_env *env, ax_dtype type, int64_t width, ax_dataset **out,
                            ax_error *err)
{
    size_t row_bytes;
    ax_dataset *d;

    if (type != AX_FLOAT && type != AX_UINT8)
        return ax_fail(err, AX_ERR_INVALID, "rows must be float or uint8, not %s",
                       ax_dtype_name(type));
    if (width < 1)
        return ax_fail(err, AX_ERR_INVALID, "a row must have at least one element");
    if (!ax_mul_size((size_t) width, ax_dtype_size(type), &row_bytes) || row_bytes > MAX_ROW_BYTES)
        return ax_fail(err, AX_ERR_LIMIT, "a row of %lld elements is too wide", (long long) width);
    d = ax_zalloc(env, sizeof(*d));
    if (d == NULL)
        return ax_nomem(err);
    d->env = *env;
    d->type = type;
    d->width = width;
    d->row_bytes = row_bytes;
    d->block_rows = AX_MAX((int64_t) (BLOCK_BYTES / row_bytes), 1);
    *out = d;
    return AX_OK;
}

static ax_status grow_list(ax_dataset *d, ax_error *err)
{
    int cap = AX_MAX(64, d->cap_blocks * 2);
    uint8_t **block;

    if (d->cap_blocks > (1 << 28))
        return ax_fail(err, AX_ERR_LIMIT, "too many rows");
    block = ax_alloc(&d->env, (size_t) cap * sizeof(*block));
    if (block == NULL)
        return ax_nomem(err);
    if (d->n_blocks > 0)
        memcpy(block, d->block, (size_t) d->n_blocks * sizeof(*block));
    ax_free(&d->env, d->block);
    d->block = block;
    d->cap_blocks = cap;
    return AX_OK;
}

static ax_status add_block(ax_dataset *d, ax_error *err)
{
    uint8_t *bytes;

    if (d->n_blocks == d->cap_blocks)
        AX_TRY(grow_list(d, err));
    bytes = ax_alloc(&d->env, (size_t) d->block_rows * d->row_bytes);
    if (bytes == NULL)
        return ax_nomem(err);
    d->block[d->n_blocks++] = bytes;
    return AX_OK;
}

ax_status ax_dataset_append(ax_dataset *d, const void *row, ax_error *err)
{
    if (has_targets(d))
        return ax_fail(err, AX_ERR_INVALID, "rows cannot be added after their targets");
    if (d->rows == (int64_t) d->n_blocks * d->block_rows) {
        AX_TRY(ax_packer_make_room(d, err));
        AX_TRY(add_block(d, err));
    }
    memcpy(d->block[d->rows / d->block_rows] + (size_t) (d->rows % d->block_rows) * d->row_bytes,
           row, d->row_bytes);
    d->rows++;
    return AX_OK;
}

int64_t ax_dataset_rows(const ax_dataset *d)
{
    return d->rows;
}

size_t ax_dataset_memory(const ax_dataset *d)
{
    size_t bytes = ax_sum_alloc(0, 1, sizeof(*d)), rows = (size_t) d->rows;

    bytes = ax_sum_alloc(bytes, (size_t) d->cap_blocks, sizeof(*d->block));
    if (d->packer != NULL)
        bytes += ax_packer_memory(d);
    else
        bytes += (size_t) d->n_blocks * ax_sum_alloc(0, (size_t) d->block_rows, d->row_bytes);
    if (d->classes != NULL)
        bytes = ax_sum_alloc(bytes, rows, sizeof(*d->classes));
    if (d->values != NULL)
        bytes = ax_sum_alloc(bytes, rows, (size_t) d->value_width * sizeof(*d->values));
    if (d->weights != NULL)
        bytes = ax_sum_alloc(bytes, rows, sizeof(*d->weights));
    return bytes;
}

const void *ax_dataset_block(const ax_dataset *d, int b)
{
    return d->packer != NULL ? ax_packer_block(d, b) : d->block[b];
}

const void *ax_dataset_row(const ax_dataset *d, int64_t i)
{
    const uint8_t *block = ax_dataset_block(d, (int) (i / d->block_rows));

    return block + (size_t) (i % d->block_rows) * d->row_bytes;
}

bool ax_dataset_compressed(const ax_dataset *d)
{
    return d->packer != NULL;
}

void ax_dataset_forget(ax_dataset *d, int64_t first)
{
    for (int b = 0; d->packer != NULL && (b + 1) * d->block_rows <= first; b++) {
        ax_free(&d->env, d->block[b]);
        d->block[b] = NULL;
    }
}

void *ax_dataset_change(ax_dataset *d, int64_t i)
{
    const void *row = ax_dataset_row(d, i);

    if (d->packer != NULL)
        ax_packer_changed(d);
    return (void *) (uintptr_t) row;
}

/* ---- targets --------------------------------------------------------------------------------- */

/* A copy of count elements in the dataset's memory. */
static ax_status copy_array(const ax_dataset *d, const void *from, size_t count, size_t size,
                            void **out, ax_error *err)
{
    size_t bytes;

    if (!ax_mul_size(count, size, &bytes))
        return ax_nomem(err);
    *out = ax_alloc(&d->env, bytes);
    if (*out == NULL)
        return ax_nomem(err);
    if (bytes > 0)
        memcpy(*out, from, bytes);
    return AX_OK;
}

static void drop_targets(ax_dataset *d)
{
    ax_free(&d->env, d->classes);
    ax_free(&d->env, d->values);
    d->classes = NULL;
    d->values = NULL;
    d->n_classes = 0;
    d->value_width = 0;
}

ax_status ax_dataset_set_classes(ax_dataset *d, const int32_t *classes, int n_classes,
                                 ax_error *err)
{
    void *copy;

    if (n_classes < 1)
        return ax_fail(err, AX_ERR_INVALID, "there must be at least one class");
    for (int64_t i = 0; i < d->rows; i++)
        if (classes[i] < 0 || classes[i] >= n_classes)
            return ax_fail(err, AX_ERR_INVALID, "row %lld has class %d, but there are %d classes",
                           (long long) i + 1, (int) classes[i], n_classes);
    AX_TRY(copy_array(d, classes, (size_t) d->rows, sizeof(*classes), &copy, err));
    drop_targets(d);
    d->classes = copy;
    d->n_classes = n_classes;
    return AX_OK;
}

ax_status ax_dataset_set_values(ax_dataset *d, const float *values, int width, ax_error *err)
{
    void *copy;
    size_t count;

    if (width < 1)
        return ax_fail(err, AX_ERR_INVALID, "a target must have at least one number");
    if (!ax_mul_size((size_t) d->rows, (size_t) width, &count))
        return ax_nomem(err);
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return ax_fail(err, AX_ERR_NUMERIC, "the target of row %lld is not a finite number",
                           (long long) (i / (size_t) width) + 1);
    AX_TRY(copy_array(d, values, count, sizeof(*values), &copy, err));
    drop_targets(d);
    d->values = copy;
    d->value_width = width;
    return AX_OK;
}

ax_status ax_dataset_set_weights(ax_dataset *d, const float *weights, ax_error *err)
{
    void *copy;

    for (int64_t i = 0; i < d->rows; i++) {
        if (!isfinite(weights[i]))
            return ax_fail(err, AX_ERR_NUMERIC, "the weight of row %lld is not a finite number",
                           (long long) i + 1);
        if (weights[i] < 0)
            return ax_fail(err, AX_ERR_INVALID, "the weight of row %lld is negative",
                           (long long) i + 1);
    }
    AX_TRY(copy_array(d, weights, (size_t) d->rows, sizeof(*weights), &copy, err));
    ax_free(&d->env, d->weights);
    d->weights = copy;
    return AX_OK;
}

void ax_dataset_free(ax_dataset *d)
{
    ax_env env;

    if (d == NULL)
        return;
    env = d->env;
    drop_targets(d);
    ax_free(&env, d->weights);
    for (int i = 0; i < d->n_blocks; i++)
        ax_free(&env, d->block[i]);
    ax_free(&env, d->block);
    ax_packer_free(d);
    ax_free(&env, d);
}

/* ---- reading --------------------------------------------------------------------------------- */

void ax_dataset_gather(const ax_dataset *d, const int64_t *index, int64_t n, void *dst,
                       int32_t *classes, float *values, float *weights)
{
    size_t width = (size_t) d->value_width;

    for (int64_t i = 0; i < n; i++) {
        int64_t row = index[i];

        if (dst != NULL)
            memcpy((uint8_t *) dst + (size_t) i * d->row_bytes, ax_dataset_row(d, row),
                   d->row_bytes);
        if (classes != NULL)
            classes[i] = d->classes[row];
        if (values != NULL)
            memcpy(values + (size_t) i * width, d->values + (size_t) row * width,
                   width * sizeof(float));
        if (weights != NULL)
            weights[i] = d->weights != NULL ? d->weights[row] : 1;
    }
}

/* ---- the cut --------------------------------------------------------------------------------- */

/*
 * How many rows of each class go to validation. Rounding the running total, and not each class,
 * gives every class its share to within one row and the whole its share exactly.
 */
static void share_out(const int64_t *count, int n_classes, double fraction, int64_t *want)
{
    double total = 0;
    int64_t given = 0, cut = 0;
    int largest = 0;

    for (int c = 0; c < n_classes; c++) {
        int64_t upto;

        total += (double) count[c] * fraction;
        upto = (int64_t) floor(total + 0.5);
        want[c] = AX_MAX(AX_MIN(upto - given, count[c] - 1), 0);
        given = upto;
        cut += want[c];
        if (count[c] > count[largest])
            largest = c;
    }
    /* Someone who asks for validation gets at least one row of it, if there are two. */
    if (cut == 0 && fraction > 0 && count[largest] > 1)
        want[largest] = 1;
}

/* Marks validation rows: the first of a seeded shuffle until each class has what it wants. perm has
 * room for every row. */
static void mark_rows(const ax_dataset *d, uint64_t seed, int64_t *want, int64_t *perm,
                      uint8_t *mark)
{
    ax_rng rng = ax_rng_make(seed, UINT64_C(0x73706c6974)); /* "split" */

    for (int64_t i = 0; i < d->rows; i++)
        perm[i] = i;
    for (int64_t i = d->rows - 1; i > 0; i--) {
        int64_t j = (int64_t) ax_rng_below(&rng, (uint64_t) i + 1), row = perm[i];

        perm[i] = perm[j];
        perm[j] = row;
    }
    for (int64_t i = 0; i < d->rows; i++) {
        int64_t *left = &want[d->classes != NULL ? d->classes[perm[i]] : 0];

        mark[perm[i]] = *left > 0;
        *left -= *left > 0;
    }
}

ax_status ax_dataset_split(const ax_dataset *d, double fraction, uint64_t seed, int64_t *train,
                           int64_t *n_train, int64_t *valid, int64_t *n_valid, ax_error *err)
{
    int n_classes = d->classes != NULL ? d->n_classes : 1;
    int64_t *count, *want;
    uint8_t *mark;

    if (!(fraction >= 0 && fraction < 1))
        return ax_fail(err, AX_ERR_INVALID, "validation_split must be at least 0 and less than 1");
    count = ax_zalloc(&d->env, (size_t) n_classes * 2 * sizeof(int64_t));
    mark = ax_zalloc(&d->env, (size_t) d->rows);
    if (count == NULL || mark == NULL) {
        ax_free(&d->env, count);
        ax_free(&d->env, mark);
        return ax_nomem(err);
    }
    want = count + n_classes;
    for (int64_t i = 0; i < d->rows; i++)
        count[d->classes != NULL ? d->classes[i] : 0]++;
    share_out(count, n_classes, fraction, want);
    mark_rows(d, seed, want, train, mark);

    *n_train = *n_valid = 0;
    for (int64_t i = 0; i < d->rows; i++) {
        if (mark[i])
            valid[(*n_valid)++] = i;
        else
            train[(*n_train)++] = i;
    }
    ax_free(&d->env, count);
    ax_free(&d->env, mark);
    return AX_OK;
}

/* ---- parts ----------------------------------------------------------------------------------- */

static ax_status select_targets(const ax_dataset *d, const int64_t *index, int64_t n, ax_dataset *to, ax_error *err)
{
    size_t rows = (size_t) n;

    to->n_classes = d->n_classes;
    to->value_width = d->value_width;
    if (d->classes != NULL)
        to->classes = ax_alloc(&d->env, AX_MAX(rows, 1) * sizeof(*to->classes));
    if (d->values != NULL)
        to->values = ax_alloc(&d->env, AX_MAX(rows, 1) * (size_t) d->value_width * sizeof(*to->values));
    if (d->weights != NULL)
        to->weights = ax_alloc(&d->env, AX_MAX(rows, 1) * sizeof(*to->weights));
    if ((d->classes != NULL && to->classes == NULL) || (d->values != NULL && to->values == NULL) ||
        (d->weights != NULL && to->weights == NULL))
        return ax_nomem(err);
    ax_dataset_gather(d, index, n, NULL, to->classes, to->values, to->weights);
    return AX_OK;
}

static ax_status select_rows(const ax_dataset *d, const int64_t *index, int64_t n, ax_dataset *to, ax_error *err)
{
    for (int64_t i = 0; i < n; i++) {
        if (i % 4096 == 0 && !ax_may_continue(&d->env))
            return ax_cancelled(err);
        AX_TRY(ax_dataset_append(to, ax_dataset_row(d, index[i]), err));
    }
    return select_targets(d, index, n, to, err);
}

ax_status ax_dataset_select(const ax_dataset *d, const int64_t *index, int64_t n, ax_dataset **out, ax_error *err)
{
    ax_dataset *to;
    ax_status status;

    for (int64_t i = 0; i < n; i++)
        if (index[i] < 0 || index[i] >= d->rows)
            return ax_fail(err, AX_ERR_INVALID, "row %lld is none of %lld", (long long) index[i], (long long) d->rows);
    AX_TRY(ax_dataset_create(&d->env, d->type, d->width, &to, err));
    status = d->packer != NULL ? ax_dataset_compress(to, ax_packer_exact(d), err) : AX_OK;
    if (status == AX_OK)
        status = select_rows(d, index, n, to, err);
    if (status == AX_OK)
        *out = to;
    else
        ax_dataset_free(to);
    return status;
}

ax_status ax_dataset_folds(const ax_dataset *d, int folds, uint64_t seed, int32_t *fold, ax_error *err)
{
    ax_rng rng = ax_rng_make(seed, UINT64_C(0x666f6c6473)); /* "folds" */
    int n_classes = d->classes != NULL ? d->n_classes : 1;
    int64_t *perm = ax_alloc(&d->env, (size_t) AX_MAX(d->rows, 1) * sizeof(*perm));
    int32_t *next = ax_zalloc(&d->env, (size_t) n_classes * sizeof(*next));

    if (perm == NULL || next == NULL || folds < 1) {
        ax_free(&d->env, perm);
        ax_free(&d->env, next);
        return folds < 1 ? ax_fail(err, AX_ERR_INVALID, "%d folds", folds) : ax_nomem(err);
    }
    for (int64_t i = 0; i < d->rows; i++)
        perm[i] = i;
    for (int64_t i = d->rows - 1; i > 0; i--) {
        int64_t j = (int64_t) ax_rng_below(&rng, (uint64_t) i + 1), row = perm[i];

        perm[i] = perm[j];
        perm[j] = row;
    }
    /* each class begins with another fold, so that the folds are of about one size too */
    for (int c = 0; c < n_classes; c++)
        next[c] = c % folds;
    for (int64_t i = 0; i < d->rows; i++) {
        int c = d->classes != NULL ? d->classes[perm[i]] : 0;

        fold[perm[i]] = next[c];
        next[c] = (next[c] + 1) % folds;
    }
    ax_free(&d->env, perm);
    ax_free(&d->env, next);
    return AX_OK;
}
