/*
 * test_json.c: what is JSON, what is not, where it says so, and that hostile text costs little.
 */
#include "unit.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "base/json.h"

/* The parser gets a copy without a '\0' behind it: AddressSanitizer sees it read too far. */
static ax_status parse_on(const ax_env *env, ax_arena *a, const char *text, size_t len,
                          ax_json **out, ax_error *err)
{
    char *copy = ax_alloc(unit_env(), len);
    ax_status status;

    memcpy(copy, text, len);
    ax_arena_init(a, env);
    status = ax_json_parse(a, copy, len, out, err);
    ax_free(unit_env(), copy);
    return status;
}

static ax_status parse(ax_arena *a, const char *text, ax_json **out, ax_error *err)
{
    return parse_on(unit_env(), a, text, strlen(text), out, err);
}

/* ---- valid text, written again in one way ---------------------------------------------------- */

static void write_value(ax_text *t, const ax_json *v)
{
    if (v->kind == AX_JSON_NULL || v->kind == AX_JSON_BOOL)
        ax_text_addf(t, v->kind == AX_JSON_NULL ? "null" : v->boolean ? "true" : "false");
    else if (v->kind == AX_JSON_STRING)
        ax_text_add_json_string(t, v->string);
    else if (v->kind == AX_JSON_NUMBER && v->is_integer)
        ax_text_addf(t, "%lld", (long long) v->integer);
    else if (v->kind == AX_JSON_NUMBER)
        ax_text_addf(t, "%.17g", v->number);
    if (v->kind != AX_JSON_ARRAY && v->kind != AX_JSON_OBJECT)
        return;
    ax_text_addf(t, v->kind == AX_JSON_ARRAY ? "[" : "{");
    for (int i = 0; i < v->count; i++) {
        ax_text_addf(t, i == 0 ? "" : ",");
        if (v->kind == AX_JSON_OBJECT) {
            ax_text_add_json_string(t, v->key[i]);
            ax_text_addf(t, ":");
        }
        write_value(t, v->item[i]);
    }
    ax_text_addf(t, v->kind == AX_JSON_ARRAY ? "]" : "}");
}

static const struct {
    const char *text, *again;
} valid[] = {
    {"null", "null"},
    {" true ", "true"},
    {"\t\r\nfalse\n", "false"},
    {"0", "0"},
    {"-0", "0"},
    {"12", "12"},
    {"-7", "-7"},
    {"9223372036854775807", "9223372036854775807"},
    {"-9223372036854775808", "-9223372036854775808"},
    {"9223372036854775808", "9.2233720368547758e+18"},
    {"1.5", "1.5"},
    {"1e2", "100"},
    {"1E+2", "100"},
    {"1.25e-1", "0.125"},
    {"0.00392156862745098", "0.0039215686274509803"},
    {"1e-400", "0"},
    {"1.7976931348623157e308", "1.7976931348623157e+308"},
    {"4.9e-324", "4.9406564584124654e-324"},
    {"\"\"", "\"\""},
    {"\"abc\"", "\"abc\""},
    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\""},
    {"\"\\u0041\\u00e9\\u20ac\\uD83D\\uDE00\"", "\"A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
    {"\"\\u0001\\u07ff\\u0800\\uffff\"", "\"\\u0001\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\""},
    {"\"\\uDBFF\\uDFFF\"", "\"\xf4\x8f\xbf\xbf\""},
    {"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
    {"[]", "[]"},
    {"[ ]", "[]"},
    {"{}", "{}"},
    {"{ }", "{}"},
    {"[1, 2 ,3]", "[1,2,3]"},
    {"{\"b\": 1, \"a\": [true, null]}", "{\"b\":1,\"a\":[true,null]}"},
    {"{\"\": 1}", "{\"\":1}"},
    {"{\"a\":{\"a\":{\"a\":0}}}", "{\"a\":{\"a\":{\"a\":0}}}"},
    {"[[],[[]],{}]", "[[],[[]],{}]"},
    {"[{\"Conv2D\": {\"filters\": 32, \"activation\": \"relu\"}}]",
     "[{\"Conv2D\":{\"filters\":32,\"activation\":\"relu\"}}]"},
};

static void test_valid(void)
{
    for (int i = 0; i < AX_COUNT(valid); i++) {
        ax_arena a;
        ax_error err = {0};
        ax_json *v = NULL;
        ax_text t;

        ax_text_init(&t, unit_env());
        if (parse(&a, valid[i].text, &v, &err) == AX_OK)
            write_value(&t, v);
        unit_is_str(t.data, valid[i].again, "valid %d is read as written", i);
        if (t.data == NULL)
            unit_note("%s", err.message);
        ax_text_free(&t);
        ax_arena_free(&a);
    }
}

/* No proper beginning of a document that needs its last byte is a document. */
static void test_truncated(void)
{
    int bad = 0, tried = 0;

    for (int i = 0; i < AX_COUNT(valid); i++) {
        size_t len = strlen(valid[i].text);
        char last = len > 0 ? valid[i].text[len - 1] : ' ';

        for (size_t n = 0; n < len; n++) {
            ax_arena a;
            ax_error err = {0};
            ax_json *v = NULL;
            ax_status status = parse_on(unit_env(), &a, valid[i].text, n, &v, &err);

            tried++;
            if (strchr("]}\"le", last) != NULL)
                bad += status != AX_ERR_INVALID || v != NULL;
            ax_arena_free(&a);
        }
    }
    unit_check(bad == 0, "%d truncated documents, %d taken", tried, bad);
}

/* ---- text that is not JSON ------------------------------------------------------------------- */

static const struct {
    const char *text;
    int byte; /* at which the message says that it fails */
} invalid[] = {
    {"", 1},
    {"   ", 4},
    {"nul", 1},
    {"nulll", 5},
    {"True", 1},
    {"NaN", 1},
    {"Infinity", 1},
    {"+1", 1},
    {".5", 1},
    {"1.", 3},
    {"1.e3", 3},
    {"1e", 3},
    {"1e+", 4},
    {"01", 1},
    {"-01", 2},
    {"-", 2},
    {"--1", 2},
    {"0x10", 2},
    {"1 2", 3},
    {"1,", 2},
    {"1e999", 1},
    {"-1e999", 1},
    {"[1,]", 4},
    {"[,1]", 2},
    {"[1 2]", 4},
    {"[1}", 3},
    {"[", 2},
    {"]", 1},
    {"[1]]", 4},
    {"{", 2},
    {"{\"a\"}", 5},
    {"{\"a\":}", 6},
    {"{\"a\" 1}", 6},
    {"{\"a\":1,}", 8},
    {"{\"a\":1 \"b\":2}", 8},
    {"{a:1}", 2},
    {"{1:1}", 2},
    {"{'a':1}", 2},
    {"{\"a\":1]", 7},
    {"{\"a\":1,\"a\":2}", 13},
    {"{\"a\":1,\"\\u0061\":2}", 18},
    {"\"abc", 5},
    {"\"\\\"", 4},
    {"\"\\", 3},
    {"\"a\nb\"", 3},
    {"\"\\x41\"", 3},
    {"\"\\u12\"", 6},
    {"\"\\u12g4\"", 6},
    {"\"\\u0000\"", 8},
    {"\"\\ud800\"", 8},
    {"\"\\ud800x\"", 8},
    {"\"\\ud800\\n\"", 9},
    {"\"\\ud800\\u0041\"", 14},
    {"\"\\udc00\"", 8},
    {"\"\x80\"", 2},
    {"\"\xc0\x80\"", 2},
    {"\"\xc1\xbf\"", 2},
    {"\"\xc3\"", 2},
    {"\"\xe0\x80\x80\"", 2},
    {"\"\xed\xa0\x80\"", 2},
    {"\"\xf0\x80\x80\x80\"", 2},
    {"\"\xf4\x90\x80\x80\"", 2},
    {"\"\xf8\x88\x80\x80\x80\"", 2},
    {"\"ab\xe2\x82", 4},
    {"\xef\xbb\xbf{}", 1},
    {"// no\n1", 1},
    {"[1] x", 5},
};

static void test_invalid(void)
{
    for (int i = 0; i < AX_COUNT(invalid); i++) {
        ax_arena a;
        ax_error err = {0};
        ax_json *v = NULL;
        char where[32];
        ax_status status = parse(&a, invalid[i].text, &v, &err);
        const char *found;

        snprintf(where, sizeof(where), "byte %d", invalid[i].byte);
        found = strstr(err.message, where);
        unit_check(status == AX_ERR_INVALID && v == NULL && found != NULL &&
                       strchr("0123456789", found[strlen(where)] ? found[strlen(where)] : ' ') ==
                           NULL,
                   "invalid %d: %s", i, err.message);
        ax_arena_free(&a);
    }
}

static void test_zero_byte(void)
{
    ax_arena a;
    ax_error err;
    ax_json *v;

    unit_status(parse_on(unit_env(), &a, "\"a\0b\"", 5, &v, &err), AX_ERR_INVALID, &err,
                "a zero byte in a string");
    ax_arena_free(&a);
    unit_status(parse_on(unit_env(), &a, "1\0", 2, &v, &err), AX_ERR_INVALID, &err,
                "a zero byte after a value");
    ax_arena_free(&a);
}

/* ---- limits ---------------------------------------------------------------------------------- */

static ax_status parse_nested(int depth, const char *open, const char *close, ax_error *err)
{
    ax_text t;
    ax_arena a;
    ax_json *v;
    ax_status status;

    ax_text_init(&t, unit_env());
    for (int i = 0; i < depth; i++)
        ax_text_addf(&t, "%s", open);
    ax_text_addf(&t, "1");
    for (int i = 0; i < depth; i++)
        ax_text_addf(&t, "%s", close);
    status = parse_on(unit_env(), &a, t.data, t.len, &v, err);
    ax_arena_free(&a);
    ax_text_free(&t);
    return status;
}

static void test_depth(void)
{
    ax_error err;

    unit_status(parse_nested(AX_JSON_DEPTH, "[", "]", &err), AX_OK, &err, "arrays at full depth");
    unit_status(parse_nested(AX_JSON_DEPTH + 1, "[", "]", &err), AX_ERR_LIMIT, &err, "one deeper");
    unit_status(parse_nested(AX_JSON_DEPTH, "{\"a\":", "}", &err), AX_OK, &err,
                "objects at full depth");
    unit_status(parse_nested(AX_JSON_DEPTH + 1, "{\"a\":", "}", &err), AX_ERR_LIMIT, &err,
                "one deeper");
    unit_status(parse_nested(100000, "[", "]", &err), AX_ERR_LIMIT, &err, "much deeper");
}

static void test_value_count(void)
{
    ax_text t;
    ax_arena a;
    ax_error err;
    ax_json *v = NULL;

    ax_text_init(&t, unit_env());
    ax_text_addf(&t, "[0");
    for (int i = 2; i < AX_JSON_VALUES; i++)
        ax_text_add(&t, ",0", 2);
    ax_text_addf(&t, "]");
    unit_status(parse_on(unit_env(), &a, t.data, t.len, &v, &err), AX_OK, &err,
                "as many values as there may be");
    unit_check(v != NULL && v->count == AX_JSON_VALUES - 1 && v->item[v->count - 1]->is_integer,
               "all of them are there");
    unit_note("%zu bytes of text took %zu of memory", t.len, a.reserved);
    ax_arena_free(&a);
    t.data[t.len - 1] = ',';
    ax_text_addf(&t, "0]");
    unit_status(parse_on(unit_env(), &a, t.data, t.len, &v, &err), AX_ERR_LIMIT, &err,
                "one value more");
    ax_arena_free(&a);
    unit_status(parse_on(unit_env_cancel_at(3), &a, t.data, t.len, &v, &err), AX_ERR_CANCELLED,
                &err, "a long text can be cancelled");
    ax_arena_free(&a);
    ax_text_free(&t);
}

/* All keys have the same long beginning: the worst for comparing, and for many hashes. */
static void test_many_keys(void)
{
    enum { N = 100000 };
    ax_text t;
    ax_arena a;
    ax_error err;
    ax_json *v = NULL;
    clock_t start;

    ax_text_init(&t, unit_env());
    for (int i = 0; i < N; i++)
        ax_text_addf(&t, "%s\"the_same_beginning_of_every_key_%d\":%d", i == 0 ? "{" : ",", i, i);
    ax_text_addf(&t, "}");
    start = clock();
    unit_status(parse_on(unit_env(), &a, t.data, t.len, &v, &err), AX_OK, &err,
                "an object of %d members", (int) N);
    unit_check((double) (clock() - start) / CLOCKS_PER_SEC < 5, "does not take for ever");
    unit_check(v != NULL && v->count == N &&
                   ax_json_get(v, "the_same_beginning_of_every_key_777")->integer == 777,
               "and keeps the order");
    ax_arena_free(&a);
    memcpy(strstr(t.data, "key_77777\""), "key_12345", 9);
    unit_status(parse_on(unit_env(), &a, t.data, t.len, &v, &err), AX_ERR_INVALID, &err,
                "two equal ones among them are found");
    unit_check(strstr(err.message, "key_12345\" twice") != NULL, "and named: %s", err.message);
    ax_arena_free(&a);
    ax_text_free(&t);
}

static void test_long_number(void)
{
    char text[600];
    ax_arena a;
    ax_error err;
    ax_json *v = NULL;

    memset(text, '0', sizeof(text));
    memcpy(text, "0.", 2);
    text[399] = '7';
    text[400] = '\0';
    unit_status(parse(&a, text, &v, &err), AX_OK, &err, "a number of 400 characters");
    ax_arena_free(&a);
    text[400] = '0';
    text[599] = '\0';
    unit_status(parse(&a, text, &v, &err), AX_ERR_INVALID, &err, "a longer number");
    ax_arena_free(&a);
}

static void test_long_string(void)
{
    ax_text t;
    ax_arena a;
    ax_error err;
    ax_json *v = NULL;

    ax_text_init(&t, unit_env());
    ax_text_addf(&t, "\"");
    for (int i = 0; i < 100000; i++)
        ax_text_addf(&t, "ab\\n\xc3\xa9");
    ax_text_addf(&t, "\"");
    unit_status(parse_on(unit_env(), &a, t.data, t.len, &v, &err), AX_OK, &err, "a long string");
    unit_check(v != NULL && strlen(v->string) == 500000 && v->string[2] == '\n', "is whole");
    ax_arena_free(&a);
    ax_text_free(&t);
}

/* ---- the rest -------------------------------------------------------------------------------- */

static void test_values(void)
{
    ax_arena a;
    ax_error err;
    ax_json *v = NULL;
    const ax_json *x;

    parse(&a, "{\"n\":-0,\"x\":2.0,\"s\":\"t\",\"a\":[1,2],\"b\":true,\"big\":1e300}", &v, &err);
    x = ax_json_get(v, "n");
    unit_check(x->is_integer && x->integer == 0 && x->number == 0 && signbit(x->number),
               "minus zero is both");
    x = ax_json_get(v, "x");
    unit_check(!x->is_integer && x->number == 2, "a fraction is no integer");
    unit_check(ax_json_get(v, "a")->count == 2 && ax_json_get(v, "b")->boolean, "members by name");
    unit_check(ax_json_get(v, "none") == NULL && ax_json_get(ax_json_get(v, "a"), "n") == NULL &&
                   ax_json_get(NULL, "n") == NULL,
               "what has no such member has none");
    unit_is_str(ax_json_kind_name(ax_json_get(v, "a")->kind), "an array", "kinds have names");
    unit_is_str(ax_json_kind_name(AX_JSON_NUMBER), "a number", "each its own");
    ax_arena_free(&a);
}

static void test_locale(void)
{
    static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "ru_RU.UTF-8"};
    const char *found = NULL;
    ax_arena a;
    ax_error err;
    ax_json *v = NULL;

    for (int i = 0; i < AX_COUNT(names) && found == NULL; i++)
        found = setlocale(LC_NUMERIC, names[i]);
    if (found == NULL) {
        unit_skip("no locale with a decimal comma is installed");
        return;
    }
    unit_status(parse(&a, "[1.5,2.25e1]", &v, &err), AX_OK, &err, "numbers in locale %s", found);
    unit_check(v != NULL && v->item[0]->number == 1.5 && v->item[1]->number == 22.5,
               "keep their point");
    ax_arena_free(&a);
    setlocale(LC_NUMERIC, "C");
}

static void test_allocations(void)
{
    static const char text[] =
        "{\"a\":[1,2,{\"b\":\"c\\n\"}],\"1\":1,\"2\":1,\"3\":1,\"4\":1,\"5\":1,"
        "\"6\":1,\"7\":1,\"8\":1,\"9\":\"x\"}";
    size_t before = unit_live_bytes();
    int bad = 0;
    long n;

    for (n = 1;; n++) {
        const ax_env *env = unit_env_fail_at(n);
        ax_arena a;
        ax_error err = {0};
        ax_json *v = NULL;
        ax_status status = parse_on(env, &a, text, sizeof(text) - 1, &v, &err);

        ax_arena_free(&a);
        bad += unit_live_bytes() != before;
        if (!unit_env_tripped()) {
            bad += status != AX_OK;
            break;
        }
        bad += status != AX_ERR_NOMEM || v != NULL;
    }
    unit_check(bad == 0 && n > 3, "each of %ld allocations may fail", n - 1);
}

int main(void)
{
    test_valid();
    test_truncated();
    test_invalid();
    test_zero_byte();
    test_depth();
    test_value_count();
    test_many_keys();
    test_long_number();
    test_long_string();
    test_values();
    test_locale();
    test_allocations();
    return unit_done();
}
