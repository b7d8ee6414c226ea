/* thread_storm.c: many short threads, and threads that only allocate or only free: memory stays flat. Runs with the
 * drop-in, and with the core alone, where nothing tells emma that a thread has ended. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "storm_work.h"

enum { AT_ONCE = 8, MARGIN_BYTES = 8 << 20 };

static void *short_life(void *argument) {
    storm_work work = storm_work_new((uint64_t)(uintptr_t)argument, 50000);
    storm_work_run(&work, 60);
    storm_work_end(&work);
    return NULL;
}

static void rounds_of_threads(size_t count, void *(*life)(void *)) {
    pthread_t threads[AT_ONCE];
    for (size_t i = 0; i < count && !storm_failed(); i += AT_ONCE) {
        for (size_t k = 0; k < AT_ONCE; k++)
            EXPECT(pthread_create(&threads[k], NULL, life, (void *)(uintptr_t)(storm_seed() + i + k)) == 0); // NOLINT
        for (size_t k = 0; k < AT_ONCE; k++)
            pthread_join(threads[k], NULL);
    }
}

/* Run something that should leave nothing behind: twice, with figures taken in between: caches are filled by then. */
static void expect_flat(void (*run)(size_t), size_t amount) {
    run(amount);
    emma_stats before;
    emma_stats after;
    emma_stats_read(&before);
    size_t resident_before = storm_resident_bytes();
    run(amount);
    emma_stats_read(&after);
    size_t resident_after = storm_resident_bytes();
    storm_note("resident %zu -> %zu KiB, mapped %zu -> %zu KiB, live %zu -> %zu bytes, cached %zu -> %zu bytes",
               resident_before >> 10, resident_after >> 10, before.mapped_bytes >> 10, after.mapped_bytes >> 10,
               before.allocated_bytes, after.allocated_bytes, before.cached_bytes, after.cached_bytes);
    EXPECT(STORM_SANITIZER || resident_after < resident_before + MARGIN_BYTES);
    EXPECT(after.mapped_bytes < before.mapped_bytes + MARGIN_BYTES);
    EXPECT(after.allocated_bytes < before.allocated_bytes + 65536);
}

static void run_threads(size_t count) {
    rounds_of_threads(count, short_life);
}

static void many_threads(void) {
    if (STORM_THREAD_SANITIZER)
        storm_skip("ThreadSanitizer does not know that a thread whose id is unknown to the system is gone");
    expect_flat(run_threads, storm_amount(STORM_SANITIZER ? 1000 : 50000, STORM_SANITIZER ? 10000 : 500000));
}

/* Ends without destructors, as a thread of another runtime does: emma is not told. */
static void *raw_exit(void *argument) {
    short_life(argument);
    syscall(SYS_exit, 0);
    return NULL;
}

static void run_raw_exits(size_t count) {
    rounds_of_threads(count, raw_exit);
}

static void ends_unsaid(void) {
    if (STORM_SANITIZER)
        storm_skip("sanitizers must be told that a thread ends");
    expect_flat(run_raw_exits, storm_amount(50000, 500000));
}

/* What such threads leave in their caches is taken over, not left lying beside that of the next ones. */
static void *much_work_and_raw_exit(void *argument) {
    storm_work work = storm_work_new((uint64_t)(uintptr_t)argument, 2000);
    storm_work_run(&work, 40000);
    storm_work_end(&work);
    syscall(SYS_exit, 0);
    return NULL;
}

static size_t cached_after(size_t threads) {
    for (size_t i = 0; i < threads; i++) {
        pthread_t thread;
        void *argument = (void *)(uintptr_t)(storm_seed() + i); // NOLINT
        EXPECT(pthread_create(&thread, NULL, much_work_and_raw_exit, argument) == 0);
        pthread_join(thread, NULL);
    }
    emma_stats stats;
    emma_stats_read(&stats);
    return stats.cached_bytes;
}

static void caches_taken_over(void) {
    enum { FEW = 5, MANY = 45 }; /* records are made by 56 */
    if (STORM_SANITIZER)
        storm_skip("sanitizers must be told that a thread ends");
    size_t few = cached_after(FEW);
    size_t many = cached_after(MANY);
    storm_note("cached after %d such threads %zu KiB, after %d %zu KiB", (int)FEW, few >> 10, FEW + MANY, many >> 10);
    EXPECT(many < few * 2 + (1 << 20));
}

/* A process that shares the memory, but is none of this process's threads. */
static char sharer_stack[128 * 1024] __attribute__((aligned(4096)));

static int sharer(void *argument) {
    short_life(argument);
    return 0;
}

static void run_sharers(size_t count) {
    for (size_t i = 0; i < count && !storm_failed(); i++) {
        int id = clone(sharer, sharer_stack + sizeof sharer_stack, CLONE_VM | CLONE_VFORK | SIGCHLD,
                       (void *)(uintptr_t)i); // NOLINT
        EXPECT(id > 0 && storm_reap(id));
        short_life((void *)(uintptr_t)i); // NOLINT
    }
}

static void processes_that_share(void) {
    if (STORM_SANITIZER)
        storm_skip("sanitizers do not know such processes");
    expect_flat(run_sharers, storm_amount(1000, 10000));
}

/* Threads that say in the middle that they end, and go on. */
static void *life_after_end(void *argument) {
    storm_work work = storm_work_new((uint64_t)(uintptr_t)argument, 50000);
    storm_work_run(&work, 30);
    emma_thread_exit();
    storm_work_run(&work, 30);
    storm_work_end(&work);
    emma_thread_exit();
    return NULL;
}

static void run_lives_after_end(size_t count) {
    rounds_of_threads(count, life_after_end);
}

static void ended_threads(void) {
    expect_flat(run_lives_after_end, storm_amount(2000, 20000));
}

/* A queue from producers to consumers: a ring of words, claimed by exchange. */
enum { RING = 1024, MOST_THREADS = 8 };
static _Atomic(unsigned char *) ring[RING];
static _Atomic(size_t) consumed;
static _Atomic(bool) done;
static size_t producers;
static size_t wanted;

static void *produce(void *argument) {
    uint64_t random = (uint64_t)(uintptr_t)argument;
    unsigned char *block = NULL;
    while (!atomic_load_explicit(&done, memory_order_relaxed)) {
        if (block == NULL) {
            size_t size = 16 + storm_below(&random, storm_below(&random, 64) == 0 ? 100000 : 500);
            block = storm_malloc(size);
            if (!EXPECT(block != NULL))
                break;
            block[0] = block[size - 1] = (unsigned char)((uintptr_t)block >> 4);
        }
        unsigned char *none = NULL;
        if (atomic_compare_exchange_strong(&ring[storm_below(&random, RING)], &none, block))
            block = NULL;
        else
            sched_yield();
    }
    storm_free(block);
    return NULL;
}

static void *consume(void *argument) {
    uint64_t random = (uint64_t)(uintptr_t)argument;
    while (!atomic_load_explicit(&done, memory_order_relaxed)) {
        unsigned char *block = atomic_exchange(&ring[storm_below(&random, RING)], NULL);
        if (block == NULL) {
            sched_yield();
            continue;
        }
        bool is_as_sent = block[0] == (unsigned char)((uintptr_t)block >> 4);
        if (!is_as_sent)
            EXPECT(is_as_sent);
        storm_free(block);
        if (atomic_fetch_add(&consumed, 1) >= wanted)
            atomic_store(&done, true);
    }
    return NULL;
}

static void run_queue(size_t blocks) {
    pthread_t threads[MOST_THREADS];
    atomic_store(&done, false);
    atomic_store(&consumed, 0);
    wanted = blocks;
    for (size_t i = 0; i < MOST_THREADS; i++) {
        void *argument = (void *)(uintptr_t)(storm_seed() + i); // NOLINT
        EXPECT(pthread_create(&threads[i], NULL, i < producers ? produce : consume, argument) == 0);
    }
    for (size_t i = 0; i < MOST_THREADS; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < RING; i++)
        storm_free(atomic_exchange(&ring[i], NULL));
}

static void one_to_seven(void) {
    producers = 1;
    expect_flat(run_queue, storm_amount(STORM_SANITIZER ? 30000 : 250000, 3000000));
}

static void seven_to_one(void) {
    producers = 7;
    expect_flat(run_queue, storm_amount(STORM_SANITIZER ? 30000 : 250000, 3000000));
}

int main(void) {
    static const storm_case cases[] = {
        {"threads: many short ones leave nothing behind", many_threads, 60},
        {"threads: ends that emma is not told of", ends_unsaid, 60},
        {"threads: caches of such threads are taken over", caches_taken_over, 60},
        {"threads: processes that share the memory", processes_that_share, 60},
        {"threads: operations after the end", ended_threads, 60},
        {"threads: one allocates, seven free", one_to_seven, 60},
        {"threads: seven allocate, one frees", seven_to_one, 60},
    };
    return storm_main(cases, STORM_COUNT(cases));
}
