/*
 * outputs.c: what a preparation hands on: the front's columns, what each float of the row is to a tree, and the list of
 * floats that its nodes make, with their names.
 */
#include "table/prepare.h"

#include <stdio.h>

/* ---- front and parts ------------------------------------------------------------------------- */

static ax_status make_front(ax_preparation *p, ax_error *err)
{
    int text = 0;

    p->front = ax_arena_array(&p->arena, (size_t) p->n_columns, sizeof(*p->front));
    if (p->front == NULL)
        return ax_nomem(err);
    for (int i = 0; i < p->n_columns; i++) {
        const ax_column *c = &p->column[i];
        ax_front_column *f = &p->front[i];

        *f = (ax_front_column){.name = c->name, .text = c->text, .width = c->width};
        if (!c->text)
            continue;
        f->n_keys = p->text[text]->n_keys;
        f->key = p->text[text]->key;
        f->key_value = p->text[text]->key_value;
        f->otherwise = p->text[text]->otherwise;
        f->missing = p->text[text++]->missing;
    }
    return AX_OK;
}

/* The names of the codes of a number that is a category: all up to the largest. */
static ax_status name_codes(ax_preparation *p, const ax_element *e, ax_row_part *part, ax_error *err)
{
    const char **name;

    part->n_codes = (int) e->moments.max + 1;
    name = ax_arena_array(&p->arena, (size_t) part->n_codes, sizeof(*name));
    if (name == NULL)
        return ax_nomem(err);
    part->code = name;
    for (int k = 0; k < part->n_codes; k++) {
        name[k] = ax_arena_printf(&p->arena, "%d", k);
        if (name[k] == NULL)
            return ax_nomem(err);
    }
    return AX_OK;
}

static ax_status name_buckets(ax_preparation *p, const ax_text_codes *t, ax_row_part *part, ax_error *err)
{
    const char **name = ax_arena_array(&p->arena, (size_t) t->n_codes, sizeof(*name));

    if (name == NULL)
        return ax_nomem(err);
    part->n_codes = t->n_codes;
    part->code = name;
    for (int k = 0; k < t->n_codes; k++) {
        name[k] = ax_arena_printf(&p->arena, "#%d", k);
        if (name[k] == NULL)
            return ax_nomem(err);
    }
    return AX_OK;
}

static ax_status make_part(ax_preparation *p, const ax_element *e, ax_row_part *part, ax_error *err)
{
    const ax_text_codes *t = e->text;

    *part = (ax_row_part){.name = e->summary.name, .used = ax_element_used(e)};
    if (!part->used || (t == NULL && !p->options[e->column].category))
        return AX_OK;
    part->category = t == NULL || t->encode != AX_ENCODE_TARGET;
    if (t == NULL)
        return p->family == AX_FAMILY_TREES ? name_codes(p, e, part, err) : AX_OK;
    if (t->encode == AX_ENCODE_HASH)
        return name_buckets(p, t, part, err);
    part->n_codes = t->n_codes;
    part->code = t->code;
    return AX_OK;
}

/* ---- the list of outputs --------------------------------------------------------------------- */

static int64_t flags_of(const ax_preparation *p, const ax_element *e)
{
    const ax_text_codes *t = e->text;

    if (!ax_element_used(e) || p->family == AX_FAMILY_TREES)
        return 0;
    if (t == NULL)
        return e->n_levels;
    if (t->encode == AX_ENCODE_HASH)
        return t->n_codes;
    return t->encode == AX_ENCODE_ONE_HOT ? t->n_codes + t->rest : 0;
}

static bool is_embedded(const ax_element *e)
{
    return ax_element_used(e) && e->text != NULL && e->text->encode == AX_ENCODE_EMBEDDING;
}

static void count_outputs(ax_preparation *p)
{
    for (int64_t i = 0; i < p->width; i++) {
        const ax_element *e = &p->element[i];

        p->n_numbers += e->number;
        p->n_logs += e->number && e->log1p;
        p->n_indicators += e->indicator;
        p->n_flags += flags_of(p, e);
        p->n_embeddings += is_embedded(e);
        p->n_outputs += is_embedded(e) ? e->text->output_dim : 0;
    }
    p->n_outputs += p->n_numbers + p->n_indicators + p->n_flags;
}

static void list_elements(ax_preparation *p)
{
    int64_t plain = 0, log = p->n_numbers - p->n_logs, indicator = 0, flag = 0;
    int embedding = 0;

    for (int64_t i = 0; i < p->width; i++) {
        const ax_element *e = &p->element[i];

        if (e->number)
            p->number[e->log1p ? log++ : plain++] = i;
        if (e->indicator)
            p->indicator[indicator++] = i;
        for (int64_t k = 0; k < flags_of(p, e); k++)
            p->flag[flag++] = (ax_flag){i, e->text == NULL ? e->level[k] : (float) k};
        if (is_embedded(e))
            p->embedding[embedding++] = e->text;
    }
}

static const char *flag_name(ax_preparation *p, const ax_flag *f)
{
    const ax_element *e = &p->element[f->at];

    if (e->text == NULL)
        return ax_arena_printf(&p->arena, "%s=%.9g", e->summary.name, (double) f->value);
    if (e->text->encode == AX_ENCODE_HASH)
        return ax_arena_printf(&p->arena, "%s#%d", e->summary.name, (int) f->value);
    if ((int) f->value == e->text->n_codes)
        return ax_arena_printf(&p->arena, "%s=(other)", e->summary.name);
    return ax_arena_printf(&p->arena, "%s=%s", e->summary.name, e->text->code[(int) f->value]);
}

static ax_status name_outputs(ax_preparation *p, ax_error *err)
{
    int64_t n = 0;

    for (int64_t i = 0; i < p->n_numbers; i++)
        p->output[n++] = p->element[p->number[i]].summary.name;
    for (int64_t i = 0; i < p->n_indicators; i++)
        p->output[n++] = ax_arena_printf(&p->arena, "%s is missing", p->element[p->indicator[i]].summary.name);
    for (int64_t i = 0; i < p->n_flags; i++)
        p->output[n++] = flag_name(p, &p->flag[i]);
    for (int i = 0; i < p->n_embeddings; i++)
        for (int64_t k = 0; k < p->embedding[i]->output_dim; k++)
            p->output[n++] = ax_arena_printf(&p->arena, "%s[%lld]", p->element[p->embedding[i]->at].summary.name,
                                             (long long) k);
    for (int64_t i = 0; i < n; i++)
        if (p->output[i] == NULL)
            return ax_nomem(err);
    return AX_OK;
}

/* A tree's outputs are the row itself. */
static ax_status name_row(ax_preparation *p, ax_error *err)
{
    p->n_outputs = p->width;
    p->output = ax_arena_array(&p->arena, (size_t) p->width, sizeof(*p->output));
    if (p->output == NULL)
        return ax_nomem(err);
    for (int64_t i = 0; i < p->width; i++)
        p->output[i] = p->element[i].summary.name;
    return AX_OK;
}

ax_status ax_prepare_outputs(ax_preparation *p, ax_error *err)
{
    AX_TRY(make_front(p, err));
    p->part = ax_arena_array(&p->arena, (size_t) p->width, sizeof(*p->part));
    if (p->part == NULL)
        return ax_nomem(err);
    for (int64_t i = 0; i < p->width; i++)
        AX_TRY(make_part(p, &p->element[i], &p->part[i], err));
    if (p->family == AX_FAMILY_TREES)
        return name_row(p, err);
    count_outputs(p);
    p->number = ax_arena_array(&p->arena, (size_t) p->n_numbers, sizeof(*p->number));
    p->indicator = ax_arena_array(&p->arena, (size_t) p->n_indicators, sizeof(*p->indicator));
    p->flag = ax_arena_array(&p->arena, (size_t) p->n_flags, sizeof(*p->flag));
    p->embedding = ax_arena_array(&p->arena, (size_t) p->n_embeddings, sizeof(*p->embedding));
    p->output = ax_arena_array(&p->arena, (size_t) p->n_outputs, sizeof(*p->output));
    if (p->number == NULL || p->indicator == NULL || p->flag == NULL || p->embedding == NULL || p->output == NULL)
        return ax_nomem(err);
    list_elements(p);
    return name_outputs(p, err);
}
