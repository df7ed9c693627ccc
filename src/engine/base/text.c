/*
 * text.c: a growing byte string. A failed allocation is remembered, so that a writer of many pieces
 * asks once, at the end.
 */
#include "base/base.h"

#include <stdarg.h>
#include <stdio.h>

void ax_text_init(ax_text *t, const ax_env *env)
{
    *t = (ax_text){.env = *env};
}

/* Makes room for n more bytes and the '\0'; false, and failed, when there is none. */
static bool reserve(ax_text *t, size_t n)
{
    size_t need, cap;
    char *data;

    if (t->failed)
        return false;
    t->failed = true;
    if (!ax_add_size(t->len, n, &need) || !ax_add_size(need, 1, &need) || need > SIZE_MAX / 4)
        return false;
    if (need > t->cap) {
        cap = AX_MAX(need, AX_MAX(2 * t->cap, 64));
        data = ax_alloc(&t->env, cap);
        if (data == NULL)
            return false;
        if (t->len > 0)
            memcpy(data, t->data, t->len);
        ax_free(&t->env, t->data);
        t->data = data;
        t->cap = cap;
    }
    t->failed = false;
    return true;
}

void ax_text_add(ax_text *t, const void *bytes, size_t n)
{
    if (!reserve(t, n))
        return;
    if (n > 0)
        memcpy(t->data + t->len, bytes, n);
    t->len += n;
    t->data[t->len] = '\0';
}

void ax_text_addf(ax_text *t, const char *fmt, ...)
{
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0) {
        t->failed = true;
        return;
    }
    if (!reserve(t, (size_t) n))
        return;
    va_start(args, fmt);
    vsnprintf(t->data + t->len, (size_t) n + 1, fmt, args);
    va_end(args);
    t->len += (size_t) n;
}

static const char *json_escape(unsigned char c)
{
    switch (c) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\b':
        return "\\b";
    case '\f':
        return "\\f";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        return NULL;
    }
}

void ax_text_add_json_string(ax_text *t, const char *s)
{
    ax_text_add(t, "\"", 1);
    while (*s != '\0') {
        size_t plain = 0;
        unsigned char c;

        while ((unsigned char) s[plain] >= 0x20 && s[plain] != '"' && s[plain] != '\\')
            plain++;
        ax_text_add(t, s, plain);
        s += plain;
        c = (unsigned char) *s;
        if (c == '\0')
            break;
        if (json_escape(c) != NULL)
            ax_text_add(t, json_escape(c), 2);
        else
            ax_text_addf(t, "\\u%04x", c);
        s++;
    }
    ax_text_add(t, "\"", 1);
}

void ax_text_free(ax_text *t)
{
    ax_env env = t->env;

    ax_free(&env, t->data);
    ax_text_init(t, &env);
}
