/*
 * target.h: the column that a model learns.
 *
 * Collects the target of every row, as class codes or as numbers, and holds the rule that decides which
 * (see target.c). Used by a training, where the classes are found while reading, and for an existing
 * model (evaluation, validation rows), where they are given.
 */
#ifndef AIAAS_TARGET_H
#define AIAAS_TARGET_H

#include "postgres.h"

#include "ax.h"
#include "datum.h"
#include "label.h"

typedef struct AiaasTarget {
    MemoryContext context;
    const char *column;
    AiaasReader reader;  /* for numbers */
    AiaasLabels *labels; /* for classes */
    ax_task task;        /* AX_TASK_UNDECIDED: integers that may still go either way */
    int width;           /* numbers a row; 0 until the first row of a vector target */
    int64 count, room;   /* rows */
    int32 *code;         /* (count), classes */
    float *value;        /* (count, width), numbers */
} AiaasTarget;

/* hint: what the network calls for. Errors: a type that cannot be learned, or not for this task. */
extern AiaasTarget *aiaas_target_create(MemoryContext context, const char *column, Oid type,
                                        ax_task hint);

/* For a model that exists: task decided, labels (classification) or the number of outputs given. */
extern AiaasTarget *aiaas_target_for_model(MemoryContext context, const char *column, Oid type,
                                           ax_task task, const char *const *labels, int n_labels,
                                           int outputs);

/*
 * Adds one row's value, which is not NULL. AIAAS_READ_OK, _NULL (an element) and _NONFINITE are answers;
 * a label that the model does not know, a vector of another length and too many classes are errors that
 * name row number `row`.
 */
extern AiaasRead aiaas_target_add(AiaasTarget *t, Datum value, int64 row);

/* Forgets the rows and keeps the classes. */
extern void aiaas_target_clear(AiaasTarget *t);

/* Frees what the rows took. */
extern void aiaas_target_release(AiaasTarget *t);

/* No more rows: decides what is undecided, sorts the classes. Errors: fewer than two classes. */
extern void aiaas_target_finish(AiaasTarget *t);

/* A hash of everything collected, chained to `seed`. */
extern uint64 aiaas_target_hash(const AiaasTarget *t, uint64 seed);

#endif /* AIAAS_TARGET_H */
