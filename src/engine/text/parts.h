/*
 * parts.h: what the files of a tokenizer share.
 */
#ifndef AX_TOKENIZER_PARTS_H
#define AX_TOKENIZER_PARTS_H

#include "base/json.h"
#include "text/tokenizer.h"
#include "text/unicode.h"

/* ---- strings to numbers (vocabulary.c) ------------------------------------------------------- */

/* A map from byte strings to ids, and from ids back. Memory from the env; strings are not copied. */
typedef struct ax_vocabulary {
    ax_env env;
    const char **token; /* by id; NULL where there is none */
    int32_t *slot;      /* id + 1, 0 for an empty one */
    size_t slots, size, used; /* size: one more than the largest id */
} ax_vocabulary;

/* Room for ids below size and `count` tokens. */
ax_status ax_vocabulary_make(ax_vocabulary *v, const ax_env *env, size_t size, size_t count, ax_error *err);
/* False when the id is taken. A string that is there already keeps its id: *v is as before. */
bool ax_vocabulary_put(ax_vocabulary *v, const char *token, int32_t id);
int32_t ax_vocabulary_find(const ax_vocabulary *v, const char *s, size_t n); /* -1 for none */
void ax_vocabulary_free(ax_vocabulary *v);

/* Tokens by their first bytes, for the longest match: nodes in a hash of (node, byte). Node 0 is the root. */
typedef struct ax_trie {
    ax_env env;
    uint64_t *key; /* node << 8 | byte, plus 1; 0 for an empty slot */
    int32_t *to;
    int32_t *id; /* by node; -1 where no token ends */
    size_t slots, nodes;
} ax_trie;

/* bytes: of all tokens together. */
ax_status ax_trie_make(ax_trie *t, const ax_env *env, size_t bytes, ax_error *err);
void ax_trie_put(ax_trie *t, const char *s, size_t n, int32_t id);
int32_t ax_trie_next(const ax_trie *t, int32_t node, unsigned char byte); /* -1 for none */
void ax_trie_free(ax_trie *t);

/* Pairs of numbers to a pair of numbers. */
typedef struct ax_merges {
    ax_env env;
    uint64_t *key;  /* left << 32 | right, plus 1 */
    int32_t *rank, *id;
    size_t slots, count;
} ax_merges;

ax_status ax_merges_make(ax_merges *m, const ax_env *env, size_t count, ax_error *err);
bool ax_merges_put(ax_merges *m, int32_t left, int32_t right, int32_t rank, int32_t id); /* false: it is there */
bool ax_merges_find(const ax_merges *m, int32_t left, int32_t right, int32_t *rank, int32_t *id);
void ax_merges_free(ax_merges *m);

/* ---- texts in pieces (pieces.c) -------------------------------------------------------------- */

typedef struct ax_pieces {
    ax_text text;
    size_t *end; /* of each piece in text; none is empty */
    size_t count, cap;
} ax_pieces;

void ax_pieces_init(ax_pieces *p, const ax_env *env);
void ax_pieces_put(ax_pieces *p, const char *s, size_t n);
void ax_pieces_put_char(ax_pieces *p, uint32_t code);
void ax_pieces_cut(ax_pieces *p); /* what was put since the last cut is a piece, if it is anything */
void ax_pieces_free(ax_pieces *p);

/* ---- steps ----------------------------------------------------------------------------------- */

typedef enum ax_step_kind {
    /* normalize.c: whole texts */
    AX_STEP_LOWERCASE,
    AX_STEP_FORM, /* NFC and its like */
    AX_STEP_STRIP_ACCENTS,
    AX_STEP_BERT_NORMALIZER,
    AX_STEP_PREPEND,
    AX_STEP_REPLACE,
    /* split.c: pieces */
    AX_STEP_BERT_SPLIT,
    AX_STEP_WORDS, /* \w+|[^\w\s]+ */
    AX_STEP_SPACES,
    AX_STEP_BYTES, /* GPT-2's bytes as characters */
    AX_STEP_METASPACE,
    AX_STEP_PUNCTUATION,
    AX_STEP_DIGITS,
    AX_STEP_PATTERN
} ax_step_kind;

/* What Split looks for. */
typedef enum ax_pattern { AX_PATTERN_ANY, AX_PATTERN_GPT2 } ax_pattern;

typedef struct ax_step {
    ax_step_kind kind;
    const char *string, *other; /* FORM, PREPEND, REPLACE, PATTERN, METASPACE */
    bool clean, chinese, accents, lower; /* BERT_NORMALIZER */
    bool prefix, first_only, cut;        /* BYTES, METASPACE */
    bool single;                         /* DIGITS: one by one */
    ax_pattern pattern;
} ax_step;

typedef enum ax_model_kind { AX_MODEL_WORDS, AX_MODEL_BPE, AX_MODEL_WORDPIECE } ax_model_kind;

struct ax_tokenizer {
    ax_env env;
    ax_arena arena; /* strings, steps */
    char *json;
    size_t json_len;
    ax_tokenizer_normalize normalize;
    void *normalize_ctx;
    ax_step *before, *split; /* normalizers, pre-tokenizers */
    int n_before, n_split;
    ax_trie added; /* tokens that are found in the text before any step */
    ax_model_kind model;
    ax_vocabulary vocabulary;
    int32_t unknown; /* -1 for none */
    const char *prefix, *suffix; /* continuing_subword_prefix, end_of_word_suffix; "" for none */
    size_t word_max;             /* WORDPIECE: characters of a word */
    bool byte_fallback, fuse_unknown, whole_first;
    int32_t byte_id[256];
    ax_merges merges;
    ax_trie trie, trie_inside; /* WORDPIECE: beginnings of words; what follows "##" */
};

/* Ids as they come out. */
typedef struct ax_ids {
    int32_t *id;
    size_t count, max;
} ax_ids;

void ax_ids_put(ax_ids *out, int32_t id);

/* out: a new text. in and out may not be the same. */
ax_status ax_step_normalize(const ax_tokenizer *t, const ax_step *s, const char *in, size_t n, ax_text *out,
                            ax_error *err);
/* first: the text stands at the very beginning of what is encoded. */
ax_status ax_step_split(const ax_tokenizer *t, const ax_step *s, const ax_pieces *in, bool first, ax_pieces *out,
                        ax_error *err);
void ax_byte_chars(uint32_t *code); /* GPT-2's 256 characters for bytes */

/* One piece of text through the model. */
ax_status ax_model_words(const ax_tokenizer *t, const char *s, size_t n, ax_ids *out, ax_error *err);
ax_status ax_model_bpe(const ax_tokenizer *t, const char *s, size_t n, ax_ids *out, ax_error *err);
ax_status ax_model_wordpiece(const ax_tokenizer *t, const char *s, size_t n, ax_ids *out, ax_error *err);

/* read_steps.c: steps become t's; json may be NULL, null or a Sequence. */
ax_status ax_read_steps(ax_tokenizer *t, const ax_json *json, bool normalizer, ax_error *err);

#endif /* AX_TOKENIZER_PARTS_H */
