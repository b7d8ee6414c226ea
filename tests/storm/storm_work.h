/* storm_work.h: what a storm's threads, handlers and children do: random operations on a small table of blocks, whose
 * contents are checked. Nothing here allocates but by the functions under test; it may run in a signal handler. */
#ifndef EMMA_STORM_WORK_H
#define EMMA_STORM_WORK_H

#include <sys/types.h>

#include "storm.h"

enum { STORM_WORK_SLOTS = 128 };

typedef struct storm_work {
    uint64_t random;
    size_t max_bytes; /* of a block */
    size_t done;
    struct {
        unsigned char *at;
        size_t size_bytes;
    } slot[STORM_WORK_SLOTS];
} storm_work;

static inline storm_work storm_work_new(uint64_t seed, size_t max_bytes) {
    return (storm_work){.random = seed, .max_bytes = max_bytes};
}

/* So many operations: allocations of all kinds, reallocations, frees. Blocks stay in the table. */
void storm_work_run(storm_work *work, size_t operations);

/* Check all blocks of the table. */
void storm_work_check(const storm_work *work);

/* Check and free all blocks of the table. */
void storm_work_end(storm_work *work);

/* The work of a new process: check and free what it inherited (NULL: nothing), then work; threads: in a new one, too.
 * */
void storm_work_in_child(storm_work *inherited, size_t operations, bool threads);

/* Fork in one of several ways. raw: _Fork or clone(SIGCHLD) without libc's own preparations. */
pid_t storm_fork(uint64_t random, bool raw);

#endif
