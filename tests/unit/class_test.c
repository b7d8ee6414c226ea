/* class_test.c: span/class.h: the table and the arithmetic around it, every size and every class. */
#include "span/class.h"

#include "../tap.h"
#include "unit.h"

static unsigned slow_class_of(size_t size) {
    unsigned class = 1;
    while (emma__class_size(class) < size)
        class ++;
    return class;
}

static void table_grows(void) {
    IS(emma__class_size(EMMA_CLASS_NONE), 0);
    IS(emma__class_size(1), 16);
    IS(emma__class_size(EMMA_CLASS_FINE), EMMA_FINE_BYTES);
    IS(emma__class_size(EMMA_CLASS_LAST), EMMA_SMALL_MAX_BYTES);
    IS(EMMA_CLASS_LAST + 1, EMMA_CLASS_COUNT);
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++) {
        OK(emma__class_size(class) % EMMA_BLOCK_ALIGN == 0);
        OK(emma__class_size(class) > emma__class_size(class - 1));
    }
}

static void every_size_has_the_smallest_class(void) {
    for (size_t size = 1; size <= EMMA_SMALL_MAX_BYTES; size++)
        if (!IS(emma__class_of(size), slow_class_of(size)))
            return;
}

/* At most 15 bytes to 1 KiB; at most 1/9 of the class above, as the banner promises. */
static void waste_is_bounded(void) {
    for (size_t size = 1; size <= EMMA_SMALL_MAX_BYTES; size++) {
        size_t class_size = emma__class_size(emma__class_of(size));
        bool bounded = size <= EMMA_FINE_BYTES ? class_size - size <= 15 : (class_size - size) * 9 <= class_size;
        if (!OK(bounded))
            return;
    }
}

static void spans_hold_enough_blocks(void) {
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++) {
        const emma_class_info *info = &emma__class_table[class];
        size_t bytes = (size_t)info->slices * EMMA_SLICE_BYTES;
        OK(info->blocks >= EMMA_SPAN_BLOCKS_MIN);
        IS(info->blocks, bytes / info->size_bytes);
        OK(info->slices == 1 ||
           (size_t)(info->slices - 1) * EMMA_SLICE_BYTES / info->size_bytes < EMMA_SPAN_BLOCKS_MIN);
        OK(bytes <= 64 * EMMA_LINE_BYTES); /* a bit for each line */
        OK(info->slices <= EMMA_CHUNK_SLICES);
        OK(bytes / EMMA_BLOCK_ALIGN < 0xFFFF); /* offsets of a record's word */
    }
}

/* The reciprocal against real division, for every offset that a span can have. */
static void index_is_division(void) {
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++) {
        uint32_t size = emma__class_table[class].size_bytes;
        uint32_t end = emma__class_table[class].slices * (uint32_t)EMMA_SLICE_BYTES;
        for (uint32_t offset = 0; offset < end; offset++)
            if (emma__class_index(class, offset) != offset / size) {
                IS(emma__class_index(class, offset), offset / size);
                return;
            }
        IS(emma__class_index(class, (1U << 18) - 1), ((1U << 18) - 1) / size);
    }
}

static unsigned slow_class_of_aligned(size_t size, size_t align) {
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++)
        if (emma__class_size(class) >= size && emma__class_size(class) % align == 0)
            return class;
    return EMMA_CLASS_NONE;
}

enum { ALIGN_MAX = EMMA_TORTURE ? EMMA_SLICE_BYTES : 32768 }; /* spans begin at slices */

static void aligned_classes(void) {
    for (size_t align = 1; align <= ALIGN_MAX; align *= 2)
        for (size_t size = 0; size <= EMMA_SMALL_MAX_BYTES; size++)
            if (emma__class_of_aligned(size, align) != slow_class_of_aligned(size, align)) {
                tap_note("align", align);
                tap_note("size", size);
                IS(emma__class_of_aligned(size, align), slow_class_of_aligned(size, align));
                return;
            }
    IS(emma__class_size(emma__class_of_aligned(1, ALIGN_MAX)), ALIGN_MAX);
}

static void too_large_alignments_have_no_class(void) {
    for (unsigned log2 = emma__bits_highest(ALIGN_MAX) + 1; log2 < 64; log2++) {
        IS(emma__class_of_aligned(1, (size_t)1 << log2), EMMA_CLASS_NONE);
        IS(emma__class_of_aligned(EMMA_SMALL_MAX_BYTES, (size_t)1 << log2), EMMA_CLASS_NONE);
    }
    IS(emma__class_of_aligned(EMMA_SMALL_MAX_BYTES / 2 + 1, EMMA_SMALL_MAX_BYTES / 2), EMMA_CLASS_LAST);
}

TAP_MAIN({"the table: multiples of 16 that grow to 32 KiB", table_grows},
         {"every size has the smallest class that fits", every_size_has_the_smallest_class},
         {"internal waste is bounded", waste_is_bounded},
         {"every span holds at least eight blocks, and no slice too many", spans_hold_enough_blocks},
         {"multiplying by the reciprocal is dividing", index_is_division},
         {"every size and alignment has the smallest class of multiples", aligned_classes},
         {"alignments above the classes have none", too_large_alignments_have_no_class})
