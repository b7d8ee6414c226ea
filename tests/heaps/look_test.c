/* look_test.c: looking at heaps and their blocks (describe, walk); alignments of any kind. */
#include <pthread.h>
#include <string.h>

#include "heap_work.h"

static void any_alignment(void) {
    emma_heap *heap = emma_heap_create(NULL);
    size_t aligns[] = {3, 24, 48, 100, 1000, 4095, 12288, 65537, 1000000};
    size_t sizes[] = {0, 1, 100, 5000, 100000, 3000000};
    for (size_t i = 0; i < STORM_COUNT(aligns); i++)
        for (size_t j = 0; j < STORM_COUNT(sizes); j++) {
            unsigned char *block = emma_heap_aligned_alloc(heap, aligns[i], sizes[j]);
            unsigned char *next = emma_heap_aligned_alloc(heap, aligns[i], sizes[j]);
            EXPECT(block != NULL && (uintptr_t)block % aligns[i] == 0 && emma_heap_of(block) == heap);
            heap_work_fill(next, sizes[j], heap);
            heap_work_fill(block, sizes[j], heap);
            EXPECT(heap_work_is_filled(next, sizes[j], heap));
            emma_free_aligned_sized(block, aligns[i], sizes[j]);
            emma_free_aligned_sized(next, aligns[i], sizes[j]);
        }
    EXPECT(emma_heap_aligned_alloc(heap, 0, 1) == NULL && emma_heap_aligned_alloc(heap, 3, SIZE_MAX - 1) == NULL);
    EXPECT(heap_work_stats(heap).of.allocated_bytes == 0);
    emma_heap_destroy(heap);
}

static void describes_every_address(void) {
    emma_heap *heap = emma_heap_create(NULL);
    emma_description found;
    size_t sizes[] = {1, 16, 100, 3000, 32768, 40000, 3000000, (size_t)40 << 20};
    emma_block_kind kinds[] = {EMMA_BLOCK_SMALL, EMMA_BLOCK_SMALL, EMMA_BLOCK_SMALL, EMMA_BLOCK_SMALL,
                               EMMA_BLOCK_SMALL, EMMA_BLOCK_LARGE, EMMA_BLOCK_LARGE, EMMA_BLOCK_HUGE};
    for (size_t i = 0; i < STORM_COUNT(sizes); i++) {
        char *block = emma_heap_malloc(heap, sizes[i]);
        memset(block, 0, sizes[i]); /* as a free block might look */
        size_t usable = emma_usable_size(block);
        for (size_t at = 0; at < usable; at += 1 + usable / 7) {
            EXPECT(emma_describe(block + at, &found) == 1 && found.heap == heap && found.start == block);
            EXPECT(found.size == usable && found.state == EMMA_LIVE_BLOCK);
            EXPECT(found.kind == kinds[i]);
        }
        EXPECT(emma_describe(block + usable, &found) == 0 || found.start != block);
        emma_heap_free(heap, block);
        emma_describe(block, &found);
        EXPECT(found.state != EMMA_LIVE_BLOCK);
        emma_heap_collect(heap);
        emma_describe(block, &found);
        EXPECT(found.state != EMMA_LIVE_BLOCK);
    }
    EXPECT(emma_describe(&found, &found) == 0 && found.heap == NULL && found.state == EMMA_NO_BLOCK);
    EXPECT(emma_describe(NULL, &found) == 0 && emma_describe((void *)UINTPTR_MAX, &found) == 0);
    EXPECT(emma_describe(heap, &found) == 0 && found.heap == heap);
    emma_heap_destroy(heap);
    EXPECT(emma_describe(heap, &found) == 0 && found.heap == NULL);
}

typedef struct seen {
    const heap_work *work;
    size_t blocks;
    size_t bytes;
    size_t strange; /* not in the table, or another size */
    size_t stop_at;
} seen;

static int see(const emma_description *block, void *context) {
    seen *self = context;
    self->blocks++;
    self->bytes += block->size;
    bool known = false;
    for (size_t i = 0; i < HEAP_WORK_SLOTS; i++)
        known |= self->work->slot[i].at == block->start;
    self->strange += !known || block->size != emma_usable_size(block->start) || block->heap != self->work->heap ||
                     block->state != EMMA_LIVE_BLOCK;
    return self->blocks == self->stop_at ? 77 : 0;
}

static size_t live_in(const heap_work *work) {
    size_t count = 0;
    for (size_t i = 0; i < HEAP_WORK_SLOTS; i++)
        count += work->slot[i].at != NULL;
    return count;
}

static void walks_the_live_blocks(void) {
    uint64_t random = storm_seed();
    for (size_t round = 0; round < storm_amount(150, 5000); round++) {
        emma_heap *heap = emma_heap_create(NULL);
        heap_work work = heap_work_new(heap, storm_random(&random));
        work.most_bytes = (size_t)64 << storm_below(&random, round % 20 == 0 ? 20 : 13);
        heap_work_run(&work, storm_below(&random, 3000));
        seen all = {.work = &work};
        EXPECT(emma_heap_walk(heap, see, &all) == 0);
        if (!EXPECT(all.blocks == live_in(&work) && all.bytes == work.live_bytes && all.strange == 0))
            storm_note("%zu live, %zu seen, %zu strange", live_in(&work), all.blocks, all.strange);
        if (all.blocks > 3) {
            seen some = {.work = &work, .stop_at = 3};
            EXPECT(emma_heap_walk(heap, see, &some) == 77 && some.blocks == 3);
        }
        heap_work_end(&work);
        seen none = {.work = &work};
        EXPECT(emma_heap_walk(heap, see, &none) == 0 && none.blocks == 0);
        emma_heap_destroy(heap);
    }
}

typedef struct counted {
    size_t used[EMMA_BLOCK_LENT + 1];
    size_t used_bytes;
    size_t holes_bytes;
    size_t strange;
} counted;

static int count_span(const emma_span_description *span, void *context) {
    counted *self = context;
    self->used[span->kind] += span->used_blocks;
    self->used_bytes += span->used_blocks * span->block_bytes;
    self->holes_bytes += span->bytes - span->used_blocks * span->block_bytes;
    self->strange += span->blocks * span->block_bytes > span->bytes || span->used_blocks > span->blocks;
    return span->block_bytes == 4096 ? 55 : 0;
}

static void walks_the_spans(void) {
    enum { COUNT = 20000, LEFT = 10 };
    emma_heap *heap = emma_heap_create(NULL);
    static void *blocks[COUNT];
    EXPECT(emma_heap_malloc_batch(heap, 100, COUNT, blocks) == COUNT);
    void *large = emma_heap_malloc(heap, 100000);
    void *huge = emma_heap_malloc(heap, (size_t)40 << 20);
    counted full = {.strange = 0};
    EXPECT(emma_heap_walk_spans(heap, count_span, &full) == 0 && full.strange == 0);
    EXPECT(full.used[EMMA_BLOCK_SMALL] == COUNT && full.used[EMMA_BLOCK_LARGE] == 1);
    EXPECT(full.used[EMMA_BLOCK_HUGE] == 1 && full.used[EMMA_BLOCK_LENT] == 0);
    EXPECT(full.used_bytes == COUNT * emma_usable_size(blocks[0]) + emma_usable_size(large) + emma_usable_size(huge));
    EXPECT(full.holes_bytes < 200000);
    for (size_t i = 0; i < COUNT; i++)
        if (i % LEFT != 0)
            emma_heap_free(heap, blocks[i]);
    counted sparse = {.strange = 0};
    EXPECT(emma_heap_walk_spans(heap, count_span, &sparse) == 0 && sparse.strange == 0);
    EXPECT(sparse.used[EMMA_BLOCK_SMALL] == COUNT / LEFT && sparse.holes_bytes > 1000000);
    EXPECT(emma_heap_malloc(heap, 4096) != NULL && emma_heap_walk_spans(heap, count_span, &sparse) == 55);
    static char lent[100000];
    emma_heap *small = emma_heap_create(&(emma_heap_config){.memory = lent, .memory_bytes = sizeof lent});
    counted none = {.strange = 0};
    EXPECT(emma_heap_malloc(small, 100) != NULL && emma_heap_walk_spans(small, count_span, &none) == 0);
    EXPECT(none.used_bytes == 0);
    emma_heap_destroy(small);
    emma_heap_destroy(heap);
}

static int free_it(const emma_description *block, void *context) {
    ++*(size_t *)context;
    emma_heap_free(block->heap, block->start);
    return 0;
}

static void a_walker_may_free(void) {
    emma_heap *heap = emma_heap_create(NULL);
    heap_work work = heap_work_new(heap, storm_seed());
    heap_work_run(&work, 3000);
    size_t freed = 0;
    EXPECT(emma_heap_walk(heap, free_it, &freed) == 0 && freed == live_in(&work));
    EXPECT(heap_work_stats(heap).of.allocated_bytes == 0);
    emma_heap_destroy(heap);
}

/* Two threads make, move and free huge blocks, where another two look; one block lives throughout. */
enum { CHURNERS = 2, HUGE_BYTES = 40 << 20 };
static emma_heap *churned;
static char *steady;
static _Atomic(char *) fleeting[CHURNERS];
static atomic_size_t churning;

static void *churn_huge(void *argument) {
    size_t self = (size_t)(uintptr_t)argument;
    uint64_t random = storm_seed() + self;
    for (size_t round = 0; round < storm_amount(20000, 1000000); round++) {
        char *block = emma_heap_malloc(churned, HUGE_BYTES + storm_below(&random, HUGE_BYTES));
        fleeting[self] = block;
        block[0] = 1;
        if (round % 4 == 0 && (block = emma_realloc(block, (size_t)5 * HUGE_BYTES)) != NULL)
            fleeting[self] = block;
        emma_heap_free(churned, block);
    }
    churning--;
    return NULL;
}

static int count_steady(const emma_description *block, void *context) {
    *(size_t *)context += block->start == steady && block->size >= HUGE_BYTES;
    return 0;
}

static void *look_at_huge(void *argument) {
    uint64_t random = storm_seed() + (uintptr_t)argument;
    emma_description found;
    while (churning != 0) {
        char *address = fleeting[storm_below(&random, CHURNERS)] + storm_below(&random, (size_t)5 * HUGE_BYTES);
        if (emma_describe(address, &found) == 1)
            EXPECT(found.heap == churned && found.size >= HUGE_BYTES && address >= (char *)found.start);
        emma_heap *heap = emma_heap_of(address);
        EXPECT(heap == NULL || heap == churned);
        emma_usable_size(address);
        EXPECT(emma_describe(steady + storm_below(&random, HUGE_BYTES), &found) == 1 && found.start == steady);
        size_t seen_steady = 0;
        emma_heap_walk(churned, count_steady, &seen_steady);
        if (!EXPECT(seen_steady == 1))
            break;
    }
    return NULL;
}

static void huge_blocks_go_meanwhile(void) {
    churned = emma_heap_create(NULL);
    steady = emma_heap_malloc(churned, HUGE_BYTES);
    pthread_t threads[2 * CHURNERS];
    churning = CHURNERS;
    for (size_t i = 0; i < CHURNERS; i++)
        fleeting[i] = steady;
    for (size_t i = 0; i < STORM_COUNT(threads); i++)
        EXPECT(pthread_create(&threads[i], NULL, i < CHURNERS ? churn_huge : look_at_huge, (void *)i) == 0); // NOLINT
    for (size_t i = 0; i < STORM_COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    emma_heap_free(churned, steady);
    EXPECT(heap_work_stats(churned).of.allocated_bytes == 0);
    emma_heap_destroy(churned);
}

int main(void) {
    static const storm_case cases[] = {
        {"alignments that are no powers of two", any_alignment, 30},
        {"describe: every address", describes_every_address, 30},
        {"walk: the live blocks, each once", walks_the_live_blocks, 60},
        {"walk: spans, and how full they are", walks_the_spans, 10},
        {"walk: the walker may free", a_walker_may_free, 10},
        {"describe, walk: huge blocks go meanwhile", huge_blocks_go_meanwhile, 60},
    };
    return storm_main(cases, STORM_COUNT(cases));
}
