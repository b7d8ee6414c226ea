/* account_test.c: what a heap says of itself is so: live bytes are the sum of the shadow table's; committed bytes are what
 * its spans, runs and free slices come to when they are counted; and more is never resident.
 *
 * The census is that of the unit tests, which walks every chain of the heap. */
#include <string.h>

#include "../unit/unit.h"
#include "heap_work.h"

static size_t small_blocks(const heap_work *work) {
    size_t count = 0;
    for (size_t i = 0; i < HEAP_WORK_SLOTS; i++)
        count += work->slot[i].at != NULL && emma__heap_find(work->heap, work->slot[i].at).kind == EMMA_BLOCK_SMALL;
    return count;
}

static size_t largest_excess; /* of what is resident over what is committed */

/* Requires: nobody uses the heap. */
static bool is_sound(const heap_work *work) {
    emma_heap_stats stats = heap_work_stats(work->heap);
    size_t resident = heap_work_resident(work->heap);
    if (resident > stats.committed_bytes && resident - stats.committed_bytes > largest_excess) {
        largest_excess = resident - stats.committed_bytes;
        storm_note("resident %zu KiB, committed %zu KiB", resident >> 10, stats.committed_bytes >> 10);
    }
    return EXPECT(unit_heap_sound(work->heap, small_blocks(work))) &&
           EXPECT(stats.of.allocated_bytes == work->live_bytes) && EXPECT(resident <= stats.committed_bytes) &&
           EXPECT(stats.of.allocated_bytes + stats.of.cached_bytes <= stats.of.active_bytes) &&
           EXPECT(stats.of.active_bytes + stats.of.dirty_bytes <= stats.of.mapped_bytes) &&
           EXPECT(stats.committed_bytes <= stats.peak_bytes) &&
           EXPECT(stats.limit_bytes == 0 || stats.peak_bytes <= stats.limit_bytes);
}

static emma_heap *limited(size_t bytes) {
    return emma_heap_create(&(emma_heap_config){.limit_bytes = bytes});
}

/* Each step looked at, in heaps at their limits. */
static void each_step_agrees(void) {
    size_t limits[] = {EMMA_HEAP_LEAST_BYTES, 400000, 1 << 20, 3 << 20, 0};
    size_t most[] = {3000, 30000, 100000, 1000000};
    uint64_t random = storm_seed();
    for (size_t i = 0; i < STORM_COUNT(limits); i++)
        for (size_t j = 0; j < STORM_COUNT(most); j++) {
            emma_heap *heap = limited(limits[i]);
            heap_work work = heap_work_new(heap, storm_random(&random));
            work.most_bytes = most[j];
            for (size_t n = 0; n < storm_amount(3000, 100000); n++) {
                heap_work_run(&work, 1);
                if (!is_sound(&work))
                    return;
            }
            heap_work_end(&work);
            is_sound(&work);
            emma_heap_destroy(heap);
        }
}

/* Long runs with all that moves memory about: collects, resets, limits that change, huge blocks. */
static void long_runs_agree(void) {
    uint64_t random = storm_seed() + 1;
    for (size_t round = 0; round < storm_amount(60, 2000); round++) {
        size_t limit = storm_below(&random, 3) == 0 ? 0 : (size_t)1 << (20 + storm_below(&random, 7));
        emma_heap *heap = limited(limit);
        heap_work work = heap_work_new(heap, storm_random(&random));
        work.most_bytes = (size_t)64 << storm_below(&random, 14);
        for (size_t part = 0; part < 12; part++) {
            heap_work_run(&work, 1 + storm_below(&random, 3000));
            if (!is_sound(&work))
                return;
            size_t what = storm_below(&random, 8);
            if (what == 0)
                emma_heap_collect(heap);
            if (what == 1) {
                heap_work_check(&work);
                emma_heap_reset(heap);
                memset(work.slot, 0, sizeof work.slot);
                work.live_bytes = 0;
            }
            if (what == 2 && limit != 0)
                emma_heap_set_limit(heap, limit *= 2);
            if (what == 3)
                work.most_bytes = (size_t)64 << storm_below(&random, limit == 0 ? 20 : 14);
        }
        heap_work_end(&work);
        is_sound(&work);
        emma_heap_destroy(heap);
    }
}

/* Each class: its caches and the depot full, every block touched. */
static void every_class_agrees(void) {
    static void *blocks[20000];
    for (size_t limited_too = 0; limited_too < 2; limited_too++) {
        emma_heap *heap = limited(limited_too != 0 ? (size_t)24 << 20 : 0);
        heap_work work = heap_work_new(heap, 1);
        for (size_t size = 16; size <= 32768; size += size < 1024 ? 16 : size / 8 / 16 * 16) {
            size_t count = 0;
            while (count < 20000 && count * size < (size_t)2 << 20 &&
                   (blocks[count] = emma_heap_malloc(heap, size)) != NULL)
                memset(blocks[count++], 1, size);
            if (size % 64 == 0)
                EXPECT(heap_work_resident(heap) <= heap_work_stats(heap).committed_bytes);
            for (size_t i = 0; i < count; i++)
                emma_heap_free(heap, blocks[i]);
        }
        is_sound(&work);
        emma_heap_stats stats = heap_work_stats(heap);
        storm_note("all classes used: resident %zu KiB, committed %zu KiB, cached %zu KiB",
                   heap_work_resident(heap) >> 10, stats.committed_bytes >> 10, stats.of.cached_bytes >> 10);
        emma_heap_collect(heap);
        is_sound(&work);
        storm_note("collected: resident %zu KiB, committed %zu KiB", heap_work_resident(heap) >> 10,
                   heap_work_stats(heap).committed_bytes >> 10);
        emma_heap_destroy(heap);
    }
}

/* The tables of full tracts: most spans there can be, of one class, then of another. */
static void full_tracts_agree(void) {
    size_t sizes[] = {16, 48, 1024, 4096, 5120, 32768, 65536, 200000};
    for (size_t i = 0; i < STORM_COUNT(sizes); i++) {
        emma_heap *heap = limited((size_t)200 << 20);
        size_t count = 0;
        for (char *block; (block = emma_heap_malloc(heap, sizes[i])) != NULL; count++)
            for (size_t at = 0; at < sizes[i]; at += 4096)
                block[at] = 1;
        emma_heap_stats stats = heap_work_stats(heap);
        size_t resident = heap_work_resident(heap);
        EXPECT(resident <= stats.committed_bytes && stats.committed_bytes <= (size_t)200 << 20);
        EXPECT(stats.of.allocated_bytes >= ((size_t)200 << 20) / 4 * 3); /* large blocks cost whole slices */
        storm_note("blocks of %zu: %zu KiB of 204800 allocated, resident %zu KiB, committed %zu KiB", sizes[i],
                   stats.of.allocated_bytes >> 10, resident >> 10, stats.committed_bytes >> 10);
        emma_heap_destroy(heap);
    }
}

/* All that a heap's tables can touch is touched, and all that is charged for blocks is resident. */
static void tables_are_charged(void) {
    static void *blocks[2000];
    const size_t limit = (size_t)64 << 20;
    emma_heap *heap = limited(limit);
    for (size_t size = 16; size <= 32768; size += size < 1024 ? 16 : size / 8 / 16 * 16) {
        size_t count = 0;
        while (count < STORM_COUNT(blocks) && (blocks[count] = emma_heap_malloc(heap, size)) != NULL)
            count++;
        for (size_t i = 0; i < count; i++)
            emma_heap_free(heap, blocks[i]);
    }
    emma_heap_collect(heap);
    size_t before = heap_work_resident(heap);
    size_t count = 0;
    for (; (blocks[count] = emma_heap_malloc(heap, 65536)) != NULL; count++)
        memset(blocks[count], 1, 65536);
    size_t resident = heap_work_resident(heap);
    storm_note("tables: %zu KiB, %zu blocks, %zu KiB resident of %zu", before >> 10, count, resident >> 10,
               limit >> 10);
    EXPECT(count > 1000 && resident <= heap_work_stats(heap).committed_bytes && resident <= limit);
    emma_heap_destroy(heap);
}

/* What lives, in slices; what was freed and is kept; what went back. */
static void slices_are_told(void) {
    enum { COUNT = 40, BYTES = 256 << 10, SMALL_BYTES = 1024 };
    void *large[COUNT];
    emma_heap *heap = limited(0);
    emma_stats none = heap_work_stats(heap).of;
    EXPECT(none.active_bytes == 0 && none.dirty_bytes == 0 && none.large_blocks == 0);
    for (size_t i = 0; i < COUNT; i++)
        memset(large[i] = emma_heap_malloc(heap, BYTES), 1, BYTES);
    emma_stats full = heap_work_stats(heap).of;
    EXPECT(full.active_bytes == COUNT * BYTES && full.large_bytes == COUNT * BYTES && full.large_blocks == COUNT);
    EXPECT(full.dirty_bytes == 0 && full.mapped_bytes >= none.mapped_bytes && full.mapped_bytes > COUNT * BYTES);
    emma_heap_free(heap, large[0]);
    emma_stats less = heap_work_stats(heap).of;
    EXPECT(less.active_bytes == full.active_bytes - BYTES && less.dirty_bytes == BYTES);
    EXPECT(less.large_blocks == COUNT - 1 && less.mapped_bytes == full.mapped_bytes);
    EXPECT(emma_heap_collect(heap) >= BYTES && heap_work_stats(heap).of.dirty_bytes == 0);
    for (size_t i = 1; i < COUNT; i++)
        emma_heap_free(heap, large[i]);
    size_t committed = heap_work_stats(heap).committed_bytes;
    size_t dirty = heap_work_stats(heap).of.dirty_bytes;
    EXPECT(heap_work_stats(heap).of.active_bytes == 0 && dirty <= committed && dirty < COUNT * BYTES / 2);
    EXPECT(emma_heap_collect(heap) >= dirty && heap_work_stats(heap).of.dirty_bytes == 0);
    EXPECT(heap_work_stats(heap).committed_bytes <= committed - dirty);
    void *small = emma_heap_malloc(heap, SMALL_BYTES);
    emma_stats spans = heap_work_stats(heap).of;
    EXPECT(small != NULL && spans.active_bytes != 0 && spans.active_bytes % EMMA_SLICE_BYTES == 0);
    EXPECT(spans.allocated_bytes == SMALL_BYTES && spans.large_blocks == 0 && spans.large_bytes == 0);
    EXPECT(spans.allocated_bytes + spans.cached_bytes <= spans.active_bytes);
    emma_heap_destroy(heap);
}

static void sessions_and_batches_agree(void) {
    static void *blocks[3000];
    emma_heap *heap = limited((size_t)16 << 20);
    heap_work work = heap_work_new(heap, 1);
    uint64_t random = storm_seed();
    for (size_t round = 0; round < storm_amount(200, 5000); round++) {
        size_t size = 1 + storm_below(&random, (size_t)1 << storm_below(&random, 18));
        size_t count = emma_heap_malloc_batch(heap, size, 1 + storm_below(&random, 3000), blocks);
        for (size_t i = 0; i < count; i++)
            heap_work_fill(blocks[i], size, heap);
        EXPECT(heap_work_stats(heap).of.allocated_bytes == count * (count != 0 ? emma_usable_size(blocks[0]) : 0));
        EXPECT(heap_work_resident(heap) <= heap_work_stats(heap).committed_bytes);
        for (size_t i = 0; i < count; i++)
            EXPECT(heap_work_is_filled(blocks[i], size, heap));
        emma_heap_free_batch(heap, count, blocks);
        if (!is_sound(&work))
            break;
    }
    emma_heap_destroy(heap);
}

int main(void) {
    static const storm_case cases[] = {
        {"each step: live, committed and resident bytes agree", each_step_agrees, 120},
        {"long runs: live, committed and resident bytes agree", long_runs_agree, 120},
        {"every class: what is resident is charged", every_class_agrees, 120},
        {"full tracts: what is resident is charged", full_tracts_agree, 120},
        {"a heap's tables are charged", tables_are_charged, 30},
        {"slices in use, dirty and clean are told", slices_are_told, 10},
        {"sessions and batches: live, committed and resident bytes agree", sessions_and_batches_agree, 120},
    };
    return storm_main(cases, STORM_COUNT(cases));
}
