/*
 * test_tokenizer.c: tokenizers that were learned and tokenizers that were read, against plain references: counting by
 * hand, greedy longest match, and byte pairs merged by going over the whole word again and again.
 */
#include "unit.h"

#include "text/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>

#define IDS 4096

static ax_status learn(const ax_env *env, ax_tokenizer_options o, const char *const *texts, int n, ax_tokenizer **t,
                       ax_error *err)
{
    ax_tokenizer_learner *l = NULL;
    ax_status status = ax_tokenizer_learn_begin(env, &o, &l, err);

    for (int i = 0; i < n && status == AX_OK; i++)
        status = ax_tokenizer_learn_add(l, texts[i], strlen(texts[i]), err);
    if (status == AX_OK)
        status = ax_tokenizer_learn_finish(l, t, err);
    ax_tokenizer_learner_free(l);
    return status;
}

/* The tokens of a text, with bars between them. */
static const char *tokens(const ax_tokenizer *t, const char *text, size_t len)
{
    static char out[8192];
    static int32_t ids[IDS];
    size_t count = 0, at = 0;
    ax_error err;

    if (ax_tokenizer_encode(t, text, len, ids, IDS, &count, &err) != AX_OK)
        return unit_status_name(err.status);
    out[0] = '\0';
    for (size_t i = 0; i < count && i < IDS; i++)
        at += (size_t) snprintf(out + at, sizeof(out) - at, "%s%s", i > 0 ? "|" : "", ax_tokenizer_token(t, ids[i]));
    return out;
}

#define is(t, text, want) unit_is_str(tokens(t, text, strlen(text)), want, "%s", text)

static void round_trip(const ax_tokenizer *t, const char *text)
{
    ax_tokenizer *again = NULL;
    char first[8192];
    ax_error err;
    size_t len;
    const char *json = ax_tokenizer_write_json(t, &len);

    unit_status(ax_tokenizer_read_json(unit_env(), json, len, &again, &err), AX_OK, &err, "what was written is read");
    snprintf(first, sizeof(first), "%s", tokens(t, text, strlen(text)));
    unit_is_str(tokens(again, text, strlen(text)), first, "and answers the same");
    unit_is_int(ax_tokenizer_size(again), ax_tokenizer_size(t), "with as many tokens");
    ax_tokenizer_free(again);
}

static void test_word_and_char(void)
{
    static const char *const words[] = {"film", "the", "the", "film", "the", "quiet", "a\"b\\", "a\"b\\"};
    static const char *const texts[] = {"\xe5\xbe\x88\xe5\xa5\xbd\xe5\xbe\x88", "\xd1\x91z z", "z"};
    ax_tokenizer *t = NULL;
    ax_error err;

    unit_status(learn(unit_env(), (ax_tokenizer_options){AX_TOKENIZER_WORD, 5, 1, false}, words, 8, &t, &err), AX_OK,
                &err, "words");
    unit_is_int(ax_tokenizer_size(t), 5, "no more than asked for");
    unit_is_int(ax_tokenizer_id(t, "the"), 2, "the most frequent first");
    unit_is_int(ax_tokenizer_id(t, "a\"b\\"), 3, "equals by their bytes");
    unit_is_int(ax_tokenizer_id(t, "[PAD]"), 0, "padding");
    unit_is_int(ax_tokenizer_id(t, "quiet"), -1, "the rest is unknown");
    is(t, "the", "the");
    is(t, "quiet", "[UNK]");
    is(t, "", "");
    round_trip(t, "a\"b\\");
    ax_tokenizer_free(t);
    t = NULL;
    unit_status(learn(unit_env(), (ax_tokenizer_options){AX_TOKENIZER_CHAR, 100, 1, false}, texts, 3, &t, &err), AX_OK,
                &err, "characters");
    unit_is_int(ax_tokenizer_size(t), 2 + 5, "as many as there are");
    is(t, "\xe5\xa5\xbd\xe5\xbe\x88z\n", "\xe5\xa5\xbd|\xe5\xbe\x88|z|[UNK]");
    unit_is_str(tokens(t, "z\xff\xe5z", 4), "z|[UNK]|[UNK]|z", "what is no UTF-8 is unknown");
    round_trip(t, "z\xd1\x91 \xd1\x8f");
    ax_tokenizer_free(t);
}

static void test_read(void)
{
    static const char bert[] =
        "{\"normalizer\": {\"type\": \"BertNormalizer\", \"lowercase\": true}, \"pre_tokenizer\": {\"type\": "
        "\"BertPreTokenizer\"}, \"added_tokens\": [{\"id\": 7, \"content\": \"[CLS]\"}], \"model\": {\"type\": "
        "\"WordPiece\", \"unk_token\": \"[UNK]\", \"vocab\": {\"[UNK]\": 0, \"un\": 1, \"##aff\": 2, \"##able\": 3, "
        "\"unb\": 4, \",\": 5, \"\xe4\xb8\xad\": 6}}}";
    static const char bpe[] = "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 1, \"c\": 2, \"ab\": 3, "
                              "\"abc\": 4, \"bc\": 5}, \"merges\": [\"b c\", [\"a\", \"b\"], \"a bc\"]}}";
    static const char *const bad[] = {"", "{}", "[]", "{\"model\": {\"type\": \"BPE\"}}",
                                      "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": -1}}}",
                                      "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 0}}}",
                                      "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [\"a a\"]}}",
                                      "{\"model\": {\"type\": \"WordLevel\", \"vocab\": {\"a\": 0}}}"};
    ax_tokenizer *t = NULL;
    ax_error err;

    unit_status(ax_tokenizer_read_json(unit_env(), bert, strlen(bert), &t, &err), AX_OK, &err, "WordPiece");
    is(t, "Un\xc3\xa1""FF\xc3\xa1""ble, unable\xe4\xb8\xad", "un|##aff|##able|,|un|##able|\xe4\xb8\xad");
    is(t, "un[CLS]un", "un|[CLS]|un");
    ax_tokenizer_free(t);
    unit_status(ax_tokenizer_read_json(unit_env(), bpe, strlen(bpe), &t, &err), AX_OK, &err, "BPE");
    is(t, "abcxab", "abc|ab");
    ax_tokenizer_free(t);
    for (int i = 0; i < AX_COUNT(bad); i++)
        unit_status(ax_tokenizer_read_json(unit_env(), bad[i], strlen(bad[i]), &t, &err), AX_ERR_INVALID, &err,
                    "no tokenizer: %s", bad[i]);
    unit_status(ax_tokenizer_read_json(unit_env(), "{\"model\": {\"type\": \"Odd\"}}", 26, &t, &err),
                AX_ERR_UNSUPPORTED, &err, "another model is named");
}

/* The textbook: the pair of the least rank, wherever it stands, until there is none. Tokens "a" to "d" are 0 to 3. */
static int plain_bpe(int *s, int n, const int (*merge)[2], int merges)
{
    for (int rank = 0; rank < merges; rank++)
        for (int i = 0; i + 1 < n; i++)
            if (s[i] == merge[rank][0] && s[i + 1] == merge[rank][1]) {
                s[i] = 4 + rank;
                memmove(s + i + 1, s + i + 2, (size_t) (n - i - 2) * sizeof(*s));
                n--;
                rank = -1; /* from the first merge again */
                break;
            }
    return n;
}

static void test_bpe_against_plain(void)
{
    enum { MERGES = 12, LENGTH = 300 };
    int bad = 0;

    unit_seed(11);
    for (int round = 0; round < 200; round++) {
        char name[4 + MERGES][4096], json[65536], text[LENGTH + 1];
        int merge[MERGES][2], s[LENGTH], merges = 0, n = 1 + (int) unit_below(LENGTH), at;
        int32_t ids[LENGTH];
        ax_tokenizer *t = NULL;
        size_t count = 0;
        ax_error err;

        for (int i = 0; i < 4; i++)
            snprintf(name[i], 8, "%c", 'a' + i);
        at = snprintf(json, sizeof(json), "{\"model\": {\"type\": \"BPE\", "
                      "\"vocab\": {\"a\": 0, \"b\": 1, \"c\": 2, \"d\": 3");
        for (int tries = 0; tries < 40 && merges < MERGES; tries++) {
            char both[8192];
            bool there = false;

            merge[merges][0] = (int) unit_below(4 + merges);
            merge[merges][1] = (int) unit_below(4 + merges);
            snprintf(both, sizeof(both), "%s%s", name[merge[merges][0]], name[merge[merges][1]]);
            for (int i = 0; i < 4 + merges; i++)
                there |= strcmp(name[i], both) == 0;
            if (there || strlen(both) > 64)
                continue;
            snprintf(name[4 + merges], 4096, "%.4000s", both);
            at += snprintf(json + at, sizeof(json) - (size_t) at, ", \"%s\": %d", name[4 + merges], 4 + merges);
            merges++;
        }
        at += snprintf(json + at, sizeof(json) - (size_t) at, "}, \"merges\": [");
        for (int i = 0; i < merges; i++)
            at += snprintf(json + at, sizeof(json) - (size_t) at, "%s\"%s %s\"", i > 0 ? ", " : "", name[merge[i][0]],
                           name[merge[i][1]]);
        at += snprintf(json + at, sizeof(json) - (size_t) at, "]}}");
        for (int i = 0; i < n; i++)
            text[i] = (char) ('a' + (s[i] = (int) unit_below(round % 3 + 2)));
        if (ax_tokenizer_read_json(unit_env(), json, (size_t) at, &t, &err) != AX_OK ||
            ax_tokenizer_encode(t, text, (size_t) n, ids, LENGTH, &count, &err) != AX_OK)
            bad++;
        n = plain_bpe(s, n, (const int (*)[2]) merge, merges);
        bad += count != (size_t) n || memcmp(ids, s, (size_t) n * sizeof(*s)) != 0;
        ax_tokenizer_free(t);
    }
    unit_check(bad == 0, "200 random byte pair encodings equal the textbook, %d do not", bad);
}

static void test_pairs(void)
{
    static const char *const texts[] = {"low low low low low lower lower newest newest newest newest newest newest",
                                        "widest widest widest"};
    ax_tokenizer *t = NULL;
    ax_error err;

    unit_status(learn(unit_env(), (ax_tokenizer_options){AX_TOKENIZER_BPE, 262, 1, false}, texts, 2, &t, &err), AX_OK,
                &err, "byte pairs");
    unit_is_int(ax_tokenizer_size(t), 262, "as many as asked for");
    unit_is_str(ax_tokenizer_token(t, 258), "es", "9 times e s comes first");
    unit_is_str(ax_tokenizer_token(t, 259), "est", "then es t");
    is(t, "lowest", "low|est");
    unit_is_str(tokens(t, "\xff", 1), "\xc3\xaf|\xc2\xbf|\xc2\xbd", "U+FFFD by bytes");
    round_trip(t, "the lowest\n\n  \xe4\xb8\xad it's");
    ax_tokenizer_free(t);
    t = NULL;
    unit_status(learn(unit_env(), (ax_tokenizer_options){AX_TOKENIZER_WORDPIECE, 40, 1, true}, texts, 2, &t, &err),
                AX_OK, &err, "word pieces");
    is(t, "Newest, x", "newest|[UNK]|[UNK]");
    round_trip(t, "lowest widest");
    ax_tokenizer_free(t);
}

/* Steps that double a text again and again, and a text that spells a special token. */
static void test_hostile(void)
{
    static const char *const texts[] = {"[PAD] [PAD] [PAD] [PAD]"};
    char json[4096] = "{\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [";
    ax_tokenizer *t = NULL;
    size_t count = 0;
    ax_error err;

    for (int i = 0; i < 40; i++)
        snprintf(json + strlen(json), sizeof(json) - strlen(json),
                 "%s{\"type\": \"Replace\", \"pattern\": {\"String\": \"a\"}, \"content\": \"aa\"}", i > 0 ? ", " : "");
    snprintf(json + strlen(json), sizeof(json) - strlen(json),
             "]}, \"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": []}}");
    unit_status(ax_tokenizer_read_json(unit_env(), json, strlen(json), &t, &err), AX_OK, &err, "forty doublings");
    unit_status(ax_tokenizer_encode(t, "a", 1, NULL, 0, &count, &err), AX_ERR_LIMIT, &err, "are stopped");
    ax_tokenizer_free(t);
    t = NULL;
    unit_status(learn(unit_env(), (ax_tokenizer_options){AX_TOKENIZER_BPE, 300, 1, false}, texts, 1, &t, &err), AX_OK,
                &err, "texts that say [PAD]");
    unit_check(strstr(tokens(t, "[PAD]", 5), "[PAD]") == NULL, "do not become padding");
    ax_tokenizer_free(t);
}

static void test_long(void)
{
    static const char *const texts[] = {"aaaaaaaaaaaaaaaaaaaaaaaa"};
    size_t n = 1 << 20, count = 0;
    char *text = malloc(n);
    ax_tokenizer *t = NULL;
    ax_error err;

    memset(text, 'a', n);
    unit_status(learn(unit_env(), (ax_tokenizer_options){AX_TOKENIZER_BPE, 261, 1, false}, texts, 1, &t, &err), AX_OK,
                &err, "pairs of one letter");
    unit_status(ax_tokenizer_encode(t, text, n, NULL, 0, &count, &err), AX_OK, &err, "one megabyte without a space");
    unit_is_int((long long) count, (long long) n / 8, "is counted without room for ids");
    ax_tokenizer_free(t);
    free(text);
}

static void test_failures(void)
{
    static const char *const texts[] = {"low lower lowest low", "new newer \xe4\xb8\xad\xe6\x96\x87"};
    size_t before = unit_live_bytes();
    int bad = 0, tried = 0;

    for (int kind = AX_TOKENIZER_WORD; kind <= AX_TOKENIZER_WORDPIECE; kind++)
        for (int cancel = 0; cancel < 2; cancel++)
            for (long n = 1;; n++, tried++) {
                const ax_env *env = cancel ? unit_env_cancel_at(n) : unit_env_fail_at(n);
                ax_tokenizer *t = NULL;
                int32_t ids[64];
                size_t count;
                ax_error err;
                ax_status status =
                    learn(env, (ax_tokenizer_options){(ax_tokenizer_kind) kind, 270, 1, true}, texts, 2, &t, &err);

                if (status == AX_OK)
                    status = ax_tokenizer_encode(t, texts[0], strlen(texts[0]), ids, 64, &count, &err);
                ax_tokenizer_free(t);
                if (!unit_env_tripped()) {
                    bad += status != AX_OK;
                    break;
                }
                bad += status != (cancel ? AX_ERR_CANCELLED : AX_ERR_NOMEM) || unit_live_bytes() != before;
            }
    unit_check(bad == 0 && tried > 20, "each of %d allocations and polls may fail, %d did not", tried, bad);
}

int main(void)
{
    test_word_and_char();
    test_read();
    test_bpe_against_plain();
    test_pairs();
    test_hostile();
    test_long();
    test_failures();
    return unit_done();
}
