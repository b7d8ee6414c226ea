/* parts.c: see parts.h. */
#include "heap/parts.h"

#include "base/check.h"
#include "heap/heap.h"
#include "plat/plat.h"

static emma_part *make_part(emma_heap *heap, uintptr_t from, uintptr_t end) {
    emma_part *part = emma__heap_alloc(heap, 0, 0, sizeof *part);
    if (part != 0)
        *part = (emma_part){0, from, end};
    return part;
}

static void put(emma_heap *heap, void *block) {
    emma__heap_free(heap, 0, 0, block, EMMA_CLASS_NONE);
}

/* Pages go back when nothing of them is left: those of a whole part that touch what was freed just now, [from, end). */
static void give_pages(emma_heap *heap, const emma_part *whole, uintptr_t from, uintptr_t end) {
    size_t page = emma__regions_page_bytes(emma__heap_regions(heap));
    uintptr_t first = emma__bits_align_up(whole->from, page);
    uintptr_t last = whole->end / page * page;
    first = first > from / page * page ? first : from / page * page;
    last = last < emma__bits_align_up(end, page) ? last : emma__bits_align_up(end, page);
    if (first < last)
        emma__plat_purge(first, last - first);
}

/* Note that the bytes of freed, which lie in block, are free now. own: a part that is just that, or 0; it is used up.
 * Returns: the word that leads to the part that they belong to now; 0 iff memory is refused. */
static emma_part **add(emma_heap *heap, const emma_part *block, const emma_part *freed, emma_part *own) {
    emma_part **place = &heap->parts.freed;
    while (*place != 0 && ((*place)->end <= block->from || (*place)->end < freed->from))
        place = &(*place)->next;
    emma_part *before = *place != 0 && (*place)->end == freed->from ? *place : 0;
    emma_part *behind = before != 0 ? before->next : *place;
    CHECK(behind == 0 || behind->from >= freed->end, "a part of a block was freed twice",
          behind->from > freed->from ? behind->from : freed->from);
    bool joins_behind = behind != 0 && behind->from == freed->end && behind->from < block->end;
    if (before == 0 && !joins_behind) {
        emma_part *fresh = own != 0 ? own : make_part(heap, freed->from, freed->end);
        if (fresh == 0)
            return 0;
        fresh->next = behind;
        *place = fresh;
        return place;
    }
    if (before == 0) {
        behind->from = freed->from;
    } else if (!joins_behind) {
        before->end = freed->end;
    } else {
        before->end = behind->end;
        before->next = behind->next;
        put(heap, behind);
    }
    if (own != 0)
        put(heap, own);
    return place;
}

/* Claimed. own: as add. */
static int free_part(emma_heap *heap, uintptr_t from, size_t size_bytes, emma_part *own) {
    emma_description found;
    emma__heap_describe(emma__heap_directory(heap), from, &found);
    CHECK(found.heap == heap && found.state == EMMA_LIVE_BLOCK, "free of a part of what is not a live block", from);
    emma_part block = {0, (uintptr_t)found.start, (uintptr_t)found.start + found.size};
    emma_part freed = {0, from, size_bytes < block.end - from ? from + size_bytes : block.end};
    if (own != 0)
        own->end = freed.end;
    emma_part **place = add(heap, &block, &freed, own);
    if (place == 0)
        return -1;
    emma_part *whole = *place;
    if (whole->from != block.from || whole->end != block.end) {
        if (found.size > EMMA_SMALL_MAX_BYTES && emma__heap_lent_at(emma__heap_directory(heap), from) == 0)
            give_pages(heap, whole, from, freed.end);
        return 0;
    }
    *place = whole->next;
    put(heap, found.start);
    put(heap, whole);
    return 1;
}

/* Claimed: what others have left here. */
static void free_left(emma_heap *heap) {
    emma_part *part = ATOMIC_EXCHANGE(&heap->parts.left, 0, acquire); /* pairs with the push */
    while (part != 0) {
        emma_part *next = part->next;
        free_part(heap, part->from, part->end - part->from, part); /* needs no memory */
        part = next;
    }
}

/* Give the claim back, then look whether a part was left before that was seen (claim.h). */
static void work_off(emma_heap *heap) {
    emma_parts *parts = &heap->parts;
    for (;;) {
        free_left(heap);
        emma__claim_give(&parts->claim);
        if (ATOMIC_LOAD(&parts->left, seq_cst) == 0 || !emma__claim_try(&parts->claim))
            return;
    }
}

int emma__heap_free_range(emma_heap *heap, uintptr_t from, size_t size_bytes) {
    emma_parts *parts = &heap->parts;
    if (size_bytes == 0)
        return 0;
    if (emma__claim_try(&parts->claim)) {
        free_left(heap);
        int result = free_part(heap, from, size_bytes, 0);
        work_off(heap);
        return result;
    }
    emma_part *part = make_part(heap, from, size_bytes < UINTPTR_MAX - from ? from + size_bytes : UINTPTR_MAX);
    if (part == 0)
        return -1;
    part->next = ATOMIC_LOAD(&parts->left, relaxed);
    while (!ATOMIC_CAS(&parts->left, &part->next, part, seq_cst))
        ;
    if (emma__claim_try(&parts->claim))
        work_off(heap);
    return 0;
}
