/*
 * progress.h: what a training tells while it runs, and what it remembers of its epochs.
 */
#ifndef AIAAS_PROGRESS_H
#define AIAAS_PROGRESS_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"

#include "ax.h"

/* One figure of one epoch, as it will stand in aiaas.metric. */
typedef struct AiaasFigure {
    const char *split; /* "train" or "validation" */
    int epoch;
    char *name;
    double value;
} AiaasFigure;

typedef struct AiaasProgress {
    const char *model;
    const char *unit; /* "epoch" or "round" */
    bool quiet;       /* no NOTICEs: a part of something larger */
    bool active;      /* pg_stat_activity shows our line */
    int epochs;       /* finished */
    List *figures;    /* of AiaasFigure, in order */
    StringInfoData line;
} AiaasProgress;

/* In CurrentMemoryContext, which must live as long as the training. */
extern void aiaas_progress_begin(AiaasProgress *p, const char *model);

/* "reading rows": shown in pg_stat_activity. */
extern void aiaas_progress_phase(AiaasProgress *p, const char *what);

/* An epoch ended: one line for pg_stat_activity and, if aiaas.progress is on, a NOTICE. Of many rounds a few are told:
 * the first, the last, and those in between that a new tenth begins with. */
extern void aiaas_progress_epoch(AiaasProgress *p, const ax_train_report *report);

/* pg_stat_activity shows the query again. Safe in any state, also while a transaction aborts. */
extern void aiaas_progress_end(AiaasProgress *p);

/* The figure of an epoch; false when there is none. */
extern bool aiaas_progress_figure(const AiaasProgress *p, const char *split, int epoch,
                                  const char *name, double *value);

#endif /* AIAAS_PROGRESS_H */
