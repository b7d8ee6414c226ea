/* storm.h: what the programs of tests/storm, tests/model and tests/fault share: cases that print TAP, each run in a
 * process of its own, so that a crash or a hang is one failed case; random numbers; what the system says of a process.
 *
 *     static void frees(void) { EXPECT(...); }
 *     static const storm_case cases[] = {{"a block comes back", frees, 10}};
 *     int main(void) { return storm_main(cases, STORM_COUNT(cases)); }
 *
 * A case fails when an EXPECT of it does, when it expects nothing, when it ends by a signal or takes too long.
 * Environment: EMMA_TEST_LONG=1 for the full amount of work, EMMA_TEST_SEED=n to repeat a run, EMMA_TEST_CASE=n for one
 * case, EMMA_TEST_NO_FORK=1 to run the cases in this process (for a debugger). */
#ifndef EMMA_STORM_H
#define EMMA_STORM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emma.h"

/* The functions under test: the drop-in's, those of made heaps (storm_made.c), or emma's own. Programs that link the
 * drop-in define STORM_DROP_IN, those with made heaps STORM_MADE: these do a quarter of the work in a short run. */
#ifndef STORM_DROP_IN
#define STORM_DROP_IN 0
#endif
#ifndef STORM_MADE
#define STORM_MADE 0
#endif
#if STORM_MADE
void *storm_malloc(size_t size);
void *storm_calloc(size_t count, size_t size);
void *storm_realloc(void *block, size_t size);
void *storm_aligned_alloc(size_t align, size_t size);
void storm_free(void *block);
size_t storm_collect(void);
void storm_stats(emma_stats *sum); /* live and mapped bytes */
void storm_without_cpu(void);      /* from here on only the heap without CPU caches */
#elif STORM_DROP_IN
#include <malloc.h>
#include <stdlib.h>
#define storm_malloc        malloc
#define storm_calloc        calloc
#define storm_realloc       realloc
#define storm_aligned_alloc aligned_alloc
#define storm_free          free
#else
#define storm_malloc        emma_malloc
#define storm_calloc        emma_calloc
#define storm_realloc       emma_realloc
#define storm_aligned_alloc emma_aligned_alloc
#define storm_free          emma_free
#endif
#if !STORM_MADE
#define storm_collect       emma_collect
#define storm_stats         emma_stats_read
#define storm_without_cpu() ((void)0)
#endif

#if defined(__SANITIZE_THREAD__)
#define STORM_THREAD_SANITIZER 1
#else
#define STORM_THREAD_SANITIZER 0
#endif
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define STORM_SANITIZER 1
#else
#define STORM_SANITIZER 0
#endif

typedef struct storm_case {
    const char *name;
    void (*run)(void);
    unsigned seconds; /* on a machine of its own; thrice that is hung; ten times that in a long run */
} storm_case;

#define STORM_COUNT(array) (sizeof(array) / sizeof(array)[0])

int storm_main(const storm_case *cases, size_t count);

/* Returns: the condition, so that a loop can stop at the first failure. Any thread, any process made by a case. */
#define EXPECT(condition) storm_expect(condition, #condition, __FILE__, __LINE__)
bool storm_expect(bool condition, const char *text, const char *file, int line);

/* Whether an EXPECT of this case has failed, in any of its threads or processes. */
bool storm_failed(void);

/* The case cannot be run, for this reason. Does not return. */
_Noreturn void storm_skip(const char *reason);

/* A remark: "# ...". Does not allocate. */
__attribute__((format(printf, 1, 2))) void storm_note(const char *format, ...);

/* The short amount of work, or the long one. */
size_t storm_amount(size_t amount_short, size_t amount_long);

/* The seed of this run, printed where a case fails. */
uint64_t storm_seed(void);

/* Random numbers: SplitMix64, a state for each thread. */
uint64_t storm_random(uint64_t *state);

/* A number below limit. Requires: limit != 0. */
static inline size_t storm_below(uint64_t *state, size_t limit) {
    return (size_t)(storm_random(state) % limit);
}

double storm_seconds(void);

/* Resident bytes of this process. Does not allocate. */
size_t storm_resident_bytes(void);

/* How many threads this process has, emma's own included. */
size_t storm_threads(void);

/* How a program of one function ended: storm_run_apart. */
typedef struct storm_end {
    int signal; /* 0: it exited */
    int status;
    char text[400]; /* the begin of what it wrote to standard error */
} storm_end;

/* Run a function in a child of fork and wait for it; it exits with 0 where the function returns. */
storm_end storm_run_apart(void (*function)(void *), void *argument);

/* Wait for a child. Returns: whether it exited with status 0. */
bool storm_reap(int process);

#endif
