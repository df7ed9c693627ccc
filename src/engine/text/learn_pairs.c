/*
 * learn_pairs.c: the pairs of byte-pair encoding and WordPiece.
 */
#include "text/learn.h"

ax_status ax_learn_pairs(ax_tokenizer_learner *l, ax_text *vocabulary, ax_text *merges, ax_error *err)
{
    return ax_fail(err, AX_ERR_UNSUPPORTED, "tokenizers of pairs are not learned yet");
}
