/*
 * split.c: pieces of text into smaller ones, and the normalizers, character by character.
 */
#include "text/parts.h"

static uint32_t char_at(const char *s, size_t n, size_t at, size_t *width)
{
    *width = 0;
    return at < n ? ax_utf8_read(s + at, n - at, width) : 0;
}

void ax_byte_chars(uint32_t *code)
{
    uint32_t next = 256;

    for (uint32_t i = 0; i < 256; i++)
        code[i] = (i > 32 && i < 127) || (i > 160 && i != 173) ? i : next++;
}

/* ---- GPT-2's pattern ------------------------------------------------------------------------- */

typedef enum class { SPACE, LETTER, NUMBER, REST } class;

static class class_of(uint32_t c)
{
    return ax_char_is_space(c) ? SPACE : ax_char_is_letter(c) ? LETTER : ax_char_is_number(c) ? NUMBER : REST;
}

/* 's 't 're 've 'm 'll 'd: bytes, 0 for none. */
static size_t contraction(const char *s, size_t n)
{
    if (n < 2 || s[0] != '\'')
        return 0;
    if (memchr("stmd", s[1], 4) != NULL)
        return 2;
    return n > 2 && (memcmp(s + 1, "re", 2) == 0 || memcmp(s + 1, "ve", 2) == 0 || memcmp(s + 1, "ll", 2) == 0) ? 3 : 0;
}

static size_t run_of(const char *s, size_t n, size_t at, class wanted, size_t *last)
{
    size_t width;

    while (at < n && class_of(char_at(s, n, at, &width)) == wanted) {
        *last = at;
        at += width;
    }
    return at;
}

/* 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ */
static size_t gpt2_end(const char *s, size_t n, size_t at)
{
    size_t end = contraction(s + at, n - at), width, last = at;
    size_t start = at + (s[at] == ' ' && at + 1 < n);
    class kind = class_of(char_at(s, n, start, &width));

    if (end > 0)
        return at + end;
    if (kind != SPACE)
        return run_of(s, n, start, kind, &last);
    end = run_of(s, n, at, SPACE, &last);
    return end < n && last > at ? last : end; /* the last space belongs to what follows */
}

static void split_gpt2(const char *s, size_t n, ax_pieces *out)
{
    for (size_t at = 0, end; at < n; at = end) {
        end = gpt2_end(s, n, at);
        ax_pieces_put(out, s + at, end - at);
        ax_pieces_cut(out);
    }
}

static void split_bytes(const ax_step *s, const char *text, size_t n, ax_pieces *out)
{
    uint32_t code[256];
    ax_pieces cut;
    size_t at = 0;

    ax_byte_chars(code);
    ax_pieces_init(&cut, &out->text.env);
    if (s->prefix && n > 0 && text[0] != ' ')
        ax_pieces_put(&cut, " ", 1);
    ax_pieces_put(&cut, text, n);
    if (cut.text.failed)
        out->text.failed = true;
    else if (s->cut) {
        ax_pieces again;

        ax_pieces_init(&again, &out->text.env);
        split_gpt2(cut.text.data, cut.text.len, &again);
        ax_pieces_free(&cut);
        cut = again;
        out->text.failed |= cut.text.failed;
    } else {
        ax_pieces_cut(&cut);
    }
    for (size_t i = 0; i < cut.count && !out->text.failed; i++) {
        for (; at < cut.end[i]; at++)
            ax_pieces_put_char(out, code[(unsigned char) cut.text.data[at]]);
        ax_pieces_cut(out);
    }
    ax_pieces_free(&cut);
}

/* ---- by characters --------------------------------------------------------------------------- */

typedef enum part { DROPPED, ALONE, TOGETHER, OTHER } part;

static part part_of(const ax_step *s, uint32_t c)
{
    switch (s->kind) {
    case AX_STEP_BERT_SPLIT:
        return ax_char_is_space(c) ? DROPPED : ax_char_is_punctuation(c) ? ALONE : TOGETHER;
    case AX_STEP_WORDS:
        return ax_char_is_space(c) ? DROPPED : ax_char_is_word(c) ? TOGETHER : OTHER;
    case AX_STEP_SPACES:
        return ax_char_is_space(c) ? DROPPED : TOGETHER;
    case AX_STEP_PUNCTUATION:
        return ax_char_is_punctuation(c) ? ALONE : TOGETHER;
    case AX_STEP_DIGITS:
        return !ax_char_is_number(c) ? TOGETHER : s->single ? ALONE : OTHER;
    default: /* the pattern of any one character */
        return ALONE;
    }
}

static void split_chars(const ax_step *s, const char *text, size_t n, ax_pieces *out)
{
    part last = DROPPED;
    size_t width;

    for (size_t at = 0; at < n; at += width) {
        part p = part_of(s, char_at(text, n, at, &width));

        if (p != last || p == ALONE)
            ax_pieces_cut(out);
        if (p != DROPPED)
            ax_pieces_put(out, text + at, width);
        last = p;
    }
    ax_pieces_cut(out);
}

static void split_metaspace(const ax_step *s, const char *text, size_t n, bool first, ax_pieces *out)
{
    size_t mark = strlen(s->string);

    if (s->prefix && (first || !s->first_only) && text[0] != ' ' && (n < mark || memcmp(text, s->string, mark) != 0))
        ax_pieces_put(out, s->string, mark);
    for (size_t at = 0; at < n; at++) {
        bool is_mark = n - at >= mark && memcmp(text + at, s->string, mark) == 0;

        if (s->cut && (text[at] == ' ' || is_mark))
            ax_pieces_cut(out);
        if (text[at] == ' ')
            ax_pieces_put(out, s->string, mark);
        else
            ax_pieces_put(out, text + at, 1);
    }
    ax_pieces_cut(out);
}

ax_status ax_step_split(const ax_tokenizer *t, const ax_step *s, const ax_pieces *in, bool first, ax_pieces *out,
                        ax_error *err)
{
    for (size_t i = 0, at = 0; i < in->count; at = in->end[i++]) {
        const char *text = in->text.data + at;
        size_t n = in->end[i] - at;

        if (i % 1024 == 1023 && !ax_may_continue(&t->env))
            return ax_cancelled(err);
        if (s->kind == AX_STEP_BYTES)
            split_bytes(s, text, n, out);
        else if (s->kind == AX_STEP_METASPACE)
            split_metaspace(s, text, n, first && i == 0, out);
        else if (s->kind == AX_STEP_PATTERN && s->pattern == AX_PATTERN_GPT2)
            split_gpt2(text, n, out);
        else
            split_chars(s, text, n, out);
    }
    return out->text.failed ? ax_nomem(err) : AX_OK;
}

/* ---- normalizers ----------------------------------------------------------------------------- */

static void put_char(ax_text *out, uint32_t code)
{
    char bytes[AX_UTF8_MAX];

    ax_text_add(out, bytes, ax_utf8_write(code, bytes));
}

static void put_lower(ax_text *out, uint32_t code, bool lower)
{
    uint32_t form[3] = {code};
    int n = lower ? ax_char_lower(code, form) : 1;

    for (int i = 0; i < n; i++)
        put_char(out, form[i]);
}

static bool is_dirt(uint32_t c)
{
    return c == 0 || c == AX_CHAR_REPLACEMENT ||
           (c != '\t' && c != '\n' && c != '\r' && (c < 32 || ax_char_class_of(c) == AX_CHAR_CONTROL));
}

static void bert_char(const ax_step *s, uint32_t c, ax_text *out)
{
    uint32_t form[3] = {c};
    int n;

    if (s->clean && is_dirt(c))
        return;
    if (s->clean && ax_char_is_space(c))
        c = form[0] = ' ';
    if (s->chinese && ax_char_is_chinese(c))
        ax_text_add(out, " ", 1);
    n = s->accents ? ax_char_bare(c, form) : 1;
    for (int i = 0; i < n; i++)
        put_lower(out, form[i], s->lower);
    if (s->chinese && ax_char_is_chinese(c))
        ax_text_add(out, " ", 1);
}

static void replace(const ax_step *s, const char *in, size_t n, ax_text *out)
{
    size_t wanted = strlen(s->string);

    for (size_t at = 0; at < n;) {
        bool here = n - at >= wanted && memcmp(in + at, s->string, wanted) == 0;

        ax_text_add(out, here ? s->other : in + at, here ? strlen(s->other) : 1);
        at += here ? wanted : 1;
    }
}

static ax_status form(const ax_tokenizer *t, const ax_step *s, const char *in, size_t n, ax_text *out, ax_error *err)
{
    size_t plain = 0;

    while (plain < n && (unsigned char) in[plain] < 0x80)
        plain++;
    if (plain < n && t->normalize == NULL)
        return ax_fail(err, AX_ERR_UNSUPPORTED, "tokenizer needs %s, which is not available here", s->string);
    if (plain < n)
        return t->normalize(t->normalize_ctx, s->string, in, n, out, err);
    ax_text_add(out, in, n);
    return AX_OK;
}

ax_status ax_step_normalize(const ax_tokenizer *t, const ax_step *s, const char *in, size_t n, ax_text *out,
                            ax_error *err)
{
    size_t width;

    if (s->kind == AX_STEP_FORM)
        return form(t, s, in, n, out, err);
    if (s->kind == AX_STEP_PREPEND && n > 0)
        ax_text_add(out, s->string, strlen(s->string));
    if (s->kind == AX_STEP_PREPEND)
        ax_text_add(out, in, n);
    else if (s->kind == AX_STEP_REPLACE)
        replace(s, in, n, out);
    for (size_t at = 0; at < n && s->kind <= AX_STEP_BERT_NORMALIZER; at += width) {
        uint32_t c = char_at(in, n, at, &width);

        if (at % 65536 > 65530 && !ax_may_continue(&t->env))
            return ax_cancelled(err);
        if (s->kind == AX_STEP_BERT_NORMALIZER)
            bert_char(s, c, out);
        else if (s->kind == AX_STEP_LOWERCASE)
            put_lower(out, c, true);
        else if (ax_char_class_of(c) != AX_CHAR_NONSPACING)
            put_char(out, c);
    }
    return out->failed ? ax_nomem(err) : AX_OK;
}
