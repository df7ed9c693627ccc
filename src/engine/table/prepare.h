/*
 * prepare.h: what the files of the preparation share: its parts, and the steps of learning in their order.
 *
 * A table's row is `width` floats, its elements; a column has one or, as an array or a date, several of them. All
 * knowledge is kept by element (ax_element); a text has an ax_text_codes besides.
 */
#ifndef AX_PREPARE_H
#define AX_PREPARE_H

#include "table/dataset.h"
#include "table/options.h"
#include "table/table.h"

#define AX_TOP 10                 /* most frequent texts in a summary */
#define AX_TREE_CATEGORIES 254    /* codes that a tree tells apart; one more is "other" */
#define AX_ONE_HOT_CATEGORIES 100 /* by default */
#define AX_EMBEDDED_CATEGORIES 10000

typedef enum ax_family { AX_FAMILY_NETWORK, AX_FAMILY_LINEAR, AX_FAMILY_DISTANCE, AX_FAMILY_TREES } ax_family;

typedef enum ax_impute { AX_IMPUTE_MEAN, AX_IMPUTE_MEDIAN, AX_IMPUTE_CONSTANT } ax_impute;

typedef enum ax_scaling { AX_SCALING_NONE, AX_SCALING_STANDARDIZE, AX_SCALING_MIN_MAX, AX_SCALING_ROBUST } ax_scaling;

typedef enum ax_encode {
    AX_ENCODE_DEFAULT,
    AX_ENCODE_NONE,
    AX_ENCODE_ONE_HOT,
    AX_ENCODE_ORDINAL,
    AX_ENCODE_HASH,
    AX_ENCODE_TARGET,
    AX_ENCODE_EMBEDDING
} ax_encode;

/* ---- options of a column (columns.c) --------------------------------------------------------- */

typedef struct ax_column_options {
    ax_impute impute;
    double fill_value;
    ax_scaling scaling;
    bool log1p;
    bool scale_given;    /* else the algorithm chooses */
    bool numbers_given;  /* any setting of numbers */
    bool clips;
    double clip[2];      /* quantiles */
    bool missing_indicator;
    ax_encode encode;
    int64_t categories;  /* 0: by encoding */
    int64_t buckets;
    int64_t output_dim;
    bool category;       /* a number that stands for a category */
    bool excluded;
} ax_column_options;

/* Fills out[0..n): defaults, "columns" and "exclude". AX_ERR_UNKNOWN for names, AX_ERR_INVALID for what makes no
 * sense. */
ax_status ax_column_options_read(const ax_column *column, int n, const ax_options *options, ax_column_options *out,
                                 ax_error *err);
ax_status ax_family_of(const char *algorithm, ax_family *out, ax_error *err);
const char *ax_encode_name(ax_encode e);

/* ---- statistics (summary.c) ------------------------------------------------------------------ */

typedef struct ax_moments {
    int64_t count, nulls; /* infinities are counted, but are in no sum */
    int64_t above, below; /* of these: +inf and -inf */
    double mean, squares; /* squares: sum of (x - mean)^2 */
    float min, max;       /* infinities included */
} ax_moments;

/* What a number becomes before it is looked at. */
typedef struct ax_change {
    float low, high;
    bool log1p;
} ax_change;

/* Moments of n elements of the rows, after the changes (n of them, or NULL). In one pass; asks may_continue. */
ax_status ax_rows_moments(const ax_dataset *d, int64_t n, const int64_t *element, const ax_change *change,
                          ax_moments *out, ax_error *err);

/*
 * Calls visit with the sorted numbers of each of n elements, without NaN. Of more than a million rows a sample of a
 * million, the same every time: one from each of a million stretches.
 */
typedef ax_status (*ax_sorted_fn)(void *arg, int64_t i, const float *sorted, int64_t count, ax_error *err);
ax_status ax_rows_sorted(const ax_dataset *d, int64_t n, const int64_t *element, ax_sorted_fn visit, void *arg,
                         ax_error *err);
/* The q-quantile of sorted numbers, between neighbours in proportion, as numpy's; NaN when there are none. */
double ax_quantile(const float *sorted, int64_t count, double q);
/* How often each category of n text elements occurs: count[i] has n_categories[i] entries. */
ax_status ax_rows_categories(const ax_dataset *d, int64_t n, const int64_t *element, const int *n_categories,
                             int64_t *const *count, ax_error *err);
/* Categories that occur, the most frequent first, equal ones as they are numbered. order has room for n. */
ax_status ax_frequency_order(const ax_env *env, const int64_t *count, int n, int *order, int *n_seen, ax_error *err);

/* ---- what is learned ------------------------------------------------------------------------- */

typedef struct ax_text_codes {
    int64_t at;                  /* the element */
    int n_categories;
    const char *const *category; /* (n_categories) */
    int64_t *count;              /* (n_categories) */
    int *order;                  /* (n_seen) the most frequent first */
    int n_seen;
    ax_encode encode;
    int n_codes;                 /* codes 0..n_codes-1; n_codes: any other. Hash: buckets. Target: 0 */
    const char **code;           /* (n_codes) their texts; NULL for hash and target */
    bool rest;                   /* seen texts have no code of their own */
    float *value;                /* (n_categories) what stands in the row for each */
    float otherwise, missing;
    int n_keys;
    const char **key;
    float *key_value;
    int64_t output_dim;
} ax_text_codes;

typedef struct ax_element {
    int column;
    ax_column_summary summary;
    ax_moments moments;
    ax_text_codes *text; /* or NULL */
    double clip[2];      /* the numbers at the quantiles */
    float *level;        /* of a number that is a category: its values */
    int n_levels;
    /* how a number goes on; also the codes of an ordinal text, and the means of a target encoding */
    bool number;
    bool indicator;
    float fill, low, high; /* low and high: -FLT_MAX and FLT_MAX for no bound */
    bool log1p;
    float offset, factor;
} ax_element;

/* One column of 0 and 1: the element equals the value. */
typedef struct ax_flag {
    int64_t at;
    float value;
} ax_flag;

struct ax_preparation {
    ax_arena arena;
    ax_family family;
    ax_task task;
    uint64_t seed;
    int n_columns;
    ax_column *column; /* copies; the categories of a text are in its ax_text_codes */
    ax_column_options *options;
    int64_t width;
    ax_element *element; /* (width) */
    int n_texts;
    ax_text_codes **text;
    ax_front_column *front;
    ax_row_part *part; /* (width) */
    /* the outputs in their order: numbers (those with a logarithm last), indicators, flags, embeddings */
    int64_t n_numbers, n_logs, n_indicators, n_flags;
    int64_t *number, *indicator; /* elements */
    ax_flag *flag;
    int n_embeddings;
    ax_text_codes **embedding;
    int64_t n_outputs;
    const char **output;
};

/* ---- the steps of learning ------------------------------------------------------------------- */

/* Elements, their names, the statistics of each (summarize.c). */
ax_status ax_prepare_summaries(ax_preparation *p, const ax_dataset *d, ax_error *err);
/* Codes of each text, learned from rows and targets, and put into the rows (encode_text.c). */
ax_status ax_encode_texts(ax_preparation *p, ax_dataset *d, ax_error *err);
/* Fill, bounds, offset and factor of each number; levels of those that are categories (scale.c). */
ax_status ax_prepare_numbers(ax_preparation *p, const ax_dataset *d, ax_error *err);
/* Front, parts and outputs (outputs.c). */
ax_status ax_prepare_outputs(ax_preparation *p, ax_error *err);

/* Is the element in use? */
static inline bool ax_element_used(const ax_element *e)
{
    return e->summary.left_out == NULL;
}

#endif /* AX_PREPARE_H */
