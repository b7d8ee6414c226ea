/* work.h: what every workload of the bench shares.
 *
 * A workload is one small program. Its parameters are words KEY=VALUE on the command line; its seeds are fixed, so it
 * asks the allocator for the same blocks in every run (threads excepted: who meets whom is the scheduler's).
 *
 *   main ── work_number(…) ── work_threads(…) ── work_end(live bytes)
 *
 * Blocks are stamped when they are made (one write in each cache line, beyond 4 KiB one in each page, and the last
 * byte) and checked when they are freed: blocks that overlap, move or are handed out twice end the run with a message.
 * Nothing here allocates.
 */
#ifndef BENCH_WORK_H
#define BENCH_WORK_H

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WORK_THREADS_MAX 1024

/* Parameters */

static inline const char *work_word(int argc, char **argv, const char *key, const char *otherwise) {
    size_t length = strlen(key);
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], key, length) == 0 && argv[i][length] == '=')
            return argv[i] + length + 1;
    }
    return otherwise;
}

static inline size_t work_number(int argc, char **argv, const char *key, size_t otherwise) {
    const char *word = work_word(argc, argv, key, NULL);
    char *end = NULL;
    size_t number = word ? (size_t)strtoull(word, &end, 10) : otherwise;
    if (word && (end == word || *end != '\0')) {
        (void)fprintf(stderr, "workload: %s takes a number, not %s\n", key, word);
        exit(2);
    }
    return number;
}

/* Checks */

static inline void work_fail(const char *what) {
    static const char head[] = "workload: wrong contents: ";
    (void)!write(2, head, sizeof head - 1);
    (void)!write(2, what, strlen(what));
    (void)!write(2, "\n", 1);
    abort();
}

static inline void work_check(int holds, const char *what) {
    if (__builtin_expect(!holds, 0))
        work_fail(what);
}

/* Random numbers: xorshift64*, one state per thread. */

typedef struct work_random {
    uint64_t state;
} work_random;

static inline work_random work_seed(uint64_t seed) {
    return (work_random){(seed + 1) * 0x9E3779B97F4A7C15u};
}

static inline uint64_t work_next(work_random *random) {
    uint64_t x = random->state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    random->state = x;
    return x * 0x2545F4914F6CDD1Du;
}

/* Returns a number in [0, bound); bound at most 2^32. */
static inline size_t work_below(work_random *random, size_t bound) {
    return (size_t)(((work_next(random) >> 32) * (uint64_t)bound) >> 32);
}

/* Returns a size in [low, high], small ones more often: each doubling is as likely as the next. */
static inline size_t work_size(work_random *random, size_t low, size_t high) {
    unsigned doublings = 0;
    while ((low << (doublings + 1)) <= high)
        doublings++;
    size_t from = low << work_below(random, doublings + 1);
    size_t to = from * 2 - 1 < high ? from * 2 - 1 : high;
    return from + work_below(random, to - from + 1);
}

/* Blocks */

static inline uint64_t work_tag(const void *block, size_t size) {
    return ((uint64_t)(uintptr_t)block ^ ((uint64_t)size << 40)) * 0x9E3779B97F4A7C15u;
}

static inline void work_stamp(void *block, size_t size) {
    work_check(block != NULL, "no memory");
    unsigned char *bytes = block;
    uint64_t tag = work_tag(block, size);
    size_t near = size < 4096 ? size : 4096;
    for (size_t at = 64; at < near; at += 64)
        bytes[at] = (unsigned char)at;
    for (size_t at = 4096; at < size; at += 4096)
        bytes[at] = (unsigned char)at;
    bytes[size - 1] = (unsigned char)(tag >> 56);
    memcpy(bytes, &tag, size < sizeof tag ? size : sizeof tag);
}

/* Checks a stamped block and spoils the stamp, so that a second owner of the same block would notice. */
static inline void work_unstamp(void *block, size_t size) {
    uint64_t tag = work_tag(block, size), found = 0;
    size_t head = size < sizeof tag ? size : sizeof tag;
    memcpy(&found, block, head);
    work_check(head < sizeof tag || found == tag, "the head of a block");
    work_check(size <= sizeof tag || ((unsigned char *)block)[size - 1] == (unsigned char)(tag >> 56),
               "the end of a block");
    found = ~found;
    memcpy(block, &found, head);
}

static inline void *work_make(size_t size) {
    void *block = malloc(size);
    work_stamp(block, size);
    return block;
}

static inline void work_drop(void *block, size_t size) {
    work_unstamp(block, size);
    free(block);
}

/* All blocks of a table; NULL: there is none. */
static inline void work_drop_all(void *const *blocks, const size_t *sizes, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (blocks[i])
            work_drop(blocks[i], sizes[i]);
}

/* Threads: runs body(number, shared) in `count` threads and waits for them all; one thread is the caller itself. */

typedef void work_body(size_t number, void *shared);

typedef struct work_thread {
    pthread_t handle;
    work_body *body;
    size_t number;
    void *shared;
} work_thread;

static inline void *work_thread_main(void *argument) {
    work_thread *thread = argument;
    thread->body(thread->number, thread->shared);
    return NULL;
}

static inline void work_thread_start(work_thread *thread, work_body *body, size_t number, void *shared) {
    *thread = (work_thread){.body = body, .number = number, .shared = shared};
    work_check(pthread_create(&thread->handle, NULL, work_thread_main, thread) == 0, "pthread_create");
}

static inline void work_threads(size_t count, work_body *body, void *shared) {
    static work_thread threads[WORK_THREADS_MAX];
    if (count == 1) {
        body(0, shared);
        return;
    }
    for (size_t i = 0; i < count; i++)
        work_thread_start(&threads[i], body, i, shared);
    for (size_t i = 0; i < count; i++)
        pthread_join(threads[i].handle, NULL);
}

static inline double work_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static inline void work_sleep(double seconds) {
    struct timespec left = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&left, &left) != 0) {
    }
}

/* The end of the work. With BENCH_IDLE=SECONDS in the environment: says so on standard output, together with the bytes
 * still live, and stays idle that long, so that the runner can read the resident memory. */
static inline int work_end(size_t live_bytes) {
    const char *idle = getenv("BENCH_IDLE");
    if (!idle)
        return 0;
    char line[64];
    int length = snprintf(line, sizeof line, "idle live=%zu\n", live_bytes);
    (void)!write(1, line, (size_t)length);
    work_sleep(strtod(idle, NULL));
    return 0;
}

#endif
