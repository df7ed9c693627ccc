/*
 * optimizer.h: how a gradient becomes a step. Keras's names, defaults and formulas.
 *
 * An optimizer works on the flat vector of parameters that ax_graph_bind laid out, range by range:
 * it knows nothing of layers, and ranges that do not overlap may be updated at the same time. A
 * step is
 *
 *     ax_optimizer_begin(o, rate);                  counts the step, computes its scalars
 *     ax_optimizer_range(o, from, to, grad, param); for ranges that together cover what there is
 *
 * Every element's new value depends on that element alone, so the cut into ranges does not show in
 * the bits.
 */
#ifndef AX_OPTIMIZER_H
#define AX_OPTIMIZER_H

#include "table/options.h"
#include "tensor/kernel.h"

#define AX_OPTIMIZER_SLOTS 3

struct ax_optimizer_kind;

/* What the option `optimizer` and its plain companions say. A number not given has its default. */
typedef struct ax_optimizer_settings {
    const struct ax_optimizer_kind *kind;
    double learning_rate;
    const ax_json *rate;     /* learning_rate as written */
    const ax_json *schedule; /* the same when it is an object, else NULL */
    double weight_decay;     /* decoupled: p -= p * weight_decay * rate, before the step; 0: none */
    double clipnorm;         /* of each weight's own gradient; 0: none. At most one of the three */
    double clipvalue;
    double global_clipnorm;
    double momentum, rho, beta_1, beta_2, epsilon, initial_accumulator_value;
    bool nesterov, centered, amsgrad;
} ax_optimizer_settings;

typedef struct ax_optimizer {
    ax_env env;
    ax_optimizer_settings set;
    int64_t n;    /* parameters */
    int64_t step; /* steps begun */
    float *slot[AX_OPTIMIZER_SLOTS]; /* moments and the like, n floats each; NULL: not used */
    double momentum_product;         /* nadam */
    ax_update now;                   /* scalars of this step */
} ax_optimizer;

/*
 * choice: what the option `optimizer` holds (NULL: adam): a name, {name: config} or {"class_name",
 * "config"}. o: plain options (learning_rate, momentum, ...) that override the config; may be NULL.
 * AX_ERR_UNKNOWN for a name or a setting that there is not, AX_ERR_INVALID for a plain option that
 * the optimizer does not have. Strings and objects stay those of choice.
 */
ax_status ax_optimizer_read(const ax_json *choice, const ax_options *o, ax_optimizer_settings *out,
                            ax_error *err);
const char *ax_optimizer_name(const ax_optimizer_settings *s);

/* n: floats in the parameter vector. */
ax_status ax_optimizer_create(const ax_env *env, const ax_optimizer_settings *set, int64_t n,
                              ax_optimizer **out, ax_error *err);
size_t ax_optimizer_memory(const ax_optimizer_settings *set, int64_t n); /* what ax_optimizer_create takes */
void ax_optimizer_begin(ax_optimizer *o, double rate);
/* grad: to - from floats, left alone. param is the whole vector; [from, to) of it is updated. */
void ax_optimizer_range(const ax_optimizer *o, int64_t from, int64_t to, const float *grad,
                        float *param);
void ax_optimizer_free(ax_optimizer *o);

#endif /* AX_OPTIMIZER_H */
