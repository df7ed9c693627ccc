/*
 * setting.c: reads configs by table; see setting.h.
 */
#include "table/setting.h"

#include <stdio.h>

static char folded(char c)
{
    return (char) (c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

bool ax_same_name(const char *a, const char *b)
{
    for (;; a++, b++) {
        while (*a == '_')
            a++;
        while (*b == '_')
            b++;
        if (folded(*a) != folded(*b))
            return false;
        if (*a == '\0')
            return true;
    }
}

void ax_hint_names(ax_error *err, const char *name, const char *const *known, int n)
{
    const char *near = ax_nearest_name(name, known, n);
    char list[AX_TEXT_MAX / 2] = "";
    size_t len = 0;

    if (near != NULL) {
        ax_hint(err, "Did you mean \"%s\"?", near);
        return;
    }
    for (int i = 0; i < n && len < sizeof(list); i++)
        len += (size_t) snprintf(list + len, sizeof(list) - len, "%s%s", i > 0 ? ", " : "",
                                 known[i]);
    ax_hint(err, "There is: %s.", list);
}

const ax_setting *ax_setting_find(const ax_setting *table, int n, unsigned who, const char *name)
{
    for (int i = 0; i < n; i++)
        if ((table[i].who & who) != 0 && strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

static ax_status unknown_setting(const ax_setting *table, int n, unsigned who, const char *what,
                                 const char *name, ax_error *err)
{
    const char *known[AX_SETTING_MAX];
    int n_known = 0;

    for (int i = 0; i < n && n_known < AX_SETTING_MAX; i++)
        if ((table[i].who & who) != 0 && table[i].kind < AX_SETTING_UNUSED)
            known[n_known++] = table[i].name;
    ax_fail(err, AX_ERR_UNKNOWN, "%s has no setting \"%s\"", what, name);
    ax_hint_names(err, name, known, n_known);
    return AX_ERR_UNKNOWN;
}

/* what: of this value, `optimizer "adam": beta_1`. */
static ax_status put_number(const ax_setting *s, const char *what, const ax_json *v, char *at,
                            ax_error *err)
{
    if (v->kind != AX_JSON_NUMBER)
        return ax_wrong_type(what, "a number", v, err);
    AX_TRY(ax_range_check(&s->range, what, v->number, err));
    memcpy(at, &v->number, sizeof(double));
    return AX_OK;
}

static ax_status put_integer(const ax_setting *s, const char *what, const ax_json *v, char *at,
                             ax_error *err)
{
    int64_t integer;

    if (!ax_json_integer(v, &integer))
        return ax_wrong_type(what, "an integer", v, err);
    AX_TRY(ax_range_check(&s->range, what, (double) integer, err));
    memcpy(at, &integer, sizeof(integer));
    return AX_OK;
}

static ax_status put_boolean(const ax_setting *s, const char *what, const ax_json *v, char *at,
                             ax_error *err)
{
    if (v->kind != AX_JSON_BOOL)
        return ax_wrong_type(what, "true or false", v, err);
    memcpy(at, &v->boolean, sizeof(bool));
    return AX_OK;
}

static ax_status put_text(const ax_setting *s, const char *what, const ax_json *v, char *at,
                          ax_error *err)
{
    if (v->kind != AX_JSON_STRING)
        return ax_wrong_type(what, "text", v, err);
    memcpy(at, &v->string, sizeof(v->string));
    return AX_OK;
}

static ax_status put_json(const ax_setting *s, const char *what, const ax_json *v, char *at,
                          ax_error *err)
{
    memcpy(at, &v, sizeof(v));
    return AX_OK;
}

static ax_status put_unused(const ax_setting *s, const char *what, const ax_json *v, char *at,
                            ax_error *err)
{
    if (v->kind == AX_JSON_STRING || (v->kind == AX_JSON_BOOL && !v->boolean))
        return AX_OK;
    return ax_fail(err, AX_ERR_UNSUPPORTED, "%s is not supported", what);
}

static ax_status put_ignored(const ax_setting *s, const char *what, const ax_json *v, char *at,
                             ax_error *err)
{
    return AX_OK;
}

typedef ax_status (*put_fn)(const ax_setting *, const char *, const ax_json *, char *, ax_error *);

static const put_fn put_of_kind[] = {
    [AX_SETTING_NUMBER] = put_number,   [AX_SETTING_INTEGER] = put_integer,
    [AX_SETTING_BOOLEAN] = put_boolean, [AX_SETTING_TEXT] = put_text,
    [AX_SETTING_JSON] = put_json,       [AX_SETTING_UNUSED] = put_unused,
    [AX_SETTING_IGNORED] = put_ignored,
};

ax_status ax_setting_put(const ax_setting *s, const char *what, const ax_json *v, void *out,
                         ax_error *err)
{
    char whole[160];

    if (v->kind == AX_JSON_NULL)
        return AX_OK;
    snprintf(whole, sizeof(whole), "%s: %s", what, s->name);
    return put_of_kind[s->kind](s, whole, v, (char *) out + s->offset, err);
}

ax_status ax_settings_read(const ax_setting *table, int n, unsigned who, const char *what,
                           const ax_json *config, void *out, ax_error *err)
{
    if (config == NULL || config->kind == AX_JSON_NULL)
        return AX_OK;
    if (config->kind != AX_JSON_OBJECT)
        return ax_wrong_type(what, "an object of settings", config, err);
    for (int i = 0; i < config->count; i++) {
        const ax_setting *s = ax_setting_find(table, n, who, config->key[i]);

        if (s == NULL)
            return unknown_setting(table, n, who, what, config->key[i], err);
        AX_TRY(ax_setting_put(s, what, config->item[i], out, err));
    }
    return AX_OK;
}
