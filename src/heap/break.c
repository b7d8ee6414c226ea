/* break.c: see break.h. */
#include "heap/break.h"

#include "heap/heap.h"
#include "plat/plat.h"

enum { MAP_TRIES = 16, SLOTS_MASK = 4095 };

static size_t reserved_bytes(uintptr_t word) {
    return (size_t)(word & SLOTS_MASK) << EMMA_TRACT_LOG2;
}

static void mark(emma_heap *heap, uintptr_t address, unsigned slots, emma_granule granule) {
    for (unsigned i = 0; i < slots; i++)
        emma__directory_set(emma__heap_regions(heap)->directory, address + ((uintptr_t)i << EMMA_TRACT_LOG2), granule);
}

/* Map so many slots. Returns: the word for them, 0 iff refused. */
static uintptr_t map_slots(emma_heap *heap, unsigned slots, emma_region **region) {
    for (unsigned try = 0; try < MAP_TRIES; try++) {
        uintptr_t address = emma__regions_claim_slots(emma__heap_regions(heap), slots, region);
        if (address == 0)
            return 0;
        emma_map_result result = emma__plat_map_at(address, (size_t)slots << EMMA_TRACT_LOG2);
        if (result == EMMA_MAP_DONE) {
            mark(heap, address, slots, EMMA_GRANULE_BREAK);
            return address | slots;
        }
        if (result == EMMA_MAP_REFUSED) {
            emma__regions_release_slots(*region, address, slots);
            return 0;
        } /* occupied: these slots stay claimed */
    }
    return 0;
}

static void unmap_slots(emma_heap *heap, uintptr_t word) {
    uintptr_t address = word & ~(uintptr_t)SLOTS_MASK;
    mark(heap, address, (unsigned)(word & SLOTS_MASK), EMMA_GRANULE_NONE);
    emma__plat_unmap(address, reserved_bytes(word));
}

/* Made aside, published by one CAS. */
static uintptr_t range_of(emma_heap *heap) {
    uintptr_t word = ATOMIC_LOAD(&heap->brk.base, acquire);
    if (word != 0)
        return word;
    emma_region *region;
    for (unsigned slots = EMMA_BREAK_SLOTS; slots != 0 && word == 0; slots /= 4)
        word = map_slots(heap, slots, &region);
    uintptr_t present = 0;
    if (word == 0 || ATOMIC_CAS(&heap->brk.base, &present, word, acq_rel)) /* pairs with the acquire above */
        return word;
    unmap_slots(heap, word);
    emma__regions_release_slots(region, word & ~(uintptr_t)SLOTS_MASK, (unsigned)(word & SLOTS_MASK));
    return present;
}

static size_t pages(emma_heap *heap, size_t bytes) {
    return emma__bits_align_up(bytes, emma__regions_page_bytes(emma__heap_regions(heap)));
}

static uintptr_t grow(emma_heap *heap, uintptr_t word, size_t more) {
    emma_commit *commit = &emma__heap_regions(heap)->commit;
    size_t before = ATOMIC_LOAD(&heap->brk.length_bytes, acquire);
    for (;;) {
        if (more > reserved_bytes(word) - before)
            return 0;
        size_t charge = pages(heap, before + more) - pages(heap, before);
        if (!emma__commit_charge(commit, charge))
            return 0;
        if (ATOMIC_CAS(&heap->brk.length_bytes, &before, before + more, acq_rel)) /* pairs with shrink: purged pages */
            return (word & ~(uintptr_t)SLOTS_MASK) + before;
        emma__commit_refund(commit, charge);
    }
}

static uintptr_t shrink(emma_heap *heap, uintptr_t word, size_t less) {
    uintptr_t address = word & ~(uintptr_t)SLOTS_MASK;
    size_t before = ATOMIC_LOAD(&heap->brk.length_bytes, acquire);
    if (less > before)
        return 0;
    /* First the rest of the last page, so that all of it is this thread's to give back. */
    size_t end = pages(heap, before);
    size_t length = before;
    if (!ATOMIC_CAS(&heap->brk.length_bytes, &length, end, acq_rel))
        return 0;
    size_t from = pages(heap, before - less);
    if (from < end)
        emma__plat_purge(address + from, end - from);
    length = end;
    if (!ATOMIC_CAS(&heap->brk.length_bytes, &length, before - less, acq_rel)) /* pairs with grow */
        return 0;
    emma__commit_refund(&emma__heap_regions(heap)->commit, end - from);
    return address + before;
}

uintptr_t emma__heap_break(emma_heap *heap, ptrdiff_t delta_bytes) {
    uintptr_t word = range_of(heap);
    if (word == 0)
        return 0;
    return delta_bytes < 0 ? shrink(heap, word, (size_t)0 - (size_t)delta_bytes)
                           : grow(heap, word, (size_t)delta_bytes);
}

void emma__heap_break_reset(emma_heap *heap, bool end) {
    uintptr_t word = ATOMIC_LOAD(&heap->brk.base, relaxed);
    size_t length = pages(heap, ATOMIC_EXCHANGE(&heap->brk.length_bytes, 0, relaxed));
    if (word == 0)
        return;
    emma__commit_refund(&emma__heap_regions(heap)->commit, length);
    if (end)
        unmap_slots(heap, word);
    else
        emma__plat_purge(word & ~(uintptr_t)SLOTS_MASK, length);
}
