/* alloc_test.c: heap/alloc.c: small, large, huge, aligned and zeroed blocks of a heap of its own. */
#include "../tap.h"
#include "heap/heap.h"
#include "unit.h"

#define LUMP      ((size_t)65536) /* whole slices, and too large for a class */
#define LARGE_MAX ((size_t)EMMA_RUN_MAX_SLICES * EMMA_SLICE_BYTES)

static emma_heap heap = EMMA_HEAP_INITIAL(&unit_directory, unit_shelves, 0);
static emma_thread thread = EMMA_THREAD_INITIAL;
static const emma_thread initial = EMMA_THREAD_INITIAL;

static void fresh(void) {
    unit_heap_reset(&heap);
    thread = initial;
}

static void check_block(void *block, size_t size, size_t align) {
    if (!OK(block != 0))
        return;
    emma_block found = emma__heap_find(&heap, block);
    OK(found.kind != EMMA_BLOCK_NONE && found.usable_bytes >= size);
    OK((uintptr_t)block % align == 0 && (uintptr_t)block % EMMA_BLOCK_ALIGN == 0);
    uint8_t *bytes = block;
    if (size != 0)
        bytes[0] = bytes[size / 2] = bytes[size - 1] = 0xA5;
    if (found.usable_bytes != 0)
        bytes[found.usable_bytes - 1] = 0x5A;
}

static void every_small_size(void) {
    static void *held[2048];
    for (unsigned shared = 0; shared < 2; shared++) {
        emma_thread *user = shared != 0 ? 0 : &thread;
        fresh();
        unsigned count = 0;
        for (size_t size = 0; size <= EMMA_SMALL_MAX_BYTES; size += size < 1100 ? 1 : 61) {
            void *block = unit_alloc(&heap, user, size);
            check_block(block, size, 16);
            emma_block found = emma__heap_find(&heap, block);
            OK(found.kind == EMMA_BLOCK_SMALL && found.class == emma__class_of(size != 0 ? size : 1));
            held[count++] = block;
        }
        OK(unit_heap_sound(&heap, count));
        for (unsigned i = 0; i < count; i++)
            unit_free(&heap, user, held[i]);
        OK(unit_heap_sound(&heap, 0));
        OK(shared == 0 || heap.registry.first == 0);
    }
}

static void large_and_huge_sizes(void) {
    static const size_t sizes[] = {EMMA_SMALL_MAX_BYTES + 1,
                                   LUMP,
                                   LUMP + 1,
                                   31 * LUMP,
                                   32 * LUMP + 1,
                                   LARGE_MAX - 1,
                                   LARGE_MAX,
                                   LARGE_MAX + 1,
                                   EMMA_TRACT_BYTES,
                                   EMMA_TRACT_BYTES * 3 + 5};
    fresh();
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        void *block = unit_alloc(&heap, &thread, sizes[i]);
        check_block(block, sizes[i], EMMA_LINE_BYTES);
        IS(emma__heap_find(&heap, block).kind, sizes[i] <= LARGE_MAX ? EMMA_BLOCK_LARGE : EMMA_BLOCK_HUGE);
        OK(unit_heap_sound(&heap, 0));
        unit_free(&heap, &thread, block);
        OK(emma__thread_is_closed(thread.cache)); /* no thread cache is needed for these */
    }
    IS(emma__heap_regions(&heap)->huge_count, 0);
    IS(emma__heap_regions(&heap)->used_slices, emma__bits_count(emma__heap_regions(&heap)->first->word[0].tract));
}

static void impossible_sizes_are_refused(void) {
    static const size_t sizes[] = {SIZE_MAX,        (size_t)PTRDIFF_MAX + 1,
                                   PTRDIFF_MAX,     (size_t)PTRDIFF_MAX - EMMA_TRACT_BYTES,
                                   (size_t)1 << 62, (size_t)1 << EMMA_ADDRESS_LOG2};
    fresh();
    void *kept = unit_alloc(&heap, &thread, 10);
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        OK(unit_alloc(&heap, &thread, sizes[i]) == 0);
        OK(emma__heap_alloc_zeroed_large(&heap, 0, sizes[i]) == 0);
        OK(unit_alloc_aligned(&heap, &thread, sizes[i], 4096) == 0);
        OK(!emma__thread_is_closed(thread.cache)); /* the word was given back */
    }
    for (unsigned log2 = EMMA_ADDRESS_LOG2; log2 < 64; log2++)
        OK(unit_alloc_aligned(&heap, &thread, 1, (size_t)1 << log2) == 0);
    OK(unit_heap_sound(&heap, 1));
    unit_free(&heap, &thread, kept);
}

static void alignments(void) {
    fresh();
    for (size_t align = 1; align <= 4 * (size_t)EMMA_TRACT_BYTES; align *= 2) {
        static const size_t sizes[] = {1, 2, 17, 1000, 5000, 32768, 32769, 100000, 3 << 20};
        void *held[9];
        for (unsigned i = 0; i < 9; i++) {
            held[i] = unit_alloc_aligned(&heap, &thread, sizes[i], align);
            check_block(held[i], sizes[i], align);
        }
        for (unsigned i = 0; i < 9; i++)
            unit_free(&heap, &thread, held[i]);
        OK(unit_heap_sound(&heap, 0));
    }
}

/* A block of no bytes is a block of its own, at every alignment. */
static void aligned_blocks_of_no_bytes(void) {
    fresh();
    for (size_t align = 1; align <= 2 * (size_t)EMMA_TRACT_BYTES && tap.failures == 0; align *= 2) {
        void *a = unit_alloc_aligned(&heap, &thread, 0, align);
        void *b = unit_alloc_aligned(&heap, &thread, 0, align);
        if (!OK(a != 0 && b != 0 && a != b) || !OK(emma__heap_find(&heap, a).usable_bytes > 0))
            tap_note("alignment", align);
    }
}

/* Large zeroed blocks are zero: of fresh memory, of memory that was written to, and partly of each. */
static void zeroed_blocks_are_zero(void) {
    static const size_t sizes[] = {EMMA_SMALL_MAX_BYTES + 1, LUMP - 1,  LUMP,         LUMP + 1,
                                   5 * LUMP - 4096,          LARGE_MAX, LARGE_MAX + 1};
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        fresh();
        size_t size = sizes[i];
        void *dirty = unit_alloc(&heap, &thread, size);
        unit_fill(dirty, size, 9);
        unit_free(&heap, &thread, dirty);
        void *small = unit_alloc(&heap, &thread, LUMP); /* takes a part of it, writes to it */
        unit_fill(small, LUMP, 10);
        unit_free(&heap, &thread, small);
        uint8_t *block = emma__heap_alloc_zeroed_large(&heap, 0, size);
        if (!OK(block != 0))
            return;
        OK(unit_is_zero(block, emma__heap_find(&heap, block).usable_bytes));
        unit_fill(block, size, 11);
        void *second = emma__heap_alloc_zeroed_large(&heap, 0, size);
        OK(second != 0 && unit_is_zero(second, size));
        OK(unit_is_filled(block, size, 11));
        unit_free(&heap, &thread, block);
        unit_free(&heap, &thread, second);
    }
}

/* What is given to the program by shrinking a block in place, or lies behind its last line, was written to as well. */
static void zeroed_after_a_resize(void) {
    fresh();
    uint8_t *block = unit_alloc(&heap, &thread, 4 * LUMP);
    unit_fill(block, 4 * LUMP, 1);
    OK(emma__heap_resize(&heap, block, LUMP + 1, LUMP + 1));
    unit_free(&heap, &thread, block);
    void *zeroed = emma__heap_alloc_zeroed_large(&heap, 0, 4 * LUMP);
    OK(zeroed == (void *)block && unit_is_zero(zeroed, 4 * LUMP));
    OK(emma__heap_resize(&heap, zeroed, 3 * LUMP, 3 * LUMP));
    unit_fill(zeroed, 3 * LUMP, 2);
    unit_free(&heap, &thread, zeroed);
    zeroed = emma__heap_alloc_zeroed_large(&heap, 0, 3 * LUMP - 5);
    OK(unit_is_zero(zeroed, emma__heap_find(&heap, zeroed).usable_bytes));
    unit_free(&heap, &thread, zeroed);
}

static void fresh_pages_are_not_touched(void) {
    fresh();
    emma__heap_regions(&heap)->huge_pages_bytes = 0; /* or one may be tried: window_test.c */
    void *block = emma__heap_alloc_zeroed_large(&heap, 0, LARGE_MAX);
    IS(unit_resident_pages((uintptr_t)block, LARGE_MAX), 0);
    unit_free(&heap, &thread, block);
    block = emma__heap_alloc_zeroed_large(&heap, 0, 2 * LARGE_MAX);
    IS(unit_resident_pages((uintptr_t)block, 2 * LARGE_MAX), 0);
    unit_free(&heap, &thread, block);
}

static void collecting_sends_everything_home(void) {
    static void *held[300];
    fresh();
    for (unsigned i = 0; i < 300; i++)
        held[i] = unit_alloc(&heap, i % 3 == 0 ? 0 : &thread, i * 7);
    for (unsigned i = 0; i < 300; i++)
        unit_free(&heap, i % 2 == 0 ? 0 : &thread, held[i]);
    OK(unit_cached_blocks(&heap) > 0);
    OK(unit_heap_sound(&heap, 0));
    emma__heap_collect(&heap, &thread);
    IS(unit_cached_blocks(&heap), 0);
    OK(unit_heap_sound(&heap, 0));
    IS(emma__heap_regions(&heap)->used_slices, emma__bits_count(emma__heap_regions(&heap)->first->word[0].tract));
    OK(!emma__thread_is_closed(thread.cache));
    void *block = unit_alloc(&heap, &thread, 33); /* and the thread goes on */
    OK(block != 0 && unit_heap_sound(&heap, 1));
}

TAP_MAIN({"every small size, with a thread cache and without", every_small_size},
         {"large and huge sizes", large_and_huge_sizes}, {"impossible sizes are refused", impossible_sizes_are_refused},
         {"alignments to four tracts", alignments}, {"aligned blocks of no bytes", aligned_blocks_of_no_bytes},
         {"zeroed blocks are zero after dirty reuse", zeroed_blocks_are_zero},
         {"zeroed blocks are zero after a resize", zeroed_after_a_resize},
         {"fresh pages of zeroed blocks are not touched", fresh_pages_are_not_touched},
         {"collecting sends everything home", collecting_sends_everything_home})
