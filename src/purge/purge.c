/* purge.c: ticks, and the three ways in which memory goes back; see purge.h. */
#include "purge/purge.h"

#include "plat/plat.h"
#include "span/span_word.h"

size_t emma__purge_bound(emma_heap *heap) {
    size_t used = ATOMIC_LOAD(&emma__heap_regions(heap)->used_slices, relaxed) << EMMA_SLICE_LOG2;
    return ATOMIC_LOAD(&heap->purge.dirty_bytes, relaxed) +
           (used >> EMMA_DIRTY_SHARE_LOG2 << ATOMIC_LOAD(&heap->purge.patience, relaxed));
}

/* Purge the old enough chunks of a tract, from the highest. Returns: slices purged. */
static size_t purge_tract(emma_regions *regions, emma_tract *tract, size_t slices, uint32_t seconds) {
    uint32_t now = ATOMIC_LOAD(&regions->now_seconds, relaxed);
    size_t purged = 0;
    for (unsigned chunk = EMMA_TRACT_CHUNKS; chunk-- > 0 && purged < slices;) {
        uint64_t word = ATOMIC_LOAD(&tract->chunk[chunk], relaxed);
        if ((word & word >> 32 & UINT32_MAX) == 0 || now - ATOMIC_LOAD(&tract->dirty_since[chunk], relaxed) < seconds)
            continue;
        purged += emma__regions_purge_chunk(regions, tract, chunk);
    }
    return purged;
}

size_t emma__purge_dirty(emma_heap *heap, size_t slices, uint32_t seconds) {
    emma_regions *regions = emma__heap_regions(heap);
    size_t purged = 0;
    emma_region *region = ATOMIC_LOAD(&regions->first, acquire);
    for (; region != 0; region = ATOMIC_LOAD(&region->next, acquire)) {
        for (unsigned word = EMMA_REGION_SLOT_WORDS; word-- > 0 && purged < slices;) {
            uint64_t tracts = ATOMIC_LOAD(&region->tract[word], acquire);
            while (tracts != 0 && purged < slices) {
                unsigned bit = emma__bits_highest(tracts);
                tracts &= ~(UINT64_C(1) << bit);
                uintptr_t address = region->base + ((uintptr_t)(word * 64 + bit) << EMMA_TRACT_LOG2);
                purged += purge_tract(regions, emma__tract_of(address), slices - purged, seconds);
            }
        }
    }
    ATOMIC_ADD(&heap->purge.purged_slices, purged, relaxed);
    return purged << EMMA_SLICE_LOG2;
}

/* Slices used, but for spans of which next to nothing is out. */
static size_t dense_slices(emma_heap *heap) {
    size_t used = ATOMIC_LOAD(&emma__heap_regions(heap)->used_slices, relaxed);
    size_t sparse = ATOMIC_LOAD(&heap->depot.spans.sparse_slices, relaxed);
    return used > sparse ? used - sparse : 0;
}

static size_t compact_tract(emma_heap *heap, emma_tract *tract) {
    size_t purged = 0;
    unsigned mapped = ATOMIC_LOAD(&tract->mapped_slices, acquire);
    for (unsigned slice = EMMA_TRACT_META_SLICES; slice < mapped; slice++) {
        emma__spans_repair(tract, slice);
        purged += emma__spans_purge(&heap->depot.spans, tract, slice);
    }
    return purged;
}

size_t emma__purge_compact(emma_heap *heap, emma_thread *thread) {
    /* A try: who stops in here for ever leaves the heap without compaction, and that is all. */
    if (ATOMIC_EXCHANGE(&heap->purge.compacting, 1, acquire) != 0) /* pairs with the store below */
        return 0;
    emma__heap_collect(heap, thread);
    emma_regions *regions = emma__heap_regions(heap);
    size_t purged = 0;
    for (emma_tract *tract = emma__regions_next_tract(regions, 0); tract != 0;
         tract = emma__regions_next_tract(regions, tract))
        purged += compact_tract(heap, tract);
    ATOMIC_ADD(&heap->purge.purged_slices, purged >> EMMA_SLICE_LOG2, relaxed);
    ATOMIC_STORE(&heap->purge.crest_slices, dense_slices(heap), relaxed);
    ATOMIC_STORE(&heap->purge.compacting, 0, release);
    return purged;
}

size_t emma__purge_all(emma_heap *heap, emma_thread *thread) {
    size_t purged = emma__purge_compact(heap, thread);
    return purged + emma__purge_dirty(heap, SIZE_MAX, 0);
}

/* Whether the heap has shrunk enough, since it last was compacted, for its spans to be looked at. */
static bool has_shrunk(emma_heap *heap) {
    size_t used = dense_slices(heap);
    size_t crest = ATOMIC_LOAD(&heap->purge.crest_slices, relaxed);
    if (used > crest)
        ATOMIC_STORE(&heap->purge.crest_slices, used, relaxed); /* a race loses a little of the crest */
    return used + EMMA_SHRINK_FLOOR_SLICES + crest / EMMA_SHRINK_SHARE < crest;
}

/* A purge is regretted as far as clean slices are claimed after it. Judged once a second, or as soon as it comes to an
 * eighth of what is used: if it comes to 1/64 of what was freed meanwhile, be more patient; if to next to nothing, less. What
 * was purged is forgotten by a quarter each second. */
static void learn(emma_heap *heap, size_t freed_ever, bool new_second) {
    emma_purge_state *purge = &heap->purge;
    emma_regions *regions = emma__heap_regions(heap);
    size_t clean = ATOMIC_LOAD(&regions->clean_claims, relaxed);
    size_t claimed = clean - ATOMIC_EXCHANGE(&purge->clean_seen, clean, relaxed);
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
    if (freed - ticked < EMMA_TICK_SLICES || !ATOMIC_CAS(&heap->purge.ticked_slices, &ticked, freed, relaxed))
        return; /* another thread ticks */

    uint32_t now = emma__plat_seconds();
    bool new_second = now != ATOMIC_EXCHANGE(&regions->now_seconds, now, relaxed);
    learn(heap, freed, new_second);
    if (new_second)
        emma__purge_dirty(heap, freed - ticked, (uint32_t)ATOMIC_LOAD(&heap->purge.dirty_seconds, relaxed));
    if (ATOMIC_LOAD(&heap->purge.patience, relaxed) == 0 && has_shrunk(heap))
        emma__purge_compact(heap, thread);
    size_t dirty = ATOMIC_LOAD(&regions->dirty_slices, relaxed) << EMMA_SLICE_LOG2;
    size_t bound = emma__purge_bound(heap);
    if (dirty > bound)
        emma__purge_dirty(heap, ((dirty - bound) >> EMMA_SLICE_LOG2) + EMMA_TICK_SLICES, 0);
    emma__janitor_start(heap);
}
