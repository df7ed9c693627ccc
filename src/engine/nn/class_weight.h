/*
 * class_weight.h: the option `class_weight`: how much a row of each class counts in the loss.
 */
#ifndef AX_CLASS_WEIGHT_H
#define AX_CLASS_WEIGHT_H

#include "table/dataset.h"
#include "nn/network.h"
#include "table/options.h"

/*
 * v: an object from labels to numbers (a class that is not in it counts 1), or "balanced": rows /
 * (classes * rows of the class), over the n training rows. *out is env memory of m->n_classes
 * floats, NULL when v is NULL. AX_ERR_UNKNOWN for a label that the model does not have, with the
 * nearest one.
 */
ax_status ax_class_weight_read(const ax_env *env, const ax_json *v, const ax_model *m,
                               const ax_dataset *d, const int64_t *rows, int64_t n, float **out,
                               ax_error *err);

#endif /* AX_CLASS_WEIGHT_H */
