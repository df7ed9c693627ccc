/*
 * initializer.h: how a fresh weight gets its numbers. Names, formulas and defaults are Keras's.
 *
 *     variance scaling    n = fan_in, fan_out or their mean; s = scale / n
 *                         uniform             [-sqrt(3 s), sqrt(3 s))
 *                         truncated_normal    sd sqrt(s) / 0.8796, cut at two of these sd, so that what is
 *                                             left after the cut has sd sqrt(s)
 *                         untruncated_normal  sd sqrt(s)
 *     glorot = scale 1 over the mean (Glorot and Bengio 2010), he = scale 2 over fan_in (He et al. 2015),
 *     lecun = scale 1 over fan_in
 *
 * The numbers are a function of the seed and of a stream number, so that a layer's weights do not depend
 * on the other layers' sizes.
 */
#ifndef AX_INITIALIZER_H
#define AX_INITIALIZER_H

#include "base/json.h"

typedef struct ax_initializer {
    const struct ax_initializer_row *row;
    double a, b; /* value; minval, maxval; mean, stddev; or the scale of variance scaling */
    int mode;    /* which fan */
    int shape;   /* of the distribution */
} ax_initializer;

/* By Keras's name in either form ("he_normal", "HeNormal"); NULL when there is none. Its settings are the
 * defaults. */
bool ax_initializer_find(const char *name, ax_initializer *out);
/* What a config holds: a name, or a name with settings. what opens the messages. */
ax_status ax_initializer_read(const ax_json *v, const char *what, ax_initializer *out,
                              ax_error *err);

/* Fills n floats. fan_in and fan_out as Keras counts them; AX_ERR_CANCELLED when the env says so. */
ax_status ax_initializer_fill(const ax_env *env, const ax_initializer *init, uint64_t seed,
                              uint64_t stream, double fan_in, double fan_out, int64_t n, float *out,
                              ax_error *err);

/* Orthogonal: a matrix, rows of columns, whose rows (or columns, if they are fewer) are orthogonal and as long as
 * "gain" says: the Q of a normal matrix (Saxe et al. 2013). */
bool ax_initializer_is_orthogonal(const ax_initializer *init);
ax_status ax_initializer_orthogonal(const ax_env *env, const ax_initializer *init, uint64_t seed, uint64_t stream,
                                    int64_t rows, int64_t columns, float *out, ax_error *err);

#endif /* AX_INITIALIZER_H */
