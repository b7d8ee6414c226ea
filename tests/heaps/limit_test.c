/* limit_test.c: a thousand heaps of 1 MiB, each driven to its limit again and again: what is committed never exceeds it,
 * what is resident never exceeds what is committed, and nothing is lost by it. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "heap_work.h"

enum { HEAPS = 1000, DRIVERS = 4 };
static const size_t limit = 1 << 20;

static void *room(size_t bytes) {
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    EXPECT(at != MAP_FAILED);
    return at;
}

static heap_work new_work(uint64_t seed) {
    heap_work work = heap_work_new(emma_heap_create(&(emma_heap_config){.limit_bytes = limit}), seed);
    work.least_bytes = 16;
    return work;
}

static bool keeps_limit(const heap_work *work) {
    emma_heap_stats stats = heap_work_stats(work->heap);
    return EXPECT(stats.committed_bytes <= limit && stats.peak_bytes <= limit && stats.limit_bytes == limit) &&
           EXPECT(stats.of.allocated_bytes == work->live_bytes) &&
           EXPECT(heap_work_resident(work->heap) <= stats.committed_bytes);
}

/* How many blocks of a size the heap can have at present. All are freed again. */
static size_t capacity(emma_heap *heap, size_t size) {
    static _Thread_local void *blocks[1024];
    size_t count = emma_heap_malloc_batch(heap, size, STORM_COUNT(blocks), blocks);
    emma_heap_free_batch(heap, count, blocks);
    return count;
}

static size_t committed_by_all(const heap_work *works) {
    size_t sum = 0;
    for (size_t i = 0; i < HEAPS; i++)
        sum += heap_work_stats(works[i].heap).committed_bytes;
    return sum;
}

static void thousand_heaps(void) {
    if (STORM_SANITIZER)
        storm_skip("sanitizers have memory of their own");
    heap_work *works = room(HEAPS * sizeof *works);
    uint64_t random = storm_seed();
    heap_work beside = heap_work_new(emma_heap_create(NULL), 1);
    heap_work_run(&beside, 10000);
    size_t before = storm_resident_bytes();
    for (size_t i = 0; i < HEAPS; i++) {
        works[i] = new_work(storm_random(&random));
        while (works[i].refused == 0)
            heap_work_run(&works[i], 10);
    }
    size_t most = 0;
    double until = storm_seconds() + (double)storm_amount(15, 600);
    for (size_t round = 0; storm_seconds() < until && !storm_failed(); round++) {
        for (size_t i = 0; i < HEAPS; i++) {
            heap_work *work = &works[i];
            work->most_bytes = storm_below(&random, 4) == 0 ? 2000 : 100 << 10;
            heap_work_run(work, 30 + storm_below(&random, 300));
            if (!keeps_limit(work))
                break;
        }
        heap_work_run(&beside, 1000);
        size_t resident = storm_resident_bytes();
        most = resident - before > most ? resident - before : most;
        EXPECT(resident <= before + HEAPS * limit);
        EXPECT(resident <= before + committed_by_all(works) + (8 << 20)); /* the heap beside, and libc */
    }
    storm_note("1,000 heaps of 1 MiB: resident at most %zu MiB, committed %zu MiB", most >> 20,
               committed_by_all(works) >> 20);
    EXPECT(beside.refused == 0);
    emma_heap *fresh = emma_heap_create(&(emma_heap_config){.limit_bytes = limit});
    size_t fits = capacity(fresh, 100000);
    size_t fits_small = capacity(fresh, 5000);
    for (size_t i = 0; i < HEAPS; i++) {
        heap_work_end(&works[i]);
        emma_heap_collect(works[i].heap);
        EXPECT(capacity(works[i].heap, 100000) >= fits && capacity(works[i].heap, 5000) >= fits_small);
        EXPECT(heap_work_stats(works[i].heap).of.allocated_bytes == 0);
        emma_heap_destroy(works[i].heap);
    }
    storm_note("in 1 MiB: %zu blocks of 100,000 bytes or %zu of 5,000", fits, fits_small);
    heap_work_end(&beside);
    emma_heap_destroy(beside.heap);
    emma_heap_destroy(fresh);
    EXPECT(storm_resident_bytes() < before + (4 << 20));
}

static _Atomic(bool) is_over;
static emma_heap *driven;

static void *drive(void *argument) {
    heap_work work = heap_work_new(driven, (uintptr_t)argument);
    while (!atomic_load(&is_over) && !storm_failed()) {
        work.most_bytes = storm_below(&work.random, 4) == 0 ? 2000 : 100 << 10;
        heap_work_run(&work, 500);
        if (storm_below(&work.random, 50) == 0)
            heap_work_end(&work);
    }
    heap_work_end(&work);
    return (void *)(uintptr_t)(work.refused != 0); // NOLINT
}

/* Several threads drive one heap; who looks on never sees more than the limit. */
static void watched_while_driven(void) {
    driven = emma_heap_create(&(emma_heap_config){.limit_bytes = 2 * limit});
    size_t fits = capacity(driven, 100000);
    pthread_t threads[DRIVERS];
    for (size_t i = 0; i < DRIVERS; i++)
        EXPECT(pthread_create(&threads[i], NULL, drive, (void *)(i + 1)) == 0); // NOLINT
    double until = storm_seconds() + (double)storm_amount(8, 300);
    for (size_t i = 0; storm_seconds() < until && !storm_failed(); i++) {
        emma_heap_stats stats = heap_work_stats(driven);
        EXPECT(stats.committed_bytes <= 2 * limit && stats.peak_bytes <= 2 * limit);
        if (i % 16 == 0)
            EXPECT(heap_work_resident(driven) <= 2 * limit);
    }
    atomic_store(&is_over, true);
    for (size_t i = 0; i < DRIVERS; i++) {
        void *was_refused = NULL;
        pthread_join(threads[i], &was_refused);
        EXPECT(was_refused != NULL);
    }
    EXPECT(heap_work_stats(driven).of.allocated_bytes == 0);
    emma_heap_collect(driven);
    /* Threads that grew the heap at the same instant have made more tracts than one would; each is a slice of its own. */
    emma_heap *fresh = emma_heap_create(&(emma_heap_config){.limit_bytes = 2 * limit});
    size_t more = heap_work_stats(driven).committed_bytes - heap_work_stats(fresh).committed_bytes;
    size_t tracts = more >> 16;
    EXPECT(tracts < DRIVERS);
    EXPECT(capacity(driven, 100000) + tracts >= fits);
    emma_heap_destroy(fresh);
    emma_heap_destroy(driven);
}

/* A limit that comes and goes; one below what is committed holds for what comes. */
static void limits_change(void) {
    emma_heap *heap = emma_heap_create(NULL);
    void *large = emma_heap_malloc(heap, 4 << 20);
    emma_heap_set_limit(heap, limit);
    EXPECT(heap_work_stats(heap).limit_bytes == limit && heap_work_stats(heap).committed_bytes > limit);
    EXPECT(emma_heap_malloc(heap, 100000) == NULL && emma_heap_malloc(heap, 100) == NULL);
    emma_free(large);
    large = emma_heap_malloc(heap, 500000);
    EXPECT(large != NULL && heap_work_stats(heap).committed_bytes <= limit);
    EXPECT(emma_heap_malloc(heap, 500000) == NULL && emma_realloc(large, 1 << 20) == NULL);
    EXPECT(emma_heap_malloc(heap, (size_t)40 << 20) == NULL);
    emma_heap_set_limit(heap, 0);
    EXPECT(emma_heap_malloc(heap, (size_t)40 << 20) != NULL);
    large = emma_realloc(large, 1 << 20);
    EXPECT(large != NULL && emma_heap_of(large) == heap);
    emma_heap_destroy(heap);
}

/* Memory that was freed makes room for blocks of any other kind at once. */
static void what_is_freed_makes_room(void) {
    emma_heap *heap = emma_heap_create(&(emma_heap_config){.limit_bytes = (size_t)8 << 20});
    size_t sizes[] = {16, 500000, 160, 3000000, 3000, 70000, 32768, 7000000, 48};
    static void *blocks[600000];
    size_t least = (size_t)7 << 20;
    for (size_t round = 0; round < 3; round++)
        for (size_t i = 0; i < STORM_COUNT(sizes); i++) {
            size_t count = 0;
            while (count < STORM_COUNT(blocks) && (blocks[count] = emma_heap_malloc(heap, sizes[i])) != NULL)
                *(char *)blocks[count++] = 1;
            size_t cost = sizes[i] > 32768 ? (sizes[i] + 65535) / 65536 * 65536 : sizes[i];
            EXPECT(count * cost > least / 8 * 7 || sizes[i] > 2000000);
            EXPECT(count != 0 && heap_work_resident(heap) <= heap_work_stats(heap).committed_bytes);
            for (size_t j = 0; j < count; j++)
                emma_heap_free(heap, blocks[j % 2 == 0 ? j / 2 : count - 1 - j / 2]);
        }
    emma_heap_destroy(heap);
}

/* Few blocks of many sizes that come and go: what the spans that hold them are charged once they lie in slices that were
 * in use before. */
static void few_live_blocks_fill_no_limit(void) {
    if (STORM_SANITIZER)
        storm_skip("sanitizers have memory of their own");
    heap_work work = new_work(storm_seed());
    static void *slots[256];
    uint64_t random = storm_seed();
    size_t refused = 0;
    for (size_t i = 0; i < 20000; i++) {
        void **slot = &slots[storm_below(&random, STORM_COUNT(slots))];
        emma_heap_free(work.heap, *slot);
        *slot = emma_heap_malloc(work.heap, 1 + storm_below(&random, 2000));
        refused += *slot == NULL;
    }
    EXPECT(refused == 0);
    emma_heap_collect(work.heap);
    size_t committed = heap_work_stats(work.heap).committed_bytes;
    size_t resident = heap_work_resident(work.heap);
    storm_note("256 blocks: %zu KiB committed, %zu KiB resident, %zu refused", committed >> 10, resident >> 10,
               refused);
    emma_heap_destroy(work.heap);
}

int main(void) {
    static const storm_case cases[] = {
        {"1,000 heaps of 1 MiB, driven to their limits", thousand_heaps, 90},
        {"a heap driven to its limit by four threads, and watched", watched_while_driven, 60},
        {"limits that change", limits_change, 10},
        {"what is freed makes room for other sizes", what_is_freed_makes_room, 60},
        {"few live blocks fill no limit", few_live_blocks_fill_no_limit, 10},
    };
    return storm_main(cases, STORM_COUNT(cases));
}
