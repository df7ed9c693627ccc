/*
 * told.h: lists in a model's metadata, as told.c writes them and tree_text.c reads them too.
 */
#ifndef AX_TOLD_H
#define AX_TOLD_H

#include "base/json.h"
#include "nn/network.h"

typedef enum ax_told_kind { AX_TOLD_COEFFICIENTS, AX_TOLD_IMPORTANCE, AX_TOLD_PARTS } ax_told_kind;

typedef struct ax_told {
    const ax_json *list[AX_TOLD_PARTS + 1]; /* NULL: not read yet */
} ax_told;

const ax_json *ax_told_list(ax_model *m, ax_told_kind kind);

#endif /* AX_TOLD_H */
