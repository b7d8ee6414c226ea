/* made.c: heaps that are made, reset and destroyed. Interface in heap.h.
 *
 *     first tract:  | tract's own | region's header | emma_heap, stripes | spans and large runs ... |
 *
 * A made heap lies in its own memory, so destroying it is giving back its mappings. It has no thread caches: threads
 * leave nothing in it, and need not be asked when it goes. */
#include "heap/heap.h"
#include "heap/source.h"
#include "plat/plat.h"

enum {
    DIRTY_BYTES = EMMA_TORTURE ? 65536 : 256 * 1024, /* one of many keeps less dirty memory */
    DIRTY_SECONDS = 10,
    LIMIT_SHARE = 16, /* all slots of CPU caches may hold this part of a limit */
};

typedef struct made {
    emma_heap heap;
    emma_stripe stripes[EMMA_STRIPES];
    emma_shelf shelves[EMMA_CLASS_COUNT];
    emma_fit fit; /* of lent memory: not touched before there is any */
} made;

/* Behind it lie the slots of CPU caches. */
static size_t slots_at(void) {
    return emma__bits_align_up(sizeof(made), EMMA_RSEQ_SLOT_BYTES);
}

/* What the slots may touch is charged, beside what they cache; a heap of a low limit on a machine with many processors
 * does without. Returns: false iff the limit of all heaps refuses it. */
static bool begin_cpu_caches(emma_heap *heap, size_t limit_bytes) {
    emma__cpu_init(&heap->cpu, (uintptr_t)heap + slots_at(), limit_bytes / LIMIT_SHARE);
    size_t touched = (size_t)heap->cpu.rseq.cpus * EMMA_RSEQ_SLOT_BYTES;
    if (limit_bytes == 0 || touched <= limit_bytes / LIMIT_SHARE)
        return emma__regions_charge_founder(emma__heap_regions(heap), touched);
    ATOMIC_STORE(&heap->cpu.slots, 0, relaxed);
    return true;
}

emma_heap *emma__heap_make(emma_directory *directory, size_t limit_bytes, unsigned flags) {
    size_t cpu_bytes = (flags & EMMA_HEAP_NO_CPU_CACHES) == 0 ? emma__cpu_bytes() : 0;
    unsigned slices = (unsigned)emma__bits_div_up(slots_at() + cpu_bytes, EMMA_SLICE_BYTES);
    uintptr_t founded = emma__regions_found(directory, slices);
    if (founded == 0)
        return 0;
    made *self = (made *)founded; // NOLINT(performance-no-int-to-ptr)
    emma_heap *heap = &self->heap;
    heap->shared.stock = self->stripes;
    heap->depot.shelf = self->shelves;
    heap->lent.fit = &self->fit;
    heap->purge.dirty_bytes = DIRTY_BYTES;
    heap->purge.dirty_seconds = DIRTY_SECONDS;
    heap->wishes.flags = flags;
    emma__regions_settle(emma__heap_regions(heap), directory, founded, slices);
    ATOMIC_STORE(&emma__heap_regions(heap)->commit.limit_bytes, limit_bytes, relaxed);
    if (cpu_bytes == 0 || begin_cpu_caches(heap, limit_bytes))
        return heap;
    emma__heap_destroy(heap);
    return 0;
}

void emma__heap_destroy(emma_heap *heap) {
    bool is_lent = emma__heap_is_lent(heap);
    emma__lent_end(heap); /* which may be where the heap lies */
    if (is_lent)
        return;
    emma__heap_break_reset(heap, true);
    emma__regions_destroy(emma__heap_regions(heap));
}

void emma__heap_reset(emma_heap *heap) {
    heap->parts.freed = 0;
    ATOMIC_STORE(&heap->parts.left, 0, relaxed);
    emma__claim_give(&heap->parts.claim); /* by a thread that a fork has left behind */
    emma__lent_reset(heap);
    if (emma__heap_is_lent(heap))
        return;
    ATOMIC_STORE(&emma__heap_regions(heap)->now_seconds, emma__plat_seconds(), relaxed); /* since then it is dirty */
    emma__cpu_empty(&heap->cpu, &heap->depot);
    emma__shared_reset(&heap->shared);
    emma__depot_forget(&heap->depot);
    emma__spans_reset(&heap->depot.spans);
    emma__huge_release_all(emma__heap_regions(heap));
    emma__heap_break_reset(heap, false);
    size_t dirty = ATOMIC_LOAD(&emma__heap_regions(heap)->dirty_slices, relaxed);
    ATOMIC_STORE(&heap->purge.warm_slices, dirty, relaxed); /* for what comes */
}

emma_commit *emma__heap_commit(emma_heap *heap) {
    if (!emma__heap_is_lent(heap))
        return &emma__heap_regions(heap)->commit;
    return heap->lent.sourced != 0 ? &heap->lent.sourced->commit : 0;
}

bool emma__heap_is_limited(emma_heap *heap) {
    const emma_commit *commit = emma__heap_commit(heap);
    return emma__heap_is_lent(heap) ? commit != 0 && ATOMIC_LOAD(&commit->limit_bytes, relaxed) != 0
                                    : emma__regions_are_limited(emma__heap_regions(heap));
}
