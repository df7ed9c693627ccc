/*
 * labels.h: the classes' names, as the model carries them.
 */
#ifndef AX_LABELS_H
#define AX_LABELS_H

#include "nn/network.h"

/*
 * m->n_classes strings in arena memory, from the metadata "aiaas.labels" (a JSON list of strings);
 * a class without one is called by its number. AX_ERR_CORRUPT when the list is there and is not a
 * list of strings.
 */
ax_status ax_labels_read(ax_arena *arena, const ax_model *m, const char ***out, ax_error *err);

#endif /* AX_LABELS_H */
