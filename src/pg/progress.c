/*
 * progress.c: what a training tells while it runs, and what it remembers of its epochs.
 *
 * The line of an epoch goes to two readers: the client that waits, as a NOTICE, and whoever looks at
 * pg_stat_activity, in place of the query's text. The figures are kept, because their rows can only be
 * written once the version exists.
 */
#include "postgres.h"

#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
#include "utils/memutils.h"

#include "guc.h"
#include "limit.h"
#include "progress.h"

void aiaas_progress_begin(AiaasProgress *p, const char *model)
{
    memset(p, 0, sizeof(*p));
    p->model = model;
    p->unit = "epoch";
    initStringInfo(&p->line);
}

static void show(AiaasProgress *p, const char *what)
{
    char *activity = psprintf("aiaas_train \"%s\": %s", p->model, what);

    p->active = true;
    pgstat_report_activity(STATE_RUNNING, activity);
    pfree(activity);
}

void aiaas_progress_phase(AiaasProgress *p, const char *what)
{
    show(p, what);
}

static void remember(AiaasProgress *p, const char *split, int epoch, const ax_metric *metrics, int n)
{
    MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(p->line.data));

    for (int i = 0; metrics != NULL && i < n; i++) {
        AiaasFigure *f = palloc(sizeof(*f));

        f->split = split;
        f->epoch = epoch;
        f->name = pstrdup(metrics[i].name);
        f->value = metrics[i].value;
        p->figures = lappend(p->figures, f);
    }
    MemoryContextSwitchTo(old);
}

static void write_metrics(StringInfo s, const char *prefix, const ax_metric *metrics, int n)
{
    for (int i = 0; metrics != NULL && i < n; i++)
        appendStringInfo(s, "  %s%s %.4f", prefix, metrics[i].name, metrics[i].value);
}

static void write_times(StringInfo s, const ax_train_report *r)
{
    int left = r->epochs - r->epoch;

    appendStringInfo(s, "  %.1f s", r->seconds);
    if (r->stopped_early)
        appendStringInfoString(s, ", stopped early");
    else if (left > 0 && r->epoch > 0)
        appendStringInfo(s, ", %.0f s left", r->seconds_total / r->epoch * left);
    if (r->epoch == 1 && r->memory.total > 0)
        appendStringInfo(s, ", %s of memory", aiaas_limit_bytes(r->memory.total));
}

static bool is_told(const AiaasProgress *p, const ax_train_report *r)
{
    int tenth = Max(r->epochs / 10, 1);

    return strcmp(p->unit, "epoch") == 0 || r->epoch == 1 || r->epoch == r->epochs || r->epoch % tenth == 0 ||
           r->stopped_early;
}

void aiaas_progress_epoch(AiaasProgress *p, const ax_train_report *r)
{
    p->epochs = r->epoch;
    remember(p, "train", r->epoch, r->train, r->n_metrics);
    remember(p, "validation", r->epoch, r->valid, r->n_metrics);
    resetStringInfo(&p->line);
    appendStringInfo(&p->line, "%s %d/%d", p->unit, r->epoch, r->epochs);
    write_metrics(&p->line, "", r->train, r->n_metrics);
    write_metrics(&p->line, "val_", r->valid, r->n_metrics);
    write_times(&p->line, r);
    show(p, p->line.data);
    if (aiaas_progress && !p->quiet && is_told(p, r))
        ereport(NOTICE, (errmsg("%s", p->line.data)));
}

void aiaas_progress_end(AiaasProgress *p)
{
    if (!p->active)
        return;
    p->active = false;
    pgstat_report_activity(STATE_RUNNING, debug_query_string ? debug_query_string : "");
}

bool aiaas_progress_figure(const AiaasProgress *p, const char *split, int epoch, const char *name,
                           double *value)
{
    ListCell *cell;

    foreach (cell, p->figures) {
        const AiaasFigure *f = lfirst(cell);

        if (f->epoch == epoch && strcmp(f->split, split) == 0 && strcmp(f->name, name) == 0) {
            *value = f->value;
            return true;
        }
    }
    return false;
}
