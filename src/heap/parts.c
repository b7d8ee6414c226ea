/* parts.c: see parts.h. */
#include "heap/parts.h"

#include "base/check.h"
#include "heap/heap.h"
#include "plat/plat.h"

static void *get_zeroed(emma_heap *heap, size_t size_bytes) {
    if (size_bytes > EMMA_SMALL_MAX_BYTES)
        return emma__heap_alloc_zeroed_large(heap, 0, size_bytes);
    void *block = emma__heap_alloc(heap, 0, 0, size_bytes);
    return block != 0 ? __builtin_memset(block, 0, size_bytes) : 0;
}

static void put(emma_heap *heap, void *block) {
    emma__heap_free(heap, 0, 0, block, EMMA_CLASS_NONE);
}

/* The record of the block that holds an address, and the word that leads to it. Returns: 0 iff memory is refused. */
static emma_part_record **record_of(emma_heap *heap, uintptr_t from) {
    emma_part_record **place = &heap->parts.records;
    for (; *place != 0; place = &(*place)->next)
        if (from - (*place)->block < (*place)->usable_bytes)
            return place;
    emma_description found;
    emma__heap_describe(emma__heap_directory(heap), from, &found);
    CHECK(found.heap == heap && found.state == EMMA_LIVE_BLOCK, "free of a part of what is not a live block", from);
    size_t words = emma__bits_div_up(found.size, 64);
    emma_part_record *record = get_zeroed(heap, sizeof *record + words * sizeof record->freed[0]);
    if (record == 0)
        return 0;
    record->block = (uintptr_t)found.start;
    record->usable_bytes = found.size;
    record->left_bytes = found.size;
    record->has_pages =
        found.size > EMMA_SMALL_MAX_BYTES && emma__heap_lent_at(emma__heap_directory(heap), record->block) == 0;
    record->next = heap->parts.records;
    heap->parts.records = record;
    return &heap->parts.records;
}

/* Mark bytes as freed, a word of bits at a time. */
static void mark(emma_part_record *record, size_t first, size_t end) {
    for (size_t at = first; at < end;) {
        size_t to = (at | 63) + 1 < end ? (at | 63) + 1 : end;
        uint64_t mask = (to - at == 64 ? ~UINT64_C(0) : (UINT64_C(1) << (to - at)) - 1) << (at % 64);
        CHECK((record->freed[at / 64] & mask) == 0, "a part of a block was freed twice", record->block + at);
        record->freed[at / 64] |= mask;
        record->left_bytes -= to - at;
        at = to;
    }
}

static bool is_freed(const emma_part_record *record, size_t first, size_t end) {
    for (size_t word = first / 64; word < end / 64; word++)
        if (record->freed[word] != ~UINT64_C(0))
            return false;
    return true;
}

/* Pages go back when nothing of them is left; only those of [first, end), and what its ends complete, can be. */
static void give_pages(emma_heap *heap, const emma_part_record *record, size_t first, size_t end) {
    if (!record->has_pages)
        return;
    size_t page = emma__regions_page_bytes(emma__heap_regions(heap));
    if (record->block % page != 0)
        return;
    size_t from = first - first % page;
    size_t to = emma__bits_align_up(end, page);
    from += is_freed(record, from, from + page) ? 0 : page;
    to -= to > record->usable_bytes || !is_freed(record, to - page, to) ? page : 0;
    if (from < to)
        emma__plat_purge(record->block + from, to - from);
}

static int free_part(emma_heap *heap, uintptr_t from, size_t size_bytes) {
    if (size_bytes == 0)
        return 0;
    emma_part_record **place = record_of(heap, from);
    if (place == 0)
        return -1;
    emma_part_record *record = *place;
    size_t first = from - record->block;
    size_t end = size_bytes < record->usable_bytes - first ? first + size_bytes : record->usable_bytes;
    mark(record, first, end);
    if (record->left_bytes != 0) {
        give_pages(heap, record, first, end);
        return 0;
    }
    *place = record->next;
    put(heap, (void *)record->block); // NOLINT(performance-no-int-to-ptr)
    put(heap, record);
    return 1;
}

static bool try_claim(emma_parts *parts) {
    return ATOMIC_EXCHANGE(&parts->claimed, 1, seq_cst) == 0; /* acquire: the records; and see work_off */
}

/* Claimed: what others have left here. */
static void free_requested(emma_heap *heap) {
    emma_part_request *request = ATOMIC_EXCHANGE(&heap->parts.requests, 0, acquire); /* pairs with the push */
    while (request != 0) {
        emma_part_request *next = request->next;
        free_part(heap, request->from, request->size_bytes); /* refused memory: the part stays */
        put(heap, request);
        request = next;
    }
}

/* Unclaim, then look whether a request came before that was seen (seq_cst: the push, then the look at claimed, there;
 * the store, then the look at the list, here: one of the two sees the other). */
static void work_off(emma_heap *heap) {
    emma_parts *parts = &heap->parts;
    for (;;) {
        free_requested(heap);
        ATOMIC_STORE(&parts->claimed, 0, seq_cst);
        if (ATOMIC_LOAD(&parts->requests, seq_cst) == 0 || !try_claim(parts))
            return;
    }
}

int emma__heap_free_range(emma_heap *heap, uintptr_t from, size_t size_bytes) {
    emma_parts *parts = &heap->parts;
    if (try_claim(parts)) {
        int result = free_part(heap, from, size_bytes);
        work_off(heap);
        return result;
    }
    emma_part_request *request = emma__heap_alloc(heap, 0, 0, sizeof *request);
    if (request == 0)
        return -1;
    request->from = from;
    request->size_bytes = size_bytes;
    request->next = ATOMIC_LOAD(&parts->requests, relaxed);
    while (!ATOMIC_CAS(&parts->requests, &request->next, request, seq_cst))
        ;
    if (try_claim(parts))
        work_off(heap);
    return 0;
}
