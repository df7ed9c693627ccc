/*
 * ax.h: the engine, as the rest of the world sees it.
 *
 * The engine trains and runs neural networks. It knows nothing of PostgreSQL: it asks its caller for
 * memory and for permission to go on through an ax_env, answers with status codes, never aborts,
 * never jumps, never prints and never touches a file. Everything it hands out is an opaque handle.
 *
 * The life of a model:
 *
 *     ax_options_parse          options as JSON  -> ax_options
 *     ax_network_check          are the layers and the options plausible, before any row is read
 *     ax_dataset_create/append  rows             -> ax_dataset
 *     ax_model_build            layers, shapes   -> ax_model (an ONNX graph with fresh weights)
 *     ax_trainer_create/step    until AX_TRAIN_DONE
 *     ax_model_encode           ax_model         -> ONNX bytes, for the catalog or for the world
 *     ax_model_decode           ONNX bytes       -> ax_model
 *     ax_model_predict          rows             -> outputs
 *
 * Rules that hold for every function here:
 *   - A function that can fail returns ax_status and, when that is not AX_OK, fills *err. Its output
 *     arguments are then untouched, and nothing is leaked.
 *   - `err` may not be NULL. Strings returned by accessors live as long as the handle.
 *   - A handle keeps a copy of the ax_env it was made with; the env's ctx must outlive the handle.
 *   - A handle is used by one thread at a time. Threads that the engine makes belong to a trainer,
 *     have every signal blocked, never call the env, and are gone when ax_trainer_free returns.
 *   - ax_*_free(NULL) does nothing.
 */
#ifndef AX_H
#define AX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- status and errors ----------------------------------------------------------------------- */

typedef enum ax_status {
    AX_OK = 0,
    AX_ERR_NOMEM,       /* the allocator said no */
    AX_ERR_CANCELLED,   /* may_continue said no */
    AX_ERR_INVALID,     /* an argument, option, layer or shape that makes no sense */
    AX_ERR_UNKNOWN,     /* a name that does not exist: layer, option, operator, metric */
    AX_ERR_UNSUPPORTED, /* makes sense, is not done here */
    AX_ERR_CORRUPT,     /* bytes that are not what they claim to be */
    AX_ERR_LIMIT,       /* a named maximum was exceeded */
    AX_ERR_NUMERIC,     /* NaN or infinity where a number was needed */
    AX_ERR_INTERNAL     /* a bug of ours */
} ax_status;

#define AX_TEXT_MAX 512

/* Style is PostgreSQL's: message lower case without a period, detail and hint whole sentences.
 * detail and hint may be empty. */
typedef struct ax_error {
    ax_status status;
    char message[AX_TEXT_MAX];
    char detail[AX_TEXT_MAX];
    char hint[AX_TEXT_MAX];
} ax_error;

/* ---- what the engine needs from its caller --------------------------------------------------- */

typedef struct ax_env {
    void *(*alloc)(void *ctx, size_t size); /* NULL when there is none; aligned to 8 at least */
    void (*free)(void *ctx, void *p);       /* p from alloc, never NULL */
    bool (*may_continue)(void *ctx);        /* asked at least every 50 ms of work; may be NULL */
    void *ctx;
} ax_env;

/* Once, as early as the library is loaded: ends the threads that OpenBLAS starts by itself. Without it the first
 * matrix product does. */
void ax_engine_init(void);
const char *ax_engine_version(void);
/* The instruction set in use: "baseline", "avx2" or "avx512"; best that the CPU has, unless forced. */
const char *ax_isa(void);
/* For tests: choose by name. AX_ERR_UNSUPPORTED when this CPU (or build) lacks it. */
ax_status ax_isa_force(const char *name, ax_error *err);
/* Number of processors this process may use, at least 1. */
int ax_cpu_count(void);

/* ---- data types: the numbers are ONNX's TensorProto.DataType --------------------------------- */

typedef enum ax_dtype {
    AX_FLOAT = 1,
    AX_UINT8 = 2,
    AX_INT8 = 3,
    AX_INT32 = 6,
    AX_INT64 = 7,
    AX_BOOL = 9,
    AX_DOUBLE = 11
} ax_dtype;

#define AX_MAX_RANK 8

size_t ax_dtype_size(ax_dtype type); /* bytes; 0 for an unknown type */
const char *ax_dtype_name(ax_dtype type);

/* ---- options --------------------------------------------------------------------------------- */

/* One row of the table of every option there is; aiaas_options() shows it. */
typedef struct ax_option_info {
    const char *name;          /* as in the JSON object */
    const char *type;          /* "number", "integer", "text", "boolean", "array", "object", ... */
    const char *default_value; /* as text; "" when there is none */
    const char *description;   /* one sentence */
} ax_option_info;

typedef struct ax_options ax_options;

int ax_option_count(void);
const ax_option_info *ax_option_at(int i);

/* json: a JSON object, len bytes; NULL or empty means {}. Every key, type and range is checked; an
 * unknown key is AX_ERR_UNKNOWN and the hint names the nearest one. */
ax_status ax_options_parse(const ax_env *env, const char *json, size_t len, ax_options **out,
                           ax_error *err);
void ax_options_free(ax_options *o);

/* Typed access by name; the default when it was not given. Asking for a name that is not in the table,
 * or of another type, returns false / NULL / 0. */
bool ax_options_given(const ax_options *o, const char *name);
const char *ax_options_text(const ax_options *o, const char *name); /* NULL when unset */
double ax_options_number(const ax_options *o, const char *name);
int64_t ax_options_integer(const ax_options *o, const char *name);
bool ax_options_boolean(const ax_options *o, const char *name);
/* Copies at most max integers of an array option, returns how many there are. */
int ax_options_integers(const ax_options *o, const char *name, int64_t *out, int max);

/* ---- tasks and networks ---------------------------------------------------------------------- */

typedef enum ax_task { AX_TASK_UNDECIDED = 0, AX_TASK_REGRESSION, AX_TASK_CLASSIFICATION } ax_task;

const char *ax_task_name(ax_task task); /* "regression", "classification", "undecided" */

/*
 * Reads layers (a JSON list of {ClassName: config}, or what Keras's model.to_json() prints) and
 * options without knowing any shape: names, keys and value types are checked. *hint becomes the task
 * that the loss, or else the last activation, calls for.
 */
ax_status ax_network_check(const ax_env *env, const char *layers, size_t len,
                           const ax_options *options, ax_task *hint, ax_error *err);

/* ---- rows ------------------------------------------------------------------------------------ */

typedef struct ax_dataset ax_dataset;

/*
 * Rows of `width` elements of AX_FLOAT or AX_UINT8, kept as they come (bytes stay bytes), in
 * blocks: growing never copies.
 */
ax_status ax_dataset_create(const ax_env *env, ax_dtype type, int64_t width, ax_dataset **out,
                            ax_error *err);
ax_status ax_dataset_append(ax_dataset *d, const void *row, ax_error *err);
/*
 * For trees, before the first row: what is beyond the first 64 MB is packed into a byte a number, as good as to a
 * 255th of the block of rows that it comes in. exact[j]: number j of a row is never rounded (it stays exact too when
 * it has few values). Floats only. Rows are then best read in their order.
 */
ax_status ax_dataset_compress(ax_dataset *d, const bool *exact, ax_error *err);
int64_t ax_dataset_rows(const ax_dataset *d);
size_t ax_dataset_memory(const ax_dataset *d); /* bytes that it holds from its env */
/* One of the two, copied from arrays of ax_dataset_rows entries: class indexes, or `width` numbers a
 * row. */
ax_status ax_dataset_set_classes(ax_dataset *d, const int32_t *classes, int n_classes,
                                 ax_error *err);
ax_status ax_dataset_set_values(ax_dataset *d, const float *values, int width, ax_error *err);
/* Optional sample weights, finite and not negative, one a row. */
ax_status ax_dataset_set_weights(ax_dataset *d, const float *weights, ax_error *err);
/* The rows index[0..n) with their targets and weights, as a dataset of its own. */
ax_status ax_dataset_select(const ax_dataset *d, const int64_t *index, int64_t n, ax_dataset **out, ax_error *err);
/* Deals the rows out by a seeded shuffle, those of each class evenly: fold[i] becomes 0 .. folds - 1. */
ax_status ax_dataset_folds(const ax_dataset *d, int folds, uint64_t seed, int32_t *fold, ax_error *err);
void ax_dataset_free(ax_dataset *d);

/* ---- tables ---------------------------------------------------------------------------------- */

/*
 * A column of a table, as part of a row of floats. A number (or an array of them) stands there as it is, NaN where it
 * is missing. A text stands there as the number of its category, counted as the rows were read: `category` lists them;
 * NaN where it is missing. ax_preparation_learn puts what the model will use in its place.
 */
typedef struct ax_column {
    const char *name;
    bool text;
    int64_t width;                /* floats in a row; 1 for a text */
    const char *const *part;      /* (width) names of the elements: "year", "hour_sin"; NULL: they are numbered */
    const char *const *category;  /* text: (n_categories) UTF-8, not empty */
    int n_categories;
    const char *left_out; /* why the caller leaves it out already ("is excluded"), or NULL */
} ax_column;

typedef struct ax_column_summary {
    const char *name; /* of the column, or "column.part" of an element */
    bool text;
    int64_t count, nulls;     /* rows with and without a value */
    int64_t distinct;         /* categories; -1 for numbers: not counted */
    double mean, sd;          /* numbers, else NaN; sd of a sample (n - 1) */
    double min, q25, median, q75, max;
    int n_top;                /* texts: the most frequent, at most 10 */
    const char *const *top;
    const int64_t *top_count;
    const char *encoding;     /* "standardize", "one_hot", "none", ... */
    const char *left_out;     /* why it is not used: "is always NULL"; NULL: it is */
} ax_column_summary;

typedef struct ax_preparation ax_preparation;

typedef struct ax_preparation_spec {
    const ax_column *column;
    int n_columns;
    const char *algorithm; /* NULL: a network */
    ax_task task;
} ax_preparation_spec;

/*
 * Learns from the rows (floats, of the columns' widths together) and their targets how each column is prepared, by the
 * options "columns" and "exclude" and by what the algorithm wants; and puts into the rows, for each text, the number
 * that the model will use. options NULL: only statistics, the rows stay as they are. Nothing of use is left:
 * AX_ERR_INVALID.
 */
ax_status ax_preparation_learn(const ax_env *env, const ax_preparation_spec *spec, const ax_options *options,
                               ax_dataset *d, ax_preparation **out, ax_error *err);
/* Does the same to the texts of other rows, of the same columns and categories. */
ax_status ax_preparation_apply(const ax_preparation *p, ax_dataset *d, ax_error *err);
/* One an element of the columns: n_columns, or more where widths are above 1. */
int ax_preparation_summaries(const ax_preparation *p);
const ax_column_summary *ax_preparation_summary(const ax_preparation *p, int i);
void ax_preparation_free(ax_preparation *p);

/* ---- models ---------------------------------------------------------------------------------- */

typedef struct ax_model ax_model;

/* What a model is built from. Pointers are only read during the call. */
typedef struct ax_model_spec {
    const char *name;   /* becomes the ONNX graph's name */
    const char *layers; /* JSON, see ax_network_check */
    size_t layers_len;
    ax_dtype input_type;            /* AX_FLOAT or AX_UINT8: what the rows are */
    int input_rank;                 /* without the batch; 1 for plain columns */
    int64_t input_dim[AX_MAX_RANK]; /* in the order of the rows' bytes (option data_format) */
    ax_task task;                   /* decided */
    int n_outputs;                  /* numbers in a target: 1, or the width of a vector target */
    int n_classes;                  /* classification: at least 2 */
    const char *const *labels;      /* n_classes strings, the classes in their order; may be NULL */
    const char *features;           /* JSON kept with the model as metadata, or NULL */
    const ax_preparation *preparation; /* of a table, or NULL: rows go into the first layer as they are */
} ax_model_spec;

/* Fresh weights by the layers' initializers and the option `seed`. A layer that cannot connect, a head
 * that does not fit the task or the classes, a network over a limit: AX_ERR_INVALID / AX_ERR_LIMIT,
 * with the layer's name. */
ax_status ax_model_build(const ax_env *env, const ax_model_spec *spec, const ax_options *options,
                         ax_model **out, ax_error *err);
void ax_model_free(ax_model *m);

ax_task ax_model_task(const ax_model *m);
int ax_model_outputs(const ax_model *m); /* floats per row that ax_model_predict writes */
int ax_model_classes(const ax_model *m); /* 0 unless classification */
int64_t ax_model_parameters(const ax_model *m);
ax_dtype ax_model_input_type(const ax_model *m);
int64_t ax_model_input_width(const ax_model *m); /* elements per row */
/* Does it prepare a table's columns? Then NaN is a missing number, and a text column is what ax_model_text says. */
bool ax_model_prepares(const ax_model *m);
/* The number that stands in a row for a text (UTF-8, len bytes) of column i; len 0: it is missing. */
float ax_model_text(const ax_model *m, int column, const char *text, size_t len);
/* Bytes that the model holds from its env, everything included. */
size_t ax_model_memory(const ax_model *m);
/* A metadata_props entry by key ("aiaas.task", "aiaas.labels", "aiaas.features", ...), or NULL. */
const char *ax_model_metadata(const ax_model *m, const char *key);
/* The loss that the model was (or would be) trained with, e.g. "sparse_categorical_crossentropy". */
const char *ax_model_loss(const ax_model *m);

/* One line of Keras's summary(). */
typedef struct ax_layer_info {
    const char *name;         /* "conv2d_1" */
    const char *type;         /* "Conv2D" */
    const char *output_shape; /* "(None, 30, 30, 32)", in the network's data_format */
    int64_t parameters;
    int64_t trainable; /* of these */
    int n_inbound;
    const char *const *inbound; /* names of the layers that feed it; NULL where the network is a chain */
} ax_layer_info;

int ax_model_layer_count(const ax_model *m);
const ax_layer_info *ax_model_layer_at(const ax_model *m, int i);

/*
 * Runs the model on n rows (n * input_width elements of the input type, row by row) and writes n *
 * ax_model_outputs floats: probabilities for classification (one column for a sigmoid head, else one a
 * class), values for regression. A single row that takes well below a millisecond is run without asking
 * may_continue: who predicts row after row asks for himself.
 */
ax_status ax_model_predict(ax_model *m, const void *rows, int64_t n, float *out, ax_error *err);
/* The class that one row of outputs stands for: the arg max, or output > 0.5 for a sigmoid head. */
int ax_model_decide(const ax_model *m, const float *out);
/* Writes ax_model_classes probabilities from one row of outputs (a sigmoid head gives 1-p, p). */
void ax_model_probabilities(const ax_model *m, const float *out, float *proba);

/* ---- ONNX bytes ------------------------------------------------------------------------------ */

/*
 * Encoding is in two calls, so that the caller owns the buffer: the exact size, then the bytes.
 * with_weights: one self-contained ONNX file; without, every weight is an external tensor whose
 * location is "aiaas.weight" and whose bytes are what ax_model_weight_at shows.
 */
ax_status ax_model_encoded_size(const ax_model *m, bool with_weights, size_t *size, ax_error *err);
ax_status ax_model_encode(const ax_model *m, bool with_weights, uint8_t *buf, size_t size,
                          ax_error *err);

typedef struct ax_weight {
    const char *name;
    ax_dtype type;
    int rank;
    const int64_t *dim;
    const void *data; /* row-major, little-endian as on disk */
    size_t bytes;
} ax_weight;

int ax_model_weight_count(const ax_model *m);
ax_status ax_model_weight_at(const ax_model *m, int i, ax_weight *out, ax_error *err);

/*
 * Reads hostile bytes: bounded in depth, nodes, tensors and memory. External weights are then filled
 * in pieces by ax_model_fill_weight, and ax_model_ready says whether every byte came. A model is usable
 * only after ax_model_ready returned AX_OK.
 */
ax_status ax_model_decode(const ax_env *env, const uint8_t *bytes, size_t len, ax_model **out,
                          ax_error *err);
ax_status ax_model_fill_weight(ax_model *m, const char *name, size_t offset, const void *bytes,
                               size_t len, ax_error *err);
ax_status ax_model_ready(ax_model *m, ax_error *err);

/* ---- metrics --------------------------------------------------------------------------------- */

typedef struct ax_metric {
    const char *name; /* "loss", "accuracy", "top_5_accuracy", "precision", "precision[cat]", ... */
    double value;
} ax_metric;

typedef struct ax_evaluator ax_evaluator;

/* full: every metric that the task has (per class too); else the option `metrics` (default by task).
 * options may be NULL. */
ax_status ax_evaluator_create(const ax_env *env, ax_model *m, const ax_options *options, bool full,
                              ax_evaluator **out, ax_error *err);
/* n rows with their targets: classes for classification, else n * n_outputs values. weights may be
 * NULL. */
ax_status ax_evaluator_add(ax_evaluator *e, const void *rows, int64_t n, const int32_t *classes,
                           const float *values, const float *weights, ax_error *err);
/* Rows first .. first + n - 1 of a dataset, with its targets and weights. */
ax_status ax_evaluator_add_rows(ax_evaluator *e, const ax_dataset *d, int64_t first, int64_t n, ax_error *err);
/* The array lives in the evaluator. No row added: AX_ERR_INVALID. */
ax_status ax_evaluator_result(ax_evaluator *e, const ax_metric **metrics, int *count,
                              ax_error *err);
void ax_evaluator_free(ax_evaluator *e);

/* ---- training -------------------------------------------------------------------------------- */

typedef struct ax_trainer ax_trainer;

typedef enum ax_train_event {
    AX_TRAIN_MORE,  /* a slice of work is done; call again */
    AX_TRAIN_EPOCH, /* and an epoch just ended: ax_trainer_report is fresh */
    AX_TRAIN_DONE   /* the model holds its final weights (the best ones, if asked for) */
} ax_train_event;

/* Bytes that a training holds from its env at its peak. */
typedef struct ax_train_memory {
    size_t rows;       /* the datasets, and the order of their rows */
    size_t weights;    /* the model, what the optimizer keeps of each weight, the best weights */
    size_t batch;      /* what a batch's shards keep, with their gradients and packed weights: grows with batch_size */
    size_t validation;
    size_t total;      /* of these */
} ax_train_memory;

typedef struct ax_train_report {
    int epoch;  /* epochs finished, from 1 */
    int epochs; /* planned */
    int best_epoch;
    bool stopped_early;
    int64_t train_rows, valid_rows;
    double seconds;       /* this epoch */
    double seconds_total; /* since ax_trainer_create */
    double learning_rate; /* at the end of this epoch */
    int n_metrics;        /* "loss" first */
    const ax_metric *train;
    const ax_metric *valid; /* NULL without validation rows; same names */
    ax_train_memory memory; /* planned; known from ax_trainer_create on */
} ax_train_report;

/*
 * Trains m on d, in slices. valid may be NULL (then the option validation_split may cut rows off d).
 * threads >= 1: the bits of the result do not depend on it. m, d, valid and options must outlive the
 * trainer. Threads are made here and gone after ax_trainer_free. Nothing large is allocated before the first
 * ax_trainer_step: until then ax_trainer_report says how much it will be.
 */
ax_status ax_trainer_create(const ax_env *env, ax_model *m, ax_dataset *d, ax_dataset *valid,
                            const ax_options *options, int threads, ax_trainer **out,
                            ax_error *err);
/*
 * Works for about 20 ms (at least one batch, or getting the memory), then returns: between calls no engine frame is on
 * the stack and no engine thread is working, so the caller may do what it likes. A loss that is NaN or
 * infinite: AX_ERR_NUMERIC with epoch, step, and what to try.
 */
ax_status ax_trainer_step(ax_trainer *t, ax_train_event *event, ax_error *err);
const ax_train_report *ax_trainer_report(const ax_trainer *t);
void ax_trainer_free(ax_trainer *t);

/* ---- other algorithms -------------------------------------------------------------------------- */

/*
 * Everything that is no network: "linear", "logistic", "decision_tree", "random_forest", "extra_trees",
 * "gradient_boosting", "kmeans", "pca", "isolation_forest".
 */
typedef struct ax_fit ax_fit;

/*
 * Is there an algorithm of the name, and what does it need? AX_ERR_UNKNOWN with the nearest name. *hint: the task that
 * it calls for, undecided for either; *target: does it learn one? Options that another algorithm alone has:
 * AX_ERR_INVALID.
 */
ax_status ax_algorithm_check(const char *name, const ax_options *options, ax_task *hint, bool *target,
                             ax_error *err);

/* Does it cut numbers into bins, so that its rows may be compressed (ax_dataset_compress)? */
bool ax_algorithm_bins(const char *name);

/* spec: as for ax_model_build, without layers; it has a preparation. What is passed in must outlive the fit. */
ax_status ax_fit_create(const ax_env *env, const char *algorithm, const ax_model_spec *spec, ax_dataset *d,
                        ax_dataset *valid, const ax_options *options, int threads, ax_fit **out, ax_error *err);
/* A slice of work, as ax_trainer_step: AX_TRAIN_EPOCH after each round of boosting; the report tells of the loss. */
ax_status ax_fit_step(ax_fit *f, ax_train_event *event, ax_error *err);
const ax_train_report *ax_fit_report(const ax_fit *f);
/* The model, when AX_TRAIN_DONE was said; the caller's. */
ax_model *ax_fit_take(ax_fit *f);
void ax_fit_free(ax_fit *f);

/* A line of a model's coefficients. Standard error, z and p value may be NaN. */
typedef struct ax_coefficient {
    const char *label;   /* the class that it speaks for; NULL where there is one output */
    const char *feature; /* "age", "job=teacher", "(intercept)" */
    double value, std_error, z, p_value;
} ax_coefficient;

int ax_model_coefficient_count(ax_model *m); /* 0: it has none */
/* The strings live as long as the model. */
ax_status ax_model_coefficient_at(ax_model *m, int i, ax_coefficient *out, ax_error *err);

/* How much each feature (an element of a column) counts in a model of trees. */
typedef struct ax_importance {
    const char *feature;
    double gain;  /* share of all gain: they add up to 1 */
    int64_t count; /* splits */
} ax_importance;

int ax_model_importance_count(ax_model *m);
ax_status ax_model_importance_at(ax_model *m, int i, ax_importance *out, ax_error *err);

/* Prints tree number `tree` as text, line by line into the callback, with the columns' names and categories. */
int ax_model_tree_count(ax_model *m);
ax_status ax_model_print_tree(ax_model *m, int tree, void (*line)(void *arg, const char *text), void *arg,
                              ax_error *err);

#endif /* AX_H */
