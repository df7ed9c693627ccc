/*
 * read_json.c: the vocabulary and the model of a tokenizer.json.
 */
#include "text/parts.h"

#include <stdio.h>

#define AFFIX_MAX 24

static ax_status corrupt(ax_error *err, const char *what)
{
    return ax_fail(err, AX_ERR_INVALID, "invalid tokenizer: %s", what);
}

static bool is(const ax_json *v, ax_json_kind kind)
{
    return v != NULL && v->kind == kind;
}

static bool is_true(const ax_json *json, const char *key)
{
    const ax_json *v = ax_json_get(json, key);

    return is(v, AX_JSON_BOOL) && v->boolean;
}

static bool is_id(const ax_json *v)
{
    return is(v, AX_JSON_NUMBER) && v->is_integer && v->integer >= 0 && v->integer < 4 * AX_JSON_VALUES;
}

static ax_status put(ax_tokenizer *t, const char *token, int64_t id, ax_error *err)
{
    const char *copy = ax_arena_strdup(&t->arena, token);

    if (copy == NULL)
        return ax_nomem(err);
    return ax_vocabulary_put(&t->vocabulary, copy, (int32_t) id) ? AX_OK : corrupt(err, "an id is given twice");
}

static ax_status check_added(const ax_json *a, bool steps, ax_error *err)
{
    const ax_json *text = ax_json_get(a, "content");

    if (!is_id(ax_json_get(a, "id")) || !is(text, AX_JSON_STRING) || text->string[0] == '\0')
        return corrupt(err, "an added token needs an id and its content");
    if (is_true(a, "single_word") || is_true(a, "lstrip") || is_true(a, "rstrip"))
        return ax_fail(err, AX_ERR_UNSUPPORTED,
                       "added token \"%.60s\" with single_word, lstrip or rstrip is not supported", text->string);
    if (steps && is_true(a, "normalized"))
        return ax_fail(err, AX_ERR_UNSUPPORTED, "added token \"%.60s\" that is normalized is not supported",
                       text->string);
    return AX_OK;
}

static ax_status read_vocabulary(ax_tokenizer *t, const ax_json *vocab, const ax_json *added, ax_error *err)
{
    int64_t top = -1;
    size_t bytes = 1;
    int n = is(added, AX_JSON_ARRAY) ? added->count : 0;

    if (!is(vocab, AX_JSON_OBJECT))
        return corrupt(err, "the model has no vocabulary");
    for (int i = 0; i < vocab->count; i++) {
        if (!is_id(vocab->item[i]))
            return corrupt(err, "the vocabulary holds what is no id");
        top = AX_MAX(top, vocab->item[i]->integer);
    }
    for (int i = 0; i < n; i++) {
        AX_TRY(check_added(added->item[i], t->n_before > 0, err));
        top = AX_MAX(top, ax_json_get(added->item[i], "id")->integer);
        bytes += strlen(ax_json_get(added->item[i], "content")->string);
    }
    AX_TRY(ax_vocabulary_make(&t->vocabulary, &t->env, (size_t) top + 1, (size_t) (vocab->count + n), err));
    for (int i = 0; i < vocab->count; i++)
        AX_TRY(put(t, vocab->key[i], vocab->item[i]->integer, err));
    if (n > 0)
        AX_TRY(ax_trie_make(&t->added, &t->env, bytes, err));
    for (int i = 0; i < n; i++) {
        const char *text = ax_json_get(added->item[i], "content")->string;
        int64_t id = ax_json_get(added->item[i], "id")->integer;

        AX_TRY(put(t, text, id, err));
        ax_trie_put(&t->added, text, strlen(text), (int32_t) id);
    }
    return AX_OK;
}

/* "a b" or ["a", "b"]. */
static ax_status read_merge(ax_tokenizer *t, const ax_json *v, int32_t rank, ax_text *whole, ax_error *err)
{
    const char *space = is(v, AX_JSON_STRING) ? strchr(v->string + (v->string[0] != '\0'), ' ') : NULL;
    bool two = is(v, AX_JSON_ARRAY) && v->count == 2 && is(v->item[0], AX_JSON_STRING) &&
               is(v->item[1], AX_JSON_STRING);
    const char *left = two ? v->item[0]->string : is(v, AX_JSON_STRING) ? v->string : "";
    const char *right = two ? v->item[1]->string : space != NULL ? space + 1 : "";
    size_t n = two ? strlen(left) : space != NULL ? (size_t) (space - left) : 0, skip = strlen(t->prefix);
    int32_t a = ax_vocabulary_find(&t->vocabulary, left, n);
    int32_t b = ax_vocabulary_find(&t->vocabulary, right, strlen(right)), id;

    whole->len = 0;
    ax_text_add(whole, left, n);
    ax_text_add(whole, right + AX_MIN(skip, strlen(right)), strlen(right) - AX_MIN(skip, strlen(right)));
    if (whole->failed)
        return ax_nomem(err);
    id = ax_vocabulary_find(&t->vocabulary, whole->data, whole->len);
    if (a < 0 || b < 0 || id < 0)
        return corrupt(err, "a merge of tokens that are not in the vocabulary");
    ax_merges_put(&t->merges, a, b, rank, id);
    return AX_OK;
}

static ax_status read_merges(ax_tokenizer *t, const ax_json *list, ax_error *err)
{
    ax_status status = AX_OK;
    ax_text whole;

    if (!is(list, AX_JSON_ARRAY))
        return corrupt(err, "BPE needs merges");
    AX_TRY(ax_merges_make(&t->merges, &t->env, (size_t) list->count, err));
    ax_text_init(&whole, &t->env);
    for (int i = 0; i < list->count && status == AX_OK; i++)
        status = i % 4096 == 4095 && !ax_may_continue(&t->env) ? ax_cancelled(err)
                                                                : read_merge(t, list->item[i], i, &whole, err);
    ax_text_free(&whole);
    return status;
}

static ax_status read_affix(ax_tokenizer *t, const ax_json *model, const char *key, const char *otherwise,
                            const char **out, ax_error *err)
{
    const ax_json *v = ax_json_get(model, key);

    if (is(v, AX_JSON_STRING) && strlen(v->string) > AFFIX_MAX)
        return corrupt(err, "a prefix or suffix is too long");
    *out = ax_arena_strdup(&t->arena, is(v, AX_JSON_STRING) ? v->string : otherwise);
    return *out == NULL ? ax_nomem(err) : AX_OK;
}

static ax_status read_bpe(ax_tokenizer *t, const ax_json *model, ax_error *err)
{
    const ax_json *dropout = ax_json_get(model, "dropout");
    char name[8];

    if (is(dropout, AX_JSON_NUMBER) && dropout->number != 0)
        return ax_fail(err, AX_ERR_UNSUPPORTED, "BPE with dropout is not supported");
    AX_TRY(read_affix(t, model, "continuing_subword_prefix", "", &t->prefix, err));
    AX_TRY(read_affix(t, model, "end_of_word_suffix", "", &t->suffix, err));
    t->fuse_unknown = is_true(model, "fuse_unk");
    t->whole_first = is_true(model, "ignore_merges");
    t->byte_fallback = is_true(model, "byte_fallback");
    for (int i = 0; i < 256; i++) {
        snprintf(name, sizeof(name), "<0x%02X>", i);
        t->byte_id[i] = ax_vocabulary_find(&t->vocabulary, name, 6);
        if (t->byte_fallback && t->byte_id[i] < 0)
            return corrupt(err, "byte_fallback without tokens for all bytes");
    }
    return read_merges(t, ax_json_get(model, "merges"), err);
}

/* Beginnings of words in one trie, what may follow in the other. */
static ax_status read_wordpiece(ax_tokenizer *t, const ax_json *model, ax_error *err)
{
    const ax_json *most = ax_json_get(model, "max_input_chars_per_word");
    size_t bytes = 1, n;

    AX_TRY(read_affix(t, model, "continuing_subword_prefix", "##", &t->prefix, err));
    t->word_max = is_id(most) ? (size_t) most->integer : 100;
    for (size_t i = 0; i < t->vocabulary.size; i++)
        bytes += t->vocabulary.token[i] != NULL ? strlen(t->vocabulary.token[i]) : 0;
    AX_TRY(ax_trie_make(&t->trie, &t->env, bytes, err));
    AX_TRY(ax_trie_make(&t->trie_inside, &t->env, bytes, err));
    n = strlen(t->prefix);
    for (size_t i = 0; i < t->vocabulary.size; i++) {
        const char *token = t->vocabulary.token[i];

        if (token == NULL)
            continue;
        ax_trie_put(&t->trie, token, strlen(token), (int32_t) i);
        if (strncmp(token, t->prefix, n) == 0)
            ax_trie_put(&t->trie_inside, token + n, strlen(token) - n, (int32_t) i);
    }
    return AX_OK;
}

static ax_status read_model(ax_tokenizer *t, const ax_json *json, ax_error *err)
{
    const ax_json *model = ax_json_get(json, "model"), *type = ax_json_get(model, "type");
    const ax_json *unknown = ax_json_get(model, "unk_token");

    if (!is(type, AX_JSON_STRING))
        return corrupt(err, "the model has no type");
    if (strcmp(type->string, "WordLevel") != 0 && strcmp(type->string, "BPE") != 0 &&
        strcmp(type->string, "WordPiece") != 0)
        return ax_fail(err, AX_ERR_UNSUPPORTED, "tokenizer model \"%.100s\" is not supported", type->string);
    AX_TRY(read_vocabulary(t, ax_json_get(model, "vocab"), ax_json_get(json, "added_tokens"), err));
    if (is(unknown, AX_JSON_STRING))
        t->unknown = ax_tokenizer_id(t, unknown->string);
    t->model = type->string[0] == 'B' ? AX_MODEL_BPE : type->string[4] == 'L' ? AX_MODEL_WORDS : AX_MODEL_WORDPIECE;
    if (t->unknown < 0 && t->model != AX_MODEL_BPE)
        return corrupt(err, "the token for what is unknown is not in the vocabulary");
    if (t->model == AX_MODEL_BPE)
        return read_bpe(t, model, err);
    return t->model == AX_MODEL_WORDPIECE ? read_wordpiece(t, model, err) : AX_OK;
}

static ax_status read_all(ax_tokenizer *t, ax_arena *a, ax_error *err)
{
    ax_json *json;

    AX_TRY(ax_json_parse(a, t->json, t->json_len, &json, err));
    AX_TRY(ax_read_steps(t, ax_json_get(json, "normalizer"), true, err));
    AX_TRY(ax_read_steps(t, ax_json_get(json, "pre_tokenizer"), false, err));
    return read_model(t, json, err);
}

ax_status ax_tokenizer_read_json(const ax_env *env, const char *json, size_t len, ax_tokenizer **out, ax_error *err)
{
    ax_tokenizer *t = ax_zalloc(env, sizeof(*t));
    ax_status status = AX_OK;
    ax_arena a;

    if (t == NULL)
        return ax_nomem(err);
    t->env = *env;
    t->unknown = -1;
    t->vocabulary.env = t->merges.env = t->trie.env = t->trie_inside.env = t->added.env = *env;
    ax_arena_init(&t->arena, env);
    ax_arena_init(&a, env);
    t->json = len == SIZE_MAX ? NULL : ax_alloc(env, len + 1);
    if (t->json == NULL) {
        status = ax_nomem(err);
    } else {
        memcpy(t->json, json, len);
        t->json[t->json_len = len] = '\0';
        status = read_all(t, &a, err);
    }
    ax_arena_free(&a);
    if (status != AX_OK) {
        ax_tokenizer_free(t);
        return status;
    }
    *out = t;
    return AX_OK;
}
