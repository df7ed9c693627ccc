/*
 * test_pool.c: every task is done once, the number of threads does not show, the work can be
 * cancelled, and threads leave nothing behind.
 */
#include "unit.h"

#include <dirent.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "tensor/pool.h"

static ax_pool *open_pool(const ax_env *env, int threads)
{
    ax_pool *p = NULL;
    ax_error err;

    unit_status(ax_pool_open(env, threads, &p, &err), AX_OK, &err, "a pool of %d opens", threads);
    return p;
}

static void pause_ms(int ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
}

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec * 1e3 + (double) t.tv_nsec / 1e6;
}

/* ---- tasks ----------------------------------------------------------------------------------- */

enum { TASKS = 500 };

typedef struct counts {
    atomic_int times[TASKS];
} counts;

static void count_task(void *arg, int task)
{
    atomic_fetch_add(&((counts *) arg)->times[task], 1);
}

static void test_every_task_once(int threads)
{
    ax_pool *p = open_pool(unit_env(), threads);
    int bad = 0;
    ax_error err;

    unit_is_int(ax_pool_threads(p), threads, "it has %d threads", threads);
    for (int tasks = 0; tasks <= TASKS; tasks += tasks < 10 ? 1 : 49) {
        counts c = {0};

        bad += ax_pool_run(p, count_task, &c, tasks, &err) != AX_OK;
        for (int i = 0; i < TASKS; i++)
            bad += atomic_load(&c.times[i]) != (i < tasks);
    }
    unit_check(bad == 0, "%d threads: every task is done once", threads);
    ax_pool_close(p);
}

typedef struct rounding {
    float part[64];
} rounding;

/* A sum whose bits depend on the order, of numbers that depend on the task. */
static void sum_task(void *arg, int task)
{
    ax_rng r = ax_rng_make(1, (uint64_t) task);
    float sum = 0;

    for (int i = 0; i < 2000; i++)
        sum += ax_rng_uniform(&r) * 1e-3f;
    ((rounding *) arg)->part[task] = sum;
}

static void test_same_results(void)
{
    static const int threads[] = {1, 2, 3, 4, 8};
    rounding want;

    for (int i = 0; i < AX_COUNT(threads); i++) {
        ax_pool *p = open_pool(unit_env(), threads[i]);
        rounding got;
        ax_error err;

        for (int again = 0; again < 20; again++)
            ax_pool_run(p, sum_task, &got, 64, &err);
        if (i == 0)
            want = got;
        unit_same(&got, &want, sizeof(got), "%d threads: the same bits", threads[i]);
        ax_pool_close(p);
    }
}

static void add_task(void *arg, int task)
{
    atomic_fetch_add((atomic_long *) arg, task + 1);
}

static void test_tiny_runs(int threads)
{
    ax_pool *p = open_pool(unit_env(), threads);
    atomic_long sum = 0;
    ax_error err;
    int bad = 0;
    double start = now_ms();

    for (int i = 0; i < 20000; i++) {
        atomic_store(&sum, 0);
        bad += ax_pool_run(p, add_task, &sum, 6, &err) != AX_OK || atomic_load(&sum) != 21;
        if (i % 5000 == 0)
            pause_ms(2);
    }
    unit_check(bad == 0, "%d threads: 20000 tiny runs, %.1f us each", threads,
               (now_ms() - start) / 20);
    ax_pool_close(p);
}

/* ---- cancelling ------------------------------------------------------------------------------ */

typedef struct slow_work {
    ax_pool *pool;
    atomic_int started, finished, gave_up;
    pthread_t main_thread;
    atomic_int workers_busy;
    bool workers_only; /* the caller's tasks return at once */
} slow_work;

static void slow_task(void *arg, int task)
{
    slow_work *w = arg;

    (void) task;
    atomic_fetch_add(&w->started, 1);
    pause_ms(1);
    atomic_fetch_add(&w->finished, 1);
}

static void endless_task(void *arg, int task)
{
    slow_work *w = arg;
    bool is_caller = pthread_equal(pthread_self(), w->main_thread);

    (void) task;
    if (w->workers_only && is_caller) {
        for (int i = 0; i < 2000 && atomic_load(&w->workers_busy) == 0; i++)
            pause_ms(1);
        return;
    }
    atomic_fetch_add(&w->workers_busy, 1);
    for (int i = 0; i < 20000 && !ax_pool_stopped(w->pool); i++)
        pause_ms(1);
    atomic_fetch_add(&w->gave_up, 1);
}

static void test_cancel_between(int threads)
{
    slow_work w = {.main_thread = pthread_self()};
    const ax_env *env = unit_env_cancel_at(2);
    ax_error err = {0};
    counts c = {0};

    w.pool = open_pool(env, threads);
    unit_status(ax_pool_run(w.pool, slow_task, &w, 100000, &err), AX_ERR_CANCELLED, &err,
                "%d threads: a long run is cancelled", threads);
    unit_check(
        atomic_load(&w.started) == atomic_load(&w.finished) && atomic_load(&w.started) < 100000,
        "what was begun was finished, the rest (all but %d) left out", atomic_load(&w.started));
    unit_env_cancel_at(0);
    unit_status(ax_pool_run(w.pool, count_task, &c, 100, &err), AX_OK, &err,
                "the pool works again afterwards");
    unit_check(!ax_pool_stopped(w.pool), "and is not stopped");
    ax_pool_close(w.pool);
}

static void test_cancel_within(int threads, bool workers_only)
{
    slow_work w = {.main_thread = pthread_self(), .workers_only = workers_only};
    const ax_env *env = unit_env_cancel_at(3);
    ax_error err = {0};
    double start = now_ms();

    w.pool = open_pool(env, threads);
    unit_status(ax_pool_run(w.pool, endless_task, &w, threads, &err), AX_ERR_CANCELLED, &err,
                "%d threads: endless tasks %sare cancelled", threads,
                workers_only ? "of workers " : "");
    unit_check(atomic_load(&w.gave_up) > 0 && now_ms() - start < 5000, "after %.0f ms",
               now_ms() - start);
    ax_pool_close(w.pool);
}

static void poll_often(void *arg, int task)
{
    (void) task;
    for (int i = 0; i < 200; i++) {
        ax_pool_stopped(arg);
        usleep(200);
    }
}

static void test_polls(void)
{
    ax_pool *p = open_pool(unit_env(), 2);
    ax_error err;
    long before = unit_polls(), polls;
    double start = now_ms(), ms;

    ax_pool_run(p, poll_often, p, 8, &err);
    polls = unit_polls() - before;
    ms = now_ms() - start;
    unit_check(polls >= 1 && (double) polls <= ms / 5 + 1, "asked %ld times in %.0f ms", polls, ms);
    unit_check(!ax_pool_stopped(NULL), "no pool is never stopped");
    ax_pool_close(p);
}

/* ---- threads --------------------------------------------------------------------------------- */

static int count_threads(void)
{
    DIR *dir = opendir("/proc/self/task");
    int n = 0;

    if (dir == NULL)
        return -1;
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir))
        n += e->d_name[0] != '.';
    closedir(dir);
    return n;
}

/* A thread that was joined may still be listed for a moment. */
static int count_threads_settled(int want)
{
    for (int i = 0; i < 500 && count_threads() != want; i++)
        pause_ms(2);
    return count_threads();
}

static void test_threads_leave(void)
{
    int before = count_threads();
    ax_pool *p;

    if (before < 0) {
        unit_skip("no /proc here");
        return;
    }
    p = open_pool(unit_env(), 1);
    unit_is_int(count_threads(), before, "a pool of one makes no thread");
    ax_pool_close(p);
    p = open_pool(unit_env(), 5);
    unit_is_int(count_threads_settled(before + 4), before + 4, "a pool of five makes four");
    ax_pool_close(p);
    unit_is_int(count_threads_settled(before), before, "which are gone when it closes");
    ax_pool_close(NULL);
}

typedef struct signal_work {
    pthread_t main_thread;
    atomic_int workers, unblocked;
} signal_work;

static void signal_task(void *arg, int task)
{
    signal_work *w = arg;
    sigset_t set;

    (void) task;
    if (pthread_equal(pthread_self(), w->main_thread)) {
        for (int i = 0; i < 2000 && atomic_load(&w->workers) == 0; i++)
            pause_ms(1);
        return;
    }
    atomic_fetch_add(&w->workers, 1);
    pthread_sigmask(SIG_BLOCK, NULL, &set);
    for (int s = 1; s < 65; s++) {
        if (s == SIGKILL || s == SIGSTOP || s == 32 || s == 33)
            continue; /* cannot be blocked, or belong to the C library */
        atomic_fetch_add(&w->unblocked, sigismember(&set, s) == 0);
    }
}

static void test_signals(void)
{
    signal_work w = {.main_thread = pthread_self()};
    sigset_t before, after;
    ax_pool *p;
    ax_error err;
    int changed = 0;

    pthread_sigmask(SIG_BLOCK, NULL, &before);
    p = open_pool(unit_env(), 3);
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    for (int s = 1; s < 65; s++)
        changed += sigismember(&before, s) != sigismember(&after, s);
    unit_is_int(changed, 0, "the caller's signal mask is as before");
    ax_pool_run(p, signal_task, &w, 3, &err);
    unit_check(atomic_load(&w.workers) > 0 && atomic_load(&w.unblocked) == 0,
               "workers have every signal blocked");
    ax_pool_close(p);
}

static void nested_task(void *arg, int task)
{
    counts c = {0};
    ax_error err;

    (void) task;
    if (ax_pool_run(((slow_work *) arg)->pool, count_task, &c, 2, &err) == AX_ERR_INTERNAL)
        atomic_fetch_add(&((slow_work *) arg)->gave_up, 1);
}

static void test_misuse(void)
{
    ax_pool *p = NULL;
    ax_error err;
    slow_work w = {0};

    unit_status(ax_pool_open(unit_env(), 0, &p, &err), AX_ERR_INVALID, &err, "no threads");
    unit_status(ax_pool_open(unit_env(), AX_MAX_THREADS + 1, &p, &err), AX_ERR_INVALID, &err,
                "too many threads");
    unit_status(ax_pool_open(unit_env_fail_at(1), 2, &p, &err), AX_ERR_NOMEM, &err, "no memory");
    unit_check(p == NULL, "leave the output alone");
    w.pool = open_pool(unit_env(), 3);
    ax_pool_run(w.pool, nested_task, &w, 5, &err);
    unit_is_int(atomic_load(&w.gave_up), 5, "a run within a run is refused");
    ax_pool_close(w.pool);
    unit_check(ax_cpu_count() >= 1, "there is a processor (%d)", ax_cpu_count());
}

/* Opening and closing at once, and closing while the workers are on their way to sleep. */
static void test_open_and_close(void)
{
    int bad = 0;

    for (int i = 0; i < 100; i++) {
        ax_pool *p = NULL;
        ax_error err;
        atomic_long sum = 0;

        bad += ax_pool_open(unit_env(), 2 + i % 4, &p, &err) != AX_OK;
        if (i % 2)
            bad += ax_pool_run(p, add_task, &sum, 9, &err) != AX_OK || atomic_load(&sum) != 45;
        ax_pool_close(p);
    }
    unit_check(bad == 0, "a hundred pools open and close");
}

int main(void)
{
    test_every_task_once(1);
    test_every_task_once(2);
    test_every_task_once(7);
    test_same_results();
    test_tiny_runs(1);
    test_tiny_runs(2);
    test_tiny_runs(4);
    test_cancel_between(1);
    test_cancel_between(3);
    test_cancel_within(1, false);
    test_cancel_within(3, false);
    test_cancel_within(2, true);
    test_polls();
    test_threads_leave();
    test_signals();
    test_misuse();
    test_open_and_close();
    return unit_done();
}
