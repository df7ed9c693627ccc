/*
 * tile_check.h: what test_tile and test_channel share: arrays that end where their memory ends,
 * random tables of offsets, and outputs that know what they must hold.
 *
 * An output is judged cell by cell. Each cell has the true value, summed up in double by a plain
 * loop, and the sum of the magnitudes of its terms; a float sum of n rounded products in any order
 * is at most (n + 2) * 2^-24 times that away. A cell that no loop names must keep its bits. A NaN
 * must come out where the loop has one, and nowhere else.
 *
 *     cells c = cells_new(n);            // random numbers
 *     cells_add(&c, i, x * y);           // c.got[i] += x * y is what the kernel should do
 *     kernel(..., c.got);
 *     tally_count(&t, cells_wrong(&c), "columns %d", ...);
 *     check_free();
 */
#ifndef AX_TILE_CHECK_H
#define AX_TILE_CHECK_H

#include "unit.h"

#include "tensor/kernel.h"

/* ---- memory: all of it goes at check_free ---------------------------------------------------- */

/*
 * Exactly n elements: the first stands at an address that no vector likes, and AddressSanitizer
 * sees a read past the last. Floats are random.
 */
float *check_floats(int64_t n);
int32_t *check_ints(int64_t n);
uint8_t *check_bytes(int64_t n);
void check_free(void);

/* Random numbers; whole: small whole ones, whose sums are exact and often equal. */
void check_fill(float *x, int64_t n, bool whole);
/* In one of three calls one of the n becomes NaN or infinite. */
void check_spoil(float *x, int64_t n);
bool check_same(float a, float b); /* the same bits, or both NaN */

/* ---- offsets --------------------------------------------------------------------------------- */

/* n offsets: overlapping windows, or in any order, some below zero. */
int32_t *check_offsets(int64_t n);
/* n offsets in any order whose next `width` floats are apart; *size: floats up to the last one's
 * end. */
int32_t *check_apart(int64_t n, int64_t width, int64_t *size);
/* x such that x[at[i] + run[r] + k] is there for k < width and all i and r, and little else. */
const float *check_reach(const int32_t *at, int64_t n, const int32_t *run, int64_t runs,
                         int64_t width, bool whole);

/* ---- outputs --------------------------------------------------------------------------------- */

typedef struct cell {
    double value, size; /* the sum, and the sum of the magnitudes */
    int64_t terms;      /* 0: must not change; -1: exactly this float */
} cell;

typedef struct cells {
    int64_t n;
    float *got, *before;
    cell *want;
} cells;

cells cells_new(int64_t n);
void cells_add(cells *c, int64_t i, double term);  /* c.got[i] += term */
void cells_set(cells *c, int64_t i, cell want);    /* c.got[i] = a sum made with cell_add */
void cells_exact(cells *c, int64_t i, float want); /* c.got[i] = want, bit by bit */
void cell_add(cell *c, double term);
cell cell_relu(cell c); /* max(0, value); NaN stays NaN */
/* How many are not as they must be. */
int64_t cells_wrong(const cells *c);
/* Keeps what came out and puts back what was there before, for a second run: has it the same bits?
 */
float *cells_again(cells *c);
int64_t cells_differ(const cells *c, const float *kept);

/* ---- counting -------------------------------------------------------------------------------- */

/* Failures over many cases, and how to get at the first one. */
typedef struct tally {
    int64_t cases, wrong;
    char first[160];
} tally;

void tally_count(tally *t, int64_t wrong, const char *fmt, ...) AX_PRINTF(3, 4);
/* One line of TAP: "name: what". */
void tally_check(const tally *t, const char *isa, const char *what);

/* Calls the function for every instruction set that this CPU has. */
void check_every_isa(void (*fn)(const ax_kernels *k));

#endif /* AX_TILE_CHECK_H */
