/* purge.c: the ways in which memory goes back; see purge.h. When is decided in tick.c and janitor.c. */
#include "purge/purge.h"

#include "plat/plat.h"
#include "span/span_word.h"

enum {
    MOSTLY_FREE_SLICES = EMMA_CHUNK_SLICES / 4 * 3, /* a chunk with so many is purged for few calls */
    SAMPLES = 64,                                   /* slices that are looked at, to know of all */
};

/* Seconds since a chunk became dirty; 0 where that was after now. */
static uint32_t age_of(const emma_tract *tract, unsigned chunk, uint32_t now) {
    uint32_t since = ATOMIC_LOAD(&tract->dirty_since[chunk], relaxed);
    return now > since ? now - since : 0;
}

/* Chunks by how many of their slices are free: the cheapest to purge first. */
typedef struct free_slices {
    unsigned least, most;
} free_slices;

/* Purge chunks of a tract that have so many free slices, and are old enough, from the highest, until so many slices are
 * purged. Returns: purged, and how many more it purged. */
static size_t purge_tract(emma_tract *tract, size_t slices, size_t purged, free_slices have, uint32_t seconds) {
    uint32_t now = ATOMIC_LOAD(&tract->owner->now_seconds, relaxed);
    for (unsigned chunk = EMMA_TRACT_CHUNKS; chunk-- > 0 && purged < slices;) {
        uint64_t word = ATOMIC_LOAD(&tract->chunk[chunk], relaxed);
        bool has_dirty = (word & word >> 32 & UINT32_MAX) != 0;
        unsigned count = emma__bits_count(word >> 32);
        if (has_dirty && count >= have.least && count <= have.most && age_of(tract, chunk, now) >= seconds)
            purged += emma__regions_purge_chunk(tract->owner, tract, chunk);
    }
    return purged;
}

/* The same for all tracts. */
static size_t purge_tracts(emma_heap *heap, size_t slices, size_t purged, free_slices have, uint32_t seconds) {
    emma_region *region = ATOMIC_LOAD(&emma__heap_regions(heap)->first, acquire);
    for (; region != 0; region = ATOMIC_LOAD(&region->next, acquire)) {
        for (unsigned word = EMMA_REGION_SLOT_WORDS; word-- > 0 && purged < slices;) {
            uint64_t tracts = ATOMIC_LOAD(&region->word[word].tract, acquire);
            while (tracts != 0 && purged < slices) {
                unsigned bit = emma__bits_highest(tracts);
                tracts &= ~(UINT64_C(1) << bit);
                emma_tract *tract = emma__tract_of(emma__region_slot_address(region, word * 64 + bit));
                purged = purge_tract(tract, slices, purged, have, seconds);
            }
        }
    }
    return purged;
}

size_t emma__purge_dirty(emma_heap *heap, size_t slices, uint32_t seconds, uint32_t part_seconds) {
    /* Each chunk in one of them only: where a purge is refused (locked memory) it is not tried again at once. */
    static const free_slices whole = {EMMA_CHUNK_SLICES, EMMA_CHUNK_SLICES};
    static const free_slices most = {MOSTLY_FREE_SLICES, EMMA_CHUNK_SLICES - 1};
    static const free_slices some = {1, MOSTLY_FREE_SLICES - 1};
    size_t purged = purge_tracts(heap, slices, 0, whole, seconds);
    purged = purge_tracts(heap, slices, purged, most, seconds);
    purged = purge_tracts(heap, slices, purged, some, part_seconds);
    ATOMIC_ADD(&heap->purge.purged_slices, purged, relaxed);
    return purged << EMMA_SLICE_LOG2;
}

static size_t compact_tract(emma_heap *heap, emma_tract *tract) {
    size_t purged = 0;
    unsigned mapped = ATOMIC_LOAD(&tract->mapped_slices, acquire);
    uint32_t huge = ATOMIC_LOAD(&tract->huge_pages, relaxed); /* before parts of them are purged */
    for (unsigned slice = EMMA_TRACT_META_SLICES; slice < mapped; slice++) {
        unsigned chunk = slice / EMMA_CHUNK_SLICES;
        bool was_huge = (huge >> chunk & 1) != 0;
        emma__spans_repair(tract, slice);
        purged +=
            emma__spans_purge(&heap->depot.spans, tract, slice, was_huge ? EMMA_SPAN_PURGE_HUGE : EMMA_SPAN_PURGE);
        if (was_huge && slice % EMMA_CHUNK_SLICES == EMMA_CHUNK_SLICES - 1)
            emma__regions_purge_chunk(emma__heap_regions(heap), tract, chunk); /* what was never touched, too */
    }
    return purged;
}

bool emma__purge_pays(emma_heap *heap) {
    emma_spans *spans = &heap->depot.spans;
    /* Odd, as spans of several slices begin at even ones. */
    size_t stride = ATOMIC_LOAD(&spans->regions.mapped_slices, relaxed) / SAMPLES | 1;
    size_t seen_bytes = 0;
    size_t idle_bytes = 0;
    for (emma_tract *tract = emma__regions_next_tract(&spans->regions, 0); tract != 0;
         tract = emma__regions_next_tract(&spans->regions, tract)) {
        unsigned mapped = ATOMIC_LOAD(&tract->mapped_slices, acquire);
        for (size_t slice = EMMA_TRACT_META_SLICES; slice < mapped; slice += stride) {
            const emma_span *span = &emma__span_table_of(tract)->record[slice];
            unsigned class = emma__span_class(span);
            if (!emma__class_is_small(class))
                continue;
            seen_bytes += (size_t)ATOMIC_LOAD(&span->slices, relaxed) << EMMA_SLICE_LOG2;
            idle_bytes += emma__spans_purge(spans, tract, (unsigned)slice, EMMA_SPAN_LOOK);
        }
    }
    return idle_bytes >= seen_bytes / 4 * 3;
}

size_t emma__purge_compact(emma_heap *heap, emma_thread *thread) {
    /* A try: who stops in here for ever leaves the heap without compaction, and that is all; a child of fork, in which
     * that thread does not exist, has another generation. Two at once would do no harm. */
    bool is_made = emma__heap_regions(heap)->is_made; /* such a heap has no registry */
    uint32_t generation = is_made ? emma__plat_process_id() : emma__registry_generation(&heap->registry);
    uint32_t holder = ATOMIC_LOAD(&heap->purge.compacting, relaxed);
    if (generation == 0 || holder == generation ||
        !ATOMIC_CAS(&heap->purge.compacting, &holder, generation, acquire)) /* pairs with the store below */
        return 0;
    emma__heap_collect(heap, thread);
    emma_regions *regions = emma__heap_regions(heap);
    size_t purged = 0;
    for (emma_tract *tract = emma__regions_next_tract(regions, 0); tract != 0;
         tract = emma__regions_next_tract(regions, tract))
        purged += compact_tract(heap, tract);
    ATOMIC_ADD(&heap->purge.purged_slices, purged >> EMMA_SLICE_LOG2, relaxed);
    size_t out = ATOMIC_LOAD(&heap->depot.spans.out_bytes, relaxed);
    ATOMIC_STORE(&heap->purge.out_peak_bytes, out, relaxed);
    ATOMIC_STORE(&heap->purge.collected_peak_bytes, out, relaxed);
    ATOMIC_STORE(&heap->purge.compacting, 0, release);
    return purged;
}

size_t emma__purge_all(emma_heap *heap, emma_thread *thread) {
    emma__heap_collect_from_all(heap, thread);
    size_t purged = emma__purge_compact(heap, thread);
    return purged + emma__purge_dirty(heap, SIZE_MAX, 0, 0);
}
