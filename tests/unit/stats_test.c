/* stats_test.c: ctl/stats.h: figures that add up. */
#include "ctl/stats.h"

#include "../tap.h"
#include "unit.h"

#define LUMP ((size_t)65536) /* whole slices, and too large for a class */

static emma_heap heap = EMMA_HEAP_INITIAL(&unit_directory, unit_shelves, 0);
static emma_thread thread = EMMA_THREAD_INITIAL;
static const emma_thread initial = EMMA_THREAD_INITIAL;

static void fresh(void) {
    unit_heap_reset(&heap);
    thread = initial;
}

static emma_stats read(void) {
    emma_stats stats;
    __builtin_memset(&stats, 0xAA, sizeof stats);
    emma__stats_read(&heap, &stats);
    OK(stats.allocated_bytes + stats.cached_bytes <= stats.active_bytes);
    OK(stats.active_bytes + stats.dirty_bytes <= stats.mapped_bytes);
    OK(stats.large_bytes <= stats.allocated_bytes);
    return stats;
}

static void an_empty_heap(void) {
    fresh();
    emma_stats stats = read();
    OK(unit_is_zero(&stats, sizeof stats));
    OK(heap.depot.spans.regions.first == 0);
}

/* Exactly the usable sizes of the live blocks, whatever the caches hold. */
static void live_bytes_are_exact(void) {
    static void *held[1000];
    size_t expected = 0;
    fresh();
    for (unsigned i = 0; i < 1000; i++) {
        held[i] = unit_alloc(&heap, i % 3 == 0 ? 0 : &thread, i * 11);
        expected += emma__heap_find(&heap, held[i]).usable_bytes;
        OK(i % 50 != 0 || read().allocated_bytes == expected);
    }
    IS(read().allocated_bytes, expected);
    for (unsigned i = 0; i < 1000; i++) {
        expected -= emma__heap_find(&heap, held[i]).usable_bytes;
        unit_free(&heap, i % 2 == 0 ? 0 : &thread, held[i]);
        OK(i % 50 != 0 || read().allocated_bytes == expected);
    }
    emma_stats stats = read();
    IS(stats.allocated_bytes, 0);
    OK(stats.cached_bytes > 0);
    emma__heap_collect(&heap, &thread);
    stats = read();
    IS(stats.cached_bytes, 0);
    IS(stats.active_bytes, 0);
    OK(stats.dirty_bytes > 0);
}

static void large_and_huge_blocks(void) {
    fresh();
    void *large = unit_alloc(&heap, 0, 3 * LUMP - 10);
    emma_stats stats = read();
    IS(stats.large_blocks, 1);
    IS(stats.large_bytes, emma__heap_find(&heap, large).usable_bytes);
    IS(stats.allocated_bytes, stats.large_bytes);
    IS(stats.active_bytes, 3 * LUMP);
    void *huge = unit_alloc(&heap, 0, 2 * (size_t)EMMA_TRACT_BYTES);
    stats = read();
    IS(stats.large_blocks, 2);
    OK(stats.large_bytes >= 2 * (size_t)EMMA_TRACT_BYTES + 3 * LUMP - 10);
    unit_free(&heap, 0, large);
    IS(read().dirty_bytes, 3 * LUMP);
    unit_free(&heap, 0, huge);
    stats = read();
    OK(stats.large_blocks == 0 && stats.large_bytes == 0 && stats.allocated_bytes == 0 && stats.active_bytes == 0);
    IS(stats.mapped_bytes, heap.depot.spans.regions.mapped_slices * EMMA_SLICE_BYTES);
}

TAP_MAIN({"an empty heap has nothing", an_empty_heap}, {"live bytes are exact at every step", live_bytes_are_exact},
         {"large and huge blocks are counted", large_and_huge_blocks})
