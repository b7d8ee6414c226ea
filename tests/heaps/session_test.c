/* session_test.c: sessions: several at once, more than there are caches, in handlers that interrupt others, for long. */
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "heap_work.h"

enum { MANY = 12 };

static void several_at_once(void) {
    emma_heap *heap = emma_heap_create(NULL);
    emma_session sessions[MANY];
    static unsigned char *blocks[MANY][200];
    size_t with_cache = 0;
    for (size_t i = 0; i < MANY; i++) {
        emma_session_begin(heap, &sessions[i]);
        with_cache += sessions[i].cache != NULL;
        EXPECT(sessions[i].heap == heap);
        for (size_t j = 0; j < i; j++)
            EXPECT(sessions[i].cache == NULL || sessions[i].cache != sessions[j].cache);
    }
    EXPECT(with_cache >= 2 && with_cache < MANY);
    for (size_t round = 0; round < 200; round++) {
        for (size_t i = 0; i < MANY; i++)
            for (size_t j = 0; j < 200; j++) {
                size_t size = 1 + (i * 200 + j + round * 37) % 3000;
                blocks[i][j] = emma_session_malloc(&sessions[i], size);
                EXPECT(emma_heap_of(blocks[i][j]) == heap);
                heap_work_fill(blocks[i][j], size, heap);
            }
        for (size_t i = 0; i < MANY; i++) /* by another session than it was got by */
            for (size_t j = 0; j < 200; j++) {
                EXPECT(heap_work_is_filled(blocks[i][j], 1 + (i * 200 + j + round * 37) % 3000, heap));
                emma_session_free(&sessions[(i + round) % MANY], blocks[i][j]);
            }
    }
    void *large = emma_session_malloc(&sessions[0], 1 << 20);
    emma_session_free(&sessions[MANY - 1], large);
    emma_session_free(&sessions[0], NULL);
    EXPECT(emma_session_malloc(&sessions[0], (size_t)PTRDIFF_MAX + 1) == NULL);
    EXPECT(emma_session_malloc(&sessions[MANY - 1], SIZE_MAX) == NULL);
    emma_session_free(&sessions[1], emma_session_malloc(&sessions[0], 0));
    EXPECT(heap_work_stats(heap).of.allocated_bytes == 0);
    for (size_t i = 0; i < MANY; i++)
        emma_session_end(&sessions[i]);
    emma_session_end(&sessions[0]); /* once more does nothing */
    emma_heap_collect(heap);
    EXPECT(heap_work_stats(heap).committed_bytes <= EMMA_HEAP_LEAST_BYTES);
    emma_heap_destroy(heap);
}

/* All caches are held; others that use the heap get on, and are not slowed without end. */
static void others_get_on(void) {
    emma_heap *heap = emma_heap_create(NULL);
    emma_session sessions[MANY];
    for (size_t i = 0; i < MANY; i++)
        emma_session_begin(heap, &sessions[i]);
    heap_work work = heap_work_new(heap, storm_seed());
    heap_work_run(&work, 50000); /* more than the patience with a held cache */
    EXPECT(work.refused == 0 && heap_work_stats(heap).of.allocated_bytes == work.live_bytes);
    for (size_t i = 0; i < MANY; i++) {
        emma_session_free(&sessions[i], emma_session_malloc(&sessions[i], 100));
        emma_session_end(&sessions[i]);
    }
    heap_work_run(&work, 50000);
    heap_work_end(&work);
    EXPECT(heap_work_stats(heap).of.allocated_bytes == 0);
    emma_heap_destroy(heap);
}

/* What caches of ended sessions hold is found by whoever comes to the limit. */
static void limit_is_reached_by_all(void) {
    emma_heap *heap = emma_heap_create(&(emma_heap_config){.limit_bytes = 2 << 20});
    for (size_t round = 0; round < 50; round++) {
        emma_session sessions[4];
        static void *blocks[4][20000];
        size_t counts[4];
        for (size_t i = 0; i < 4; i++) {
            emma_session_begin(heap, &sessions[i]);
            size_t size = (size_t)16 << (round + i) % 10;
            for (counts[i] = 0; counts[i] < 20000; counts[i]++)
                if ((blocks[i][counts[i]] = emma_session_malloc(&sessions[i], size)) == NULL)
                    break;
        }
        EXPECT(heap_work_stats(heap).committed_bytes <= 2 << 20);
        for (size_t i = 0; i < 4; i++) {
            for (size_t j = 0; j < counts[i]; j++)
                emma_session_free(&sessions[i], blocks[i][j]);
            emma_session_end(&sessions[i]);
        }
        EXPECT(heap_work_stats(heap).of.allocated_bytes == 0);
        void *large = emma_heap_malloc(heap, 1800000);
        EXPECT(large != NULL);
        emma_free(large);
    }
    emma_heap_destroy(heap);
}

static emma_heap *shared_heap;
static heap_work in_handler;
static _Atomic(size_t) signals;

static void use_in_handler(int number) {
    (void)number;
    atomic_fetch_add(&signals, 1);
    heap_work_run(&in_handler, 20); /* sessions among its operations */
}

/* A timer's handler uses the heap that it interrupts, by sessions within sessions. */
static void handlers_use_the_same_heap(void) {
    shared_heap = emma_heap_create(&(emma_heap_config){.limit_bytes = (size_t)256 << 20});
    in_handler = heap_work_new(shared_heap, storm_seed() + 1);
    in_handler.most_bytes = 40000;
    struct sigaction action = {.sa_handler = use_in_handler};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 1000}, {0, 1000}}, NULL);
    heap_work work = heap_work_new(shared_heap, storm_seed());
    double until = storm_seconds() + (double)storm_amount(5, 60);
    while (storm_seconds() < until && !storm_failed()) {
        emma_session session;
        emma_session_begin(shared_heap, &session);
        unsigned char *blocks[100];
        for (size_t i = 0; i < 100; i++) {
            blocks[i] = emma_session_malloc(&session, 1 + i * 30);
            heap_work_fill(blocks[i], 1 + i * 30, shared_heap);
        }
        heap_work_run(&work, 100);
        for (size_t i = 0; i < 100; i++) {
            EXPECT(heap_work_is_filled(blocks[i], 1 + i * 30, shared_heap));
            emma_session_free(&session, blocks[i]);
        }
        emma_session_end(&session);
    }
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL);
    EXPECT(work.refused == 0 && in_handler.refused == 0 && atomic_load(&signals) > 50);
    storm_note("%zu signals", atomic_load(&signals));
    EXPECT(heap_work_stats(shared_heap).of.allocated_bytes == work.live_bytes + in_handler.live_bytes);
    heap_work_end(&work);
    heap_work_end(&in_handler);
    EXPECT(heap_work_stats(shared_heap).of.allocated_bytes == 0);
    emma_heap_destroy(shared_heap);
}

/* A handler makes, uses and destroys heaps while its thread does. */
static void make_in_handler(int number) {
    (void)number;
    atomic_fetch_add(&signals, 1);
    emma_heap *heap = emma_heap_create(&(emma_heap_config){.limit_bytes = 1 << 20});
    unsigned char *block = heap != NULL ? emma_heap_malloc(heap, 5000) : NULL;
    if (!EXPECT(block != NULL))
        return;
    heap_work_fill(block, 5000, heap);
    block = emma_realloc(block, 50000);
    EXPECT(emma_heap_of(block) == heap);
    emma_heap_destroy(heap);
}

static void handlers_make_heaps(void) {
    size_t maps = heap_work_maps();
    struct sigaction action = {.sa_handler = make_in_handler};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 1000}, {0, 1000}}, NULL);
    double until = storm_seconds() + (double)storm_amount(4, 60);
    for (uint64_t i = 0; storm_seconds() < until && !storm_failed(); i++) {
        heap_work work = heap_work_new(emma_heap_create(NULL), i);
        heap_work_run(&work, 200);
        heap_work_check(&work);
        emma_heap_destroy(work.heap);
    }
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL);
    storm_note("%zu signals", atomic_load(&signals));
    EXPECT(atomic_load(&signals) > 50 && heap_work_maps() <= maps + 2);
}

static void *use_by_session(void *argument) {
    emma_session session;
    emma_session_begin(shared_heap, &session);
    uint64_t random = (uintptr_t)argument;
    static _Thread_local unsigned char *blocks[500];
    static _Thread_local size_t sizes[500];
    for (size_t i = 0; i < storm_amount(300000, 10000000); i++) {
        size_t at = storm_below(&random, 500);
        if (blocks[at] != NULL)
            EXPECT(heap_work_is_filled(blocks[at], sizes[at], shared_heap));
        emma_session_free(&session, blocks[at]);
        sizes[at] = 1 + storm_below(&random, (size_t)1 << storm_below(&random, 15));
        blocks[at] = emma_session_malloc(&session, sizes[at]);
        heap_work_fill(blocks[at], sizes[at], shared_heap);
        if (storm_below(&random, 1000) == 0) {
            emma_session_end(&session);
            emma_session_begin(shared_heap, &session);
        }
    }
    for (size_t i = 0; i < 500; i++)
        emma_session_free(&session, blocks[i]);
    emma_session_end(&session);
    return NULL;
}

static void threads_have_sessions(void) {
    shared_heap = emma_heap_create(&(emma_heap_config){.flags = EMMA_HEAP_NO_CPU_CACHES});
    heap_work_in_threads(8, use_by_session);
    EXPECT(heap_work_stats(shared_heap).of.allocated_bytes == 0);
    emma_heap_collect(shared_heap);
    EXPECT(heap_work_stats(shared_heap).of.cached_bytes == 0 && heap_work_stats(shared_heap).of.active_bytes == 0);
    emma_heap_destroy(shared_heap);
}

int main(void) {
    static const storm_case cases[] = {
        {"several sessions at once, more than there are caches", several_at_once, 30},
        {"others get on while all caches are held", others_get_on, 30},
        {"sessions come to the limit, and leave nothing behind", limit_is_reached_by_all, 30},
        {"a handler at 1 kHz uses the heap that it interrupts", handlers_use_the_same_heap, 30},
        {"a handler at 1 kHz makes and destroys heaps", handlers_make_heaps, 30},
        {"eight threads with a session each", threads_have_sessions, 60},
    };
    return storm_main(cases, STORM_COUNT(cases));
}
