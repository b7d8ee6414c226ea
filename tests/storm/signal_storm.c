/* signal_storm.c: a timer's signals arrive while threads allocate; the handler allocates and frees, forks, or leaves by
 * longjmp. Blocks of all sizes. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "storm_work.h"

enum { THREADS = 3, TIMER_MICROSECONDS = 200 };

static _Atomic(size_t) handled;
static _Thread_local storm_work handler_work;
static _Thread_local bool in_handler; /* the signal may come to a handler's own thread again: SA_NODEFER */

static void start_timer(void (*handler)(int), int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART | flags};
    sigaction(SIGALRM, &action, NULL);
    atomic_store(&handled, 0);
    struct itimerval timer = {{0, TIMER_MICROSECONDS}, {0, TIMER_MICROSECONDS}};
    setitimer(ITIMER_REAL, &timer, NULL);
}

static void stop_timer(void) {
    struct itimerval none;
    memset(&none, 0, sizeof none);
    setitimer(ITIMER_REAL, &none, NULL);
}

static void allocate_in_handler(int number) {
    (void)number;
    atomic_fetch_add(&handled, 1);
    if (in_handler) { /* nested in a nested operation */
        storm_free(storm_malloc(100));
        return;
    }
    in_handler = true;
    if (handler_work.max_bytes == 0)
        handler_work = storm_work_new(storm_seed() + atomic_load(&handled), SIZE_MAX);
    storm_work_run(&handler_work, 30);
    in_handler = false;
}

/* Signals go to any thread that does not block them. Only threads of the storm work on tables. */
static void *churn(void *argument) {
    storm_work work = storm_work_new((uint64_t)(uintptr_t)argument, SIZE_MAX);
    double until = storm_seconds() + (double)storm_amount(10, 60);
    while (storm_seconds() < until && !storm_failed()) {
        storm_work_run(&work, 100);
        pthread_kill(pthread_self(), SIGALRM); /* the kernel prefers the first thread; the others get theirs, too */
    }
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    storm_work_end(&work);
    if (handler_work.max_bytes != 0)
        storm_work_end(&handler_work);
    return NULL;
}

static void storm_of_threads(void (*handler)(int), int flags) {
    pthread_t threads[THREADS];
    start_timer(handler, flags);
    for (size_t i = 0; i < THREADS; i++)
        EXPECT(pthread_create(&threads[i], NULL, churn, (void *)(uintptr_t)(storm_seed() + i)) == 0); // NOLINT
    churn((void *)(uintptr_t)(storm_seed() + THREADS));                                               // NOLINT
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    stop_timer();
    EXPECT(atomic_load(&handled) > 1000);
    storm_note("%zu signals", atomic_load(&handled));
}

static void handlers_allocate(void) {
    storm_of_threads(allocate_in_handler, 0);
}

static void handlers_nest(void) {
    storm_of_threads(allocate_in_handler, SA_NODEFER);
}

static void fork_at_times(int number) {
    allocate_in_handler(number);
    if (atomic_load(&handled) % 64 != 0)
        return;
    pid_t child = _Fork();
    if (child == 0) {
        stop_timer();
        storm_work_in_child(NULL, 200, false);
        _exit(0);
    }
    EXPECT(child > 0 && storm_reap(child));
}

static void handlers_fork(void) {
    storm_of_threads(fork_at_times, 0);
}

static _Thread_local sigjmp_buf away;
static _Thread_local _Atomic(bool) may_leave;

static void leave_at_times(int number) {
    (void)number;
    atomic_fetch_add(&handled, 1);
    if (atomic_load(&may_leave))
        siglongjmp(away, 1);
}

/* What the interrupted operation had in hand is lost, and bounded; everything else goes on, at a decent speed. */
static void *leave_and_go_on(void *argument) {
    storm_work work = storm_work_new((uint64_t)(uintptr_t)argument, 100000);
    double until = storm_seconds() + (double)storm_amount(10, 60);
    while (storm_seconds() < until && !storm_failed()) {
        void *volatile blocks[16] = {NULL};
        if (sigsetjmp(away, 1) == 0) {
            atomic_store(&may_leave, true);
            for (unsigned i = 0;; i++) { /* until a signal comes; what is in blocks then is lost with this frame */
                size_t slot = i % 16;
                void *block = blocks[slot];
                blocks[slot] = NULL;
                storm_free(block);
                blocks[slot] = storm_malloc((i * 977) % 3000 + (i % 512 == 0 ? 50000 : 1));
            }
        }
        atomic_store(&may_leave, false);
        storm_work_run(&work, 300);
    }
    storm_work_end(&work);
    return NULL;
}

static void handlers_leave(void) {
    emma_stats before;
    emma_stats after;
    storm_stats(&before);
    start_timer(leave_at_times, 0);
    leave_and_go_on((void *)(uintptr_t)storm_seed()); // NOLINT
    stop_timer();
    size_t left = atomic_load(&handled);
    storm_stats(&after);
    size_t lost = after.allocated_bytes - before.allocated_bytes;
    storm_note("%zu jumps, %zu KiB lost, %zu bytes each", left, lost >> 10, lost / (left + 1));
    EXPECT(left > 200);
    EXPECT(lost / (left + 1) < 262144); /* 16 blocks of the program's, two magazines, at times a span */
    double start = storm_seconds();
    for (size_t i = 0; i < 1000000; i++)
        storm_free(storm_malloc(i % 1000));
    double seconds = storm_seconds() - start;
    storm_note("after that a pair takes %.0f ns", seconds * 1000);
    EXPECT(seconds < 5);
}

int main(void) {
    static const storm_case cases[] = {
        {"signals: handlers allocate and free", handlers_allocate, 40},
        {"signals: handlers interrupt handlers", handlers_nest, 40},
        {"signals: handlers fork", handlers_fork, 60},
        {"signals: handlers leave by longjmp", handlers_leave, 40},
    };
    return storm_main(cases, STORM_COUNT(cases));
}
