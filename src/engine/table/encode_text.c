/*
 * encode_text.c: which number stands in a row for which text, learned from the rows and put into them.
 *
 *     one_hot, embedding   the code of the category, by frequency: 0 is the most frequent
 *     ordinal              the code by the mean of the target (its share of class 1); without such a mean by frequency
 *     hash                 a bucket: a function of the text alone
 *     target               the mean of the target where the text stands, drawn towards the mean of all rows as if
 *                          PRIOR rows of that kind had been seen besides
 *
 * Codes go to the most frequent categories; every other text, seen or not, is code n_codes. A missing text stays NaN;
 * for the target encoding it is a category like any other.
 *
 * A row's own target must not be in the number that stands for its text, or a model learns to read it there. So target
 * means are out of fold: the rows of a training fall into FOLDS folds by a hash of their number and the seed, and
 * each row gets the mean of the other folds. The front has the means of all rows.
 */
#include "table/prepare.h"

#include <math.h>

#define FOLDS 5
#define PRIOR 20.0
#define RARE_ROWS 10 /* a text in fewer rows has no code of its own for trees */
#define POLL_ROWS 256

/* Sums over the rows of one text column: (n_categories + 1, FOLDS), the last line for missing ones. */
typedef struct fold_sums {
    double *sum;
    int64_t *count;
} fold_sums;

typedef struct encoder {
    ax_preparation *p;
    ax_dataset *d;
    bool has_target; /* one number a row, of which a mean says something */
    uint64_t fold_key;
    fold_sums total; /* (FOLDS) over all rows */
    fold_sums *text; /* (n_texts); sum NULL where it is not wanted */
    ax_arena *work;
    ax_error *err;
} encoder;

/* ---- which encoding -------------------------------------------------------------------------- */

static bool needs_means(const encoder *c, const ax_text_codes *t)
{
    return c->has_target && (t->encode == AX_ENCODE_TARGET || t->encode == AX_ENCODE_ORDINAL);
}

static ax_encode default_encoding(const ax_preparation *p)
{
    return p->family == AX_FAMILY_TREES ? AX_ENCODE_ORDINAL : AX_ENCODE_ONE_HOT;
}

/* What is wished may not be possible here: then the nearest that is, and the summary says why. */
static void choose_encoding(encoder *c, ax_text_codes *t)
{
    ax_preparation *p = c->p;
    ax_element *e = &p->element[t->at];
    ax_encode wish = p->options[e->column].encode;
    bool trees = p->family == AX_FAMILY_TREES;

    t->encode = wish == AX_ENCODE_DEFAULT ? default_encoding(p) : wish;
    t->output_dim = p->options[e->column].output_dim;
    e->summary.encoding = ax_encode_name(t->encode);
    if (trees && (wish == AX_ENCODE_ONE_HOT || wish == AX_ENCODE_EMBEDDING)) {
        t->encode = AX_ENCODE_ORDINAL;
        e->summary.encoding = "ordinal (trees take codes as they are)";
    } else if (wish == AX_ENCODE_EMBEDDING && p->family != AX_FAMILY_NETWORK) {
        t->encode = AX_ENCODE_ONE_HOT;
        e->summary.encoding = "one_hot (an embedding needs a network)";
    } else if (wish == AX_ENCODE_TARGET && !c->has_target) {
        t->encode = AX_ENCODE_ORDINAL;
        e->summary.encoding = "ordinal (the target has no mean)";
    }
}

/* ---- targets --------------------------------------------------------------------------------- */

static bool target_has_mean(const ax_preparation *p, const ax_dataset *d)
{
    if (p->task == AX_TASK_CLASSIFICATION)
        return d->classes != NULL && d->n_classes == 2;
    return d->values != NULL && d->value_width == 1;
}

static double target_of(const ax_dataset *d, int64_t row)
{
    return d->classes != NULL ? (double) d->classes[row] : (double) d->values[row];
}

static int fold_of(const encoder *c, int64_t row)
{
    return (int) (ax_rng_at(c->fold_key, (uint64_t) row) % FOLDS);
}

static bool make_sums(encoder *c, int64_t lines, fold_sums *s)
{
    s->sum = ax_arena_array(c->work, (size_t) (lines * FOLDS), sizeof(double));
    s->count = ax_arena_array(c->work, (size_t) (lines * FOLDS), sizeof(int64_t));
    return s->sum != NULL && s->count != NULL;
}

static ax_status prepare_sums(encoder *c)
{
    c->text = ax_arena_array(c->work, (size_t) c->p->n_texts, sizeof(*c->text));
    if (c->text == NULL || !make_sums(c, 1, &c->total))
        return ax_nomem(c->err);
    for (int i = 0; i < c->p->n_texts; i++) {
        const ax_text_codes *t = c->p->text[i];

        if (ax_element_used(&c->p->element[t->at]) && needs_means(c, t) &&
            !make_sums(c, (int64_t) t->n_categories + 1, &c->text[i]))
            return ax_nomem(c->err);
    }
    return AX_OK;
}

static void add_row(encoder *c, const float *x, int64_t row)
{
    double y = target_of(c->d, row);
    int fold = fold_of(c, row);

    c->total.sum[fold] += y;
    c->total.count[fold]++;
    for (int i = 0; i < c->p->n_texts; i++) {
        const ax_text_codes *t = c->p->text[i];
        float v = x[t->at];
        int64_t line;

        if (c->text[i].sum == NULL)
            continue;
        line = (isnan(v) ? t->n_categories : (int64_t) v) * FOLDS + fold;
        c->text[i].sum[line] += y;
        c->text[i].count[line]++;
    }
}

static ax_status add_targets(encoder *c)
{
    for (int64_t row = 0; c->has_target && row < c->d->rows; row++) {
        if (row % POLL_ROWS == 0 && !ax_may_continue(&c->d->env))
            return ax_cancelled(c->err);
        add_row(c, ax_dataset_row(c->d, row), row);
    }
    return AX_OK;
}

/* Mean of a line of sums without a fold (-1: of all), drawn towards `towards` by `prior` rows. */
static double mean_without(const fold_sums *s, int64_t line, int fold, double prior, double towards)
{
    double sum = prior * towards, count = prior;

    for (int f = 0; f < FOLDS; f++)
        if (f != fold) {
            sum += s->sum[line * FOLDS + f];
            count += (double) s->count[line * FOLDS + f];
        }
    return count > 0 ? sum / count : 0;
}

/* ---- codes ----------------------------------------------------------------------------------- */

static int most_codes(const ax_preparation *p, const ax_text_codes *t)
{
    int64_t wish = p->options[p->element[t->at].column].categories;
    int64_t most = t->encode == AX_ENCODE_ORDINAL     ? AX_TREE_CATEGORIES
                   : t->encode == AX_ENCODE_EMBEDDING ? AX_EMBEDDED_CATEGORIES
                                                      : AX_ONE_HOT_CATEGORIES;

    if (p->family == AX_FAMILY_TREES)
        return (int) AX_MIN(most, wish > 0 ? wish : most);
    return (int) (wish > 0 ? wish : most);
}

/* Sorts the codes' categories by the mean of the target; equal ones stay in the order of frequency. */
static void sort_by_mean(int *category, int *spare, const double *mean, int n)
{
    int half = n / 2, i = 0, j = half;

    if (n < 2)
        return;
    sort_by_mean(category, spare, mean, half);
    sort_by_mean(category + half, spare, mean, n - half);
    for (int k = 0; k < n; k++)
        spare[k] = j >= n || (i < half && mean[category[i]] <= mean[category[j]]) ? category[i++] : category[j++];
    memcpy(category, spare, (size_t) n * sizeof(*category));
}

/* The categories of the codes, in the codes' order. */
static ax_status order_codes(encoder *c, int i, int *category)
{
    ax_text_codes *t = c->p->text[i];
    double *mean;
    int *spare;

    memcpy(category, t->order, (size_t) t->n_codes * sizeof(*category));
    if (t->encode != AX_ENCODE_ORDINAL || c->text[i].sum == NULL)
        return AX_OK;
    mean = ax_arena_array(c->work, (size_t) t->n_categories, sizeof(*mean));
    spare = ax_arena_array(c->work, (size_t) t->n_codes, sizeof(*spare));
    if (mean == NULL || spare == NULL)
        return ax_nomem(c->err);
    for (int k = 0; k < t->n_codes; k++)
        mean[category[k]] = mean_without(&c->text[i], category[k], -1, 0, 0);
    sort_by_mean(category, spare, mean, t->n_codes);
    return AX_OK;
}

/*
 * Codes in the order of the target's mean know the target. Of a text that few rows have it is known too well: trees
 * would learn the rows by heart. These texts share the code of the others, unless the column's options say how many
 * there are.
 */
static int frequent_codes(const encoder *c, int i)
{
    const ax_text_codes *t = c->p->text[i];
    int64_t rare = AX_MIN(RARE_ROWS, AX_MAX(c->d->rows / 50, 2));
    int n = AX_MIN(t->n_seen, most_codes(c->p, t));

    if (c->p->family != AX_FAMILY_TREES || t->encode != AX_ENCODE_ORDINAL || c->text[i].sum == NULL ||
        c->p->options[c->p->element[t->at].column].categories > 0)
        return n;
    while (n > 0 && t->count[t->order[n - 1]] < rare)
        n--;
    return n;
}

static ax_status make_codes(encoder *c, int i)
{
    ax_text_codes *t = c->p->text[i];
    int *category;

    t->n_codes = frequent_codes(c, i);
    t->rest = t->n_codes < t->n_seen;
    t->otherwise = (float) t->n_codes;
    category = ax_arena_array(c->work, (size_t) t->n_codes, sizeof(*category));
    t->code = ax_arena_array(&c->p->arena, (size_t) t->n_codes, sizeof(*t->code));
    if (category == NULL || t->code == NULL)
        return ax_nomem(c->err);
    AX_TRY(order_codes(c, i, category));
    for (int k = 0; k < t->n_categories; k++)
        t->value[k] = t->otherwise;
    for (int k = 0; k < t->n_codes; k++) {
        t->code[k] = t->category[category[k]];
        t->value[category[k]] = (float) k;
    }
    return AX_OK;
}

/* FNV-1a, its bits then spread: the bucket of a text is the same everywhere and always. */
static int64_t bucket_of(const char *text, int64_t buckets)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (; *text != '\0'; text++)
        h = (h ^ (uint8_t) *text) * UINT64_C(0x100000001b3);
    return (int64_t) (ax_rng_at(h, 0) % (uint64_t) buckets);
}

static void make_buckets(ax_preparation *p, ax_text_codes *t)
{
    int64_t buckets = p->options[p->element[t->at].column].buckets;

    /* a tree tells no more codes apart */
    if (p->family == AX_FAMILY_TREES)
        buckets = AX_MIN(buckets, AX_TREE_CATEGORIES);
    t->n_codes = (int) buckets;
    t->otherwise = (float) buckets;
    for (int k = 0; k < t->n_categories; k++)
        t->value[k] = t->count[k] > 0 ? (float) bucket_of(t->category[k], buckets) : t->otherwise;
}

static void make_means(encoder *c, int i)
{
    ax_text_codes *t = c->p->text[i];
    double all = mean_without(&c->total, 0, -1, 0, 0);

    t->otherwise = (float) all;
    if (!c->p->options[c->p->element[t->at].column].missing_indicator) /* else NaN, which the indicator sees */
        t->missing = (float) mean_without(&c->text[i], t->n_categories, -1, PRIOR, all);
    for (int k = 0; k < t->n_categories; k++)
        t->value[k] = (float) mean_without(&c->text[i], k, -1, PRIOR, all);
}

/* Texts that do not stand for "otherwise", for the front. */
static ax_status make_keys(encoder *c, ax_text_codes *t)
{
    int n = 0;

    for (int k = 0; k < t->n_categories; k++)
        n += t->count[k] > 0 && t->value[k] != t->otherwise;
    t->key = ax_arena_array(&c->p->arena, (size_t) n, sizeof(*t->key));
    t->key_value = ax_arena_array(&c->p->arena, (size_t) n, sizeof(*t->key_value));
    if (t->key == NULL || t->key_value == NULL)
        return ax_nomem(c->err);
    for (int k = 0; k < t->n_categories; k++)
        if (t->count[k] > 0 && t->value[k] != t->otherwise) {
            t->key[t->n_keys] = t->category[k];
            t->key_value[t->n_keys++] = t->value[k];
        }
    return AX_OK;
}

static ax_status learn_text(encoder *c, int i)
{
    ax_text_codes *t = c->p->text[i];

    t->value = ax_arena_array(&c->p->arena, (size_t) t->n_categories, sizeof(*t->value));
    if (t->value == NULL)
        return ax_nomem(c->err);
    if (!ax_element_used(&c->p->element[t->at]))
        return AX_OK; /* zero, whatever the text */
    t->missing = NAN;
    if (t->encode == AX_ENCODE_TARGET)
        make_means(c, i);
    else if (t->encode == AX_ENCODE_HASH)
        make_buckets(c->p, t);
    else
        AX_TRY(make_codes(c, i));
    return make_keys(c, t);
}

/* ---- into the rows --------------------------------------------------------------------------- */

static float value_of(const ax_text_codes *t, float category)
{
    if (isnan(category))
        return t->missing;
    return category >= 0 && category < (float) t->n_categories ? t->value[(int) category] : t->otherwise;
}

static float out_of_fold(const encoder *c, int i, float category, int64_t row)
{
    const ax_text_codes *t = c->p->text[i];
    int64_t line = isnan(category) ? t->n_categories : (int64_t) category;
    int fold = fold_of(c, row);

    if (isnan(category) && isnan(t->missing))
        return NAN;
    return (float) mean_without(&c->text[i], line, fold, PRIOR, mean_without(&c->total, 0, fold, 0, 0));
}

static ax_status put_values(encoder *c)
{
    for (int64_t row = 0; c->p->n_texts > 0 && row < c->d->rows; row++) {
        float *x = ax_dataset_change(c->d, row);

        if (row % POLL_ROWS == 0 && !ax_may_continue(&c->d->env))
            return ax_cancelled(c->err);
        for (int i = 0; i < c->p->n_texts; i++) {
            const ax_text_codes *t = c->p->text[i];
            bool means = t->encode == AX_ENCODE_TARGET && c->text[i].sum != NULL;

            x[t->at] = means ? out_of_fold(c, i, x[t->at], row) : value_of(t, x[t->at]);
        }
    }
    return AX_OK;
}

ax_status ax_preparation_apply(const ax_preparation *p, ax_dataset *d, ax_error *err)
{
    if (d->type != AX_FLOAT || d->width != p->width)
        return ax_fail(err, AX_ERR_INVALID, "rows of %lld %ss do not fit a table of %lld floats",
                       (long long) d->width, ax_dtype_name(d->type), (long long) p->width);
    if (p->n_texts == 0 || p->text[0]->value == NULL) /* nothing, or only statistics */
        return AX_OK;
    for (int64_t row = 0; row < d->rows; row++) {
        float *x = ax_dataset_change(d, row);

        if (row % POLL_ROWS == 0 && !ax_may_continue(&d->env))
            return ax_cancelled(err);
        for (int i = 0; i < p->n_texts; i++)
            x[p->text[i]->at] = value_of(p->text[i], x[p->text[i]->at]);
    }
    return AX_OK;
}

/* ---- all together ---------------------------------------------------------------------------- */

static ax_status encode(encoder *c)
{
    for (int i = 0; i < c->p->n_texts; i++)
        if (ax_element_used(&c->p->element[c->p->text[i]->at]))
            choose_encoding(c, c->p->text[i]);
    AX_TRY(prepare_sums(c));
    AX_TRY(add_targets(c));
    for (int i = 0; i < c->p->n_texts; i++) {
        AX_TRY(learn_text(c, i));
        if (!ax_may_continue(&c->d->env))
            return ax_cancelled(c->err);
    }
    return put_values(c);
}

ax_status ax_encode_texts(ax_preparation *p, ax_dataset *d, ax_error *err)
{
    ax_arena work;
    encoder c = {.p = p,
                 .d = d,
                 .has_target = target_has_mean(p, d),
                 .fold_key = ax_rng_make(p->seed, UINT64_C(0x666f6c6473)).key, /* "folds" */
                 .work = &work,
                 .err = err};
    ax_status status;

    if (p->n_texts == 0)
        return AX_OK;
    ax_arena_init(&work, &d->env);
    status = encode(&c);
    ax_arena_free(&work);
    return status;
}
