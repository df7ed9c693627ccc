/*
 * tokenizer.c: a text through all steps: what is no UTF-8 is replaced, normalizers, pre-tokenizers, model.
 */
#include "text/parts.h"

#define GROWTH_MAX 100 /* of a text by its steps: hostile ones could double it again and again */

static ax_status encode_pieces(const ax_tokenizer *t, const ax_pieces *p, ax_ids *out, ax_error *err)
{
    static ax_status (*const model[])(const ax_tokenizer *, const char *, size_t, ax_ids *, ax_error *) = {
        ax_model_words, ax_model_bpe, ax_model_wordpiece};

    for (size_t i = 0, at = 0; i < p->count; at = p->end[i++]) {
        if (i % 1024 == 1023 && !ax_may_continue(&t->env))
            return ax_cancelled(err);
        AX_TRY(model[t->model](t, p->text.data + at, p->end[i] - at, out, err));
    }
    return AX_OK;
}

/* From valid UTF-8 in *p, as one piece, to pieces in *p. */
static ax_status take_steps(const ax_tokenizer *t, ax_pieces *p, bool first, ax_error *err)
{
    size_t len = p->text.len;

    for (int i = 0; i < t->n_before + t->n_split; i++) {
        ax_status status;
        ax_pieces out;

        ax_pieces_init(&out, &t->env);
        if (i < t->n_before) {
            status = ax_step_normalize(t, &t->before[i], p->text.data, p->text.len, &out.text, err);
            ax_pieces_cut(&out);
        } else {
            status = ax_step_split(t, &t->split[i - t->n_before], p, first, &out, err);
        }
        if (status == AX_OK && out.text.failed)
            status = ax_nomem(err);
        if (status == AX_OK && out.text.len / GROWTH_MAX > len)
            status = ax_fail(err, AX_ERR_LIMIT, "tokenizer's steps make more than %d times the text", GROWTH_MAX);
        ax_pieces_free(p);
        *p = out;
        if (status != AX_OK || p->text.len == 0)
            return status;
    }
    return AX_OK;
}

static void put_valid(ax_pieces *p, const char *text, size_t len)
{
    size_t width;

    if (ax_utf8_valid(text, len)) {
        ax_pieces_put(p, text, len);
    } else {
        for (size_t i = 0; i < len; i += width)
            ax_pieces_put_char(p, ax_utf8_read(text + i, len - i, &width));
    }
    ax_pieces_cut(p);
}

/* A part of the text that holds no added token. */
static ax_status encode_part(const ax_tokenizer *t, const char *text, size_t len, bool first, ax_ids *out,
                             ax_error *err)
{
    ax_status status;
    ax_pieces p;

    if (len == 0)
        return AX_OK;
    ax_pieces_init(&p, &t->env);
    put_valid(&p, text, len);
    status = p.text.failed ? ax_nomem(err) : take_steps(t, &p, first, err);
    if (status == AX_OK)
        status = encode_pieces(t, &p, out, err);
    ax_pieces_free(&p);
    return status;
}

/* The longest added token at text[at..len), -1 for none. */
static int32_t added_at(const ax_tokenizer *t, const char *text, size_t len, size_t at, size_t *to)
{
    int32_t found = -1, node = 0;

    while (at < len && (node = ax_trie_next(&t->added, node, (unsigned char) text[at++])) >= 0)
        if (t->added.id[node] >= 0) {
            found = t->added.id[node];
            *to = at;
        }
    return found;
}

ax_status ax_tokenizer_encode(const ax_tokenizer *t, const char *text, size_t len, int32_t *ids, size_t max,
                              size_t *count, ax_error *err)
{
    ax_ids out = {ids, 0, max};
    size_t from = 0, to = 0;

    for (size_t at = 0; at < len && t->added.slots > 0;) {
        int32_t id = added_at(t, text, len, at, &to);

        if (at % 4096 == 4095 && !ax_may_continue(&t->env))
            return ax_cancelled(err);
        if (id >= 0) {
            AX_TRY(encode_part(t, text + from, at - from, from == 0, &out, err));
            ax_ids_put(&out, id);
            from = to;
        }
        at = id >= 0 ? to : at + 1;
    }
    AX_TRY(encode_part(t, text + from, len - from, from == 0, &out, err));
    *count = out.count;
    return AX_OK;
}

void ax_tokenizer_free(ax_tokenizer *t)
{
    ax_env env;

    if (t == NULL)
        return;
    env = t->env;
    ax_vocabulary_free(&t->vocabulary);
    ax_merges_free(&t->merges);
    ax_trie_free(&t->added);
    ax_trie_free(&t->trie);
    ax_trie_free(&t->trie_inside);
    ax_arena_free(&t->arena);
    ax_free(&env, t->json);
    ax_free(&env, t);
}

const char *ax_tokenizer_write_json(const ax_tokenizer *t, size_t *len)
{
    *len = t->json_len;
    return t->json;
}

void ax_tokenizer_set_normalize(ax_tokenizer *t, ax_tokenizer_normalize normalize, void *ctx)
{
    t->normalize = normalize;
    t->normalize_ctx = ctx;
}

int ax_tokenizer_size(const ax_tokenizer *t)
{
    return (int) t->vocabulary.size;
}

const char *ax_tokenizer_token(const ax_tokenizer *t, int id)
{
    return id < 0 || id >= ax_tokenizer_size(t) ? NULL : t->vocabulary.token[id];
}

int ax_tokenizer_id(const ax_tokenizer *t, const char *token)
{
    return ax_vocabulary_find(&t->vocabulary, token, strlen(token));
}
