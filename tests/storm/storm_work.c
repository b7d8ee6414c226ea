/* storm_work.c: see storm_work.h. */
#include "storm_work.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { EDGE_BYTES = 64 };

static unsigned char pattern(const unsigned char *at, size_t size_bytes) {
    return (unsigned char)(((uintptr_t)at >> 4) * 31 + size_bytes);
}

static size_t edge(size_t size_bytes) {
    return size_bytes < EDGE_BYTES ? size_bytes : EDGE_BYTES;
}

static bool has(const unsigned char *at, unsigned char byte, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        if (at[i] != byte)
            return false;
    return true;
}

static void fill(unsigned char *at, size_t size_bytes) {
    unsigned char byte = pattern(at, size_bytes);
    memset(at, byte, edge(size_bytes));
    memset(at + size_bytes - edge(size_bytes), byte, edge(size_bytes));
}

static void check(const unsigned char *at, size_t size_bytes) {
    unsigned char byte = pattern(at, size_bytes);
    EXPECT(has(at, byte, edge(size_bytes)) && has(at + size_bytes - edge(size_bytes), byte, edge(size_bytes)));
}

static size_t random_size(storm_work *work) {
    size_t kind = storm_below(&work->random, 4096);
    size_t most = kind < 3000 ? 256 : kind < 3900 ? 2048 : kind < 4064 ? 40000 : kind < 4094 ? 400000 : 5000000;
    return 1 + storm_below(&work->random, most < work->max_bytes ? most : work->max_bytes);
}

static unsigned char *allocate(storm_work *work, size_t size_bytes) {
    size_t kind = storm_below(&work->random, 16);
    if (kind == 0) {
        unsigned char *at = storm_calloc(1, size_bytes);
        EXPECT(at == NULL || (has(at, 0, edge(size_bytes)) && at[size_bytes / 2] == 0));
        return at;
    }
    if (kind == 1) {
        size_t align = (size_t)16 << storm_below(&work->random, 9);
        unsigned char *at = storm_aligned_alloc(align, size_bytes);
        EXPECT((uintptr_t)at % align == 0);
        return at;
    }
    return storm_malloc(size_bytes);
}

static void step(storm_work *work) {
    size_t i = storm_below(&work->random, STORM_WORK_SLOTS);
    unsigned char *at = work->slot[i].at;
    size_t size = work->slot[i].size_bytes;
    if (at == NULL) {
        size = random_size(work);
        at = allocate(work, size);
    } else {
        check(at, size);
        if (storm_below(&work->random, 8) != 0) {
            work->slot[i].at = NULL;
            storm_free(at);
            return;
        }
        size = random_size(work);
        unsigned char byte = at[0];
        at = storm_realloc(at, size);
        EXPECT(at == NULL || at[0] == byte);
    }
    if (!EXPECT(at != NULL))
        return;
    fill(at, size);
    work->slot[i].size_bytes = size;
    work->slot[i].at = at;
}

void storm_work_run(storm_work *work, size_t operations) {
    for (size_t i = 0; i < operations; i++, work->done++)
        step(work);
}

void storm_work_check(const storm_work *work) {
    for (size_t i = 0; i < STORM_WORK_SLOTS; i++)
        if (work->slot[i].at != NULL)
            check(work->slot[i].at, work->slot[i].size_bytes);
}

void storm_work_end(storm_work *work) {
    storm_work_check(work);
    for (size_t i = 0; i < STORM_WORK_SLOTS; i++) {
        unsigned char *at = work->slot[i].at;
        work->slot[i].at = NULL;
        storm_free(at);
    }
}

typedef struct task {
    size_t operations;
    uint64_t seed;
} task;

static void *run_task(void *argument) {
    const task *one = argument;
    storm_work work = storm_work_new(one->seed, SIZE_MAX);
    storm_work_run(&work, one->operations);
    storm_work_end(&work);
    return NULL;
}

void storm_work_in_child(storm_work *inherited, size_t operations, bool threads) {
    task one = {operations, inherited != NULL ? inherited->random : operations};
    pthread_t thread;
    bool made = threads && EXPECT(pthread_create(&thread, NULL, run_task, &one) == 0);
    if (inherited != NULL) {
        storm_work_run(inherited, operations);
        storm_work_end(inherited);
    }
    run_task(&one);
    if (made)
        pthread_join(thread, NULL);
}

pid_t storm_fork(uint64_t random, bool raw) {
    if (!raw)
        return fork();
    if (random % 2 == 0)
        return _Fork();
    return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}
