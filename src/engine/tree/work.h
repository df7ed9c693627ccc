/*
 * work.h: how this floor shares work out among threads.
 *
 * A task's result depends on its number only. Where tasks need memory of their own, there are as many tasks as threads
 * and each takes item after item from a counter: then the item's number is what counts.
 */
#ifndef AX_WORK_H
#define AX_WORK_H

#include "tensor/pool.h"

typedef struct ax_work {
    ax_env env;
    ax_pool *pool;    /* or NULL: all in the caller's thread */
    bool stopped;     /* without a pool: the env said no */
} ax_work;

static inline int ax_work_threads(const ax_work *w)
{
    return w->pool != NULL ? ax_pool_threads(w->pool) : 1;
}

/* In a task: give up? To be asked at least every 10 ms. */
static inline bool ax_work_stopped(ax_work *w)
{
    if (w->pool != NULL)
        return ax_pool_stopped(w->pool);
    if (!w->stopped && !ax_may_continue(&w->env))
        w->stopped = true;
    return w->stopped;
}

/* Calls fn(arg, task) for every task in [0, tasks). */
static inline ax_status ax_work_run(ax_work *w, void (*fn)(void *arg, int task), void *arg, int tasks,
                                    ax_error *err)
{
    if (w->pool != NULL)
        return ax_pool_run(w->pool, fn, arg, tasks, err);
    for (int i = 0; i < tasks && !ax_work_stopped(w); i++)
        fn(arg, i);
    return w->stopped ? ax_cancelled(err) : AX_OK;
}

#endif /* AX_WORK_H */
