/*
 * learn.h: what the files that learn tokenizers share.
 */
#ifndef AX_TOKENIZER_LEARN_H
#define AX_TOKENIZER_LEARN_H

#include "text/parts.h"

typedef struct ax_counted {
    const char *text;
    int64_t count;
} ax_counted;

struct ax_tokenizer_learner {
    ax_env env;
    ax_tokenizer_options options;
    ax_tokenizer steps_of; /* only its env and its steps are used */
    ax_arena arena;
    ax_counted *word; /* in the order of their first appearance */
    size_t count, cap;
    int32_t *slot; /* index + 1 into word; twice cap */
};

/* Adds the tokens that pairs make of l's words to the vocabulary and, for BPE, the merges; writes both as JSON. */
ax_status ax_learn_pairs(ax_tokenizer_learner *l, ax_text *vocabulary, ax_text *merges, ax_error *err);
/* A word that was seen; long ones are not counted. */
ax_status ax_learn_count(ax_tokenizer_learner *l, const char *s, size_t n, int64_t times, ax_error *err);
/* By count, the most frequent first, then by bytes. */
void ax_counted_sort(ax_counted *c, size_t n);

#endif /* AX_TOKENIZER_LEARN_H */
