/*
 * json.c: reading JSON from hostile text.
 *
 * A recursive descent whose depth is bounded by AX_JSON_DEPTH. Members of the arrays and objects
 * that are still open wait on one stack, which comes from the env and is given back at the end; a
 * closed array or object is copied to the arena at its exact size. Memory is thus bounded by the
 * number of values (AX_JSON_VALUES) and the length of the text.
 *
 * Time is bounded too: members are looked for duplicates by sorting their names, because half a
 * million keys in one object would make a comparison of all pairs an afternoon; and the env is
 * asked whether to go on.
 */
#include "base/json.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>

#define NUMBER_MAX    400  /* characters of one number */
#define VALUES_A_POLL 4096 /* values between two polls */
#define FEW_MEMBERS   8    /* up to here all pairs of names are compared */

typedef struct member {
    const char *key;
    ax_json *value;
} member;

typedef struct parser {
    ax_arena *arena;
    const char *text;
    size_t len, at;
    int depth, values;
    member *stack;
    size_t stack_len, stack_cap;
    ax_error *err;
} parser;

/* ---- failing --------------------------------------------------------------------------------- */

static ax_status bad(parser *p, const char *what)
{
    return ax_fail(p->err, AX_ERR_INVALID, "invalid JSON at byte %zu: %s", p->at + 1, what);
}

static ax_status expected(parser *p, const char *what)
{
    unsigned char c = p->at < p->len ? (unsigned char) p->text[p->at] : 0;

    if (p->at == p->len)
        return ax_fail(p->err, AX_ERR_INVALID,
                       "invalid JSON at byte %zu: the text ends where %s was expected", p->at + 1,
                       what);
    if (c > 0x20 && c < 0x7f)
        return ax_fail(p->err, AX_ERR_INVALID,
                       "invalid JSON at byte %zu: \"%c\" where %s was expected", p->at + 1, c,
                       what);
    return ax_fail(p->err, AX_ERR_INVALID,
                   "invalid JSON at byte %zu: byte 0x%02x where %s was expected", p->at + 1, c,
                   what);
}

/* ---- small steps ----------------------------------------------------------------------------- */

static void skip_space(parser *p)
{
    while (p->at < p->len && (p->text[p->at] == ' ' || p->text[p->at] == '\t' ||
                              p->text[p->at] == '\n' || p->text[p->at] == '\r'))
        p->at++;
}

/* The byte at the cursor; -1 at the end. */
static int peek(const parser *p)
{
    return p->at < p->len ? (unsigned char) p->text[p->at] : -1;
}

static bool accept(parser *p, char c)
{
    if (peek(p) != c)
        return false;
    p->at++;
    return true;
}

static ax_status new_value(parser *p, ax_json_kind kind, ax_json **out)
{
    if (p->values == AX_JSON_VALUES)
        return ax_fail(p->err, AX_ERR_LIMIT, "JSON text holds more than %d values", AX_JSON_VALUES);
    if (++p->values % VALUES_A_POLL == 0 && !ax_may_continue(&p->arena->env))
        return ax_cancelled(p->err);
    *out = ax_arena_alloc(p->arena, sizeof(**out));
    if (*out == NULL)
        return ax_nomem(p->err);
    (*out)->kind = kind;
    return AX_OK;
}

static ax_status push(parser *p, const char *key, ax_json *value)
{
    if (p->stack_len == p->stack_cap) {
        size_t cap = AX_MAX(2 * p->stack_cap, 64);
        member *grown = ax_alloc(&p->arena->env, cap * sizeof(*grown));

        if (grown == NULL)
            return ax_nomem(p->err);
        if (p->stack_len > 0)
            memcpy(grown, p->stack, p->stack_len * sizeof(*grown));
        ax_free(&p->arena->env, p->stack);
        p->stack = grown;
        p->stack_cap = cap;
    }
    p->stack[p->stack_len++] = (member){key, value};
    return AX_OK;
}

/* ---- strings --------------------------------------------------------------------------------- */

/* Bytes of the UTF-8 sequence at s (RFC 3629), of which n remain; 0 when it is not one. */
static size_t utf8_length(const unsigned char *s, size_t n)
{
    size_t width = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    uint32_t code;

    if (width == 0 || width > n || s[0] > 0xf4)
        return 0;
    code = width == 1 ? s[0] : s[0] & (0x7fu >> width);
    for (size_t i = 1; i < width; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (s[i] & 0x3fu);
    }
    if ((width == 3 && (code < 0x800 || (code >= 0xd800 && code < 0xe000))) ||
        (width == 4 && (code < 0x10000 || code > 0x10ffff)))
        return 0;
    return width;
}

static char *put_utf8(char *to, uint32_t code)
{
    int width = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

    if (width == 1) {
        *to = (char) code;
        return to + 1;
    }
    for (int i = width - 1; i > 0; i--) {
        to[i] = (char) (0x80 | (code & 0x3f));
        code >>= 6;
    }
    to[0] = (char) ((0xf00u >> width & 0xf0) | code);
    return to + width;
}

/* Four hexadecimal digits at the cursor. */
static ax_status read_hex4(parser *p, uint32_t *code)
{
    *code = 0;
    for (int i = 0; i < 4; i++) {
        int c = peek(p), digit;

        if (c >= '0' && c <= '9')
            digit = c - '0';
        else if (c >= 'a' && c <= 'f')
            digit = c - 'a' + 10;
        else if (c >= 'A' && c <= 'F')
            digit = c - 'A' + 10;
        else
            return expected(p, "a hexadecimal digit");
        *code = *code << 4 | (uint32_t) digit;
        p->at++;
    }
    return AX_OK;
}

/* After "\u": one code point, from one escape or from a pair of surrogates. */
static ax_status read_unicode(parser *p, char **to)
{
    uint32_t code, low;

    AX_TRY(read_hex4(p, &code));
    if (code >= 0xd800 && code < 0xdc00) {
        if (!accept(p, '\\') || !accept(p, 'u'))
            return expected(p, "the second half of a surrogate pair");
        AX_TRY(read_hex4(p, &low));
        if (low < 0xdc00 || low > 0xdfff)
            return bad(p, "the second half of a surrogate pair is not one");
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    } else if (code >= 0xdc00 && code < 0xe000) {
        return bad(p, "a second half of a surrogate pair without a first");
    } else if (code == 0) {
        return bad(p, "\\u0000 cannot be kept in a string");
    }
    *to = put_utf8(*to, code);
    return AX_OK;
}

/* After the backslash. No escape is shorter than what it stands for. */
static ax_status read_escape(parser *p, char **to)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    int c = peek(p);
    const char *found = c > 0 ? strchr(names, c) : NULL;

    if (found != NULL) {
        *(*to)++ = values[found - names];
        p->at++;
        return AX_OK;
    }
    if (!accept(p, 'u'))
        return expected(p, "an escape");
    return read_unicode(p, to);
}

/* From the opening quote: checks the bytes up to the closing one, and counts them. */
static ax_status scan_string(parser *p, size_t *length)
{
    size_t i = p->at + 1, width;

    for (;; i += width) {
        unsigned char c = i < p->len ? (unsigned char) p->text[i] : '"';

        if (c == '"')
            break;
        width = utf8_length((const unsigned char *) p->text + i, p->len - i);
        if (width == 0 || c < 0x20) {
            p->at = i;
            return bad(p, width == 0 ? "not valid UTF-8" : "a control character in a string");
        }
        if (c == '\\' && i + 1 < p->len && (p->text[i + 1] == '"' || p->text[i + 1] == '\\'))
            width = 2;
    }
    if (i == p->len) {
        p->at = i;
        return expected(p, "the end of a string");
    }
    *length = i - p->at - 1;
    return AX_OK;
}

static ax_status parse_string(parser *p, const char **out)
{
    size_t length = 0, end;
    char *copy, *to;

    if (peek(p) != '"')
        return expected(p, "a string");
    AX_TRY(scan_string(p, &length));
    copy = to = ax_arena_alloc(p->arena, length + 1);
    if (copy == NULL)
        return ax_nomem(p->err);
    p->at++;
    end = p->at + length;
    while (p->at < end) {
        const char *from = p->text + p->at;
        const char *escape = memchr(from, '\\', end - p->at);
        size_t plain = escape == NULL ? end - p->at : (size_t) (escape - from);

        memcpy(to, from, plain);
        to += plain;
        p->at += plain;
        if (escape != NULL) {
            p->at++;
            AX_TRY(read_escape(p, &to));
        }
    }
    p->at++;
    *out = copy;
    return AX_OK;
}

/* ---- numbers --------------------------------------------------------------------------------- */

static size_t count_digits(const parser *p, size_t at)
{
    size_t n = 0;

    while (at + n < p->len && p->text[at + n] >= '0' && p->text[at + n] <= '9')
        n++;
    return n;
}

/* Moves the cursor over a number (RFC 8259). *plain: it has no fraction and no exponent. */
static ax_status scan_number(parser *p, bool *plain)
{
    size_t digits;

    *plain = true;
    accept(p, '-');
    digits = count_digits(p, p->at);
    if (digits == 0)
        return expected(p, "a digit");
    if (digits > 1 && p->text[p->at] == '0')
        return bad(p, "a number begins with a needless zero");
    p->at += digits;
    if (accept(p, '.')) {
        *plain = false;
        digits = count_digits(p, p->at);
        p->at += digits;
        if (digits == 0)
            return expected(p, "a digit");
    }
    if (accept(p, 'e') || accept(p, 'E')) {
        *plain = false;
        if (!accept(p, '-'))
            accept(p, '+');
        digits = count_digits(p, p->at);
        p->at += digits;
        if (digits == 0)
            return expected(p, "a digit");
    }
    return AX_OK;
}

/* strtod reads the point that the process's locale prefers, so it is given that one. */
static double to_double(const char *text, size_t length)
{
    char buf[NUMBER_MAX + 32];
    const char *point = localeconv()->decimal_point;
    size_t width = AX_MIN(strlen(point), 16), n = 0;

    for (size_t i = 0; i < length; i++) {
        if (text[i] != '.') {
            buf[n++] = text[i];
            continue;
        }
        memcpy(buf + n, point, width);
        n += width;
    }
    buf[n] = '\0';
    return strtod(buf, NULL);
}

static bool to_integer(const char *text, size_t length, int64_t *out)
{
    bool negative = text[0] == '-';
    int64_t value = 0;

    for (size_t i = negative; i < length; i++) {
        int digit = text[i] - '0';

        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, digit, &value))
            return false;
    }
    if (!negative && __builtin_sub_overflow(0, value, &value))
        return false;
    *out = value;
    return true;
}

static ax_status parse_number(parser *p, ax_json **out)
{
    size_t start = p->at, length;
    bool plain;
    double number;

    AX_TRY(scan_number(p, &plain));
    length = p->at - start;
    if (length > NUMBER_MAX) {
        p->at = start;
        return bad(p, "a number of more than 400 characters");
    }
    number = to_double(p->text + start, length);
    if (!isfinite(number)) {
        p->at = start;
        return bad(p, "a number out of range");
    }
    AX_TRY(new_value(p, AX_JSON_NUMBER, out));
    (*out)->number = number;
    (*out)->is_integer = plain && to_integer(p->text + start, length, &(*out)->integer);
    return AX_OK;
}

/* ---- arrays and objects ---------------------------------------------------------------------- */

static void sift_down(const char **key, size_t root, size_t n)
{
    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        const char *held = key[root];

        if (child + 1 < n && strcmp(key[child + 1], key[child]) > 0)
            child++;
        if (strcmp(held, key[child]) >= 0)
            return;
        key[root] = key[child];
        key[child] = held;
    }
}

/* Heapsort: no allocation, and no input that makes it slow; libc's qsort promises neither. */
static void sort_keys(const char **key, size_t n)
{
    for (size_t i = n / 2; i > 0; i--)
        sift_down(key, i - 1, n);
    for (size_t end = n; end > 1; end--) {
        const char *top = key[0];

        key[0] = key[end - 1];
        key[end - 1] = top;
        sift_down(key, 0, end - 1);
    }
}

static const char *repeated_of_few(const char *const *key, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(key[i], key[j]) == 0)
                return key[i];
        }
    }
    return NULL;
}

static ax_status check_keys(parser *p, const char *const *key, size_t n)
{
    const char *repeated = NULL;

    if (n <= FEW_MEMBERS) {
        repeated = repeated_of_few(key, n);
    } else {
        const char **sorted = ax_alloc(&p->arena->env, n * sizeof(*sorted));

        if (sorted == NULL)
            return ax_nomem(p->err);
        memcpy(sorted, key, n * sizeof(*sorted));
        sort_keys(sorted, n);
        for (size_t i = 1; i < n && repeated == NULL; i++)
            repeated = strcmp(sorted[i - 1], sorted[i]) == 0 ? sorted[i] : NULL;
        ax_free(&p->arena->env, sorted);
    }
    if (repeated == NULL)
        return AX_OK;
    return ax_fail(p->err, AX_ERR_INVALID,
                   "invalid JSON: the object that ends at byte %zu has the key \"%.100s\" twice",
                   p->at, repeated);
}

/* Moves the stack's members from `base` on into v. */
static ax_status close_container(parser *p, ax_json *v, size_t base)
{
    size_t n = p->stack_len - base;

    v->count = (int) n;
    v->item = ax_arena_array(p->arena, n, sizeof(*v->item));
    if (v->kind == AX_JSON_OBJECT)
        v->key = ax_arena_array(p->arena, n, sizeof(*v->key));
    if (v->item == NULL || (v->kind == AX_JSON_OBJECT && v->key == NULL))
        return ax_nomem(p->err);
    for (size_t i = 0; i < n; i++) {
        v->item[i] = p->stack[base + i].value;
        if (v->kind == AX_JSON_OBJECT)
            v->key[i] = p->stack[base + i].key;
    }
    p->stack_len = base;
    return v->kind == AX_JSON_OBJECT ? check_keys(p, v->key, n) : AX_OK;
}

static ax_status parse_value(parser *p, ax_json **out);

static ax_status parse_member(parser *p, ax_json_kind kind)
{
    const char *key = NULL;
    ax_json *value;

    if (kind == AX_JSON_OBJECT) {
        skip_space(p);
        AX_TRY(parse_string(p, &key));
        skip_space(p);
        if (!accept(p, ':'))
            return expected(p, "a colon");
    }
    AX_TRY(parse_value(p, &value));
    skip_space(p);
    return push(p, key, value);
}

/* From the opening bracket. */
static ax_status parse_container(parser *p, ax_json_kind kind, ax_json **out)
{
    char close = kind == AX_JSON_OBJECT ? '}' : ']';
    size_t base = p->stack_len;
    ax_json *v;

    if (p->depth == AX_JSON_DEPTH)
        return ax_fail(p->err, AX_ERR_LIMIT, "JSON text is nested more than %d levels deep",
                       AX_JSON_DEPTH);
    AX_TRY(new_value(p, kind, &v));
    p->at++;
    p->depth++;
    skip_space(p);
    if (!accept(p, close)) {
        do {
            AX_TRY(parse_member(p, kind));
        } while (accept(p, ','));
        if (!accept(p, close))
            return expected(p, kind == AX_JSON_OBJECT ? "a comma or \"}\"" : "a comma or \"]\"");
    }
    p->depth--;
    *out = v;
    return close_container(p, v, base);
}

/* ---- values ---------------------------------------------------------------------------------- */

static ax_status parse_word(parser *p, ax_json **out)
{
    static const struct {
        const char *word;
        ax_json_kind kind;
        bool boolean;
    } words[] = {{"true", AX_JSON_BOOL, true},
                 {"false", AX_JSON_BOOL, false},
                 {"null", AX_JSON_NULL, false}};

    for (int i = 0; i < AX_COUNT(words); i++) {
        size_t n = strlen(words[i].word);

        if (n > p->len - p->at || memcmp(p->text + p->at, words[i].word, n) != 0)
            continue;
        AX_TRY(new_value(p, words[i].kind, out));
        (*out)->boolean = words[i].boolean;
        p->at += n;
        return AX_OK;
    }
    return expected(p, "a value");
}

static ax_status parse_value(parser *p, ax_json **out)
{
    int c;

    skip_space(p);
    c = peek(p);
    if (c == '{')
        return parse_container(p, AX_JSON_OBJECT, out);
    if (c == '[')
        return parse_container(p, AX_JSON_ARRAY, out);
    if (c == '-' || (c >= '0' && c <= '9'))
        return parse_number(p, out);
    if (c != '"')
        return parse_word(p, out);
    AX_TRY(new_value(p, AX_JSON_STRING, out));
    return parse_string(p, &(*out)->string);
}

ax_status ax_json_parse(ax_arena *a, const char *text, size_t len, ax_json **out, ax_error *err)
{
    parser p = {.arena = a, .text = text, .len = len, .err = err};
    ax_json *v = NULL;
    ax_status status = parse_value(&p, &v);

    skip_space(&p);
    if (status == AX_OK && p.at < len)
        status = expected(&p, "the end of the text");
    ax_free(&a->env, p.stack);
    if (status == AX_OK)
        *out = v;
    return status;
}

const ax_json *ax_json_get(const ax_json *v, const char *key)
{
    if (v == NULL || v->kind != AX_JSON_OBJECT)
        return NULL;
    for (int i = 0; i < v->count; i++) {
        if (strcmp(v->key[i], key) == 0)
            return v->item[i];
    }
    return NULL;
}

const char *ax_json_kind_name(ax_json_kind kind)
{
    static const char *const names[] = {"null",     "a boolean", "a number",
                                        "a string", "an array",  "an object"};

    return (int) kind >= 0 && (int) kind < AX_COUNT(names) ? names[kind] : "unknown";
}
