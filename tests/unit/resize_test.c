/* resize_test.c: heap/resize.c: in place or not at all; moving pages instead of copying. */
#include "../tap.h"
#include "heap/heap.h"
#include "plat/plat.h"
#include "unit.h"

#define LUMP      ((size_t)65536) /* whole slices, and too large for a class */
#define TRACT     ((size_t)EMMA_TRACT_BYTES)
#define LARGE_MAX ((size_t)EMMA_RUN_MAX_SLICES * EMMA_SLICE_BYTES)

static emma_heap heap = EMMA_HEAP_INITIAL(&unit_directory, unit_shelves, 0);

static void *alloc(size_t size) {
    void *block = unit_alloc(&heap, 0, size);
    OK(block != 0);
    return block;
}

static size_t usable(const void *block) {
    return emma__heap_find(&heap, block).usable_bytes;
}

static void small_blocks_keep_their_class(void) {
    unit_heap_reset(&heap);
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class += 5) {
        size_t size = emma__class_size(class);
        void *block = alloc(size);
        OK(emma__heap_resize(&heap, block, 1, 1));
        OK(emma__heap_resize(&heap, block, 1, size));
        OK(emma__heap_resize(&heap, block, size, size));
        OK(emma__heap_resize(&heap, block, size, 10 * size)); /* as much as can be had */
        OK(!emma__heap_resize(&heap, block, size + 1, size + 1));
        IS(usable(block), size);
        OK(emma__heap_move(&heap, block, size + 1) == 0);
        unit_free(&heap, 0, block);
    }
}

static void large_blocks_grow_where_room_is(void) {
    unit_heap_reset(&heap);
    unit_free(&heap, 0, alloc(LARGE_MAX)); /* so that blocks follow each other */
    uint8_t *a = alloc(2 * LUMP);
    uint8_t *gap = alloc(4 * LUMP);
    uint8_t *b = alloc(LUMP);
    OK(gap == a + 2 * LUMP && b == gap + 4 * LUMP);
    unit_fill(a, 2 * LUMP, 1);
    OK(!emma__heap_resize(&heap, a, 2 * LUMP + 1, 5 * LUMP));
    OK(emma__heap_resize(&heap, a, 2 * LUMP, 5 * LUMP)); /* min is there already */
    IS(usable(a), 2 * LUMP);
    unit_free(&heap, 0, gap);
    OK(emma__heap_resize(&heap, a, 3 * LUMP, 100 * LUMP)); /* not want, but min */
    OK(usable(a) >= 3 * LUMP && usable(a) <= 6 * LUMP);
    OK(emma__heap_resize(&heap, a, 5 * LUMP, 6 * LUMP));
    IS(usable(a), 6 * LUMP);
    OK(!emma__heap_resize(&heap, a, 6 * LUMP + 1, 6 * LUMP + 1));
    OK(unit_is_filled(a, 2 * LUMP, 1));
    OK(unit_heap_sound(&heap, 0));
}

static void large_blocks_shrink_always(void) {
    unit_heap_reset(&heap);
    uint8_t *block = alloc(LARGE_MAX);
    unit_fill(block, LUMP, 2);
    for (size_t size = LARGE_MAX - 1; size > EMMA_SMALL_MAX_BYTES; size = size / 2 + size / 4) {
        OK(emma__heap_resize(&heap, block, size, size));
        OK(usable(block) >= size && usable(block) < size + EMMA_LINE_BYTES);
    }
    OK(emma__heap_resize(&heap, block, 1, 1)); /* it stays a large block, of the least size */
    IS(emma__heap_find(&heap, block).kind, EMMA_BLOCK_LARGE);
    OK(usable(block) <= EMMA_SMALL_MAX_BYTES + EMMA_LINE_BYTES);
    IS(emma__span_at((uintptr_t)block)->slices, emma__bits_div_up(EMMA_SMALL_MAX_BYTES + 1, EMMA_SLICE_BYTES));
    OK(unit_is_filled(block, EMMA_SMALL_MAX_BYTES, 2));
    OK(!emma__heap_resize(&heap, block, LARGE_MAX + 1, LARGE_MAX + 1));
    OK(emma__heap_resize(&heap, block, LARGE_MAX, LARGE_MAX));
    OK(unit_heap_sound(&heap, 0));
    unit_free(&heap, 0, block);
}

static void huge_blocks_grow_and_shrink(void) {
    unit_heap_reset(&heap);
    uint8_t *block = alloc(TRACT);
    unit_fill(block, 10000, 3);
    static const size_t factors[] = {2, 7, 3, 1};
    for (unsigned i = 0; i < 4; i++) {
        OK(emma__heap_resize(&heap, block, factors[i] * TRACT, factors[i] * TRACT));
        OK(usable(block) >= factors[i] * TRACT && usable(block) < factors[i] * TRACT + TRACT / 2);
        block[factors[i] * TRACT - 1] = 1;
        OK(unit_is_filled(block, 10000, 3));
    }
    uint8_t *behind = alloc(TRACT); /* in the way */
    OK(behind > block);
    size_t before = usable(block);
    OK(!emma__heap_resize(&heap, block, 4 * TRACT, 8 * TRACT));
    IS(usable(block), before);
    OK(emma__heap_resize(&heap, block, 10, 8 * TRACT)); /* what it has is enough */
    unit_free(&heap, 0, behind);
    unit_free(&heap, 0, block);
    IS(emma__heap_regions(&heap)->huge_bytes, 0);
}

static void impossible_sizes_are_refused(void) {
    static const size_t sizes[] = {SIZE_MAX, PTRDIFF_MAX, (size_t)1 << 62, (size_t)1 << 50,
                                   ((size_t)EMMA_SLICE_BYTES << 32) + 70000};
    unit_heap_reset(&heap);
    void *blocks[3] = {alloc(100), alloc(3 * LUMP), alloc(2 * TRACT)};
    for (unsigned i = 0; i < 3; i++) {
        size_t before = usable(blocks[i]);
        for (unsigned j = 0; j < 5; j++) {
            if (!OK(!emma__heap_resize(&heap, blocks[i], sizes[j], sizes[j])))
                return; /* the heap is not sound any more */
            OK(emma__heap_move(&heap, blocks[i], sizes[j]) == 0);
        }
        IS(usable(blocks[i]), before);
        unit_free(&heap, 0, blocks[i]);
    }
    static char variable[64];
    OK(!emma__heap_resize(&heap, variable, 1, 1));
    OK(!emma__heap_resize(&heap, 0, 1, 1));
    OK(emma__heap_move(&heap, variable, 1 << 20) == 0);
}

/* A move keeps the contents, gives the old place back, and ends in a huge block. */
static void check_move(size_t from, size_t to) {
    unit_heap_reset(&heap);
    uint8_t *block = alloc(from);
    size_t had = usable(block);
    unit_fill(block, had, 4);
    uint8_t *moved = emma__heap_move(&heap, block, to);
    if (moved == 0) {
        tap_note("not moved, from bytes:", from);
        OK(unit_is_filled(block, had, 4)); /* refused: as it was */
        IS(usable(block), had);
        unit_free(&heap, 0, block);
        tap_skip("the kernel cannot move pages and keep the place");
        return;
    }
    OK(moved != block && usable(moved) >= to);
    IS(emma__heap_find(&heap, moved).kind, EMMA_BLOCK_HUGE);
    OK(unit_is_filled(moved, had, 4));
    OK(unit_is_zero(moved + had, usable(moved) - had));
    IS(emma__heap_find(&heap, block).kind, EMMA_BLOCK_NONE);
    IS(emma__heap_regions(&heap)->huge_count, 1);
    OK(unit_heap_sound(&heap, 0));
    void *again = emma__heap_alloc_zeroed_large(&heap, 0, from); /* the old place may be used again, and is zero */
    OK(unit_is_zero(again, from));
    unit_free(&heap, 0, again);
    unit_free(&heap, 0, moved);
    IS(emma__heap_regions(&heap)->huge_bytes, 0);
}

static void large_blocks_move(void) {
    check_move(512 * 1024, 1024 * 1024);
    check_move(512 * 1024, 3 * TRACT);
    check_move(LARGE_MAX, LARGE_MAX + 1);
}

static void huge_blocks_move(void) {
    check_move(TRACT, 2 * TRACT);
    check_move(LARGE_MAX + 1, 4 * TRACT);
}

static void short_blocks_and_smaller_sizes_do_not_move(void) {
    unit_heap_reset(&heap);
    void *short_one = alloc(EMMA_SMALL_MAX_BYTES + 1);
    OK(emma__heap_move(&heap, short_one, 1 << 20) == 0);
    void *block = alloc(1 << 20);
    OK(emma__heap_move(&heap, block, usable(block)) == 0);
    OK(emma__heap_move(&heap, block, 1) == 0);
    OK(unit_heap_sound(&heap, 0));
}

TAP_MAIN({"small blocks keep their class", small_blocks_keep_their_class},
         {"large blocks grow where room is, between min and want", large_blocks_grow_where_room_is},
         {"large blocks shrink always", large_blocks_shrink_always},
         {"huge blocks grow and shrink in place", huge_blocks_grow_and_shrink},
         {"impossible sizes and foreign addresses are refused", impossible_sizes_are_refused},
         {"large blocks move by their pages", large_blocks_move}, {"huge blocks move by their pages", huge_blocks_move},
         {"short blocks, and to smaller sizes, are not moved", short_blocks_and_smaller_sizes_do_not_move})
