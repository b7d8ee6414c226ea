/* stats_test.c: ctl/stats.h and ctl/options.h: figures that add up, options that are parsed whole or named. */
#include "ctl/stats.h"

#include "../tap.h"
#include "ctl/options.h"
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

static void options_are_set(void) {
    fresh();
    OK(emma__options_apply(&heap, "") == 0);
    OK(emma__options_apply(&heap, "dirty_bytes=5M,dirty_seconds=7,janitor=on") == 0);
    OK(heap.purge.dirty_bytes == 5 << 20 && heap.purge.dirty_seconds == 7 && heap.purge.janitor == 2);
    OK(emma__options_apply(&heap, "janitor=threads") == 0 && heap.purge.janitor == 1);
    OK(emma__options_apply(&heap, "janitor=off,") == 0 && heap.purge.janitor == 0);
    OK(emma__options_apply(&heap, "dirty_bytes=12345") == 0 && heap.purge.dirty_bytes == 12345);
    OK(emma__options_apply(&heap, "dirty_bytes=3K") == 0 && heap.purge.dirty_bytes == 3072);
    OK(emma__options_apply(&heap, "dirty_bytes=2G") == 0 && heap.purge.dirty_bytes == (size_t)2 << 30);
    OK(emma__options_apply(&heap, "dirty_bytes=18446744073709551615") == 0 && heap.purge.dirty_bytes == SIZE_MAX);
    OK(emma__options_apply(&heap, "dirty_bytes=0") == 0 && heap.purge.dirty_bytes == 0);
}

/* What is not understood is named by its place and changes nothing; what comes before it is set. */
static void bad_options_are_named(void) {
    static const char *const bad[] = {"x",
                                      "janitor",
                                      "janitor=",
                                      "janitor=onx",
                                      "janitor=On",
                                      " janitor=on",
                                      "dirty_bytes=",
                                      "dirty_bytes=K",
                                      "dirty_bytes=-1",
                                      "dirty_bytes=1KK",
                                      "dirty_bytes=1T",
                                      "dirty_bytes=1 ",
                                      "dirty_bytes=18446744073709551616",
                                      "dirty_bytes=18014398509481984K",
                                      "dirty_seconds=1K",
                                      "dirty_byte=1",
                                      "dirty_bytess=1"};
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        fresh();
        emma_purge_state before = heap.purge;
        OK(emma__options_apply(&heap, bad[i]) == bad[i]);
        OK(__builtin_memcmp((const void *)&before, (const void *)&heap.purge, sizeof before) == 0);
    }
    static const char mixed[] = "dirty_seconds=3,nonsense=1,janitor=on";
    OK(emma__options_apply(&heap, mixed) == mixed + 16);
    OK(heap.purge.dirty_seconds == 3 && heap.purge.janitor == 0);
}

#define COUNT_ONE(key, word, kind, help) +1

static void help_names_every_option(void) {
    static char buffer[2000];
    fresh();
    emma__options_apply(&heap, "dirty_bytes=77,janitor=threads");
    emma_text text = emma__text_in(buffer, sizeof buffer);
    emma__options_help(&heap, &text);
    OK(text.length_bytes > 100 && text.length_bytes < sizeof buffer && buffer[text.length_bytes - 1] == '\n');
    unsigned lines = 0;
    for (size_t i = 0; i < text.length_bytes; i++)
        lines += buffer[i] == '\n';
    IS(lines, 0 EMMA_OPTIONS(COUNT_ONE));
    OK(__builtin_memcmp(buffer, "janitor=threads ", 16) == 0);
}

TAP_MAIN({"an empty heap has nothing", an_empty_heap}, {"live bytes are exact at every step", live_bytes_are_exact},
         {"large and huge blocks are counted", large_and_huge_blocks}, {"options are set", options_are_set},
         {"options that are not understood are named", bad_options_are_named},
         {"the help has a line for every option", help_names_every_option})
