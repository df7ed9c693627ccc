/*
 * learn_pairs.c: the pairs of byte-pair encoding (Sennrich et al., 2016), for WordPiece with "##" before what stands
 * inside a word, as Hugging Face's trainer does it.
 *
 * Words are rows of symbols. A table counts every pair of neighbours over all words, weighted by how often a word was
 * seen, and a heap holds the pairs by count. The most frequent pair becomes a symbol; only the words that hold it are
 * gone through: a pair keeps a list of the words where it was ever seen. An entry of the heap whose count is no longer
 * true is put back with the true one. Equal counts: the pair with the smaller numbers first.
 */
#include "text/learn.h"

typedef struct place {
    struct place *next;
    int32_t word;
} place;

typedef struct pair {
    int32_t left, right;
    int64_t count;
    place *places;
} pair;

typedef struct waiting {
    int64_t count;
    int32_t pair;
} waiting;

typedef struct trainer {
    ax_tokenizer_learner *l;
    ax_error *err;
    ax_arena arena;
    ax_vocabulary vocabulary;
    int32_t newest; /* symbol that is being merged; -1 at first: pairs without it are noted with the word already */
    int32_t next, **symbol, *length; /* of each word */
    pair *pairs;
    int32_t n_pairs, cap;
    int32_t *slot; /* twice cap */
    waiting *heap;
    size_t n_heap, heap_cap;
    ax_text *text, *merges;
} trainer;

/* ---- growing tables -------------------------------------------------------------------------- */

static void *grown(const ax_env *env, void *old, size_t used, size_t size)
{
    void *p = ax_alloc(env, size);

    if (p != NULL && used > 0)
        memcpy(p, old, used);
    if (p != NULL)
        ax_free(env, old);
    return p;
}

static size_t pair_slot(const trainer *t, int32_t left, int32_t right)
{
    uint64_t h = ((uint64_t) (uint32_t) left << 32 | (uint32_t) right) * 0x9e3779b97f4a7c15u;
    size_t mask = 2 * (size_t) t->cap - 1, at = (h ^ h >> 29) & mask;

    while (t->slot[at] != 0 &&
           (t->pairs[t->slot[at] - 1].left != left || t->pairs[t->slot[at] - 1].right != right))
        at = (at + 1) & mask;
    return at;
}

static ax_status more_pairs(trainer *t)
{
    const ax_env *env = &t->l->env;
    int32_t cap = AX_MAX(2 * t->cap, 1024);
    pair *pairs;

    if (cap > 1 << 28)
        return ax_fail(t->err, AX_ERR_LIMIT, "texts hold too many pairs to learn a tokenizer");
    pairs = grown(env, t->pairs, (size_t) t->n_pairs * sizeof(*pairs), (size_t) cap * sizeof(*pairs));
    if (pairs == NULL)
        return ax_nomem(t->err);
    t->pairs = pairs;
    ax_free(env, t->slot);
    t->slot = ax_zalloc(env, 2 * (size_t) cap * sizeof(*t->slot));
    if (t->slot == NULL)
        return ax_nomem(t->err);
    t->cap = cap;
    for (int32_t i = 0; i < t->n_pairs; i++)
        t->slot[pair_slot(t, pairs[i].left, pairs[i].right)] = i + 1;
    return AX_OK;
}

static bool sooner(const trainer *t, waiting a, waiting b)
{
    const pair *p = &t->pairs[a.pair], *q = &t->pairs[b.pair];

    if (a.count != b.count)
        return a.count > b.count;
    return p->left != q->left ? p->left < q->left : p->right < q->right;
}

static ax_status push(trainer *t, int32_t which)
{
    waiting w = {t->pairs[which].count, which};
    size_t i = t->n_heap;

    if (t->n_heap == t->heap_cap) {
        size_t cap = AX_MAX(2 * t->heap_cap, 1024);
        waiting *heap = grown(&t->l->env, t->heap, t->n_heap * sizeof(w), cap * sizeof(w));

        if (heap == NULL)
            return ax_nomem(t->err);
        t->heap = heap;
        t->heap_cap = cap;
    }
    t->n_heap++;
    for (; i > 0 && sooner(t, w, t->heap[(i - 1) / 2]); i = (i - 1) / 2)
        t->heap[i] = t->heap[(i - 1) / 2];
    t->heap[i] = w;
    return AX_OK;
}

static waiting pop(trainer *t)
{
    waiting top = t->heap[0], last = t->heap[--t->n_heap];
    size_t i = 0, child;

    while ((child = 2 * i + 1) < t->n_heap) {
        if (child + 1 < t->n_heap && sooner(t, t->heap[child + 1], t->heap[child]))
            child++;
        if (!sooner(t, t->heap[child], last))
            break;
        t->heap[i] = t->heap[child];
        i = child;
    }
    t->heap[i] = last;
    return top;
}

/* ---- counting -------------------------------------------------------------------------------- */

/* The pair at symbol i of a word comes (by > 0) or goes. A pair that comes is noted with its word. */
static ax_status count(trainer *t, int32_t word, int32_t i, int by)
{
    int32_t left = t->symbol[word][i], right = t->symbol[word][i + 1];
    size_t at;
    pair *p;

    if (t->n_pairs == t->cap)
        AX_TRY(more_pairs(t));
    at = pair_slot(t, left, right);
    if (t->slot[at] == 0) {
        t->pairs[t->n_pairs] = (pair){.left = left, .right = right};
        t->slot[at] = ++t->n_pairs;
    }
    p = &t->pairs[t->slot[at] - 1];
    p->count += by * t->l->word[word].count;
    if (by > 0 && (t->newest < 0 || left == t->newest || right == t->newest) &&
        (p->places == NULL || p->places->word != word)) {
        place *new = ax_arena_alloc(&t->arena, sizeof(*new));

        if (new == NULL)
            return ax_nomem(t->err);
        *new = (place){p->places, word};
        p->places = new;
    }
    return AX_OK;
}

static ax_status count_word(trainer *t, int32_t word, int by)
{
    for (int32_t i = 0; i + 1 < t->length[word]; i++)
        AX_TRY(count(t, word, i, by));
    return AX_OK;
}

/* Writes a token into the vocabulary, unless it is there. */
static ax_status name(trainer *t, const char *token, int32_t *id)
{
    const char *copy;

    *id = ax_vocabulary_find(&t->vocabulary, token, strlen(token));
    if (*id >= 0)
        return AX_OK;
    copy = ax_arena_strdup(&t->arena, token);
    if (copy == NULL)
        return ax_nomem(t->err);
    *id = t->next++;
    ax_vocabulary_put(&t->vocabulary, copy, *id);
    ax_text_add(t->text, ", ", 2);
    ax_text_add_json_string(t->text, copy);
    ax_text_addf(t->text, ": %d", *id);
    return AX_OK;
}

/* ---- the alphabet ---------------------------------------------------------------------------- */

static ax_status all_bytes(trainer *t)
{
    uint32_t code[256];
    int32_t id;

    ax_byte_chars(code);
    for (int i = 0; i < 256; i++) {
        char bytes[AX_UTF8_MAX + 1];

        bytes[ax_utf8_write(code[i], bytes)] = '\0';
        AX_TRY(name(t, bytes, &id));
    }
    return AX_OK;
}

/* A character of a word as its token: with "##" inside words of WordPiece. */
static size_t spell(const trainer *t, const char *s, bool first, char *to)
{
    size_t n = 0, width;

    if (!first && t->l->options.kind == AX_TOKENIZER_WORDPIECE)
        to[n++] = '#', to[n++] = '#';
    ax_utf8_read(s, strlen(s), &width);
    memcpy(to + n, s, width);
    to[n + width] = '\0';
    return width;
}

/* Characters of WordPiece: the most frequent ones, as far as they fit. */
static ax_status most_chars(trainer *t)
{
    ax_tokenizer_learner *l = t->l, *chars = NULL;
    ax_tokenizer_options o = {.kind = AX_TOKENIZER_WORD, .vocabulary = 3, .min_count = 1};
    ax_status status = ax_tokenizer_learn_begin(&l->env, &o, &chars, t->err);
    char token[AX_UTF8_MAX + 3];
    int32_t id;

    for (size_t w = 0; w < l->count && status == AX_OK; w++)
        for (const char *s = l->word[w].text; *s != '\0' && status == AX_OK;) {
            s += spell(t, s, s == l->word[w].text, token);
            status = ax_learn_count(chars, token, strlen(token), l->word[w].count, t->err);
        }
    if (status == AX_OK)
        ax_counted_sort(chars->word, chars->count);
    for (size_t i = 0; status == AX_OK && i < chars->count && t->next < l->options.vocabulary; i++)
        if (chars->word[i].count >= l->options.min_count)
            status = name(t, chars->word[i].text, &id);
    ax_tokenizer_learner_free(chars);
    return status;
}

/* A word with a character that has no token takes no part: its length stays 0. */
static ax_status spell_word(trainer *t, int32_t w)
{
    const char *text = t->l->word[w].text;
    char token[AX_UTF8_MAX + 3];
    int32_t n = 0;

    t->symbol[w] = ax_arena_array(&t->arena, strlen(text), sizeof(int32_t));
    if (t->symbol[w] == NULL)
        return ax_nomem(t->err);
    for (const char *s = text; *s != '\0'; n++) {
        s += spell(t, s, s == text, token);
        t->symbol[w][n] = ax_vocabulary_find(&t->vocabulary, token, strlen(token));
        if (t->symbol[w][n] < 0)
            return AX_OK;
    }
    t->length[w] = n;
    return count_word(t, w, 1);
}

/* ---- merging --------------------------------------------------------------------------------- */

static ax_status merge_word(trainer *t, int32_t w, pair p, int32_t id)
{
    int32_t *s = t->symbol[w], n = 0;

    AX_TRY(count_word(t, w, -1));
    for (int32_t i = 0; i < t->length[w]; i++) {
        bool both = i + 1 < t->length[w] && s[i] == p.left && s[i + 1] == p.right;

        s[n++] = both ? id : s[i];
        i += both;
    }
    t->length[w] = n;
    return count_word(t, w, 1);
}

static ax_status merge_pair(trainer *t, pair p)
{
    const char *left = t->vocabulary.token[p.left], *right = t->vocabulary.token[p.right];
    bool inside = t->l->options.kind == AX_TOKENIZER_WORDPIECE;
    int32_t id, from = t->n_pairs, asked = 0;
    char *whole = ax_arena_printf(&t->arena, "%s%s", left, inside ? right + 2 : right);

    if (whole == NULL)
        return ax_nomem(t->err);
    if (strcmp(whole, "[PAD]") == 0 || strcmp(whole, "[UNK]") == 0)
        return AX_OK; /* a text cannot spell these */
    AX_TRY(name(t, whole, &id));
    t->newest = id;
    if (!inside) {
        char *both = ax_arena_printf(&t->arena, "%s %s", left, right);

        if (both == NULL)
            return ax_nomem(t->err);
        if (t->merges->len > 0)
            ax_text_add(t->merges, ", ", 2);
        ax_text_add_json_string(t->merges, both);
    }
    for (place *at = p.places; at != NULL; at = at->next) {
        if (++asked % 1024 == 0 && !ax_may_continue(&t->l->env))
            return ax_cancelled(t->err);
        AX_TRY(merge_word(t, at->word, p, id));
    }
    for (int32_t i = from; i < t->n_pairs; i++)
        AX_TRY(push(t, i));
    return AX_OK;
}

static ax_status merge_most(trainer *t)
{
    for (int32_t i = 0; i < t->n_pairs; i++)
        AX_TRY(push(t, i));
    while (t->n_heap > 0 && t->next < t->l->options.vocabulary) {
        waiting w = pop(t);
        pair p = t->pairs[w.pair];

        if (p.count < AX_MAX(t->l->options.min_count, 1))
            continue;
        if (p.count != w.count) {
            AX_TRY(push(t, w.pair));
            continue;
        }
        if (!ax_may_continue(&t->l->env))
            return ax_cancelled(t->err);
        AX_TRY(merge_pair(t, p));
    }
    return AX_OK;
}

static ax_status train(trainer *t)
{
    size_t n = t->l->count;

    AX_TRY(ax_vocabulary_make(&t->vocabulary, &t->l->env, (size_t) t->l->options.vocabulary,
                              (size_t) t->l->options.vocabulary, t->err));
    ax_vocabulary_put(&t->vocabulary, "[PAD]", 0);
    ax_vocabulary_put(&t->vocabulary, "[UNK]", 1);
    t->next = 2;
    t->newest = -1;
    t->symbol = ax_zalloc(&t->l->env, n * sizeof(*t->symbol));
    t->length = ax_zalloc(&t->l->env, n * sizeof(*t->length));
    if (t->symbol == NULL || t->length == NULL)
        return ax_nomem(t->err);
    AX_TRY(t->l->options.kind == AX_TOKENIZER_BPE ? all_bytes(t) : most_chars(t));
    for (size_t w = 0; w < n; w++) {
        if (w % 4096 == 4095 && !ax_may_continue(&t->l->env))
            return ax_cancelled(t->err);
        AX_TRY(spell_word(t, (int32_t) w));
    }
    return merge_most(t);
}

ax_status ax_learn_pairs(ax_tokenizer_learner *l, ax_text *vocabulary, ax_text *merges, ax_error *err)
{
    trainer t = {.l = l, .err = err, .text = vocabulary, .merges = merges, .vocabulary = {.env = l->env}};
    ax_status status;

    ax_arena_init(&t.arena, &l->env);
    status = train(&t);
    ax_vocabulary_free(&t.vocabulary);
    ax_arena_free(&t.arena);
    ax_free(&l->env, t.symbol);
    ax_free(&l->env, t.length);
    ax_free(&l->env, t.pairs);
    ax_free(&l->env, t.slot);
    ax_free(&l->env, t.heap);
    return status;
}
