/*
 * vocabulary.c: the tables of a tokenizer: tokens by name, tokens by their first bytes, pairs that merge. All are
 * open-addressed hashes, at most half full, made once at their size and never grown.
 */
#include "text/parts.h"

static size_t slots_for(size_t count)
{
    size_t slots = 16;

    while (slots < 2 * count && slots < SIZE_MAX / 64)
        slots *= 2;
    return slots;
}

static uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static uint64_t hash_bytes(const char *s, size_t n)
{
    uint64_t h = n;

    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char) s[i]) * 0x100000001b3u;
    return mix(h);
}

/* ---- vocabulary ------------------------------------------------------------------------------ */

ax_status ax_vocabulary_make(ax_vocabulary *v, const ax_env *env, size_t size, size_t count, ax_error *err)
{
    *v = (ax_vocabulary){.env = *env, .slots = slots_for(count), .size = size};
    v->token = ax_zalloc(env, size * sizeof(*v->token));
    v->slot = ax_zalloc(env, v->slots * sizeof(*v->slot));
    return v->token == NULL || v->slot == NULL ? ax_nomem(err) : AX_OK;
}

static size_t slot_of(const ax_vocabulary *v, const char *s, size_t n)
{
    size_t at = hash_bytes(s, n) & (v->slots - 1);

    for (; v->slot[at] != 0; at = (at + 1) & (v->slots - 1)) {
        const char *there = v->token[v->slot[at] - 1];

        if (strncmp(there, s, n) == 0 && there[n] == '\0')
            break;
    }
    return at;
}

bool ax_vocabulary_put(ax_vocabulary *v, const char *token, int32_t id)
{
    size_t at = slot_of(v, token, strlen(token));

    if (v->token[id] != NULL)
        return v->slot[at] == id + 1;
    v->token[id] = token;
    if (v->slot[at] == 0)
        v->slot[at] = id + 1;
    v->used++;
    return true;
}

int32_t ax_vocabulary_find(const ax_vocabulary *v, const char *s, size_t n)
{
    if (v->slots == 0 || memchr(s, 0, n) != NULL)
        return -1;
    return v->slot[slot_of(v, s, n)] - 1;
}

void ax_vocabulary_free(ax_vocabulary *v)
{
    ax_free(&v->env, v->token);
    ax_free(&v->env, v->slot);
    v->token = NULL;
    v->slot = NULL;
    v->slots = v->size = 0;
}

/* ---- trie ------------------------------------------------------------------------------------ */

ax_status ax_trie_make(ax_trie *t, const ax_env *env, size_t bytes, ax_error *err)
{
    *t = (ax_trie){.env = *env, .slots = slots_for(bytes), .nodes = 1};
    t->key = ax_zalloc(env, t->slots * sizeof(*t->key));
    t->to = ax_alloc(env, t->slots * sizeof(*t->to));
    t->id = ax_alloc(env, (bytes + 1) * sizeof(*t->id));
    if (t->key == NULL || t->to == NULL || t->id == NULL)
        return ax_nomem(err);
    t->id[0] = -1;
    return AX_OK;
}

static size_t edge_of(const ax_trie *t, int32_t node, unsigned char byte)
{
    uint64_t key = ((uint64_t) node << 8 | byte) + 1;
    size_t at = mix(key) & (t->slots - 1);

    while (t->key[at] != 0 && t->key[at] != key)
        at = (at + 1) & (t->slots - 1);
    return at;
}

void ax_trie_put(ax_trie *t, const char *s, size_t n, int32_t id)
{
    int32_t node = 0;

    for (size_t i = 0; i < n; i++) {
        size_t at = edge_of(t, node, (unsigned char) s[i]);

        if (t->key[at] == 0) {
            t->key[at] = ((uint64_t) node << 8 | (unsigned char) s[i]) + 1;
            t->to[at] = (int32_t) t->nodes;
            t->id[t->nodes++] = -1;
        }
        node = t->to[at];
    }
    if (node != 0 && t->id[node] < 0)
        t->id[node] = id;
}

int32_t ax_trie_next(const ax_trie *t, int32_t node, unsigned char byte)
{
    size_t at;

    if (t->slots == 0)
        return -1;
    at = edge_of(t, node, byte);
    return t->key[at] == 0 ? -1 : t->to[at];
}

void ax_trie_free(ax_trie *t)
{
    ax_free(&t->env, t->key);
    ax_free(&t->env, t->to);
    ax_free(&t->env, t->id);
    *t = (ax_trie){.env = t->env};
}

/* ---- merges ---------------------------------------------------------------------------------- */

ax_status ax_merges_make(ax_merges *m, const ax_env *env, size_t count, ax_error *err)
{
    *m = (ax_merges){.env = *env, .slots = slots_for(count)};
    m->key = ax_zalloc(env, m->slots * sizeof(*m->key));
    m->rank = ax_alloc(env, m->slots * sizeof(*m->rank));
    m->id = ax_alloc(env, m->slots * sizeof(*m->id));
    return m->key == NULL || m->rank == NULL || m->id == NULL ? ax_nomem(err) : AX_OK;
}

static size_t pair_slot(const ax_merges *m, int32_t left, int32_t right)
{
    uint64_t key = ((uint64_t) (uint32_t) left << 32 | (uint32_t) right) + 1;
    size_t at = mix(key) & (m->slots - 1);

    while (m->key[at] != 0 && m->key[at] != key)
        at = (at + 1) & (m->slots - 1);
    return at;
}

bool ax_merges_put(ax_merges *m, int32_t left, int32_t right, int32_t rank, int32_t id)
{
    size_t at = pair_slot(m, left, right);

    if (m->key[at] != 0)
        return false;
    m->key[at] = ((uint64_t) (uint32_t) left << 32 | (uint32_t) right) + 1;
    m->rank[at] = rank;
    m->id[at] = id;
    m->count++;
    return true;
}

bool ax_merges_find(const ax_merges *m, int32_t left, int32_t right, int32_t *rank, int32_t *id)
{
    size_t at;

    if (m->slots == 0 || left < 0 || right < 0)
        return false;
    at = pair_slot(m, left, right);
    if (m->key[at] == 0)
        return false;
    *rank = m->rank[at];
    *id = m->id[at];
    return true;
}

void ax_merges_free(ax_merges *m)
{
    ax_free(&m->env, m->key);
    ax_free(&m->env, m->rank);
    ax_free(&m->env, m->id);
    *m = (ax_merges){.env = m->env};
}
