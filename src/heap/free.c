/* free.c: the slow paths of free, and the look at what is freed twice. Interface in heap.h. */
#include "base/check.h"
#include "heap/heap.h"
#include "span/offer.h"
#include "span/span_word.h"

static void free_small(emma_heap *heap, emma_thread *thread, emma_magazine_pair *cache, void *block, unsigned class) {
    emma_magazines *magazines = thread != 0 ? emma__thread_enter(thread, &heap->registry, &heap->depot, &cache) : 0;
    if (EMMA_UNLIKELY(emma__chain_looks_free(block)) && emma__heap_is_free(heap, magazines, class, block))
        emma__fatal("double free", (uintptr_t)block);
    if (magazines != 0)
        emma__magazines_free(magazines, &heap->depot, class, block);
    else
        emma__shared_free(&heap->shared, &heap->depot, class, block);
    if (thread != 0)
        emma__thread_give(thread, cache);
}

static bool free_huge(emma_heap *heap, uintptr_t address) {
    emma_huge *huge = emma__huge_find(emma__heap_regions(heap)->directory, address);
    if (huge == 0 || ATOMIC_EXCHANGE(&huge->is_live, 0, acq_rel) == 0)
        return false;
    emma__huge_release(emma__heap_regions(heap), huge);
    return true;
}

void emma__heap_free(emma_heap *heap, emma_thread *thread, emma_magazine_pair *cache, void *block, size_t class) {
    if (EMMA_LIKELY(class != EMMA_CLASS_NONE)) {
        free_small(heap, thread, cache, block, (unsigned)class);
        return;
    }
    emma_block found = emma__heap_find(heap, block);
    if (found.kind == EMMA_BLOCK_SMALL) { /* in a region other than the first */
        free_small(heap, thread, cache, block, found.class);
        return;
    }
    if (thread != 0)
        emma__thread_give(thread, cache);
    uintptr_t address = (uintptr_t)block;
    bool freed = block == 0;
    if (found.kind == EMMA_BLOCK_LARGE)
        freed = emma__spans_release_large(&heap->depot.spans, address);
    else if (found.kind == EMMA_BLOCK_HUGE)
        freed = free_huge(heap, address);
    CHECK(freed, "free of what is not a live block (double free, or not from emma)", address);
}

/* Whether a word could be the first word of a free block of this class: cheap, and almost never wrong by chance. */
static bool is_plausible(emma_heap *heap, emma_chain word, unsigned class) {
    const void *next = emma__chain_first(word);
    if (word == emma__span_word_link((uint16_t)(word >> 16)))
        return true;
    if (emma__chain_room(word) > EMMA_MAGAZINE_MAX_BLOCKS)
        return false;
    if (next == 0)
        return true;
    if (emma__directory_get(emma__heap_regions(heap)->directory, (uintptr_t)next) != EMMA_GRANULE_TRACT)
        return false; /* nor may a huge block's header be read, which may be going */
    emma_block found = emma__heap_find(heap, next);
    return found.kind == EMMA_BLOCK_SMALL && found.class == class;
}

/* Each chain of the shelf is taken out, looked at and put back. */
static bool depot_contains(emma_depot *depot, unsigned class, const void *block) {
    bool found = false;
    for (unsigned i = 0; i < EMMA_DEPOT_SLOTS && !found; i++) {
        emma_chain packed = ATOMIC_EXCHANGE(&depot->shelf[class].slot[i], 0, acquire);
        if (packed == 0)
            continue;
        found = emma__chain_contains(emma__chain_unpack(packed), block);
        emma__depot_put(depot, class, emma__chain_unpack(packed), emma__chain_packed_count(packed));
    }
    return found;
}

static bool home_chain_contains(uint16_t chain, uintptr_t start, unsigned class, const void *block) {
    while (chain != EMMA_SPAN_NO_BLOCK) {
        const void *here = emma__span_word_block(start, chain);
        if (here == block)
            return true;
        chain = emma__span_word_next(here, class);
    }
    return false;
}

/* Only if the span can be claimed: its chains are its owner's. */
static bool span_contains(emma_heap *heap, unsigned class, const void *block) {
    uintptr_t address = (uintptr_t)block;
    emma_span *record = emma__span_at(address);
    emma_span *span = emma__span_first(record);
    uintptr_t start = emma__span_start(record, address);
    if (!emma__offer_claim_span(emma__tract_of(start), class, emma__tract_slice_of(start)))
        return false;
    uint16_t head = (uint16_t)ATOMIC_LOAD(&span->word, acquire);
    bool found =
        home_chain_contains(head, start, class, block) || home_chain_contains(span->local, start, class, block);
    emma__span_disown(&heap->depot.spans, span, start, 0);
    return found;
}

bool emma__heap_is_free(emma_heap *heap, const emma_magazines *magazines, unsigned class, const void *block) {
    if (!is_plausible(heap, *(const emma_chain *)block, class))
        return false;
    return (magazines != 0 && emma__magazines_contain(magazines, class, block)) ||
           depot_contains(&heap->depot, class, block) || span_contains(heap, class, block);
}
