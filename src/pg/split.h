/*
 * split.h: which rows learn and which judge.
 *
 * The engine splits at random by itself. Here are the splits that look at a column (groups stay together, the newest
 * rows judge), and folds, of which each judges once.
 */
#ifndef AIAAS_SPLIT_H
#define AIAAS_SPLIT_H

#include "postgres.h"

#include "rows.h"

/* Number of the fold of each row, 0 .. folds - 1: by groups when the rows have keys, else at random, class by class. */
extern int32 *aiaas_split_folds(const AiaasRows *rows, int folds, uint64 seed);

/* 1 for rows that judge, about `share` of them, else 0. By groups, or else the newest. */
extern int32 *aiaas_split_groups(const AiaasRows *rows, double share, uint64 seed);
extern int32 *aiaas_split_newest(const AiaasRows *rows, double share);

/* The rows whose number is (or, inside false, is not) `part`, as a dataset of their own. number NULL: all are 0. */
extern ax_dataset *aiaas_split_take(const AiaasRows *rows, const int32 *number, int32 part, bool inside);

#endif /* AIAAS_SPLIT_H */
