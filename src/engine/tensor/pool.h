/*
 * pool.h: the engine's own threads.
 *
 * A pool of n threads is n-1 pthreads and the caller. They are created with every signal blocked, never
 * call the env, never allocate, and are joined by ax_pool_close. Between runs they spin for a bounded time
 * and then sleep, so that an idle pool costs nothing.
 *
 * ax_pool_run cuts the work into `tasks` numbered pieces; which thread does which piece is left to
 * chance, so a task's result may depend on its number only. That is what makes results independent of the
 * number of threads.
 */
#ifndef AX_POOL_H
#define AX_POOL_H

#include <stdatomic.h>

#include "base/base.h"

typedef struct ax_pool ax_pool;

#define AX_MAX_THREADS 256

/* threads >= 1; 1 makes a pool without pthreads. A thread that cannot be made: AX_ERR_NOMEM. */
ax_status ax_pool_open(const ax_env *env, int threads, ax_pool **out, ax_error *err);
int ax_pool_threads(const ax_pool *p);
/*
 * Calls fn(arg, task) for every task in [0, tasks), and returns when all are done. The calling thread works
 * too, and asks the env's may_continue about every 10 ms: between its tasks, while it waits, and in
 * ax_pool_stopped when called from one of its tasks. Once the answer was no, tasks that have not started are
 * skipped, running ones see ax_pool_stopped, and the run returns AX_ERR_CANCELLED.
 */
ax_status ax_pool_run(ax_pool *p, void (*fn)(void *arg, int task), void *arg, int tasks,
                      ax_error *err);
/* For long tasks: should this task give up? Any thread may ask; cheap. p may be NULL (false). */
bool ax_pool_stopped(ax_pool *p);
void ax_pool_close(ax_pool *p);

#endif /* AX_POOL_H */
