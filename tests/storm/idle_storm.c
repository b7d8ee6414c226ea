/* idle_storm.c: ten seconds after a burst, resident memory is at most what lives + 16 MiB + 10 %, without any further
 * call: by the janitor where there is one, by the bound alone, at once, where there is none.
 *
 * What lives is counted in whole pages, large blocks in slices of 64 KiB, as with huge pages all of a slice is resident.
 * A block that stays keeps each page it lies in, and no allocator that does not
 * move blocks can give those back. Where few small blocks of a burst stay, one in a page, that is many times their bytes;
 * the bound in bytes would not hold there. */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "storm_work.h"

enum {
    IDLE_SECONDS = 10,
    FLOOR_BYTES = 16 << 20,
    MOST_THREADS = 8,
    PAGE_BYTES = 4096,
    STACK_BYTES = 8 * PAGE_BYTES,
    LARGE_BYTES = 32768,
    SLICE_BYTES = 65536
};

static size_t resident_at_first;
static pthread_barrier_t all_are_here;
static pthread_barrier_t all_are_idle;
static size_t burst_blocks;
static size_t burst_max_bytes;
static size_t burst_keeps; /* one block in so many stays; 0: none */
static _Atomic(size_t) kept_block_bytes;
static _Atomic(size_t) kept_bytes; /* the same in whole pages */

/* Allocate, touch, and free in another order. */
static void burst(uint64_t random) {
    unsigned char **block = storm_malloc(burst_blocks * sizeof *block);
    for (size_t i = 0; i < burst_blocks; i++) {
        size_t size = 16 + storm_below(&random, burst_max_bytes - 16);
        block[i] = storm_malloc(size);
        memset(block[i], 1, size);
    }
    for (size_t i = burst_blocks - 1; i > 0; i--) {
        size_t k = storm_below(&random, i + 1);
        unsigned char *other = block[i];
        block[i] = block[k];
        block[k] = other;
    }
    for (size_t i = 0; i < burst_blocks; i++) {
        if (burst_keeps == 0 || i % burst_keeps != 0) {
            storm_free(block[i]);
            continue;
        }
        size_t bytes = emma_usable_size(block[i]);
        atomic_fetch_add(&kept_block_bytes, bytes);
        size_t whole = bytes > LARGE_BYTES ? SLICE_BYTES : PAGE_BYTES;
        atomic_fetch_add(&kept_bytes, (bytes + whole - 1) & ~(whole - 1));
    }
    storm_free(block);
}

static void expect_little(size_t live_bytes) {
    size_t now = storm_resident_bytes();
    size_t bound = resident_at_first + live_bytes + live_bytes / 10 + FLOOR_BYTES;
    emma_stats stats;
    emma_stats_read(&stats);
    storm_note("resident %zu KiB, bound %zu KiB, live %zu KiB; dirty %zu, cached %zu, in spans %zu KiB", now >> 10,
               bound >> 10, live_bytes >> 10, stats.dirty_bytes >> 10, stats.cached_bytes >> 10,
               (stats.active_bytes - stats.large_bytes) >> 10);
    EXPECT(now <= bound);
}

static void *burst_and_sleep(void *argument) {
    volatile char stack[STACK_BYTES]; /* what libc and the burst need of it is not the heap's */
    for (size_t i = 0; i < sizeof stack; i += PAGE_BYTES)
        stack[i] = 1;
    pthread_barrier_wait(&all_are_here);
    pthread_barrier_wait(&all_are_here); /* resident_at_first is read between these two */
    burst((uint64_t)(uintptr_t)argument);
    pthread_barrier_wait(&all_are_idle);
    pause(); /* until the process ends */
    return NULL;
}

static void burst_in_threads(size_t threads, size_t blocks, size_t max_bytes, size_t keeps) {
    burst_blocks = blocks;
    burst_max_bytes = max_bytes;
    burst_keeps = keeps;
    pthread_barrier_init(&all_are_here, NULL, (unsigned)threads + 1);
    pthread_barrier_init(&all_are_idle, NULL, (unsigned)threads + 1);
    for (size_t i = 0; i < threads; i++) {
        pthread_t thread;
        EXPECT(pthread_create(&thread, NULL, burst_and_sleep, (void *)(uintptr_t)(storm_seed() + i)) == 0); // NOLINT
    }
    pthread_barrier_wait(&all_are_here);
    resident_at_first = storm_resident_bytes();
    pthread_barrier_wait(&all_are_here);
    pthread_barrier_wait(&all_are_idle);
    storm_note("after the burst: resident %zu KiB", storm_resident_bytes() >> 10);
    sleep(IDLE_SECONDS);
    expect_little(atomic_load(&kept_bytes));
    if (keeps == 0) {
        EXPECT(storm_threads() == threads + 1); /* the janitor has gone */
        return;
    }
    storm_note("%zu threads; the blocks that stay: %zu KiB, with the rest of their pages %zu KiB", storm_threads(),
               atomic_load(&kept_block_bytes) >> 10, atomic_load(&kept_bytes) >> 10);
}

static void two_threads(void) {
    burst_in_threads(2, 400000, 500, 0);
}

static void eight_threads(void) {
    burst_in_threads(MOST_THREADS, 60000, 2000, 0);
}

/* Sizes of all kinds, so that each cache has something of each class. */
static void sixty_four_threads(void) {
    burst_in_threads(64, 3000, 3000, 0);
}

/* Hundreds that begin in the same instant: the heap grows in many places at once. */
static void hundreds_of_threads(void) {
    burst_in_threads(512, 600, 3000, 0);
}

static void large_blocks(void) {
    burst_in_threads(2, 400, 1 << 20, 0);
}

static void some_blocks_stay(void) {
    burst_in_threads(2, 300000, 500, 200);
}

/* A spoonful after the feast: the janitor may be about to leave when the last free comes. */
static void late_frees(void) {
    burst_in_threads(2, 2000, 100000, 2);
}

static void one_thread_with_janitor(void) {
    EXPECT(emma_configure("janitor=on") == NULL);
    resident_at_first = storm_resident_bytes();
    burst_blocks = 400000;
    burst_max_bytes = 500;
    burst(storm_seed());
    storm_note("after the burst: resident %zu KiB", storm_resident_bytes() >> 10);
    sleep(IDLE_SECONDS);
    expect_little(0);
    EXPECT(storm_threads() == 1); /* the janitor has gone */
}

/* One thread, no janitor: the bound holds at once, but for the last MiB freed. */
static void without_janitor(void) {
    EXPECT(emma_configure("janitor=threads") == NULL);
}

static void one_thread(void) {
    without_janitor();
    resident_at_first = storm_resident_bytes();
    burst_blocks = 400000;
    burst_max_bytes = 500;
    burst(storm_seed());
    expect_little(0);
    burst_blocks = 400;
    burst_max_bytes = 1 << 20;
    burst(storm_seed());
    expect_little(0);
}

/* Again and again: the purge learns that memory is wanted back, and the last one may not profit from it. */
static void one_thread_makes_waves(void) {
    enum { WAVES = 8 };
    without_janitor();
    resident_at_first = storm_resident_bytes();
    burst_blocks = 60000;
    burst_max_bytes = 8192;
    for (size_t i = 0; i < WAVES; i++)
        burst(storm_seed() + i);
    expect_little(0);
    burst_blocks = 400000;
    burst_max_bytes = 500;
    for (size_t i = 0; i < WAVES; i++)
        burst(storm_seed() + i);
    expect_little(0);
    burst_blocks = 400;
    burst_max_bytes = 1 << 20;
    for (size_t i = 0; i < WAVES; i++)
        burst(storm_seed() + i);
    expect_little(0);
}

/* Small blocks and large ones, as of files that are parsed: the small ones leave much in the depot. */
static void one_thread_parses(void) {
    enum { FILES = 6, NODES = 60000, EACH = 30, BUFFERS = NODES / EACH };
    static void *node[NODES];
    static void *buffer[BUFFERS];
    without_janitor();
    resident_at_first = storm_resident_bytes();
    uint64_t random = storm_seed();
    for (size_t file = 0; file < FILES; file++) {
        for (size_t i = 0; i < NODES; i++) {
            size_t size = 24 + storm_below(&random, 400);
            memset(node[i] = storm_malloc(size), 1, size);
            if (i % EACH == 0) {
                size = 40000 + storm_below(&random, 60000);
                memset(buffer[i / EACH] = storm_malloc(size), 1, size);
            }
        }
        for (size_t i = 0; i < NODES; i++)
            storm_free(node[i]);
        for (size_t i = 0; i < BUFFERS; i++)
            storm_free(buffer[i]);
    }
    expect_little(0);
}

static void one_thread_keeps(void) {
    without_janitor();
    resident_at_first = storm_resident_bytes();
    burst_blocks = 400000;
    burst_max_bytes = 500;
    burst_keeps = 200;
    burst(storm_seed());
    expect_little(atomic_load(&kept_bytes));
}

/* In each wave some blocks stay, among those of the next ones. Without a janitor a heap that made
 * waves is let alone, until a few seconds have passed in each of which a MiB was freed. */
static void waves_leave_blocks(bool with_janitor) {
    enum { WAVES = 8, LATER_SECONDS = 6, NEXT_BYTES = 2 << 20 };
    EXPECT(emma_configure(with_janitor ? "janitor=on" : "janitor=threads") == NULL);
    resident_at_first = storm_resident_bytes();
    burst_blocks = 200000;
    burst_max_bytes = 500;
    burst_keeps = 200;
    for (size_t i = 0; i < WAVES; i++)
        burst(storm_seed() + i);
    if (with_janitor) {
        sleep(IDLE_SECONDS);
    } else {
        storm_note("at once: resident %zu KiB", storm_resident_bytes() >> 10);
        for (size_t second = 0; second < LATER_SECONDS; second++) {
            sleep(1);
            storm_free(storm_malloc(NEXT_BYTES));
        }
    }
    expect_little(atomic_load(&kept_bytes));
}

static void waves_that_leave_blocks(void) {
    waves_leave_blocks(false);
}

static void waves_that_leave_blocks_with_janitor(void) {
    waves_leave_blocks(true);
}

/* Memory that becomes free by shrinking is free memory. */
static void one_thread_shrinks(bool in_place) {
    enum { BLOCKS = 400, FROM_BYTES = 1 << 20, TO_BYTES = 40000 };
    static unsigned char *block[BLOCKS];
    without_janitor();
    resident_at_first = storm_resident_bytes();
    for (size_t i = 0; i < BLOCKS; i++)
        memset(block[i] = storm_malloc(FROM_BYTES), 1, FROM_BYTES);
    for (size_t i = 0; i < BLOCKS; i++) {
        if (in_place)
            EXPECT(emma_realloc_in_place(block[i], TO_BYTES, TO_BYTES) != 0);
        else
            block[i] = storm_realloc(block[i], TO_BYTES);
    }
    expect_little((size_t)BLOCKS * emma_good_size(TO_BYTES));
}

static void shrinks_by_realloc(void) {
    one_thread_shrinks(false);
}

static void shrinks_in_place(void) {
    one_thread_shrinks(true);
}

int main(void) {
    static const storm_case cases[] = {
        {"idle: small blocks of two threads", two_threads, 60},
        {"idle: small blocks of eight threads", eight_threads, 60},
        {"idle: small blocks of 64 threads", sixty_four_threads, 60},
        {"idle: small blocks of 512 threads", hundreds_of_threads, 60},
        {"idle: large blocks of two threads", large_blocks, 60},
        {"idle: one block in 200 stays", some_blocks_stay, 60},
        {"idle: every second block stays", late_frees, 60},
        {"idle: one thread, with a janitor", one_thread_with_janitor, 60},
        {"idle: one thread", one_thread, 60},
        {"idle: one thread, one block in 200 stays", one_thread_keeps, 60},
        {"idle: one thread makes waves", one_thread_makes_waves, 60},
        {"idle: one thread makes waves, one block in 200 stays", waves_that_leave_blocks, 60},
        {"idle: the same, with a janitor", waves_that_leave_blocks_with_janitor, 60},
        {"idle: one thread parses files", one_thread_parses, 60},
        {"idle: one thread shrinks its blocks by realloc", shrinks_by_realloc, 60},
        {"idle: one thread shrinks its blocks in place", shrinks_in_place, 60},
    };
    return storm_main(cases, STORM_COUNT(cases));
}
