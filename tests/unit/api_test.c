/* api_test.c: include/emma.h: the public functions, for the default heap, contract line by line. */
#include "emma.h"

#include "../tap.h"
#include "api/fast.h"
#include "unit.h"

#define LUMP ((size_t)65536)

/* Sizes around every edge there is. */
static const size_t edges[] = {0,        1,
                               15,       16,
                               17,       31,
                               32,       33,
                               1023,     1024,
                               1025,     1152,
                               1153,     4095,
                               4096,     4097,
                               32767,    32768,
                               32769,    65535,
                               65536,    65537,
                               1 << 20,  (2 << 20) - 1,
                               2 << 20,  (2 << 20) + 1,
                               32 << 20, (32 << 20) + 1,
                               64 << 20, (64 << 20) + 1};
enum { EDGES = sizeof edges / sizeof edges[0] };

/* The same block; the compiler no longer knows how long it is. */
static void *unknown(void *block) {
    __asm__("" : "+r"(block));
    return block;
}

static void malloc_and_free(void) {
    void *held[EDGES];
    emma_free(0);
    IS(emma_usable_size(0), 0);
    for (unsigned i = 0; i < EDGES; i++) {
        held[i] = emma_malloc(edges[i]);
        OK(held[i] != 0 && (uintptr_t)held[i] % 16 == 0);
        size_t usable = emma_usable_size(held[i]);
        OK(usable >= edges[i] && usable > 0);
        IS(usable >= emma_good_size(edges[i]), 1);
        OK(emma_owns(held[i]));
        unit_fill(held[i], edges[i] < 5000 ? edges[i] : 5000, i);
        for (unsigned j = 0; j < i; j++)
            OK(held[i] != held[j]);
    }
    for (unsigned i = 0; i < EDGES; i++) {
        OK(unit_is_filled(held[i], edges[i] < 5000 ? edges[i] : 5000, i));
        if (i % 3 == 0)
            emma_free(held[i]);
        else if (i % 3 == 1)
            emma_free_sized(held[i], edges[i]);
        else
            emma_free_aligned_sized(held[i], 16, edges[i]);
    }
    OK(unit_heap_sound(&emma__default_heap, 0));
}

static void impossible_sizes(void) {
    static const size_t sizes[] = {SIZE_MAX,         (size_t)PTRDIFF_MAX + 1, SIZE_MAX - 15,
                                   SIZE_MAX - 65535, (size_t)1 << 63,         (size_t)1 << 60};
    void *kept = emma_malloc(100000);
    unit_fill(kept, 100000, 1);
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        OK(emma_malloc(sizes[i]) == 0);
        OK(emma_calloc(1, sizes[i]) == 0 && emma_calloc(sizes[i], 1) == 0 && emma_calloc(sizes[i], sizes[i]) == 0);
        OK(emma_aligned_alloc(16, sizes[i]) == 0 && emma_aligned_alloc(65536, sizes[i]) == 0);
        IS(emma_realloc_in_place(kept, sizes[i], sizes[i]), 0);
        if (!OK(emma_realloc(kept, sizes[i]) == 0))
            return; /* it has lost its block */
        OK(sizes[i] <= PTRDIFF_MAX || emma_good_size(sizes[i]) == 0);
    }
    OK(emma_calloc((size_t)1 << 32, (size_t)1 << 32) == 0);
    OK(emma_calloc(((size_t)1 << 32) + 1, (size_t)1 << 32) == 0);
    OK(unit_is_filled(kept, 100000, 1));
    emma_free(kept);
}

/* A size whose number of slices is a small number beyond 32 bits. */
static void realloc_to_sizes_beyond_32_bits_of_slices(void) {
    void *block = emma_malloc(3 * LUMP);
    unit_fill(block, 3 * LUMP, 1);
    size_t size = ((size_t)EMMA_SLICE_BYTES << 32) + 2 * LUMP;
    if (!IS(emma_realloc_in_place(block, size, size), 0))
        return;
    OK(emma_realloc(block, size) == 0);
    OK(unit_is_filled(block, 3 * LUMP, 1));
    emma_free(block);
}

static void calloc_is_zero_after_dirty_reuse(void) {
    for (unsigned i = 0; i < EDGES; i++) {
        size_t size = edges[i];
        void *dirty[3];
        for (unsigned j = 0; j < 3; j++) {
            dirty[j] = emma_malloc(size);
            __builtin_memset(dirty[j], 0xEE, emma_usable_size(dirty[j]));
        }
        for (unsigned j = 0; j < 3; j++)
            emma_free(dirty[j]);
        for (unsigned j = 0; j < 4; j++) {
            void *zero = j % 2 == 0 ? emma_calloc(1, size) : emma_calloc(size, 1);
            OK(zero != 0 && unit_is_zero(zero, size));
            emma_free(zero);
        }
    }
    void *odd = emma_calloc(3, 333);
    OK(unit_is_zero(odd, 999));
    emma_free(odd);
    void *none = emma_calloc(0, SIZE_MAX); /* no bytes: a block of its own, no overflow */
    OK(none != 0);
    emma_free(none);
}

static void realloc_keeps_contents(void) {
    for (unsigned i = 0; i < EDGES; i++) {
        for (unsigned j = 0; j<EDGES; j += edges[i]>(1 << 20) ? 2 : 1) {
            size_t least = edges[i] < edges[j] ? edges[i] : edges[j];
            size_t probe = least < 3000 ? least : 3000;
            uint8_t *block = emma_malloc(edges[i]);
            unit_fill(block, probe, i);
            unit_fill(block + least - probe, probe, i);
            uint8_t *after = emma_realloc(block, edges[j]);
            if (!OK(after != 0 && emma_usable_size(after) >= edges[j]))
                return;
            OK(unit_is_filled(after + least - probe, probe, i));
            OK(least < 6000 || unit_is_filled(after, probe, i));
            emma_free(after);
        }
    }
    void *fresh = emma_realloc(0, 50);
    OK(fresh != 0);
    OK((fresh = emma_realloc(fresh, 0)) != 0 && emma_usable_size(fresh) > 0);
    emma_free(fresh);
    OK(unit_heap_sound(&emma__default_heap, 0));
}

/* Fresh neighbours free: growing never moves. */
static void realloc_grows_in_place_where_it_can(void) {
    emma_collect();
    uint8_t *block = emma_malloc(LUMP);
    size_t size = LUMP;
    for (; size < 8 * LUMP; size += LUMP / 2) {
        uint8_t *after = emma_realloc(block, size);
        OK(after == block);
        block = after;
    }
    for (; size > LUMP; size -= LUMP / 2)
        OK(emma_realloc(block, size) == (void *)block);
    size_t usable = emma_realloc_in_place(block, 2 * LUMP, 3 * LUMP);
    OK(usable >= 2 * LUMP && usable == emma_usable_size(block));
    emma_free(block);
    uint8_t *huge = unknown(emma_malloc(100 << 20));
    OK(emma_realloc_in_place(huge, 300 << 20, 300 << 20) >= (size_t)300 << 20);
    huge[((size_t)300 << 20) - 1] = 1;
    OK(emma_realloc(huge, 90 << 20) == (void *)huge);
    emma_free(huge);
    void *small = emma_malloc(100);
    IS(emma_realloc_in_place(small, 1, 112), 112);
    IS(emma_realloc_in_place(small, 113, 113), 0);
    IS(emma_realloc_in_place(small, 100, 5000), 112);
    emma_free(small);
}

static void aligned_blocks(void) {
    OK(emma_aligned_alloc(0, 10) == 0 && emma_aligned_alloc(3, 10) == 0 && emma_aligned_alloc(48, 96) == 0);
    OK(emma_aligned_alloc(SIZE_MAX, 1) == 0);
    for (size_t align = 1; align <= (size_t)256 << 20; align *= 2) {
        for (unsigned i = 1; i < EDGES; i += 3) {
            void *block = emma_aligned_alloc(align, edges[i]);
            OK(block != 0 && (uintptr_t)block % align == 0 && emma_usable_size(block) >= edges[i]);
            unit_fill(block, edges[i] < 100 ? edges[i] : 100, i);
            emma_free(block);
        }
    }
    OK(unit_heap_sound(&emma__default_heap, 0));
}

static void aligned_blocks_of_no_bytes(void) {
    void *a = emma_aligned_alloc(65536, 0);
    void *b = emma_aligned_alloc(65536, 0);
    OK(a != 0 && b != 0 && a != b);
    OK(emma_usable_size(a) > 0);
}

static void good_sizes(void) {
    for (size_t size = 0; size < 40000; size++) {
        size_t good = emma_good_size(size);
        if (!OK(good >= size && good > 0 && emma_good_size(good) == good))
            return;
    }
    for (unsigned i = 0; i < EDGES && edges[i] <= (size_t)EMMA_RUN_MAX_SLICES * EMMA_SLICE_BYTES; i++) {
        void *block = emma_malloc(edges[i]);
        IS(emma_good_size(edges[i]), emma_usable_size(block));
        emma_free(block);
    }
    OK(emma_good_size(PTRDIFF_MAX) >= PTRDIFF_MAX); /* 0 iff above it */
    IS(emma_good_size((size_t)PTRDIFF_MAX + 1), 0);
}

static void owns(void) {
    static char variable;
    OK(!emma_owns(0) && !emma_owns(&variable) && !emma_owns(unit_pointer(UINTPTR_MAX)));
    OK(!emma_owns(edges));
    void *block = emma_malloc(10);
    OK(emma_owns(block));
    emma_free(block);
}

static void collect_and_stats(void) {
    emma_stats stats;
    void *held[100];
    for (unsigned i = 0; i < 100; i++)
        held[i] = emma_malloc(5000);
    emma_stats_read(&stats);
    OK(stats.allocated_bytes >= 100 * 5000 && stats.allocated_bytes < 100 * 5000 * 2);
    for (unsigned i = 0; i < 100; i++)
        emma_free(held[i]);
    OK(emma_collect() > 0);
    emma_stats_read(&stats);
    OK(stats.allocated_bytes == 0 && stats.cached_bytes == 0 && stats.dirty_bytes == 0);
    IS(emma_collect(), 0);
}

static void options(void) {
    OK(emma_configure("") == 0);
    OK(emma_configure("dirty_seconds=10") == 0);
    static const char bad[] = "bad";
    OK(emma_configure(bad) == bad);
    char buffer[40];
    IS(emma_options_help(buffer, 0), 0);
    IS(emma_options_help(buffer, sizeof buffer), sizeof buffer);
}

/* Last: the thread goes on without a cache of its own. */
static void thread_exit(void) {
    void *block = emma_malloc(77);
    emma_thread_exit();
    emma_free(block);
    block = emma_malloc(78);
    OK(block != 0);
    emma_free(block);
    emma_thread_exit();
    OK(unit_heap_sound(&emma__default_heap, 0));
}

TAP_MAIN({"malloc and free at every edge", malloc_and_free},
         {"calloc is zero after dirty reuse", calloc_is_zero_after_dirty_reuse},
         {"realloc keeps the contents, from every edge to every other", realloc_keeps_contents},
         {"realloc grows in place where it can", realloc_grows_in_place_where_it_can},
         {"aligned blocks", aligned_blocks}, {"good sizes are the usable sizes", good_sizes},
         {"what is ours and what is not", owns}, {"collect and stats", collect_and_stats}, {"options", options},
         {"thread exit", thread_exit}, {"impossible sizes are refused", impossible_sizes},
         {"aligned blocks of no bytes", aligned_blocks_of_no_bytes},
         {"realloc to sizes beyond 32 bits of slices", realloc_to_sizes_beyond_32_bits_of_slices})
