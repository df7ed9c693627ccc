/*
 * model.c: one piece of text through WordLevel, WordPiece and BPE.
 *
 * BPE keeps the symbols of a piece in a linked list and the pairs that may merge in a heap by (rank, place): every
 * merge makes at most two new pairs, so a piece of n characters takes n log n. What the heap says of symbols that are
 * gone by then is recognized by their ids and left.
 */
#include "text/parts.h"

#define STEPS_A_POLL 65536

void ax_ids_put(ax_ids *out, int32_t id)
{
    if (id < 0)
        return;
    if (out->count < out->max)
        out->id[out->count] = id;
    out->count++;
}

ax_status ax_model_words(const ax_tokenizer *t, const char *s, size_t n, ax_ids *out, ax_error *err)
{
    int32_t id = ax_vocabulary_find(&t->vocabulary, s, n);

    ax_ids_put(out, id < 0 ? t->unknown : id);
    return AX_OK;
}

/* ---- WordPiece ------------------------------------------------------------------------------- */

static size_t characters(const char *s, size_t n)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++)
        count += ((unsigned char) s[i] & 0xc0) != 0x80;
    return count;
}

/* The longest token at s[at..n). *to: behind it. */
static int32_t longest(const ax_trie *trie, const char *s, size_t n, size_t at, size_t *to)
{
    int32_t found = -1, node = 0;

    while (at < n && (node = ax_trie_next(trie, node, (unsigned char) s[at++])) >= 0)
        if (trie->id[node] >= 0) {
            found = trie->id[node];
            *to = at;
        }
    return found;
}

ax_status ax_model_wordpiece(const ax_tokenizer *t, const char *s, size_t n, ax_ids *out, ax_error *err)
{
    size_t at = 0, before = out->count;

    if (characters(s, n) > t->word_max) {
        ax_ids_put(out, t->unknown);
        return AX_OK;
    }
    while (at < n) {
        int32_t id = longest(at == 0 ? &t->trie : &t->trie_inside, s, n, at, &at);

        if (id < 0) {
            out->count = before; /* a word is known as a whole or not at all */
            ax_ids_put(out, t->unknown);
            return AX_OK;
        }
        ax_ids_put(out, id);
    }
    return AX_OK;
}

/* ---- BPE ------------------------------------------------------------------------------------- */

typedef struct symbol {
    int32_t id, before, after; /* id -1: merged away */
} symbol;

typedef struct candidate {
    int32_t rank, at, id, left, right;
} candidate;

typedef struct merging {
    const ax_tokenizer *t;
    symbol *symbol;
    candidate *heap;
    int32_t count;
    size_t waiting;
} merging;

static bool sooner(const candidate *a, const candidate *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

static void push(merging *m, candidate c)
{
    size_t i = m->waiting++;

    for (; i > 0 && sooner(&c, &m->heap[(i - 1) / 2]); i = (i - 1) / 2)
        m->heap[i] = m->heap[(i - 1) / 2];
    m->heap[i] = c;
}

static candidate pop(merging *m)
{
    candidate top = m->heap[0], last = m->heap[--m->waiting];
    size_t i = 0, child;

    while ((child = 2 * i + 1) < m->waiting) {
        if (child + 1 < m->waiting && sooner(&m->heap[child + 1], &m->heap[child]))
            child++;
        if (!sooner(&m->heap[child], &last))
            break;
        m->heap[i] = m->heap[child];
        i = child;
    }
    m->heap[i] = last;
    return top;
}

static void consider(merging *m, int32_t at)
{
    int32_t after = at < 0 ? -1 : m->symbol[at].after;
    candidate c = {.at = at};

    if (after < 0)
        return;
    c.left = m->symbol[at].id;
    c.right = m->symbol[after].id;
    if (ax_merges_find(&m->t->merges, c.left, c.right, &c.rank, &c.id))
        push(m, c);
}

static void merge(merging *m, const candidate *c)
{
    symbol *left = &m->symbol[c->at];
    int32_t gone = left->after;

    if (left->id != c->left || gone < 0 || m->symbol[gone].id != c->right)
        return;
    left->id = c->id;
    left->after = m->symbol[gone].after;
    m->symbol[gone].id = -1;
    if (left->after >= 0)
        m->symbol[left->after].before = c->at;
    consider(m, left->before);
    consider(m, c->at);
}

static void add_symbol(merging *m, int32_t id)
{
    m->symbol[m->count] = (symbol){id, m->count - 1, m->count + 1};
    m->count++;
}

/* One character becomes its token, its bytes, or the unknown one. */
static void add_char(merging *m, const char *s, size_t width, bool first, bool last)
{
    const ax_tokenizer *t = m->t;
    char buf[64];
    size_t n = 0, prefix = first ? 0 : strlen(t->prefix), suffix = last ? strlen(t->suffix) : 0;
    int32_t id;

    memcpy(buf, t->prefix, prefix);
    memcpy(buf + (n = prefix), s, width);
    memcpy(buf + (n += width), t->suffix, suffix);
    id = ax_vocabulary_find(&t->vocabulary, buf, n + suffix);
    if (id >= 0) {
        add_symbol(m, id);
    } else if (t->byte_fallback && t->byte_id[0] >= 0) {
        for (size_t i = 0; i < width; i++)
            add_symbol(m, t->byte_id[(unsigned char) s[i]]);
    } else if (t->unknown >= 0 &&
               !(t->fuse_unknown && m->count > 0 && m->symbol[m->count - 1].id == t->unknown)) {
        add_symbol(m, t->unknown);
    }
}

static ax_status merge_all(merging *m, const char *s, size_t n, ax_ids *out, ax_error *err)
{
    size_t width, steps = 0;

    for (size_t i = 0; i < n; i += width) {
        ax_utf8_read(s + i, n - i, &width);
        add_char(m, s + i, width, i == 0, i + width == n);
    }
    if (m->count == 0)
        return AX_OK;
    m->symbol[m->count - 1].after = -1;
    for (int32_t i = 0; i < m->count; i++)
        consider(m, i);
    while (m->waiting > 0) {
        candidate c = pop(m);

        if (++steps % STEPS_A_POLL == 0 && !ax_may_continue(&m->t->env))
            return ax_cancelled(err);
        merge(m, &c);
    }
    for (int32_t i = 0; i >= 0; i = m->symbol[i].after)
        ax_ids_put(out, m->symbol[i].id);
    return AX_OK;
}

ax_status ax_model_bpe(const ax_tokenizer *t, const char *s, size_t n, ax_ids *out, ax_error *err)
{
    symbol few_symbols[64];
    candidate few[192];
    merging m = {.t = t, .symbol = few_symbols, .heap = few};
    int32_t id = t->whole_first ? ax_vocabulary_find(&t->vocabulary, s, n) : -1;
    ax_status status;

    if (id >= 0) {
        ax_ids_put(out, id);
        return AX_OK;
    }
    if (n > INT32_MAX / 4)
        return ax_fail(err, AX_ERR_LIMIT, "text of %zu bytes is too long for a tokenizer", n);
    if (n > 64) {
        m.symbol = ax_alloc(&t->env, n * sizeof(*m.symbol));
        m.heap = m.symbol == NULL ? NULL : ax_alloc(&t->env, 3 * n * sizeof(*m.heap));
    }
    status = m.heap == NULL ? ax_nomem(err) : merge_all(&m, s, n, out, err);
    if (n > 64) {
        ax_free(&t->env, m.symbol);
        ax_free(&t->env, m.heap);
    }
    return status;
}
