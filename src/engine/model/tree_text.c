/*
 * tree_text.c: a tree of a model as text that a person can read.
 *
 *     |--- age <= 30.5
 *     |   |--- job in (nurse, teacher)
 *     |   |   |--- class: yes (0.93), rows: 120
 *     |   |--- job not in (nurse, teacher)
 *     |   |   |--- class: no (0.71), rows: 14
 *     |--- age > 30.5 or missing
 *     ...
 *
 * A branch's line says for which rows it holds; "or missing" stands on the side that NULL takes.
 */
#include <math.h>
#include <stdio.h>

#include "graph/forest.h"
#include "graph/front.h"
#include "graph/op.h"
#include "model/told.h"

#define MOST_TEXTS 20 /* categories that a line lists */

typedef struct printer {
    ax_model *model;
    ax_forest forest;
    const ax_json *parts, *labels;
    ax_arena arena;
    ax_text text; /* the line under way */
    void (*line)(void *arg, const char *text);
    void *arg;
} printer;

static const ax_node *forest_node(const ax_model *m)
{
    for (int i = 0; i < m->graph->n_nodes; i++)
        if (strcmp(m->graph->node[i].op->type, "TreeEnsembleRegressor") == 0)
            return &m->graph->node[i];
    return NULL;
}

int ax_model_tree_count(ax_model *m)
{
    const ax_node *node = forest_node(m);
    ax_arena arena;
    ax_forest forest = {.n_trees = 0};
    ax_error err;

    if (node == NULL)
        return 0;
    ax_arena_init(&arena, &m->env);
    if (ax_graph_read_forest(node, &arena, &forest, &err) != AX_OK)
        forest.n_trees = 0;
    ax_arena_free(&arena);
    return forest.n_trees;
}

/* ---- lines ----------------------------------------------------------------------------------- */

static void begin_line(printer *p, int depth)
{
    p->text.len = 0;
    for (int i = 0; i < depth; i++)
        ax_text_add(&p->text, "|   ", 4);
    ax_text_add(&p->text, "|--- ", 5);
}

static ax_status end_line(printer *p, ax_error *err)
{
    if (p->text.failed)
        return ax_nomem(err);
    p->line(p->arg, p->text.data);
    return AX_OK;
}

static void add(printer *p, const char *text)
{
    ax_text_add(&p->text, text, strlen(text));
}

/* The front's column that float `feature` of a row belongs to, when it is a text. */
static const ax_front_column *text_column(const printer *p, int feature)
{
    const ax_front *front = p->model->graph->front;
    int64_t at = 0;

    for (int i = 0; front != NULL && i < front->n; at += front->column[i].width, i++)
        if (at == feature)
            return front->column[i].text ? &front->column[i] : NULL;
    return NULL;
}

static void add_name(printer *p, int feature)
{
    if (p->parts != NULL && feature < p->parts->count && p->parts->item[feature]->kind == AX_JSON_STRING)
        add(p, p->parts->item[feature]->string);
    else
        ax_text_addf(&p->text, "feature %d", feature);
}

/* The texts that take the branch's yes. */
static void add_texts(printer *p, const ax_front_column *c, const ax_tree_node *n)
{
    int listed = 0, more = 0;

    add(p, "(");
    for (int k = 0; k < c->n_keys; k++) {
        float x = c->key_value[k];

        if (!(n->equal ? x == n->threshold : x <= n->threshold))
            continue;
        if (listed >= MOST_TEXTS) {
            more++;
            continue;
        }
        add(p, listed++ > 0 ? ", " : "");
        add(p, c->key[k]);
    }
    if (more > 0)
        ax_text_addf(&p->text, ", and %d more", more);
    add(p, listed > 0 ? ")" : "any other text)");
}

/* "age is missing", "job in (nurse, teacher)", "age <= 30.5 or missing". */
static ax_status print_branch(printer *p, const ax_tree_node *n, bool yes, int depth, ax_error *err)
{
    const ax_front_column *c = text_column(p, n->feature);

    begin_line(p, depth);
    add_name(p, n->feature);
    if (!n->equal && isinf(n->threshold) && n->threshold > 0 && !n->missing_yes) {
        add(p, yes ? " is given" : " is missing");
        return end_line(p, err);
    }
    if (c != NULL) {
        add(p, yes ? " in " : " not in ");
        add_texts(p, c, n);
    } else {
        ax_text_addf(&p->text, n->equal ? (yes ? " = %.6g" : " <> %.6g") : yes ? " <= %.6g" : " > %.6g",
                     (double) n->threshold);
    }
    if (n->missing_yes == yes)
        add(p, " or missing");
    return end_line(p, err);
}

static void add_class(printer *p, int class)
{
    if (p->labels != NULL && class < p->labels->count && p->labels->item[class]->kind == AX_JSON_STRING)
        add(p, p->labels->item[class]->string);
    else
        ax_text_addf(&p->text, "%d", class);
}

static ax_status print_leaf(printer *p, const ax_tree_node *n, int depth, ax_error *err)
{
    const float *v = p->forest.value + n->leaf;
    int best = 0;

    begin_line(p, depth);
    for (int k = 1; k < p->forest.width; k++)
        best = v[k] > v[best] ? k : best;
    if (p->forest.width > 1) {
        add(p, "class: ");
        add_class(p, best);
        ax_text_addf(&p->text, " (%.2f)", (double) v[best]);
    } else {
        ax_text_addf(&p->text, "value: %.6g", (double) v[0]);
    }
    ax_text_addf(&p->text, ", rows: %.6g", (double) n->cover);
    return end_line(p, err);
}

/* ---- the tree -------------------------------------------------------------------------------- */

/* A node still to be printed: as a branch's side of its parent first. */
typedef struct pending {
    int32_t node, parent; /* parent -1: the root */
    int depth;
    bool yes;
} pending;

static ax_status print_one(printer *p, const pending *at, pending *stack, int *n, ax_error *err)
{
    const ax_tree_node *node = &p->forest.node[at->node];
    int depth = at->depth;

    if (at->parent >= 0)
        AX_TRY(print_branch(p, &p->forest.node[at->parent], at->yes, depth++, err));
    if (node->feature < 0)
        return print_leaf(p, node, depth, err);
    stack[(*n)++] = (pending) {node->no, at->node, depth, false};
    stack[(*n)++] = (pending) {node->yes, at->node, depth, true};
    return AX_OK;
}

static ax_status print_tree(printer *p, int tree, ax_error *err)
{
    pending *stack = ax_arena_array(&p->arena, (size_t) p->forest.n_nodes + 2, sizeof(*stack));
    int n = 0;

    if (stack == NULL)
        return ax_nomem(err);
    stack[n++] = (pending) {p->forest.root[tree], -1, 0, false};
    while (n > 0) {
        pending at = stack[--n];

        AX_TRY(print_one(p, &at, stack, &n, err));
    }
    return AX_OK;
}

static ax_status read_labels(printer *p, ax_error *err)
{
    const char *text = ax_graph_meta(p->model->graph, "aiaas.labels");
    ax_json *v;

    if (text == NULL)
        return AX_OK;
    AX_TRY(ax_json_parse(&p->arena, text, strlen(text), &v, err));
    p->labels = v->kind == AX_JSON_ARRAY ? v : NULL;
    return AX_OK;
}

static ax_status print(printer *p, int tree, ax_error *err)
{
    const ax_node *node = forest_node(p->model);

    if (node == NULL)
        return ax_fail(err, AX_ERR_UNSUPPORTED, "the model has no trees");
    AX_TRY(ax_graph_read_forest(node, &p->arena, &p->forest, err));
    if (tree < 0 || tree >= p->forest.n_trees)
        return ax_fail(err, AX_ERR_UNKNOWN, "the model has no tree %d; it has %d", tree + 1, p->forest.n_trees);
    AX_TRY(read_labels(p, err));
    p->parts = ax_told_list(p->model, AX_TOLD_PARTS);
    return print_tree(p, tree, err);
}

ax_status ax_model_print_tree(ax_model *m, int tree, void (*line)(void *arg, const char *text), void *arg,
                              ax_error *err)
{
    printer p = {.model = m, .line = line, .arg = arg};
    ax_status status;

    ax_arena_init(&p.arena, &m->env);
    ax_text_init(&p.text, &m->env);
    status = print(&p, tree, err);
    ax_text_free(&p.text);
    ax_arena_free(&p.arena);
    return status;
}
