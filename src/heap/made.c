/* made.c: heaps that are made, reset and destroyed. Interface in heap.h.
 *
 *     first tract:  | tract's own | region's header | emma_heap, stripes | spans and large runs ... |
 *
 * A made heap lies in its own memory, so destroying it is giving back its mappings. It has no thread caches: threads leave
 * nothing in it, and need not be asked when it goes. */
#include "heap/heap.h"

enum {
    DIRTY_BYTES = EMMA_TORTURE ? 65536 : 256 * 1024, /* one of many keeps less dirty memory */
    DIRTY_SECONDS = 10,
};

typedef struct made {
    emma_heap heap;
    emma_stripe stripes[EMMA_STRIPES];
    emma_fit fit; /* of lent memory: not touched before there is any */
} made;

static unsigned made_slices(void) {
    return (unsigned)emma__bits_div_up(sizeof(made), EMMA_SLICE_BYTES);
}

emma_heap *emma__heap_make(emma_directory *directory) {
    uintptr_t founded = emma__regions_found(directory, made_slices());
    if (founded == 0)
        return 0;
    made *self = (made *)founded; // NOLINT(performance-no-int-to-ptr)
    emma_heap *heap = &self->heap;
    heap->shared.stock = self->stripes;
    heap->lent.fit = &self->fit;
    heap->purge.dirty_bytes = DIRTY_BYTES;
    heap->purge.dirty_seconds = DIRTY_SECONDS;
    emma__regions_settle(emma__heap_regions(heap), directory, founded, made_slices());
    return heap;
}

void emma__heap_destroy(emma_heap *heap) {
    emma__lent_end(heap);
    if (emma__heap_is_lent(heap))
        return;
    emma__heap_break_reset(heap, true);
    emma__regions_destroy(emma__heap_regions(heap));
}

void emma__heap_reset(emma_heap *heap) {
    heap->parts.records = 0;
    ATOMIC_STORE(&heap->parts.requests, 0, relaxed);
    emma__lent_reset(heap);
    if (emma__heap_is_lent(heap))
        return;
    emma__shared_reset(&heap->shared);
    emma__depot_forget(&heap->depot);
    emma__spans_reset(&heap->depot.spans);
    emma__huge_release_all(emma__heap_regions(heap));
    emma__heap_break_reset(heap, false);
}
