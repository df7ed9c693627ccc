/*
 * pool.c: the engine's own threads.
 *
 * A run is open from the moment the caller publishes it (under the lock, with a new generation)
 * until the caller itself runs out of tasks. A worker that wakes in between joins: it counts itself
 * in `working` under the lock, takes task numbers from one atomic counter until there are none, and
 * counts itself out. A worker that wakes later finds the run closed and goes back to wait. So the
 * caller waits only for threads that really have a task in hand; on a busy machine no run is held
 * up by a thread that the scheduler has not got round to.
 *
 * Waiting is spinning for SPIN_NS, then sleeping on a condition variable. With more threads than
 * CPUs nobody spins, because the time would be taken from a thread that has work.
 *
 * Only the caller's thread asks the env, at most every POLL_NS, by a clock that costs a few
 * nanoseconds to read; the answer "no" is kept in `stop`, which ends the run for everybody and is
 * never asked for again in it.
 */
#include "tensor/pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

#define SPIN_NS    20000
#define POLL_NS    10000000
#define STACK_SIZE ((size_t) 2 << 20)

struct ax_pool {
    ax_env env;
    int threads;
    int started; /* pthreads that exist */
    bool may_spin;
    pthread_mutex_t lock;
    pthread_cond_t wake; /* for workers: a run was opened, or quit */
    pthread_cond_t done; /* for the caller: working fell to 0 */
    pthread_t worker[AX_MAX_THREADS];

    /* The run; written by the caller under the lock while no worker is in. */
    void (*fn)(void *arg, int task);
    void *arg;
    int tasks;
    bool open;
    bool running; /* from the beginning to the end of ax_pool_run */
    pthread_t caller;
    int64_t polled_at;

    atomic_bool quit, stop;
    atomic_int working;          /* workers in the run; changed under the lock */
    atomic_uint_fast64_t opened; /* the run's generation; changed under the lock */
    atomic_int_fast64_t next;    /* task number; goes past `tasks` by a thread each */
};

/* ---- time ------------------------------------------------------------------------------------ */

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (int64_t) t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t coarse_ns(void)
{
#ifdef CLOCK_MONOTONIC_COARSE
    return clock_ns(CLOCK_MONOTONIC_COARSE);
#else
    return clock_ns(CLOCK_MONOTONIC);
#endif
}

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

int ax_cpu_count(void)
{
    cpu_set_t set[16]; /* room for 16,384 processors */
    int n = sched_getaffinity(0, sizeof(set), set) == 0 ? CPU_COUNT_S(sizeof(set), set) : 1;

    return AX_MAX(n, 1);
}

/* ---- asking the env -------------------------------------------------------------------------- */

static bool stopping(ax_pool *p)
{
    return atomic_load_explicit(&p->stop, memory_order_relaxed);
}

/* Only in the caller's thread. */
static void poll_env(ax_pool *p)
{
    int64_t now = coarse_ns();

    if (stopping(p) || now - p->polled_at < POLL_NS)
        return;
    p->polled_at = now;
    if (!ax_may_continue(&p->env))
        atomic_store_explicit(&p->stop, true, memory_order_relaxed);
}

bool ax_pool_stopped(ax_pool *p)
{
    if (p == NULL)
        return false;
    if (p->running && pthread_equal(pthread_self(), p->caller))
        poll_env(p);
    return stopping(p);
}

/* ---- workers --------------------------------------------------------------------------------- */

/* Tasks, one after the other, until there are none; poll: this is the caller's thread. */
static void take_tasks(ax_pool *p, bool poll)
{
    for (;;) {
        int64_t task;

        if (poll)
            poll_env(p);
        if (stopping(p))
            return;
        task = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed);
        if (task >= p->tasks)
            return;
        p->fn(p->arg, (int) task);
    }
}

/* Outside the lock: for a short time, until another run than `seen` is opened. */
static void spin_for_run(ax_pool *p, uint64_t seen)
{
    int64_t end = clock_ns(CLOCK_MONOTONIC) + SPIN_NS;

    do {
        for (int i = 0; i < 32; i++) {
            if (atomic_load_explicit(&p->opened, memory_order_relaxed) != seen ||
                atomic_load_explicit(&p->quit, memory_order_relaxed))
                return;
            relax();
        }
    } while (clock_ns(CLOCK_MONOTONIC) < end);
}

/* Holds the lock before and after. False: the pool is closing. */
static bool wait_for_run(ax_pool *p, uint64_t *seen)
{
    bool spin = p->may_spin;

    while (!atomic_load(&p->quit)) {
        if (atomic_load(&p->opened) != *seen) {
            *seen = atomic_load(&p->opened);
            if (p->open)
                return true;
        } else if (spin) {
            pthread_mutex_unlock(&p->lock);
            spin_for_run(p, *seen);
            pthread_mutex_lock(&p->lock);
            spin = false;
        } else {
            pthread_cond_wait(&p->wake, &p->lock);
        }
    }
    return false;
}

static void *work(void *arg)
{
    ax_pool *p = arg;
    uint64_t seen = 0;

    pthread_mutex_lock(&p->lock);
    while (wait_for_run(p, &seen)) {
        atomic_fetch_add(&p->working, 1);
        pthread_mutex_unlock(&p->lock);
        take_tasks(p, false);
        pthread_mutex_lock(&p->lock);
        if (atomic_fetch_sub(&p->working, 1) == 1)
            pthread_cond_signal(&p->done);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* ---- a run ----------------------------------------------------------------------------------- */

static void open_run(ax_pool *p, void (*fn)(void *arg, int task), void *arg, int tasks)
{
    pthread_mutex_lock(&p->lock);
    p->fn = fn;
    p->arg = arg;
    p->tasks = tasks;
    p->caller = pthread_self();
    p->running = true;
    atomic_store(&p->stop, false);
    atomic_store(&p->next, 0);
    if (p->started > 0 && tasks > 1) {
        p->open = true;
        atomic_fetch_add(&p->opened, 1);
    }
    pthread_mutex_unlock(&p->lock);
    if (!p->open)
        return;
    if (tasks > p->started)
        pthread_cond_broadcast(&p->wake);
    for (int i = 1; i < tasks && tasks <= p->started; i++)
        pthread_cond_signal(&p->wake);
}

static void spin_until_done(ax_pool *p)
{
    int64_t end = clock_ns(CLOCK_MONOTONIC) + SPIN_NS;

    do {
        for (int i = 0; i < 32; i++) {
            if (atomic_load_explicit(&p->working, memory_order_relaxed) == 0)
                return;
            relax();
        }
    } while (clock_ns(CLOCK_MONOTONIC) < end);
}

/* Holds the lock before and after; sleeps until a signal, or until it is time to ask the env. */
static void sleep_until_done(ax_pool *p)
{
    int64_t until = clock_ns(CLOCK_MONOTONIC) + POLL_NS;
    struct timespec t = {(time_t) (until / 1000000000), (long) (until % 1000000000)};

    pthread_cond_timedwait(&p->done, &p->lock, &t);
    if (atomic_load(&p->working) == 0)
        return;
    pthread_mutex_unlock(&p->lock);
    poll_env(p);
    pthread_mutex_lock(&p->lock);
}

static void close_run(ax_pool *p)
{
    pthread_mutex_lock(&p->lock);
    p->open = false;
    if (p->may_spin && atomic_load(&p->working) > 0) {
        pthread_mutex_unlock(&p->lock);
        spin_until_done(p);
        pthread_mutex_lock(&p->lock);
    }
    while (atomic_load(&p->working) > 0)
        sleep_until_done(p);
    p->running = false;
    pthread_mutex_unlock(&p->lock);
}

ax_status ax_pool_run(ax_pool *p, void (*fn)(void *arg, int task), void *arg, int tasks,
                      ax_error *err)
{
    if (p->running)
        return ax_fail(err, AX_ERR_INTERNAL, "a task of a thread pool started another run");
    open_run(p, fn, arg, tasks);
    take_tasks(p, true);
    close_run(p);
    return stopping(p) ? ax_cancelled(err) : AX_OK;
}

/* ---- opening and closing --------------------------------------------------------------------- */

int ax_pool_threads(const ax_pool *p)
{
    return p->threads;
}

/* Workers inherit the mask that is set while they are made, so no signal ever reaches them. */
static bool start_workers(ax_pool *p)
{
    pthread_attr_t attr;
    sigset_t all, before;

    if (p->threads == 1)
        return true;
    if (pthread_attr_init(&attr) != 0)
        return false;
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (p->started < p->threads - 1 &&
           pthread_create(&p->worker[p->started], &attr, work, p) == 0)
        p->started++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return p->started == p->threads - 1;
}

static void init_locks(ax_pool *p)
{
    pthread_condattr_t attr;

    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->done, &attr);
    pthread_condattr_destroy(&attr);
}

ax_status ax_pool_open(const ax_env *env, int threads, ax_pool **out, ax_error *err)
{
    ax_pool *p;
    int started;

    if (threads < 1 || threads > AX_MAX_THREADS)
        return ax_fail(err, AX_ERR_INVALID, "number of threads %d is not between 1 and %d", threads,
                       AX_MAX_THREADS);
    p = ax_zalloc(env, sizeof(*p));
    if (p == NULL)
        return ax_nomem(err);
    p->env = *env;
    p->threads = threads;
    p->may_spin = threads <= ax_cpu_count();
    p->polled_at = coarse_ns();
    init_locks(p);
    if (!start_workers(p)) {
        started = p->started;
        ax_pool_close(p);
        ax_fail(err, AX_ERR_NOMEM, "could not start thread %d of %d", started + 2, threads);
        ax_hint(err, "Ask for fewer threads, or raise the limit on processes.");
        return err->status;
    }
    *out = p;
    return AX_OK;
}

void ax_pool_close(ax_pool *p)
{
    ax_env env;

    if (p == NULL)
        return;
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->quit, true);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->started; i++)
        pthread_join(p->worker[i], NULL);
    pthread_cond_destroy(&p->wake);
    pthread_cond_destroy(&p->done);
    pthread_mutex_destroy(&p->lock);
    env = p->env;
    ax_free(&env, p);
}
