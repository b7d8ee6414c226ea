/* resize.c: changing the size of a block in place, and moving its pages instead of copying. Interface in heap.h. */
#include "heap/heap.h"

enum {
    /* Below this much to copy, copying is faster than moving pages. */
    MOVE_MIN_BYTES = 256 * 1024,
};

/* Give a block above the small classes this size. Returns: false iff it cannot have that where it lies, or is none. */
static bool resize_to(emma_heap *heap, const emma_block *found, uintptr_t address, size_t size_bytes) {
    switch (found->kind) {
    case EMMA_BLOCK_LARGE: /* it stays one */
        size_bytes = size_bytes > EMMA_SMALL_MAX_BYTES ? size_bytes : EMMA_SMALL_MAX_BYTES + 1;
        return emma__spans_resize_large(&heap->depot.spans, address, size_bytes);
    case EMMA_BLOCK_HUGE: {
        emma_regions *regions = emma__heap_regions(heap);
        return emma__huge_resize(regions, emma__huge_find(regions->directory, address), size_bytes);
    }
    case EMMA_BLOCK_LENT:
        return emma__lent_resize(heap, (void *)address, size_bytes); // NOLINT(performance-no-int-to-ptr)
    case EMMA_BLOCK_SMALL:
    case EMMA_BLOCK_NONE:
        break;
    }
    return false;
}

/* What is cut off a block is cleared as if it were freed. */
static void clear_tail(const emma_heap *heap, void *block, size_t usable_bytes, size_t want_bytes) {
    if ((heap->wishes.flags & EMMA_HEAP_ZERO_ON_FREE) != 0 && want_bytes < usable_bytes)
        __builtin_memset((char *)block + want_bytes, 0, usable_bytes - want_bytes);
}

bool emma__heap_resize(emma_heap *heap, void *block, size_t min_bytes, size_t want_bytes) {
    if (min_bytes > PTRDIFF_MAX - EMMA_TRACT_BYTES)
        return false;
    want_bytes = want_bytes < PTRDIFF_MAX - EMMA_TRACT_BYTES ? want_bytes : PTRDIFF_MAX - EMMA_TRACT_BYTES;
    emma_block found = emma__heap_find(heap, block);
    heap = found.heap != 0 ? found.heap : heap;
    uintptr_t address = (uintptr_t)block;
    clear_tail(heap, block, found.usable_bytes, want_bytes);
    return resize_to(heap, &found, address, want_bytes) || min_bytes <= found.usable_bytes ||
           (min_bytes < want_bytes && resize_to(heap, &found, address, min_bytes));
}

void *emma__heap_move(emma_heap *heap, void *block, size_t size_bytes) {
    emma_block found = emma__heap_find(heap, block);
    if (found.kind == EMMA_BLOCK_LENT)
        return 0;
    emma_regions *regions = emma__heap_regions(heap);
    uintptr_t address = (uintptr_t)block;
    if (size_bytes <= found.usable_bytes || size_bytes > PTRDIFF_MAX - EMMA_TRACT_BYTES)
        return 0;
    if (found.kind == EMMA_BLOCK_HUGE) {
        const emma_huge *to = emma__huge_move(regions, emma__huge_find(regions->directory, address), size_bytes);
        return to != 0 ? (void *)to->block : 0; // NOLINT(performance-no-int-to-ptr)
    }
    size_t page = emma__regions_page_bytes(regions);
    if (found.kind != EMMA_BLOCK_LARGE || found.usable_bytes < MOVE_MIN_BYTES || found.usable_bytes % page != 0)
        return 0;
    const emma_huge *to = emma__huge_adopt(regions, address, found.usable_bytes, size_bytes);
    if (to == 0)
        return 0;
    emma__spans_release_large(&heap->depot.spans, address);
    return (void *)to->block; // NOLINT(performance-no-int-to-ptr)
}
