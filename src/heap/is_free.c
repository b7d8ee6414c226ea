/* is_free.c: the look at a block that may be freed twice. Interface in heap.h.
 *
 * A free block's first word says so almost surely (is_plausible); then the places where free blocks are get searched,
 * the nearest first: the thread's own cache, the depot, the span. What others hold in their caches is not seen. */
#include "heap/heap.h"

/* Whether a word could be the first word of a free block of this class: cheap, and almost never wrong by chance. */
static bool is_plausible(emma_heap *heap, emma_chain word, unsigned class) {
    const void *next = emma__chain_first(word);
    if (emma__span_is_home_word(word))
        return true;
    if (emma__chain_room(word) > EMMA_MAGAZINE_MAX_BLOCKS)
        return false;
    if (next == 0)
        return true;
    if (!emma__regions_have_tract(emma__heap_regions(heap), (uintptr_t)next))
        return false; /* another heap may be going at this moment: its headers may not be read */
    emma_block found = emma__heap_find(heap, next);
    return found.kind == EMMA_BLOCK_SMALL && found.class == class && found.heap == heap;
}

/* A block that is described, and not freed, may be written to at the moment. */
static EMMA_READS_RACING emma_chain first_word(const void *block) {
    return *(const emma_chain *)block;
}

/* Each chain of the shelf is taken out, looked at and put back. */
static bool depot_contains(emma_depot *depot, unsigned class, const void *block) {
    bool found = false;
    for (unsigned i = 0; i < EMMA_DEPOT_SLOTS && !found; i++) {
        emma_chain packed = ATOMIC_EXCHANGE(&depot->shelf[class].slot[i], 0, acquire); /* pairs with emma__depot_put */
        if (packed == 0)
            continue;
        found = emma__chain_contains(emma__chain_unpack(packed), block);
        emma__depot_put(depot, class, emma__chain_unpack(packed), emma__chain_packed_count(packed));
    }
    return found;
}

bool emma__heap_is_free(emma_heap *heap, const emma_magazines *magazines, unsigned class, const void *block) {
    if (!is_plausible(heap, first_word(block), class))
        return false;
    return (magazines != 0 && emma__magazines_contain(magazines, class, block)) ||
           depot_contains(&heap->depot, class, block) || emma__spans_contain(&heap->depot.spans, class, block);
}
