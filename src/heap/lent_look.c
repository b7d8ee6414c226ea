/* lent_look.c: what lies in lent memory. Interface in lent.h. */
#include "bare/fit_block.h"
#include "heap/heap.h"
#include "heap/lent_claim.h"

enum { BATCH = 64 };

/* The size in the header of what may be a block, whether others are changing its flags or not. */
EMMA_READS_RACING static size_t header_at(uintptr_t address) {
    const volatile size_t *header = (const volatile size_t *)(address - EMMA__FIT_BLOCK_HEADER_BYTES);
    return *header;
}

size_t emma__lent_find(const emma_directory *directory, uintptr_t address, emma_heap **heap) {
    emma_range range;
    *heap = 0;
    if (!emma__ranges_find(&directory->ranges, address, &range))
        return 0;
    *heap = range.owner;
    if (address % EMMA_FIT_GRANULE != 0 || address - range.from < sizeof(emma_fit_pool) + EMMA__FIT_BLOCK_HEADER_BYTES)
        return 0;
    size_t header = header_at(address);
    size_t size = header & ~(size_t)EMMA__FIT_BLOCK_FLAGS;
    bool is_block = (header & EMMA__FIT_BLOCK_FREE) == 0 && size >= EMMA__FIT_BLOCK_MIN_BYTES &&
                    size % EMMA_FIT_GRANULE == 0 && size <= range.to - address;
    return is_block ? size - EMMA__FIT_BLOCK_HEADER_BYTES : 0;
}

typedef struct question {
    uintptr_t address;
    emma_description *answer;
} question;

static bool answer(void *context, void *memory, size_t size_bytes, bool live) {
    const question *asked = context;
    if (asked->address - (uintptr_t)memory >= size_bytes)
        return true;
    asked->answer->start = memory;
    asked->answer->size = size_bytes;
    asked->answer->kind = EMMA_BLOCK_LENT;
    asked->answer->state = live ? EMMA_LIVE_BLOCK : EMMA_FREE_BLOCK;
    return false;
}

void emma__lent_describe(emma_heap *heap, uintptr_t address, emma_description *description) {
    question asked = {address, description};
    if (!emma__lent_claim(&heap->lent))
        return;
    emma_fit_walk(heap->lent.fit, answer, &asked);
    emma__lent_unclaim(&heap->lent);
}

/* The lowest live blocks above an address, in order. */
typedef struct batch {
    uintptr_t above;
    unsigned count;
    emma_description block[BATCH];
} batch;

static bool collect(void *context, void *memory, size_t size_bytes, bool live) {
    batch *found = context;
    bool is_full = found->count == BATCH;
    if (!live || (uintptr_t)memory <= found->above || (is_full && memory > found->block[BATCH - 1].start))
        return true;
    unsigned at = is_full ? BATCH - 1 : found->count++;
    for (; at > 0 && found->block[at - 1].start > memory; at--)
        found->block[at] = found->block[at - 1];
    found->block[at].start = memory;
    found->block[at].size = size_bytes;
    return true;
}

int emma__lent_walk(emma_heap *heap, emma_walker *walker, void *context) {
    batch found;
    found.above = 0;
    do {
        found.count = 0;
        if (ATOMIC_LOAD(&heap->lent.lent_bytes, relaxed) == 0 || !emma__lent_claim(&heap->lent))
            return 0;
        emma_fit_walk(heap->lent.fit, collect, &found);
        emma__lent_unclaim(&heap->lent);
        for (unsigned i = 0; i < found.count; i++) {
            emma_description block = {heap, found.block[i].start, found.block[i].size, EMMA_LIVE_BLOCK,
                                      EMMA_BLOCK_LENT};
            int end = walker(&block, context);
            if (end != 0)
                return end;
            found.above = (uintptr_t)block.start;
        }
    } while (found.count == BATCH);
    return 0;
}
