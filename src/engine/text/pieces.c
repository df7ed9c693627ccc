/*
 * pieces.c: a text that is cut into pieces, as it is written from left to right. Running out of memory is remembered
 * in the text, like ax_text does.
 */
#include "text/parts.h"

void ax_pieces_init(ax_pieces *p, const ax_env *env)
{
    *p = (ax_pieces){0};
    ax_text_init(&p->text, env);
}

void ax_pieces_put(ax_pieces *p, const char *s, size_t n)
{
    ax_text_add(&p->text, s, n);
}

void ax_pieces_put_char(ax_pieces *p, uint32_t code)
{
    char bytes[AX_UTF8_MAX];

    ax_text_add(&p->text, bytes, ax_utf8_write(code, bytes));
}

void ax_pieces_cut(ax_pieces *p)
{
    if (p->text.failed || p->text.len == (p->count == 0 ? 0 : p->end[p->count - 1]))
        return;
    if (p->count == p->cap) {
        size_t cap = AX_MAX(2 * p->cap, 64);
        size_t *grown = cap > SIZE_MAX / 2 / sizeof(*grown) ? NULL : ax_alloc(&p->text.env, cap * sizeof(*grown));

        if (grown == NULL) {
            p->text.failed = true;
            return;
        }
        if (p->count > 0)
            memcpy(grown, p->end, p->count * sizeof(*grown));
        ax_free(&p->text.env, p->end);
        p->end = grown;
        p->cap = cap;
    }
    p->end[p->count++] = p->text.len;
}

void ax_pieces_free(ax_pieces *p)
{
    ax_env env = p->text.env;

    ax_free(&env, p->end);
    ax_text_free(&p->text);
    ax_pieces_init(p, &env);
}
