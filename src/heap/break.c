/* break.c: see break.h. */
#include "heap/break.h"

#include "heap/heap.h"
#include "plat/plat.h"

static size_t reserved_bytes(const emma_break *brk) {
    return (size_t)brk->slots << EMMA_TRACT_LOG2;
}

static void mark(emma_heap *heap, emma_granule granule) {
    for (unsigned i = 0; i < heap->brk.slots; i++)
        emma__directory_set(emma__heap_regions(heap)->directory, heap->brk.base + ((uintptr_t)i << EMMA_TRACT_LOG2),
                            granule);
}

/* Returns: whether there is a range. */
static bool make_range(emma_heap *heap) {
    emma_break *brk = &heap->brk;
    if (brk->base != 0)
        return true;
    for (unsigned slots = EMMA_BREAK_SLOTS; slots != 0 && brk->base == 0; slots /= 4) {
        emma_region *region;
        brk->base = emma__regions_map_slots(emma__heap_regions(heap), (size_t)slots << EMMA_TRACT_LOG2, 1, &region);
        brk->slots = brk->base != 0 ? slots : 0;
    }
    mark(heap, EMMA_GRANULE_BREAK);
    return brk->base != 0;
}

static size_t pages(emma_heap *heap, size_t bytes) {
    return emma__bits_align_up(bytes, emma__regions_page_bytes(emma__heap_regions(heap)));
}

static bool grow(emma_heap *heap, size_t more, bool *at_limit) {
    emma_break *brk = &heap->brk;
    if (more > reserved_bytes(brk) - brk->length_bytes)
        return false;
    size_t charged = pages(heap, brk->length_bytes + more);
    if (charged > brk->charged_bytes) {
        if (!emma__regions_charge(emma__heap_regions(heap), charged - brk->charged_bytes)) {
            *at_limit = true;
            return false;
        }
        brk->charged_bytes = charged;
    }
    brk->length_bytes += more;
    return true;
}

static bool shrink(emma_heap *heap, size_t less) {
    emma_break *brk = &heap->brk;
    if (less > brk->length_bytes)
        return false;
    brk->length_bytes -= less;
    size_t from = pages(heap, brk->length_bytes);
    size_t bytes = brk->charged_bytes - from;
    if (bytes == 0)
        return true;
    if (emma__plat_purge(brk->base + from, bytes)) {
        emma__regions_refund(emma__heap_regions(heap), bytes);
        brk->charged_bytes = from;
    } else {
        __builtin_memset((void *)(brk->base + from), 0, bytes); // NOLINT(performance-no-int-to-ptr)
    }
    return true;
}

uintptr_t emma__heap_break(emma_heap *heap, ptrdiff_t delta_bytes, bool *at_limit) {
    *at_limit = false;
    emma_break *brk = &heap->brk;
    uintptr_t end = 0;
    if (!emma__claim_wait(&brk->claim))
        return 0;
    if (make_range(heap)) {
        end = brk->base + brk->length_bytes;
        if (!(delta_bytes < 0 ? shrink(heap, (size_t)0 - (size_t)delta_bytes)
                              : grow(heap, (size_t)delta_bytes, at_limit)))
            end = 0;
    }
    emma__claim_give(&brk->claim);
    return end;
}

void emma__heap_break_reset(emma_heap *heap, bool end) {
    emma_break *brk = &heap->brk;
    emma__claim_give(&brk->claim); /* it may be claimed by a thread that a fork has left behind */
    if (brk->base == 0)
        return;
    if (!end) {
        shrink(heap, brk->length_bytes);
        return;
    }
    mark(heap, EMMA_GRANULE_NONE); /* first: others may map there as soon as it is unmapped */
    if (!emma__regions_unmap(brk->base, reserved_bytes(brk)))
        mark(heap, EMMA_GRANULE_BREAK); /* so many places need not be tried for the next heaps */
}
