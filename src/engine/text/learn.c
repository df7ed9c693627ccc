/*
 * learn.c: tokenizers from texts. Words, characters or pieces are counted as they come; finish writes what was learned
 * as a tokenizer.json and reads it back. When there are too many distinct words, those seen once are forgotten, then
 * those seen twice, and so on until half of the room is free.
 */
#include "text/learn.h"


#define WORD_BYTES 1000 /* longer words are not learned */

static const char *const kinds[] = {"word", "char", "bpe", "wordpiece"};

bool ax_tokenizer_kind_of(const char *name, ax_tokenizer_kind *kind)
{
    for (int i = 0; i < AX_COUNT(kinds); i++)
        if (strcmp(name, kinds[i]) == 0) {
            *kind = (ax_tokenizer_kind) i;
            return true;
        }
    return false;
}

/* More often first; of equals the one that a dictionary has first. */
static bool comes_before(const ax_counted *x, const ax_counted *y)
{
    return x->count != y->count ? x->count > y->count : strcmp(x->text, y->text) < 0;
}

/* Lets element i of a heap, whose root comes last, sink to its place. */
static void sink(ax_counted *c, size_t i, size_t n)
{
    ax_counted moved = c[i];

    for (size_t k = 2 * i + 1; k < n; i = k, k = 2 * i + 1) {
        if (k + 1 < n && comes_before(&c[k], &c[k + 1]))
            k++;
        if (!comes_before(&moved, &c[k]))
            break;
        c[i] = c[k];
    }
    c[i] = moved;
}

/* Heap sort: it takes no memory, where the C library's sort may take its own. */
void ax_counted_sort(ax_counted *c, size_t n)
{
    for (size_t i = n / 2; i > 0; i--)
        sink(c, i - 1, n);
    for (size_t end = n; end > 1; end--) {
        ax_counted last = c[end - 1];

        c[end - 1] = c[0];
        c[0] = last;
        sink(c, 0, end - 1);
    }
}

/* ---- counting -------------------------------------------------------------------------------- */

static size_t slot_of(const ax_tokenizer_learner *l, const char *s, size_t n)
{
    uint64_t h = 1469598103934665603u;
    size_t at;

    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char) s[i]) * 1099511628211u;
    for (at = (h ^ h >> 32) & (2 * l->cap - 1); l->slot[at] != 0; at = (at + 1) & (2 * l->cap - 1)) {
        const char *there = l->word[l->slot[at] - 1].text;

        if (strncmp(there, s, n) == 0 && there[n] == '\0')
            break;
    }
    return at;
}

/* Moves all words seen more than `least` times to a table of cap places and to an arena of its own. */
static ax_status move(ax_tokenizer_learner *l, size_t cap, int64_t least, ax_error *err)
{
    ax_tokenizer_learner to = *l;
    bool failed;

    ax_arena_init(&to.arena, &l->env);
    to.cap = cap;
    to.count = 0;
    to.word = ax_alloc(&l->env, cap * sizeof(*to.word));
    to.slot = ax_zalloc(&l->env, 2 * cap * sizeof(*to.slot));
    failed = to.word == NULL || to.slot == NULL;
    for (size_t i = 0; i < l->count && !failed; i++) {
        size_t n = strlen(l->word[i].text);

        if (l->word[i].count <= least)
            continue;
        to.word[to.count] = (ax_counted){ax_arena_strndup(&to.arena, l->word[i].text, n), l->word[i].count};
        failed = to.word[to.count].text == NULL;
        if (!failed)
            to.slot[slot_of(&to, l->word[i].text, n)] = (int32_t) ++to.count;
    }
    if (failed) {
        ax_arena_free(&to.arena);
        ax_free(&l->env, to.word);
        ax_free(&l->env, to.slot);
        return ax_nomem(err);
    }
    ax_arena_free(&l->arena);
    ax_free(&l->env, l->word);
    ax_free(&l->env, l->slot);
    *l = to;
    return AX_OK;
}

static ax_status make_room(ax_tokenizer_learner *l, ax_error *err)
{
    if (l->cap < AX_TOKENIZER_WORDS_MAX)
        return move(l, AX_MAX(2 * l->cap, 1024), 0, err);
    for (int64_t least = 1; l->count > l->cap / 2; least *= 2)
        AX_TRY(move(l, l->cap, least, err));
    return AX_OK;
}

ax_status ax_learn_count(ax_tokenizer_learner *l, const char *s, size_t n, int64_t times, ax_error *err)
{
    size_t at;

    if (n == 0 || n > WORD_BYTES || memchr(s, 0, n) != NULL)
        return AX_OK;
    if (l->count == l->cap)
        AX_TRY(make_room(l, err));
    at = slot_of(l, s, n);
    if (l->slot[at] == 0) {
        char *copy = ax_arena_strndup(&l->arena, s, n);

        if (copy == NULL)
            return ax_nomem(err);
        l->word[l->count] = (ax_counted){copy, 0};
        l->slot[at] = (int32_t) ++l->count;
    }
    l->word[l->slot[at] - 1].count += times;
    return AX_OK;
}

/* ---- the life of a learner ------------------------------------------------------------------- */

static ax_status check(const ax_tokenizer_options *o, ax_error *err)
{
    int least = o->kind == AX_TOKENIZER_BPE ? 258 : 3;

    if (o->vocabulary < least || o->vocabulary > AX_TOKENIZER_VOCABULARY_MAX)
        return ax_fail(err, AX_ERR_INVALID, "vocabulary of a tokenizer must be from %d to %d, not %d", least,
                       AX_TOKENIZER_VOCABULARY_MAX, o->vocabulary);
    if (o->min_count < 1)
        return ax_fail(err, AX_ERR_INVALID, "min_count of a tokenizer must be at least 1");
    return AX_OK;
}

static const char steps_of_bpe[] =
    "\"normalizer\": null, \"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false, "
    "\"trim_offsets\": true, \"use_regex\": true}, \"post_processor\": null, \"decoder\": {\"type\": \"ByteLevel\", "
    "\"add_prefix_space\": true, \"trim_offsets\": true, \"use_regex\": true}";
static const char steps_of_char[] =
    "\"normalizer\": null, \"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"[\\\\s\\\\S]\"}, "
    "\"behavior\": \"Isolated\", \"invert\": false}, \"post_processor\": null, \"decoder\": null";
static const char steps_of_word[] =
    "\"normalizer\": null, \"pre_tokenizer\": null, \"post_processor\": null, \"decoder\": null";

static void set_steps(ax_tokenizer_learner *l, ax_step *before, ax_step *split)
{
    bool lower = l->options.lowercase;

    *before = (ax_step){.kind = AX_STEP_BERT_NORMALIZER, .clean = true, .chinese = true};
    before->lower = before->accents = lower;
    *split = (ax_step){.kind = AX_STEP_PATTERN, .pattern = AX_PATTERN_ANY};
    if (l->options.kind == AX_TOKENIZER_WORDPIECE)
        split->kind = AX_STEP_BERT_SPLIT;
    if (l->options.kind == AX_TOKENIZER_BPE)
        *split = (ax_step){.kind = AX_STEP_BYTES, .cut = true};
}

ax_status ax_tokenizer_learn_begin(const ax_env *env, const ax_tokenizer_options *options, ax_tokenizer_learner **out,
                                   ax_error *err)
{
    ax_tokenizer_learner *l;

    AX_TRY(check(options, err));
    l = ax_zalloc(env, sizeof(*l));
    if (l == NULL)
        return ax_nomem(err);
    l->env = l->steps_of.env = *env;
    l->options = *options;
    ax_arena_init(&l->arena, env);
    *out = l;
    return AX_OK;
}

static ax_status count_pieces(ax_tokenizer_learner *l, const ax_pieces *p, ax_error *err)
{
    for (size_t i = 0, at = 0; i < p->count; at = p->end[i++]) {
        if (i % 1024 == 1023 && !ax_may_continue(&l->env))
            return ax_cancelled(err);
        AX_TRY(ax_learn_count(l, p->text.data + at, p->end[i] - at, 1, err));
    }
    return AX_OK;
}

static ax_status learn_valid(ax_tokenizer_learner *l, ax_pieces *p, ax_error *err)
{
    ax_step before, split;
    ax_pieces normal, cut;
    ax_status status = AX_OK;

    if (l->options.kind == AX_TOKENIZER_WORD)
        return count_pieces(l, p, err);
    set_steps(l, &before, &split);
    ax_pieces_init(&normal, &l->env);
    ax_pieces_init(&cut, &l->env);
    if (l->options.kind == AX_TOKENIZER_WORDPIECE) {
        status = ax_step_normalize(&l->steps_of, &before, p->text.data, p->text.len, &normal.text, err);
        ax_pieces_cut(&normal);
        if (status == AX_OK && normal.text.failed)
            status = ax_nomem(err);
        p = &normal;
    }
    if (status == AX_OK)
        status = ax_step_split(&l->steps_of, &split, p, true, &cut, err);
    if (status == AX_OK)
        status = count_pieces(l, &cut, err);
    ax_pieces_free(&normal);
    ax_pieces_free(&cut);
    return status;
}

ax_status ax_tokenizer_learn_add(ax_tokenizer_learner *l, const char *text, size_t len, ax_error *err)
{
    ax_pieces p;
    size_t width;
    ax_status status;

    if (!ax_may_continue(&l->env))
        return ax_cancelled(err);
    if (len == 0)
        return AX_OK;
    ax_pieces_init(&p, &l->env);
    for (size_t i = 0; i < len; i += width)
        ax_pieces_put_char(&p, ax_utf8_read(text + i, len - i, &width));
    ax_pieces_cut(&p);
    status = p.text.failed ? ax_nomem(err) : learn_valid(l, &p, err);
    ax_pieces_free(&p);
    return status;
}

void ax_tokenizer_learner_free(ax_tokenizer_learner *l)
{
    ax_env env;

    if (l == NULL)
        return;
    env = l->env;
    ax_arena_free(&l->arena);
    ax_free(&env, l->word);
    ax_free(&env, l->slot);
    ax_free(&env, l);
}

/* ---- what was learned, as JSON --------------------------------------------------------------- */

/* The most frequent words or characters, in the order of their counts. */
static void write_most(ax_tokenizer_learner *l, ax_text *vocabulary)
{
    int next = 2;

    ax_counted_sort(l->word, l->count);
    for (size_t i = 0; i < l->count && next < l->options.vocabulary; i++) {
        const char *s = l->word[i].text;

        if (l->word[i].count < l->options.min_count)
            break;
        if (strcmp(s, "[PAD]") == 0 || strcmp(s, "[UNK]") == 0)
            continue;
        ax_text_add(vocabulary, ", ", 2);
        ax_text_add_json_string(vocabulary, s);
        ax_text_addf(vocabulary, ": %d", next++);
    }
    memset(l->slot, 0, 2 * l->cap * sizeof(*l->slot)); /* sorting left them wrong */
}

static void write_json(const ax_tokenizer_learner *l, const char *vocabulary, const char *merges, ax_text *out)
{
    static const char *const models[] = {"\"type\": \"WordLevel\"", "\"type\": \"WordLevel\"",
                                         "\"type\": \"BPE\", \"dropout\": null, \"byte_fallback\": false",
                                         "\"type\": \"WordPiece\", \"continuing_subword_prefix\": \"##\", "
                                         "\"max_input_chars_per_word\": 100"};
    static const char *const steps[] = {steps_of_word, steps_of_char, steps_of_bpe};

    ax_text_addf(out, "{\"version\": \"1.0\", \"truncation\": null, \"padding\": null, \"added_tokens\": [], ");
    if (l->options.kind == AX_TOKENIZER_WORDPIECE)
        ax_text_addf(out,
                     "\"normalizer\": {\"type\": \"BertNormalizer\", \"clean_text\": true, \"handle_chinese_chars\": "
                     "true, \"strip_accents\": null, \"lowercase\": %s}, \"pre_tokenizer\": {\"type\": "
                     "\"BertPreTokenizer\"}, \"post_processor\": null, \"decoder\": {\"type\": \"WordPiece\", "
                     "\"prefix\": \"##\", \"cleanup\": true}",
                     l->options.lowercase ? "true" : "false");
    else
        ax_text_addf(out, "%s", steps[l->options.kind]);
    ax_text_addf(out, ", \"model\": {%s, \"unk_token\": \"[UNK]\", \"vocab\": {\"[PAD]\": 0, \"[UNK]\": 1",
                 models[l->options.kind]);
    ax_text_add(out, vocabulary, strlen(vocabulary));
    ax_text_addf(out, "}");
    if (l->options.kind == AX_TOKENIZER_BPE) {
        ax_text_addf(out, ", \"merges\": [");
        ax_text_add(out, merges, strlen(merges));
        ax_text_addf(out, "]");
    }
    ax_text_addf(out, "}}");
}

ax_status ax_tokenizer_learn_finish(ax_tokenizer_learner *l, ax_tokenizer **out, ax_error *err)
{
    ax_text vocabulary, merges, json;
    ax_status status = AX_OK;

    ax_text_init(&vocabulary, &l->env);
    ax_text_init(&merges, &l->env);
    ax_text_init(&json, &l->env);
    ax_text_add(&vocabulary, "", 0);
    ax_text_add(&merges, "", 0);
    if (l->options.kind >= AX_TOKENIZER_BPE)
        status = ax_learn_pairs(l, &vocabulary, &merges, err);
    else if (l->count > 0)
        write_most(l, &vocabulary);
    if (status == AX_OK && (vocabulary.failed || merges.failed))
        status = ax_nomem(err);
    if (status == AX_OK)
        write_json(l, vocabulary.data, merges.data, &json);
    if (status == AX_OK)
        status = json.failed ? ax_nomem(err) : ax_tokenizer_read_json(&l->env, json.data, json.len, out, err);
    ax_text_free(&vocabulary);
    ax_text_free(&merges);
    ax_text_free(&json);
    return status;
}
