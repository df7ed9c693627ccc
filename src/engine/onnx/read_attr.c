/*
 * read_attr.c: an operator's attribute from ONNX bytes.
 *
 * A list comes packed in one field, or number by number in fields of their own, or in a mixture of both: it grows by
 * doubling in the working arena. A strings list repeats itself (the modes of a forest's nodes), so equal neighbours
 * share their bytes.
 */
#include "onnx/reader.h"

#define MAX_LIST (1 << 26) /* numbers or strings in one attribute */
#define RECENT 4           /* strings that a new one is compared with */

/* The lists of one attribute. Its kind says in the end which of them counts. */
typedef struct lists {
    float *floats;
    int64_t *ints;
    const char **strings;
    int n_floats, n_ints, n_strings;
    int cap_floats, cap_ints, cap_strings;
    const char *recent[RECENT];
    int turn;
} lists;

/* Room in *list for `more` elements behind the n that it has. */
static ax_status grow(ax_reader *r, void *list, int n, size_t more, int *cap, size_t size)
{
    void **slot = list;
    void *bigger;
    size_t wanted;

    if (more > (size_t) (MAX_LIST - n))
        return ax_fail(r->err, AX_ERR_LIMIT, "an attribute has more than %d numbers", MAX_LIST);
    if ((size_t) n + more <= (size_t) *cap)
        return AX_OK;
    wanted = AX_MAX((size_t) n + more, 2 * (size_t) *cap);
    bigger = ax_arena_array(&r->work, wanted, size);
    if (bigger == NULL)
        return ax_nomem(r->err);
    if (n > 0)
        memcpy(bigger, *slot, (size_t) n * size);
    *slot = bigger;
    *cap = (int) wanted;
    return AX_OK;
}

static ax_status read_ints(ax_reader *r, const ax_field *f, lists *l)
{
    ax_wire w;
    uint64_t v = f->value;

    /* a varint is at least a byte long */
    AX_TRY(grow(r, &l->ints, l->n_ints, f->type == AX_WIRE_BYTES ? f->len : 1, &l->cap_ints, sizeof(int64_t)));
    if (f->type == AX_WIRE_VARINT) {
        l->ints[l->n_ints++] = (int64_t) v;
        return AX_OK;
    }
    w = ax_wire_sub(f);
    while (!w.bad && w.p < w.end && ax_wire_varint(&w, &v))
        l->ints[l->n_ints++] = (int64_t) v;
    return w.bad ? ax_read_corrupt(r, "an attribute's integers") : AX_OK;
}

static ax_status read_floats(ax_reader *r, const ax_field *f, lists *l)
{
    size_t n = f->type == AX_WIRE_BYTES ? f->len / sizeof(float) : 1;
    uint32_t bits = (uint32_t) f->value;

    if (f->type == AX_WIRE_BYTES ? f->len % sizeof(float) != 0 : f->type != AX_WIRE_FIXED32)
        return ax_read_corrupt(r, "an attribute's floats");
    AX_TRY(grow(r, &l->floats, l->n_floats, n, &l->cap_floats, sizeof(float)));
    if (n > 0)
        memcpy(l->floats + l->n_floats, f->type == AX_WIRE_BYTES ? (const void *) f->bytes : &bits,
               n * sizeof(float));
    l->n_floats += (int) n;
    return AX_OK;
}

static bool is_text(const ax_field *f, const char *text)
{
    return text != NULL && strlen(text) == f->len && memcmp(text, f->bytes, f->len) == 0;
}

static ax_status read_one_of_strings(ax_reader *r, const ax_field *f, lists *l)
{
    const char *text = NULL;

    AX_TRY(grow(r, &l->strings, l->n_strings, 1, &l->cap_strings, sizeof(*l->strings)));
    for (int k = 0; f->type == AX_WIRE_BYTES && k < RECENT && text == NULL; k++)
        if (is_text(f, l->recent[k]))
            text = l->recent[k];
    if (text == NULL) {
        AX_TRY(ax_read_string(r, f, &text));
        l->recent[l->turn++ % RECENT] = text;
    }
    l->strings[l->n_strings++] = text;
    return AX_OK;
}

static ax_status read_field(ax_reader *r, const ax_field *f, ax_attr *a, lists *l)
{
    ax_onnx_tensor t;
    uint32_t bits = (uint32_t) f->value;

    switch (f->number) {
    case ONNX_ATTR_NAME:
        return ax_read_string(r, f, &a->name);
    case ONNX_ATTR_F:
        memcpy(&a->f, &bits, sizeof(a->f));
        return AX_OK;
    case ONNX_ATTR_I:
        a->i = (int64_t) f->value;
        return AX_OK;
    case ONNX_ATTR_S:
        return ax_read_string(r, f, &a->s);
    case ONNX_ATTR_T:
        AX_TRY(ax_read_tensor(r, f, &t));
        if (t.external)
            return ax_read_corrupt(r, "an attribute with external data");
        a->tensor = t.t;
        return AX_OK;
    case ONNX_ATTR_FLOATS:
        return read_floats(r, f, l);
    case ONNX_ATTR_INTS:
        return read_ints(r, f, l);
    case ONNX_ATTR_STRINGS:
        return read_one_of_strings(r, f, l);
    case ONNX_ATTR_TYPE:
        a->kind = (ax_attr_kind) f->value;
        return AX_OK;
    default:
        return AX_OK;
    }
}

/* The list that the attribute's kind means. False: no such kind is known. */
static bool choose_list(ax_attr *a, const lists *l)
{
    switch (a->kind) {
    case AX_ATTR_FLOATS:
        a->floats = l->floats;
        a->count = l->n_floats;
        return true;
    case AX_ATTR_INTS:
        a->ints = l->ints;
        a->count = l->n_ints;
        return true;
    case AX_ATTR_STRINGS:
        a->strings = l->strings;
        a->count = l->n_strings;
        return true;
    default:
        return a->kind == AX_ATTR_FLOAT || a->kind == AX_ATTR_INT || a->kind == AX_ATTR_STRING ||
               a->kind == AX_ATTR_TENSOR;
    }
}

ax_status ax_read_attr(ax_reader *r, const ax_field *field, ax_attr *a)
{
    ax_wire w = ax_wire_sub(field);
    ax_field f;
    lists l = {NULL};

    *a = (ax_attr){.name = "", .s = ""};
    while (ax_wire_next(&w, &f))
        AX_TRY(read_field(r, &f, a, &l));
    if (w.bad)
        return ax_read_corrupt(r, "an attribute");
    if (!choose_list(a, &l))
        return ax_fail(r->err, AX_ERR_UNSUPPORTED, "attribute \"%s\" has type %d", a->name, (int) a->kind);
    return a->kind == AX_ATTR_TENSOR && ax_dtype_size(a->tensor.type) == 0
               ? ax_read_corrupt(r, "an attribute without its tensor")
               : AX_OK;
}
