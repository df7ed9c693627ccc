/*
 * read_steps.c: the normalizers and pre-tokenizers of a tokenizer.json.
 */
#include "text/parts.h"

#define STEPS_MAX  64
#define STRING_MAX 64 /* bytes that a step puts in */

static const char gpt2[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

static bool flag(const ax_json *json, const char *key, bool otherwise)
{
    const ax_json *v = ax_json_get(json, key);

    return v != NULL && v->kind == AX_JSON_BOOL ? v->boolean : otherwise;
}

static const char *string(const ax_json *json, const char *key, const char *otherwise)
{
    const ax_json *v = ax_json_get(json, key);

    return v != NULL && v->kind == AX_JSON_STRING ? v->string : otherwise;
}

static ax_status unsupported(ax_error *err, const char *what, const char *name)
{
    return ax_fail(err, AX_ERR_UNSUPPORTED, "%s \"%.100s\" is not supported", what, name);
}

static ax_status read_normalizer(const ax_json *json, const char *type, ax_step *s, ax_error *err)
{
    static const char *const forms[] = {"NFC", "NFD", "NFKC", "NFKD"};

    for (int i = 0; i < AX_COUNT(forms); i++)
        if (strcmp(type, forms[i]) == 0) {
            *s = (ax_step){.kind = AX_STEP_FORM, .string = forms[i]};
            return AX_OK;
        }
    if (strcmp(type, "Lowercase") == 0) {
        s->kind = AX_STEP_LOWERCASE;
    } else if (strcmp(type, "StripAccents") == 0) {
        s->kind = AX_STEP_STRIP_ACCENTS;
    } else if (strcmp(type, "Prepend") == 0) {
        s->kind = AX_STEP_PREPEND;
        s->string = string(json, "prepend", "");
    } else if (strcmp(type, "Replace") == 0) {
        s->kind = AX_STEP_REPLACE;
        s->string = string(ax_json_get(json, "pattern"), "String", "");
        s->other = string(json, "content", "");
        if (s->string[0] == '\0')
            return unsupported(err, "normalizer", "Replace of a regular expression");
    } else if (strcmp(type, "BertNormalizer") == 0) {
        s->kind = AX_STEP_BERT_NORMALIZER;
        s->clean = flag(json, "clean_text", true);
        s->chinese = flag(json, "handle_chinese_chars", true);
        s->lower = flag(json, "lowercase", true);
        s->accents = flag(json, "strip_accents", s->lower);
    } else {
        return unsupported(err, "normalizer", type);
    }
    return AX_OK;
}

static ax_status read_pattern(const ax_json *json, ax_step *s, ax_error *err)
{
    const char *regex = string(ax_json_get(json, "pattern"), "Regex", "");

    s->kind = AX_STEP_PATTERN;
    s->pattern = strcmp(regex, gpt2) == 0 ? AX_PATTERN_GPT2 : AX_PATTERN_ANY;
    if (s->pattern == AX_PATTERN_ANY && strcmp(regex, "[\\s\\S]") != 0)
        return unsupported(err, "Split by the pattern", regex);
    if (strcmp(string(json, "behavior", ""), "Isolated") != 0 || flag(json, "invert", false))
        return unsupported(err, "Split with the behavior", string(json, "behavior", "inverted"));
    return AX_OK;
}

static ax_status read_metaspace(const ax_json *json, ax_step *s, ax_error *err)
{
    const char *scheme = string(json, "prepend_scheme", flag(json, "add_prefix_space", true) ? "always" : "never");

    s->kind = AX_STEP_METASPACE;
    s->string = string(json, "replacement", "\xe2\x96\x81");
    s->prefix = strcmp(scheme, "never") != 0;
    s->first_only = strcmp(scheme, "first") == 0;
    s->cut = flag(json, "split", true);
    return s->string[0] != '\0' ? AX_OK : ax_fail(err, AX_ERR_INVALID, "Metaspace needs a replacement");
}

static ax_status read_split(const ax_json *json, const char *type, ax_step *s, ax_error *err)
{
    if (strcmp(type, "BertPreTokenizer") == 0) {
        s->kind = AX_STEP_BERT_SPLIT;
    } else if (strcmp(type, "Whitespace") == 0) {
        s->kind = AX_STEP_WORDS;
    } else if (strcmp(type, "WhitespaceSplit") == 0) {
        s->kind = AX_STEP_SPACES;
    } else if (strcmp(type, "ByteLevel") == 0) {
        s->kind = AX_STEP_BYTES;
        s->prefix = flag(json, "add_prefix_space", true);
        s->cut = flag(json, "use_regex", true);
    } else if (strcmp(type, "Metaspace") == 0) {
        return read_metaspace(json, s, err);
    } else if (strcmp(type, "Punctuation") == 0) {
        s->kind = AX_STEP_PUNCTUATION;
        if (strcmp(string(json, "behavior", "Isolated"), "Isolated") != 0)
            return unsupported(err, "Punctuation with the behavior", string(json, "behavior", ""));
    } else if (strcmp(type, "Digits") == 0) {
        s->kind = AX_STEP_DIGITS;
        s->single = flag(json, "individual_digits", false);
    } else if (strcmp(type, "Split") == 0) {
        return read_pattern(json, s, err);
    } else {
        return unsupported(err, "pre-tokenizer", type);
    }
    return AX_OK;
}

/* Strings of a step live as long as the JSON; t keeps copies. */
static ax_status keep(ax_tokenizer *t, ax_step *s, ax_error *err)
{
    if ((s->string != NULL && strlen(s->string) > STRING_MAX) || (s->other != NULL && strlen(s->other) > STRING_MAX))
        return ax_fail(err, AX_ERR_LIMIT, "string of a tokenizer's step is longer than %d bytes", STRING_MAX);
    if (s->string != NULL && (s->string = ax_arena_strdup(&t->arena, s->string)) == NULL)
        return ax_nomem(err);
    if (s->other != NULL && (s->other = ax_arena_strdup(&t->arena, s->other)) == NULL)
        return ax_nomem(err);
    return AX_OK;
}

ax_status ax_read_steps(ax_tokenizer *t, const ax_json *json, bool normalizer, ax_error *err)
{
    const char *type = string(json, "type", "");
    const ax_json *list = ax_json_get(json, normalizer ? "normalizers" : "pretokenizers");
    ax_step **steps = normalizer ? &t->before : &t->split;
    int *n = normalizer ? &t->n_before : &t->n_split;
    ax_step *s;

    if (json == NULL || json->kind == AX_JSON_NULL)
        return AX_OK;
    if (strcmp(type, "Sequence") == 0 && list != NULL && list->kind == AX_JSON_ARRAY) {
        for (int i = 0; i < list->count; i++)
            AX_TRY(ax_read_steps(t, list->item[i], normalizer, err));
        return AX_OK;
    }
    if (*steps == NULL && (*steps = ax_arena_array(&t->arena, STEPS_MAX, sizeof(**steps))) == NULL)
        return ax_nomem(err);
    if (*n == STEPS_MAX)
        return ax_fail(err, AX_ERR_LIMIT, "tokenizer has more than %d steps", STEPS_MAX);
    s = &(*steps)[*n];
    AX_TRY(normalizer ? read_normalizer(json, type, s, err) : read_split(json, type, s, err));
    ++*n;
    return keep(t, s, err);
}
