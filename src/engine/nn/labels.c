/*
 * labels.c: reads the list of labels; see labels.h.
 */
#include "nn/labels.h"

#include "base/json.h"

static ax_status parse_list(ax_arena *arena, const ax_model *m, const ax_json **out, ax_error *err)
{
    const char *text = ax_graph_meta(m->graph, "aiaas.labels");
    ax_json *list = NULL;

    *out = NULL;
    if (text == NULL)
        return AX_OK;
    AX_TRY(ax_json_parse(arena, text, strlen(text), &list, err));
    if (list->kind == AX_JSON_NULL)
        return AX_OK;
    if (list->kind != AX_JSON_ARRAY)
        return ax_fail(err, AX_ERR_CORRUPT, "the model's labels are not a list");
    *out = list;
    return AX_OK;
}

ax_status ax_labels_read(ax_arena *arena, const ax_model *m, const char ***out, ax_error *err)
{
    const char **label = ax_arena_array(arena, (size_t) AX_MAX(m->n_classes, 1), sizeof(*label));
    const ax_json *list;

    if (label == NULL)
        return ax_nomem(err);
    AX_TRY(parse_list(arena, m, &list, err));
    for (int i = 0; i < m->n_classes; i++) {
        if (list == NULL || i >= list->count)
            label[i] = ax_arena_printf(arena, "%d", i);
        else if (list->item[i]->kind == AX_JSON_STRING)
            label[i] = list->item[i]->string;
        else
            return ax_fail(err, AX_ERR_CORRUPT, "label %d of the model is not text", i + 1);
        if (label[i] == NULL)
            return ax_nomem(err);
    }
    *out = label;
    return AX_OK;
}
