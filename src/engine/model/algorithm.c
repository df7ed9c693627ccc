/*
 * algorithm.c: the table of algorithms, and which options belong to which.
 */
#include "model/algorithm.h"

#include <stdio.h>

static const ax_algorithm *const table[] = {
    &ax_algorithm_linear,        &ax_algorithm_logistic,          &ax_algorithm_decision_tree,
    &ax_algorithm_random_forest, &ax_algorithm_extra_trees,       &ax_algorithm_gradient_boosting,
    &ax_algorithm_kmeans,        &ax_algorithm_pca,               &ax_algorithm_isolation_forest,
};

/* What is about rows, columns and versions, and so means the same to all. */
static const char common[] = "metrics|top_k|validation_split|validation_query|validation|weight|seed|deploy|columns|"
                             "exclude|prepare|group|time|folds|max_seconds";

const ax_algorithm *ax_algorithm_find(const char *name, ax_error *err)
{
    const char *names[AX_COUNT(table)], *near;

    for (int i = 0; i < AX_COUNT(table); i++) {
        names[i] = table[i]->name;
        if (strcmp(names[i], name) == 0)
            return table[i];
    }
    ax_fail(err, AX_ERR_UNKNOWN, "unknown algorithm \"%s\"", name);
    near = ax_nearest_name(name, names, AX_COUNT(table));
    if (near != NULL)
        ax_hint(err, "Did you mean \"%s\"?", near);
    else
        ax_hint(err, "There are linear, logistic, decision_tree, random_forest, extra_trees, gradient_boosting, "
                     "kmeans, pca, isolation_forest and neural_network.");
    return NULL;
}

/* Is the name one of "a|b|c"? */
static bool among(const char *list, const char *name)
{
    size_t len = strlen(name);

    for (const char *p = list; p != NULL && *p != '\0'; p = strchr(p, '|')) {
        p += *p == '|';
        if (strncmp(p, name, len) == 0 && (p[len] == '|' || p[len] == '\0'))
            return true;
    }
    return false;
}

static void hint_options(const ax_algorithm *a, ax_error *err)
{
    char list[AX_TEXT_MAX];
    size_t at = 0;

    for (const char *p = a->options; *p != '\0' && at < sizeof(list) - 3; p++) {
        list[at++] = *p == '|' ? ',' : *p;
        if (*p == '|')
            list[at++] = ' ';
    }
    list[at] = '\0';
    ax_hint(err, "It knows %s.", list);
}

bool ax_algorithm_bins(const char *name)
{
    for (int i = 0; i < AX_COUNT(table); i++)
        if (strcmp(table[i]->name, name) == 0)
            return table[i]->bins;
    return false;
}

ax_status ax_algorithm_check(const char *name, const ax_options *options, ax_task *hint, bool *target,
                             ax_error *err)
{
    const ax_algorithm *a = ax_algorithm_find(name, err);

    if (a == NULL)
        return AX_ERR_UNKNOWN;
    for (int i = 0; i < ax_option_count(); i++) {
        const char *option = ax_option_at(i)->name;

        if (!ax_options_given(options, option) || among(common, option) || among(a->options, option))
            continue;
        ax_fail(err, AX_ERR_INVALID, "option \"%s\" is none of the algorithm %s", option, name);
        hint_options(a, err);
        return AX_ERR_INVALID;
    }
    *hint = a->hint;
    *target = a->target;
    return AX_OK;
}
