/*
 * algorithm.h: the algorithms that are no networks: one row each, and what a row's functions work on.
 *
 * A fit goes through stations, in slices of some 20 ms: its rows are split; open, then work until it says done
 * (algorithm's own); model makes the graph; then the model is scored on the rows. fit.c walks them.
 */
#ifndef AX_ALGORITHM_H
#define AX_ALGORITHM_H

#include "nn/evaluate.h"
#include "nn/network.h"
#include "table/dataset.h"
#include "table/options.h"
#include "table/table.h"
#include "tensor/pool.h"

/* Rows of the training and of the validation under common numbers: those of `data`, then those of `valid`. */
typedef struct ax_fit_rows {
    ax_dataset *data, *valid; /* valid: NULL when the validation rows are part of data, or when there are none */
    int64_t n;                      /* in all */
    int64_t n_train, n_valid;
    int32_t *train, *check;   /* (n_train), (n_valid): row numbers, ascending */
    const int32_t *classes;   /* (n) or NULL */
    const float *values;      /* (n, outputs) or NULL */
    const float *weights;     /* (n) or NULL; class weights are in it */
} ax_fit_rows;

typedef struct ax_algorithm ax_algorithm;

struct ax_fit {
    ax_env env;
    ax_arena arena; /* small things of the fit's life */
    const ax_algorithm *algorithm;
    const ax_model_spec *spec;
    const ax_options *options;
    ax_fit_rows rows;
    ax_pool *pool;
    void *work; /* the algorithm's own, from open to close */
    struct ax_bins *bins; /* what is left of rows that were compressed, see ax_fit_read_row; the fit's */

    int station;
    int64_t at; /* the next row of a station that goes through them */
    ax_model *model;
    ax_metrics metrics;
    ax_scorer scorer;
    double began;
    ax_train_report report;
    ax_metric *train_metric, *valid_metric; /* (metrics.n + 1) */
    bool has_oob;
    double oob; /* what a forest's own left out rows say of it: the last of the metrics */
};

struct ax_algorithm {
    const char *name;
    ax_task hint;    /* the one that it is made for, undecided: both */
    bool target;     /* learns one */
    bool bins;       /* sees numbers cut into bins */
    const char *options; /* "n_estimators|max_depth": those that it knows besides the common ones */
    ax_status (*open)(ax_fit *f, ax_error *err);
    /* A slice. *done: no more. *round: the report tells of a new round (epoch, and the first of the metrics). */
    ax_status (*work)(ax_fit *f, bool *done, bool *round, ax_error *err);
    ax_status (*model)(ax_fit *f, ax_error *err); /* f->model */
    void (*close)(ax_fit *f); /* f->work; also after open failed halfway */
};

/* fit_boost.c, fit_wood.c, fit_linear.c, fit_unsupervised.c */
extern const ax_algorithm ax_algorithm_gradient_boosting, ax_algorithm_decision_tree, ax_algorithm_random_forest,
    ax_algorithm_extra_trees, ax_algorithm_isolation_forest, ax_algorithm_linear, ax_algorithm_logistic,
    ax_algorithm_kmeans, ax_algorithm_pca;

/* By name; NULL fills *err. */
const ax_algorithm *ax_algorithm_find(const char *name, ax_error *err);

/* Row number i, of the row's width. */
const float *ax_fit_row(const ax_fit_rows *rows, int64_t i);
/*
 * Copies it. Trees forget compressed rows once they are binned; then it is numbers of the same bins, which every tree
 * takes the same way.
 */
void ax_fit_read_row(const ax_fit *f, int64_t i, float *out);

/* ---- making the model (fit_model.c) ---------------------------------------------------------- */

/*
 * f->model exists from the start, with a graph that has its input, front, labels and features; an algorithm adds nodes
 * and constants, and then finishes it.
 */
ax_status ax_fit_model_begin(ax_fit *f, ax_error *err);
/* A constant of the graph, copied. */
ax_status ax_fit_constant(ax_fit *f, const char *name, int rank, const int64_t *dim, const float *data, int *out,
                          ax_error *err);
/* A node with one to three inputs (b, c: -1) and no attributes. */
ax_status ax_fit_node(ax_fit *f, const char *type, const char *name, int a, int b, int c, int *out, ax_error *err);

/* What the summary shows as the model's one layer, and what the loss of its outputs is. */
typedef struct ax_fit_summary {
    const char *type;
    int64_t parameters;
    int outputs;
    ax_loss_kind loss;
} ax_fit_summary;

/* The graph ends with value `output`, (batch, outputs). */
ax_status ax_fit_model_end(ax_fit *f, int output, const ax_fit_summary *s, ax_error *err);

/* ---- what a model tells of itself, kept as JSON in its metadata (told.c) ----------------------- */

/* Adds lines to be told: f->model's "aiaas.coefficients", "aiaas.importance". */
ax_status ax_fit_tell_coefficients(ax_fit *f, const ax_coefficient *line, int n, ax_error *err);
/* gain and count: (row width). */
ax_status ax_fit_tell_importance(ax_fit *f, const double *gain, const double *count, ax_error *err);

#endif /* AX_ALGORITHM_H */
