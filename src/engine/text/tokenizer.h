/*
 * tokenizer.h: texts into numbers of tokens.
 *
 * A tokenizer is what a Hugging Face tokenizer.json describes: steps that normalize a text, steps that cut it into
 * pieces, and a model that knows the tokens of a piece. One that is learned here is written in that form and read
 * back, so there is one way to encode, and a model's metadata holds one JSON text.
 *
 *     ax_tokenizer_learn_begin / add / finish   texts          -> ax_tokenizer
 *     ax_tokenizer_read_json                    tokenizer.json -> ax_tokenizer
 *     ax_tokenizer_encode                       a text         -> ids
 *
 * Learned tokenizers have [PAD] = 0 and [UNK] = 1. These two are never found in a text: a text that says "[PAD]" is
 * spelled like any other. (WORD is the exception: a caller's word "[PAD]" has that number.)
 */
#ifndef AX_TOKENIZER_H
#define AX_TOKENIZER_H

#include "base/base.h"

#define AX_TOKENIZER_VOCABULARY_MAX 400000 /* of one that is learned; JSON's limit on values bounds those read */
#define AX_TOKENIZER_WORDS_MAX 1048576     /* distinct words kept while learning; past it the rarest are forgotten */

typedef struct ax_tokenizer ax_tokenizer;
typedef struct ax_tokenizer_learner ax_tokenizer_learner;

typedef enum ax_tokenizer_kind {
    AX_TOKENIZER_WORD,     /* each text given is one word, as the caller cut it; the most frequent ones are known */
    AX_TOKENIZER_CHAR,     /* code points */
    AX_TOKENIZER_BPE,      /* byte-level byte pairs, as GPT-2 */
    AX_TOKENIZER_WORDPIECE /* as BERT, with "##" */
} ax_tokenizer_kind;

typedef struct ax_tokenizer_options {
    ax_tokenizer_kind kind;
    int vocabulary;    /* tokens at most, [PAD] and [UNK] included; 3 to AX_TOKENIZER_VOCABULARY_MAX, BPE from 258 on */
    int64_t min_count; /* words, characters and pairs seen less often are not learned; at least 1 */
    bool lowercase;    /* WORDPIECE: as bert-base-uncased, without accents too */
} ax_tokenizer_options;

/* "word", "char", "bpe", "wordpiece"; false for another name. */
bool ax_tokenizer_kind_of(const char *name, ax_tokenizer_kind *kind);

/*
 * Learning. Texts are any bytes; what is no UTF-8 counts as U+FFFD. The same texts in the same order give the same
 * tokenizer. AX_ERR_INVALID for options out of range. finish leaves the learner to be freed.
 */
ax_status ax_tokenizer_learn_begin(const ax_env *env, const ax_tokenizer_options *options, ax_tokenizer_learner **out,
                                   ax_error *err);
ax_status ax_tokenizer_learn_add(ax_tokenizer_learner *l, const char *text, size_t len, ax_error *err);
ax_status ax_tokenizer_learn_finish(ax_tokenizer_learner *l, ax_tokenizer **out, ax_error *err);
void ax_tokenizer_learner_free(ax_tokenizer_learner *l);

/*
 * A tokenizer.json. AX_ERR_INVALID when it is none, AX_ERR_UNSUPPORTED naming the part that is not done here.
 * Decoders, truncation, padding and post-processors are not looked at: no special tokens are put around a text.
 */
ax_status ax_tokenizer_read_json(const ax_env *env, const char *json, size_t len, ax_tokenizer **out, ax_error *err);
/* The text that reads back to the same tokenizer; lives as long as t. */
const char *ax_tokenizer_write_json(const ax_tokenizer *t, size_t *len);
void ax_tokenizer_free(ax_tokenizer *t);

/*
 * Unicode normalization by somebody who knows it: appends the form ("NFC", "NFD", "NFKC", "NFKD") of text to out.
 * Without one, a tokenizer that asks for it takes ASCII, which every form leaves alone, and refuses other texts.
 */
typedef ax_status (*ax_tokenizer_normalize)(void *ctx, const char *form, const char *text, size_t len, ax_text *out,
                                            ax_error *err);
void ax_tokenizer_set_normalize(ax_tokenizer *t, ax_tokenizer_normalize normalize, void *ctx);

/*
 * Writes at most max ids; *count becomes how many there would be. Time n log n in the text's length, memory in
 * proportion to it. One thread at a time.
 */
ax_status ax_tokenizer_encode(const ax_tokenizer *t, const char *text, size_t len, int32_t *ids, size_t max,
                              size_t *count, ax_error *err);

int ax_tokenizer_size(const ax_tokenizer *t);                  /* one more than the largest id */
const char *ax_tokenizer_token(const ax_tokenizer *t, int id); /* as it stands in the vocabulary; NULL for none */
int ax_tokenizer_id(const ax_tokenizer *t, const char *token); /* -1 for none */

#endif /* AX_TOKENIZER_H */
