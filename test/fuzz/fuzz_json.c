/*
 * fuzz_json.c: any bytes at all, as JSON. What is accepted is written out and read again, and must
 * come out the same.
 */
#include <stdlib.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void *fuzz_alloc(void *ctx, size_t size)
{
    (void) ctx;
    return malloc(size);
}

static void fuzz_free(void *ctx, void *p)
{
    (void) ctx;
    free(p);
}

static const ax_env env = {fuzz_alloc, fuzz_free, NULL, NULL};

static void write_value(ax_text *t, const ax_json *v)
{
    if (v->kind == AX_JSON_NULL)
        ax_text_addf(t, "null");
    else if (v->kind == AX_JSON_BOOL)
        ax_text_addf(t, v->boolean ? "true" : "false");
    else if (v->kind == AX_JSON_STRING)
        ax_text_add_json_string(t, v->string);
    else if (v->kind == AX_JSON_NUMBER)
        ax_text_addf(t, "%.17g", v->number);
    if (v->kind != AX_JSON_ARRAY && v->kind != AX_JSON_OBJECT)
        return;
    ax_text_addf(t, v->kind == AX_JSON_ARRAY ? "[" : "{");
    for (int i = 0; i < v->count; i++) {
        if (i > 0)
            ax_text_addf(t, ",");
        if (v->kind == AX_JSON_OBJECT) {
            ax_text_add_json_string(t, v->key[i]);
            ax_text_addf(t, ":");
        }
        write_value(t, v->item[i]);
    }
    ax_text_addf(t, v->kind == AX_JSON_ARRAY ? "]" : "}");
}

static bool same(const ax_json *a, const ax_json *b)
{
    if (a->kind != b->kind || a->boolean != b->boolean || a->number != b->number ||
        a->count != b->count || (a->string == NULL) != (b->string == NULL) ||
        (a->string != NULL && strcmp(a->string, b->string) != 0))
        return false;
    for (int i = 0; i < a->count; i++) {
        if (!same(a->item[i], b->item[i]))
            return false;
        if (a->kind == AX_JSON_OBJECT &&
            (strcmp(a->key[i], b->key[i]) != 0 || ax_json_get(a, a->key[i]) != a->item[i]))
            return false;
    }
    return true;
}

static void check_again(const ax_json *v)
{
    ax_text t;
    ax_arena a;
    ax_error err;
    ax_json *again;

    ax_text_init(&t, &env);
    ax_arena_init(&a, &env);
    write_value(&t, v);
    if (t.failed || ax_json_parse(&a, t.data, t.len, &again, &err) != AX_OK || !same(v, again))
        abort();
    ax_arena_free(&a);
    ax_text_free(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    ax_arena a;
    ax_error err = {0};
    ax_json *v = NULL;
    ax_status status;

    ax_arena_init(&a, &env);
    status = ax_json_parse(&a, (const char *) bytes, size, &v, &err);
    if (status == AX_OK)
        check_again(v);
    else if (v != NULL || err.message[0] == '\0' || err.status != status)
        abort();
    ax_arena_free(&a);
    return 0;
}
