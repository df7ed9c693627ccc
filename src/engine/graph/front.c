/*
 * front.c: see front.h. Texts are found through a hash with open addressing, half empty at least, so that a look
 * costs one or two comparisons.
 */
#include "graph/front.h"

#include "graph/graph.h"

#define MAX_COLUMNS AX_MAX_VALUES
#define MAX_KEYS (1 << 24)

/* Eight bytes at a time, each word mixed as the random numbers are. */
static uint64_t hash_text(const char *text, size_t len)
{
    uint64_t h = len;

    for (; len >= 8; text += 8, len -= 8) {
        uint64_t word;

        memcpy(&word, text, 8);
        h = ax_rng_at(h, word);
    }
    if (len > 0) {
        uint64_t word = 0;

        memcpy(&word, text, len);
        h = ax_rng_at(h, word);
    }
    return h;
}

static bool is_key(const char *key, const char *text, size_t len)
{
    return strlen(key) == len && memcmp(key, text, len) == 0;
}

/* The slot of a text among the keys, or the free one where it belongs. */
static int find_slot(const char *const *key, const int32_t *slot, int n_slots, const char *text, size_t len)
{
    uint64_t mask = (uint64_t) n_slots - 1;
    uint64_t i = hash_text(text, len) & mask;

    while (slot[i] != 0 && !is_key(key[slot[i] - 1], text, len))
        i = (i + 1) & mask;
    return (int) i;
}

float ax_front_value(const ax_front_column *c, const char *text, size_t len)
{
    int32_t found;

    if (len == 0)
        return c->missing;
    if (c->n_slots == 0)
        return c->otherwise;
    found = c->slot[find_slot(c->key, c->slot, c->n_slots, text, len)];
    return found > 0 ? c->key_value[found - 1] : c->otherwise;
}

/* The hash of n texts: *slot of *n_slots. *twice: a text that is there twice, or NULL. */
static ax_status index_texts(ax_arena *a, const char *const *key, int n, int32_t **slot, int *n_slots,
                             const char **twice, ax_error *err)
{
    int size = 4;

    while (size < 2 * n)
        size *= 2;
    *twice = NULL;
    *n_slots = size;
    *slot = ax_arena_array(a, (size_t) size, sizeof(int32_t));
    if (*slot == NULL)
        return ax_nomem(err);
    for (int i = 0; i < n; i++) {
        int at = find_slot(key, *slot, size, key[i], strlen(key[i]));

        if ((*slot)[at] != 0)
            *twice = key[i];
        (*slot)[at] = i + 1;
    }
    return AX_OK;
}

static ax_status copy_keys(ax_arena *a, const ax_front_column *from, ax_front_column *to, ax_error *err)
{
    size_t n = (size_t) from->n_keys;
    const char **key = ax_arena_array(a, n, sizeof(*key));
    float *value = ax_arena_array(a, n, sizeof(*value));
    const char *twice;
    int32_t *slot;

    if (key == NULL || value == NULL)
        return ax_nomem(err);
    for (size_t i = 0; i < n; i++) {
        if (from->key[i][0] == '\0')
            return ax_fail(err, AX_ERR_INVALID, "column \"%s\" has an empty category", from->name);
        key[i] = ax_arena_strdup(a, from->key[i]);
        if (key[i] == NULL)
            return ax_nomem(err);
        value[i] = from->key_value[i];
    }
    to->key = key;
    to->key_value = value;
    AX_TRY(index_texts(a, key, from->n_keys, &slot, &to->n_slots, &twice, err));
    to->slot = slot;
    if (twice != NULL)
        return ax_fail(err, AX_ERR_INVALID, "column \"%s\" has category \"%.64s\" twice", from->name, twice);
    return AX_OK;
}

static ax_status copy_column(ax_arena *a, const ax_front_column *from, ax_front_column *to, ax_error *err)
{
    if (from->name == NULL || from->name[0] == '\0')
        return ax_fail(err, AX_ERR_INVALID, "a column has no name");
    if (from->width < 1 || (from->text && from->width != 1))
        return ax_fail(err, AX_ERR_INVALID, "column \"%s\" has a width of %lld", from->name, (long long) from->width);
    if (from->text && (from->n_keys < 0 || from->n_keys > MAX_KEYS))
        return ax_fail(err, AX_ERR_LIMIT, "column \"%s\" has more than %d categories", from->name, MAX_KEYS);
    *to = (ax_front_column){.text = from->text, .width = from->width};
    to->name = ax_arena_strdup(a, from->name);
    if (to->name == NULL)
        return ax_nomem(err);
    if (!from->text)
        return AX_OK;
    to->otherwise = from->otherwise;
    to->missing = from->missing;
    to->n_keys = from->n_keys;
    return copy_keys(a, from, to, err);
}

/* Two columns of one name could not be told apart. */
static ax_status check_names(const ax_graph *g, const ax_front *f, ax_error *err)
{
    ax_arena work;
    const char **name, *twice = NULL;
    int32_t *slot;
    int n_slots;
    ax_status status;

    ax_arena_init(&work, &g->arena.env);
    name = ax_arena_array(&work, (size_t) f->n, sizeof(*name));
    for (int i = 0; name != NULL && i < f->n; i++)
        name[i] = f->column[i].name;
    status = name == NULL ? ax_nomem(err) : index_texts(&work, name, f->n, &slot, &n_slots, &twice, err);
    if (status == AX_OK && twice != NULL)
        status = ax_fail(err, AX_ERR_INVALID, "two columns are named \"%s\"", twice);
    ax_arena_free(&work);
    return status;
}

/* The graph's input takes the columns side by side. */
static ax_status check_input(const ax_graph *g, int n, const ax_front_column *column, ax_error *err)
{
    const ax_value *v = g->n_inputs == 1 ? &g->value[g->input[0]] : NULL;
    int64_t width = 0;

    if (v == NULL || v->type != AX_FLOAT || v->shape.rank != 2 || v->shape.dim[0] != AX_DIM_BATCH)
        return ax_fail(err, AX_ERR_INVALID, "columns need a graph with one input of floats, a row each");
    if (n < 1 || n > MAX_COLUMNS)
        return ax_fail(err, AX_ERR_LIMIT, "%d columns are not possible", n);
    for (int i = 0; i < n; i++) {
        if (column[i].width > v->shape.dim[1] - width)
            return ax_fail(err, AX_ERR_INVALID, "the columns are wider than the input of %lld numbers",
                           (long long) v->shape.dim[1]);
        width += column[i].width;
    }
    if (width != v->shape.dim[1])
        return ax_fail(err, AX_ERR_INVALID, "the columns have %lld numbers, the input %lld", (long long) width,
                       (long long) v->shape.dim[1]);
    return AX_OK;
}

ax_status ax_graph_set_front(ax_graph *g, int n, const ax_front_column *column, ax_error *err)
{
    ax_front *f;

    AX_TRY(check_input(g, n, column, err));
    f = ax_arena_alloc(&g->arena, sizeof(*f));
    if (f == NULL)
        return ax_nomem(err);
    f->n = n;
    f->column = ax_arena_array(&g->arena, (size_t) n, sizeof(*f->column));
    if (f->column == NULL)
        return ax_nomem(err);
    for (int i = 0; i < n; i++)
        AX_TRY(copy_column(&g->arena, &column[i], &f->column[i], err));
    AX_TRY(check_names(g, f, err));
    g->front = f;
    return AX_OK;
}
