"""Threads that stay, in C: passes of the parts of a batch at the same time, and the sum of theirs.

In: a table of jobs, one row each: pass, sizes, samples of a step, arrays, tape, workspace. Out:
nothing; all of them are done. A thread that has done its job waits awake for a while, as the next
is often near, and sleeps then: to wake one takes longer than some passes.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any, Final

from numeric.compiler.to_c.build import FLAGS, library

MOST: Final = 1024  # jobs of a call, and threads
CREW: Final = """
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#if defined(__x86_64__) || defined(__i386__)
#define PAUSE __builtin_ia32_pause()
#else
#define PAUSE ((void)0)
#endif
#define MOST {MOST}
#define TURNS 256 /* of a wait before the processor is offered to others, some microseconds */

typedef void pass(const void *sizes, ptrdiff_t across, const void *given, void *tape, void *room);
struct job {
    pass *pass;
    const void *sizes;
    ptrdiff_t across;
    const void *given;
    void *tape, *room;
};
enum { FREE, TAKEN, GIVEN, DONE };
static struct worker {
    _Atomic int state;
    int waits; /* for what the other side changes, asleep */
    const struct job *job;
    pthread_t thread;
    int apart; /* the core, counted from 1, that it is kept away from */
    pthread_mutex_t lock;
    pthread_cond_t change;
} workers[MOST];
static _Atomic int made;
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;

static void tell(struct worker *w, int state)
{
    pthread_mutex_lock(&w->lock);
    atomic_store(&w->state, state);
    if (w->waits)
        pthread_cond_broadcast(&w->change);
    pthread_mutex_unlock(&w->lock);
}
/* Waits until the state is the one that is wanted: awake, then giving way, then asleep. */
static void await(struct worker *w, int state, int patience)
{
    for (int turn = 0; turn < patience; turn++) {
        if (atomic_load(&w->state) == state)
            return;
        PAUSE;
        if (turn % TURNS == TURNS - 1)
            sched_yield();
    }
    pthread_mutex_lock(&w->lock);
    w->waits++;
    while (atomic_load(&w->state) != state)
        pthread_cond_wait(&w->change, &w->lock);
    w->waits--;
    pthread_mutex_unlock(&w->lock);
}
static void done(const struct job *job)
{
    job->pass(job->sizes, job->across, job->given, job->tape, job->room);
}
static void *work(void *own)
{
    struct worker *w = own;
    for (;;) {
        await(w, GIVEN, 64 * TURNS);
        done(w->job);
        tell(w, DONE);
    }
    return NULL;
}
/* A worker that nobody else has; NULL if there is none and none can be made. */
static struct worker *taken(void)
{
    for (int i = 0, count = atomic_load(&made); i < count; i++) {
        int expected = FREE;
        if (atomic_compare_exchange_strong(&workers[i].state, &expected, TAKEN))
            return &workers[i];
    }
    struct worker *w = NULL;
    sigset_t all, before;
    sigfillset(&all); /* signals are for the threads that the process had */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_mutex_lock(&making);
    const int count = atomic_load(&made);
    if (count < MOST) {
        w = &workers[count];
        pthread_mutex_init(&w->lock, NULL);
        pthread_cond_init(&w->change, NULL);
        w->waits = w->apart = 0;
        atomic_store(&w->state, TAKEN);
        if (pthread_create(&w->thread, NULL, work, w) == 0) {
            pthread_detach(w->thread);
            atomic_store(&made, count + 1);
        } else {
            w = NULL;
        }
    }
    pthread_mutex_unlock(&making);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return w;
}
/* Keeps a worker off the core that its caller works on: one that is woken may be put there. */
static void part(struct worker *w)
{
#ifdef __linux__
    const int core = sched_getcpu();
    cpu_set_t cores;
    if (core < 0 || w->apart == core + 1)
        return;
    if (pthread_getaffinity_np(pthread_self(), sizeof cores, &cores) == 0) {
        CPU_CLR((size_t)core, &cores);
        if (CPU_COUNT(&cores) > 0 && pthread_setaffinity_np(w->thread, sizeof cores, &cores) == 0)
            w->apart = core + 1;
    }
#else
    (void)w;
#endif
}
/* Does all jobs, MOST of them at most; the first on the caller's own thread. */
void crew_run(const struct job *jobs, int count)
{
    struct worker *others[MOST];
    for (int i = 1; i < count; i++) {
        others[i] = taken();
        if (others[i]) {
            others[i]->job = &jobs[i];
            part(others[i]);
            tell(others[i], GIVEN);
        }
    }
    done(&jobs[0]);
    for (int i = 1; i < count; i++) {
        if (others[i]) {
            await(others[i], DONE, 1024 * TURNS);
            atomic_store(&others[i]->state, FREE);
        } else {
            done(&jobs[i]);
        }
    }
}
/* After a fork the child has no threads but its own. */
static void alone(void)
{
    atomic_store(&made, 0);
    pthread_mutex_init(&making, NULL);
}
__attribute__((constructor)) static void ready(void)
{
    pthread_atfork(NULL, NULL, alone);
}
void crew_add_f4(float *to, const float *from, ptrdiff_t count)
{
    for (ptrdiff_t i = 0; i < count; i++)
        to[i] += from[i];
}
void crew_add_f8(double *to, const double *from, ptrdiff_t count)
{
    for (ptrdiff_t i = 0; i < count; i++)
        to[i] += from[i];
}
""".replace("{MOST}", str(MOST))


@cache
def crew() -> Any:
    """The library: `crew_run`, `crew_add_f4`, `crew_add_f8`.

    Raises:
        NoCompilerError: if there is no compiler.
        OSError: if the cache cannot be written.
    """
    opened = ctypes.CDLL(str(library(CREW, "crew", "f4", (*FLAGS, "-pthread"))))
    for name in ("crew_run", "crew_add_f4", "crew_add_f8"):
        getattr(opened, name).restype = None
    opened.crew_run.argtypes = [ctypes.c_void_p, ctypes.c_int]
    for add in (opened.crew_add_f4, opened.crew_add_f8):
        add.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ssize_t]
    return opened
