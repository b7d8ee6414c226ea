/* object_test.c: a made heap as an object: how it is told what it shall be, what its functions give, and how it goes. */
#include <string.h>
#include <sys/resource.h>

#include "heap/heap.h"
#include "heap_work.h"

static void is_told_by_its_config(void) {
    emma_heap_config config = {0};
    emma_heap *heaps[] = {emma_heap_create(NULL), emma_heap_create(&config),
                          emma_heap_create(&(emma_heap_config){.size = sizeof config}),
                          emma_heap_create(&(emma_heap_config){.limit_bytes = EMMA_HEAP_LEAST_BYTES})};
    for (size_t i = 0; i < STORM_COUNT(heaps); i++) {
        EXPECT(heaps[i] != NULL && heaps[i] != emma_heap_default());
        for (size_t j = 0; j < i; j++)
            EXPECT(heaps[i] != heaps[j]);
        unsigned char *block = emma_heap_malloc(heaps[i], 100);
        EXPECT(block != NULL && emma_heap_of(block) == heaps[i] && emma_heap_of(block + 99) == heaps[i]);
        EXPECT(emma_owns(block) == 1 && emma_usable_size(block) >= 100);
        EXPECT(emma_heap_of(heaps[i]) == heaps[i]);
    }
    EXPECT(heap_work_stats(heaps[0]).limit_bytes == 0 &&
           heap_work_stats(heaps[3]).limit_bytes == EMMA_HEAP_LEAST_BYTES);
    for (size_t i = 0; i < STORM_COUNT(heaps); i++)
        emma_heap_destroy(heaps[i]);
    emma_heap_destroy(NULL);
    EXPECT(emma_heap_of(&config) == NULL && emma_heap_of(NULL) == NULL && emma_heap_of((void *)UINTPTR_MAX) == NULL);
}

static void refuses_what_it_does_not_know(void) {
    size_t maps = heap_work_maps();
    EXPECT(emma_heap_create(&(emma_heap_config){.flags = 1u << 31}) == NULL);
    EXPECT(emma_heap_create(&(emma_heap_config){.flags = ~0u}) == NULL);
    EXPECT(emma_heap_create(&(emma_heap_config){.limit_bytes = 1}) == NULL);
    EXPECT(emma_heap_create(&(emma_heap_config){.limit_bytes = EMMA_HEAP_LEAST_BYTES - 1}) == NULL);
    struct later {
        emma_heap_config known;
        size_t more[4];
    } later = {.known = {.size = sizeof later, .limit_bytes = 1 << 20}};
    emma_heap *heap = emma_heap_create(&later.known);
    EXPECT(heap != NULL && heap_work_stats(heap).limit_bytes == 1 << 20);
    emma_heap_destroy(heap);
    later.more[3] = 1;
    EXPECT(emma_heap_create(&later.known) == NULL);
    EXPECT(heap_work_maps() == maps);
}

static void takes_all_sizes(void) {
    emma_heap *heap = emma_heap_create(NULL);
    for (size_t size = 0; size < 50000; size += 1 + size / 64) {
        unsigned char *block = emma_heap_malloc(heap, size);
        EXPECT(block != NULL && (uintptr_t)block % 16 == 0 && emma_usable_size(block) >= size);
        EXPECT(emma_usable_size(block) == emma_good_size(size));
        memset(block, 0xa5, emma_usable_size(block));
        emma_heap_free_sized(heap, block, size);
    }
    EXPECT(emma_heap_malloc(heap, (size_t)PTRDIFF_MAX + 1) == NULL);
    EXPECT(emma_heap_malloc(heap, PTRDIFF_MAX) == NULL && emma_heap_malloc(heap, SIZE_MAX) == NULL);
    EXPECT(emma_heap_calloc(heap, SIZE_MAX / 2, 3) == NULL);
    EXPECT(emma_heap_aligned_alloc(heap, 0, 10) == NULL && emma_heap_aligned_alloc(heap, SIZE_MAX, 10) == NULL);
    emma_heap_free(heap, NULL);
    EXPECT(heap_work_stats(heap).of.allocated_bytes == 0);
    emma_heap_destroy(heap);
}

static void keeps_to_its_alignments(void) {
    emma_heap *heap = emma_heap_create(NULL);
    size_t sizes[] = {0, 1, 17, 100, 1000, 4096, 5000, 40000, 70000, 1 << 20, 3000000, 40000000};
    for (size_t align = 1; align <= (size_t)8 << 20; align *= 2)
        for (size_t i = 0; i < STORM_COUNT(sizes); i++) {
            unsigned char *block = emma_heap_aligned_alloc(heap, align, sizes[i]);
            EXPECT(block != NULL && (uintptr_t)block % align == 0 && emma_heap_of(block) == heap);
            EXPECT(emma_usable_size(block) >= sizes[i]);
            heap_work_fill(block, sizes[i], heap);
            EXPECT(heap_work_is_filled(block, sizes[i], heap));
            i % 2 == 0 ? emma_free(block) : emma_heap_free(heap, block);
        }
    EXPECT(heap_work_stats(heap).of.allocated_bytes == 0);
    emma_heap_destroy(heap);
}

static void clears_what_calloc_gives(void) {
    unsigned flags[] = {0, EMMA_HEAP_ZERO_ON_FREE, EMMA_HEAP_NO_CPU_CACHES};
    size_t sizes[] = {1, 16, 100, 3000, 30000, 33000, 66000, 500000, 5000000, 35000000};
    for (size_t f = 0; f < STORM_COUNT(flags); f++) {
        emma_heap *heap = emma_heap_create(&(emma_heap_config){.flags = flags[f]});
        for (size_t round = 0; round < 4; round++)
            for (size_t i = 0; i < STORM_COUNT(sizes); i++) {
                unsigned char *blocks[3];
                for (size_t j = 0; j < 3; j++) {
                    blocks[j] = emma_heap_calloc(heap, 1 + j, sizes[i] / (1 + j) + 1);
                    EXPECT(blocks[j] != NULL && heap_work_is_zero(blocks[j], emma_usable_size(blocks[j])));
                    memset(blocks[j], 0xff, emma_usable_size(blocks[j]));
                }
                for (size_t j = 0; j < 3; j++)
                    emma_free(blocks[j]);
            }
        emma_heap_destroy(heap);
    }
}

/* What was freed is zero but for its first word; looked at where it was. */
static void clears_on_free_if_asked(void) {
    emma_heap *heap = emma_heap_create(&(emma_heap_config){.flags = EMMA_HEAP_ZERO_ON_FREE});
    size_t sizes[] = {64, 1000, 30000, 100000, 1000000};
    for (size_t i = 0; i < STORM_COUNT(sizes); i++)
        for (size_t way = 0; way < 4; way++) {
            unsigned char *block = emma_heap_malloc(heap, sizes[i]);
            size_t usable = emma_usable_size(block);
            memset(block, 0x77, usable);
            emma_session session;
            emma_session_begin(heap, &session);
            if (way == 0)
                emma_free(block);
            else if (way == 1)
                emma_heap_free(heap, block);
            else if (way == 2)
                emma_session_free(&session, block);
            else
                emma_heap_free_batch(heap, 1, (void *const *)&block);
            emma_session_end(&session);
            EXPECT(heap_work_is_zero(block + 8, usable - 8)); /* its pages are still mapped */
        }
    emma_heap_destroy(heap);
}

static void reallocates_where_the_block_is(void) {
    emma_heap *heap = emma_heap_create(NULL);
    emma_heap *other = emma_heap_create(NULL);
    unsigned char *block = emma_heap_realloc(heap, NULL, 10);
    memset(block, 0x11, 10);
    uint64_t random = storm_seed();
    size_t size = 10;
    for (size_t i = 0; i < 3000; i++) {
        size_t next = 1 + storm_below(&random, (size_t)1 << (4 + storm_below(&random, i % 50 == 0 ? 23 : 17)));
        void *noise = emma_heap_malloc(other, next % 3000);
        unsigned char *moved = i % 2 == 0 ? emma_realloc(block, next) : emma_heap_realloc(heap, block, next);
        if (!EXPECT(moved != NULL && emma_heap_of(moved) == heap && emma_usable_size(moved) >= next))
            break;
        size_t kept = size < next ? size : next;
        EXPECT(moved[0] == 0x11 && moved[kept - 1] == 0x11 && moved[kept / 2] == 0x11);
        memset(moved, 0x11, next);
        block = moved;
        size = next;
        emma_heap_free(other, noise);
    }
    EXPECT(heap_work_stats(heap).of.allocated_bytes == emma_usable_size(block));
    EXPECT(emma_heap_realloc(heap, block, (size_t)PTRDIFF_MAX + 1) == NULL);
    block = emma_heap_realloc(heap, block, 0);
    EXPECT(block != NULL && emma_usable_size(block) == 16);
    emma_heap_destroy(other);
    emma_heap_destroy(heap);
}

static void resizes_in_place(void) {
    emma_heap *heap = emma_heap_create(NULL);
    unsigned char *small = emma_heap_malloc(heap, 100);
    EXPECT(emma_heap_realloc_in_place(heap, small, 1, 50) != 0 && emma_realloc_in_place(small, 1 << 20, 1 << 20) == 0);
    unsigned char *large = emma_heap_malloc(heap, 400000);
    heap_work_fill(large, 100000, heap);
    size_t got = emma_heap_realloc_in_place(heap, large, 100000, 100000);
    EXPECT(got >= 100000 && got < 200000 && got == emma_usable_size(large));
    EXPECT(heap_work_stats(heap).of.allocated_bytes == got + emma_usable_size(small));
    got = emma_heap_realloc_in_place(heap, large, 300000, 350000);
    EXPECT(got >= 350000 && heap_work_is_filled(large, 100000, heap));
    EXPECT(emma_heap_realloc_in_place(heap, large, 100000, (size_t)64 << 20) ==
           got); /* more cannot be had: as it was */
    unsigned char *huge = emma_heap_malloc(heap, (size_t)40 << 20);
    heap_work_fill(huge, (size_t)40 << 20, heap);
    EXPECT(heap_work_is_filled(huge, (size_t)40 << 20, heap) && emma_heap_of(huge + (39 << 20)) == heap);
    huge[100] = 7;
    got = emma_realloc_in_place(huge, (size_t)100 << 20, (size_t)100 << 20);
    EXPECT(got == 0 || got >= (size_t)100 << 20);
    got = emma_realloc_in_place(huge, 1 << 20, 1 << 20);
    EXPECT(got >= 1 << 20 && got < (size_t)2 << 20 && huge[100] == 7);
    EXPECT(heap_work_stats(heap).of.large_blocks == 2);
    emma_free(huge);
    emma_heap_destroy(heap);
}

/* Batches of the default heap may hold NULL, and blocks of memory that lies beside the program's own data. */
static void takes_back_what_is_not_in_its_tracts(void) {
    emma_heap *heap = emma_heap_default();
    static _Alignas(64) char given[65536];
    void *blocks[3] = {emma_heap_malloc(heap, 100), NULL, NULL};
    EXPECT(emma_heap_donate(heap, given, sizeof given) == 1);
    emma_heap_set_limit(heap, 1); /* it is above that: now it has nothing but what was donated */
    blocks[2] = emma_heap_malloc(heap, 40000);
    EXPECT((char *)blocks[2] >= given && (char *)blocks[2] < given + sizeof given);
    emma_heap_set_limit(heap, 0);
    emma_heap_free_batch(heap, STORM_COUNT(blocks), blocks);
    EXPECT(heap_work_stats(heap).lent_used_bytes == 0);
}

/* NULL, and what is no block. */
static void resizes_nothing_that_is_not_its_own(void) {
    emma_heap *heap = emma_heap_create(NULL);
    int here = 0;
    EXPECT(emma_heap_realloc_in_place(heap, NULL, 1, 1) == 0 && emma_heap_realloc_in_place(heap, &here, 1, 1) == 0);
    emma_heap_destroy(heap);
}

/* An address within the block also where the block has no bytes: else its free would be another one's. */
static void aligns_what_has_no_size(void) {
    emma_heap *heap = emma_heap_create(NULL);
    enum { COUNT = 200 };
    char *empty[COUNT], *next[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        empty[i] = emma_heap_aligned_alloc(heap, 17, 0);
        next[i] = emma_heap_malloc(heap, 16);
    }
    for (size_t i = 0; i < COUNT; i++)
        for (size_t j = 0; j < COUNT; j++)
            EXPECT(empty[i] < next[j] || empty[i] >= next[j] + 16);
    emma_heap_destroy(heap);
}

static void peaks_at_what_it_had(void) {
    emma_heap *heap = emma_heap_create(NULL);
    if (STORM_SANITIZER)
        storm_skip("the sanitizer's own addresses are more than the limit");
    EXPECT(setrlimit(RLIMIT_AS, &(struct rlimit){(rlim_t)8 << 30, (rlim_t)8 << 30}) == 0);
    EXPECT(emma_heap_malloc(heap, (size_t)9 << 30) == NULL);
    EXPECT(heap_work_stats(heap).peak_bytes < 1 << 20);
    emma_heap_free(heap, emma_heap_malloc(heap, (size_t)40 << 20));
    emma_heap_stats stats = heap_work_stats(heap);
    EXPECT(stats.peak_bytes >= (size_t)40 << 20 && stats.peak_bytes < (size_t)42 << 20);
    EXPECT(stats.committed_bytes < 1 << 20);
    emma_heap_destroy(heap);
}

static void works_in_batches(void) {
    emma_heap *heap = emma_heap_create(NULL);
    static void *blocks[5000];
    size_t sizes[] = {0, 16, 100, 5000, 40000};
    for (size_t i = 0; i < STORM_COUNT(sizes); i++) {
        size_t count = emma_heap_malloc_batch(heap, sizes[i], 5000, blocks);
        EXPECT(count == 5000);
        size_t usable = 0;
        for (size_t j = 0; j < count; j++) {
            EXPECT(emma_heap_of(blocks[j]) == heap);
            heap_work_fill(blocks[j], sizes[i], heap);
            usable += emma_usable_size(blocks[j]);
        }
        EXPECT(heap_work_stats(heap).of.allocated_bytes == usable);
        for (size_t j = 0; j < count; j++)
            EXPECT(heap_work_is_filled(blocks[j], sizes[i], heap));
        for (size_t j = 0; j < count; j += 3) {
            emma_free(blocks[j]);
            blocks[j] = NULL;
        }
        emma_heap_free_batch(heap, count, blocks);
        EXPECT(heap_work_stats(heap).of.allocated_bytes == 0);
    }
    EXPECT(emma_heap_malloc_batch(heap, 10, 0, blocks) == 0);
    EXPECT(emma_heap_malloc_batch(heap, (size_t)PTRDIFF_MAX + 1, 10, blocks) == 0);
    emma_heap_destroy(heap);
}

/* Batches of the default heap, too. */
static void serves_the_default_heap_as_well(void) {
    emma_heap *heap = emma_heap_default();
    heap_work work = heap_work_new(heap, storm_seed());
    heap_work_run(&work, 100000);
    EXPECT(work.refused == 0);
    heap_work_end(&work);
    void *block = emma_malloc(100);
    EXPECT(emma_heap_of(block) == heap && emma_heap_of((char *)block + 50) == heap);
    emma_heap_free(heap, block);
    emma_heap_stats stats = heap_work_stats(heap);
    EXPECT(stats.of.allocated_bytes == 0 && stats.committed_bytes <= stats.peak_bytes && stats.limit_bytes == 0);
}

static void forgets_all_at_reset(void) {
    emma_heap *heap = emma_heap_create(&(emma_heap_config){.limit_bytes = (size_t)64 << 20});
    uint64_t random = storm_seed();
    for (size_t round = 0; round < 30; round++) {
        heap_work work = heap_work_new(heap, storm_random(&random));
        work.most_bytes = round % 5 == 4 ? 3000000 : 60000;
        heap_work_run(&work, work.most_bytes == 60000 ? 20000 : 2000);
        heap_work_check(&work);
        if (round % 3 == 0)
            EXPECT(emma_heap_malloc(heap, (size_t)33 << 20) != NULL || work.most_bytes == 3000000);
        size_t committed = heap_work_stats(heap).committed_bytes;
        emma_heap_reset(heap);
        emma_heap_stats stats = heap_work_stats(heap);
        EXPECT(stats.of.allocated_bytes == 0 && stats.of.cached_bytes == 0 && stats.of.large_blocks == 0);
        EXPECT(stats.limit_bytes == (size_t)64 << 20 && stats.committed_bytes <= (size_t)64 << 20);
        /* Spans that were in use in part, some for each class and each processor that the thread was on, count whole. */
        EXPECT(stats.committed_bytes <= committed + ((size_t)4 << 20));
        EXPECT(heap_work_resident(heap) <= stats.committed_bytes);
    }
    emma_heap_collect(heap);
    EXPECT(heap_work_stats(heap).committed_bytes <= EMMA_HEAP_LEAST_BYTES + (1 << 20)); /* tracts stay */
    emma_heap_destroy(heap);
}

static size_t faults(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (size_t)usage.ru_minflt;
}

/* And some blocks that come and go, so that the purge has a look. Returns: how many pages came for it. */
static size_t faults_to_fill(emma_heap *heap, size_t block_bytes, size_t total_bytes) {
    size_t before = faults();
    for (size_t i = 0; i < 64; i++)
        emma_heap_free(heap, emma_heap_malloc(heap, 64 << 10));
    for (size_t i = 0; i < total_bytes / block_bytes; i++) {
        char *block = emma_heap_malloc(heap, block_bytes);
        if (!EXPECT(block != NULL))
            break;
        for (size_t at = 0; at < block_bytes; at += 4096)
            block[at] = 1;
    }
    return faults() - before;
}

/* What was resident stays so, and is found again: also by blocks of another size. */
static void stays_warm_at_reset(void) {
    if (STORM_SANITIZER)
        storm_skip("sanitizers have memory of their own");
    const size_t total = (size_t)24 << 20;
    size_t sizes[] = {64, 1000, 3000, 30000, 64 << 10, 256 << 10};
    for (size_t i = 0; i < STORM_COUNT(sizes); i++) {
        emma_heap *heap = emma_heap_create(NULL);
        size_t first = faults_to_fill(heap, sizes[i], total);
        size_t again[3];
        for (size_t j = 0; j < STORM_COUNT(again); j++) {
            atomic_fetch_sub(&emma__heap_regions(heap)->now_seconds, 20); /* what lived did so for long */
            atomic_fetch_sub(&heap->purge.ticked_second, 20);
            emma_heap_reset(heap);
            EXPECT(heap_work_resident(heap) >= total / 16 * 15);
            again[j] = faults_to_fill(heap, sizes[(i + j / 2) % STORM_COUNT(sizes)], total / 16 * 15);
            EXPECT(again[j] < first / (j < 2 ? 50 : 8)); /* others lie elsewhere in their spans */
        }
        storm_note("24 MiB in blocks of %zu: %zu faults; after resets %zu, %zu; of another size %zu", sizes[i], first,
                   again[0], again[1], again[2]);
        emma_heap_destroy(heap);
    }
}

int main(void) {
    static const storm_case cases[] = {
        {"a heap is what its config says", is_told_by_its_config, 10},
        {"what it does not know, it refuses", refuses_what_it_does_not_know, 10},
        {"all sizes, and those that cannot be", takes_all_sizes, 20},
        {"alignments to 8 MiB", keeps_to_its_alignments, 30},
        {"calloc gives zeroes, also of used memory", clears_what_calloc_gives, 60},
        {"blocks are cleared at their free, if the heap says so", clears_on_free_if_asked, 20},
        {"realloc leaves a block in its heap", reallocates_where_the_block_is, 60},
        {"sizes change in place", resizes_in_place, 20},
        {"the default heap takes back what is in none of its tracts", takes_back_what_is_not_in_its_tracts, 10},
        {"what is not its own does not change", resizes_nothing_that_is_not_its_own, 10},
        {"alignments of no bytes", aligns_what_has_no_size, 10},
        {"its peak is what it had, not what it asked for", peaks_at_what_it_had, 10},
        {"batches", works_in_batches, 60},
        {"the default heap, by the same functions", serves_the_default_heap_as_well, 60},
        {"a reset heap is as new", forgets_all_at_reset, 60},
        {"and as warm as before", stays_warm_at_reset, 30},
    };
    return storm_main(cases, STORM_COUNT(cases));
}
