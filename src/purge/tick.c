/* tick.c: the thread that frees decides whether something should go back now, and how patient to be; see purge.h. */
#include "plat/plat.h"
#include "purge/purge.h"

enum { LINES_PER_SLICE = EMMA_SLICE_BYTES / EMMA_LINE_BYTES };

/* How much memory the heap used at its crest beyond what it uses now. The crest is forgotten by an eighth each
 * second. */
static size_t below_crest_bytes(emma_heap *heap, size_t used, bool new_second) {
    size_t crest = ATOMIC_LOAD(&heap->purge.crest_slices, relaxed);
    size_t next = used > crest ? used : new_second ? crest - (crest - used) / 8 : crest;
    if (next != crest)
        ATOMIC_STORE(&heap->purge.crest_slices, next, relaxed); /* a race loses a little of the crest */
    return (next - used) << EMMA_SLICE_LOG2;
}

size_t emma__purge_bound(emma_heap *heap, bool new_second) {
    size_t used = ATOMIC_LOAD(&emma__heap_regions(heap)->used_slices, relaxed);
    size_t spans = ATOMIC_LOAD(&heap->depot.spans.slices, relaxed);
    size_t large_bytes = (used > spans ? used - spans : 0) << EMMA_SLICE_LOG2;
    size_t live_bytes = large_bytes + ATOMIC_LOAD(&heap->depot.spans.out_bytes, relaxed);
    size_t share = live_bytes >> EMMA_DIRTY_SHARE_LOG2 << ATOMIC_LOAD(&heap->purge.patience, relaxed);
    size_t floor = ATOMIC_LOAD(&heap->purge.dirty_bytes, relaxed);
    size_t bound = floor < SIZE_MAX - share ? floor + share : SIZE_MAX;
    size_t below_crest = below_crest_bytes(heap, used, new_second);
    return below_crest > bound && emma__janitor_runs(heap) ? below_crest : bound;
}

/* Whether enough blocks have come home, since spans were compacted last, for them to be looked at again. */
static bool has_shrunk(emma_heap *heap) {
    size_t out = ATOMIC_LOAD(&heap->depot.spans.out_bytes, relaxed);
    size_t crest = ATOMIC_LOAD(&heap->purge.crest_bytes, relaxed);
    if (out > crest)
        ATOMIC_STORE(&heap->purge.crest_bytes, out, relaxed); /* a race loses a little of the crest */
    size_t floor = (size_t)EMMA_SHRINK_FLOOR_BYTES << 2 * ATOMIC_LOAD(&heap->purge.patience, relaxed);
    return out + floor + crest / EMMA_SHRINK_SHARE < crest;
}

/* A purge is regretted as far as clean slices are claimed after it. Judged once a second, or as soon as it comes to an
 * eighth of what is used: if it comes to 1/64 of what was freed meanwhile, be more patient; if to next to nothing,
 * less. What was purged is forgotten by a quarter each second. */
static void learn(emma_heap *heap, size_t freed_ever, bool new_second) {
    emma_purge_state *purge = &heap->purge;
    emma_regions *regions = emma__heap_regions(heap);
    size_t clean = ATOMIC_LOAD(&regions->clean_claims, relaxed);
    size_t recarved = ATOMIC_LOAD(&regions->recarved_lines, relaxed);
    size_t claimed = clean - ATOMIC_EXCHANGE(&purge->clean_seen, clean, relaxed) +
                     (recarved - ATOMIC_EXCHANGE(&purge->recarved_seen, recarved, relaxed)) / LINES_PER_SLICE;
    size_t purged = ATOMIC_LOAD(&purge->purged_slices, relaxed);
    size_t regret = claimed < purged ? claimed : purged;
    size_t regretted = ATOMIC_ADD(&purge->regretted_slices, regret, relaxed) + regret;
    size_t many = ATOMIC_LOAD(&regions->used_slices, relaxed) / 8 + EMMA_TICK_SLICES;
    ATOMIC_STORE(&purge->purged_slices, new_second ? (purged - regret) / 4 * 3 : purged - regret, relaxed);
    if (!new_second && regretted < many)
        return;
    size_t freed = freed_ever - ATOMIC_EXCHANGE(&purge->freed_seen, freed_ever, relaxed);
    ATOMIC_STORE(&purge->regretted_slices, 0, relaxed);
    uint32_t patience = ATOMIC_LOAD(&purge->patience, relaxed);
    if (regretted > freed / EMMA_REGRET_SHARE && patience < EMMA_PATIENCE_MAX)
        ATOMIC_STORE(&purge->patience, patience + 1, relaxed);
    else if (regretted <= freed / EMMA_REGRET_SHARE / EMMA_REGRET_SHARE && patience > 0 && new_second)
        ATOMIC_STORE(&purge->patience, patience - 1, relaxed);
}

void emma__purge_tick_due(emma_heap *heap, emma_thread *thread) {
    emma_regions *regions = emma__heap_regions(heap);
    size_t freed = ATOMIC_LOAD(&regions->freed_slices, relaxed);
    size_t ticked = ATOMIC_LOAD(&heap->purge.ticked_slices, relaxed);
    size_t home = ATOMIC_LOAD(&heap->depot.spans.home_bytes, relaxed);
    if (!ATOMIC_CAS(&heap->purge.ticked_slices, &ticked, freed, relaxed))
        return; /* another thread ticks */
    ATOMIC_STORE(&heap->purge.ticked_bytes, home, relaxed);

    uint32_t now = emma__plat_seconds();
    bool new_second = now != ATOMIC_EXCHANGE(&regions->now_seconds, now, relaxed);
    learn(heap, freed, new_second);
    if (new_second)
        emma__purge_dirty(heap, freed - ticked, (uint32_t)ATOMIC_LOAD(&heap->purge.dirty_seconds, relaxed));
    if (has_shrunk(heap) && !emma__janitor_runs(heap))
        emma__purge_compact(heap, thread);
    size_t dirty = ATOMIC_LOAD(&regions->dirty_slices, relaxed) << EMMA_SLICE_LOG2;
    emma__janitor_start(heap);
    size_t bound = emma__purge_bound(heap, new_second);
    if (dirty > bound)
        emma__purge_dirty(heap, ((dirty - bound) >> EMMA_SLICE_LOG2) + EMMA_TICK_SLICES, 0);
}
