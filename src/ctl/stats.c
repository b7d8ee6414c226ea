/* stats.c: see stats.h. A block is out of its span, and cached or live; so live = out - cached. */
#include "ctl/stats.h"

#include "span/span_word.h"

static size_t cached_bytes(const emma_heap *heap) {
    size_t bytes = 0;
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++) {
        size_t count = emma__depot_count(&heap->depot, class) + emma__registry_count(&heap->registry, class) +
                       emma__shared_count(&heap->shared, class) + emma__cpu_count(&heap->cpu, class);
        bytes += count * emma__class_size(class);
    }
    return bytes;
}

static void add_tract(const emma_tract *tract, emma_stats *stats, size_t *out_bytes) {
    const emma_span_table *table = emma__span_table_of(tract);
    unsigned mapped = ATOMIC_LOAD(&tract->mapped_slices, acquire);
    for (unsigned slice = EMMA_TRACT_META_SLICES; slice < mapped; slice++) {
        const emma_span *span = &table->record[slice];
        emma_span_word word = emma__span_word_unpack(ATOMIC_LOAD(&span->word, relaxed));
        if (word.class == EMMA_CLASS_LARGE) {
            stats->large_blocks++;
            stats->large_bytes += ATOMIC_LOAD(&span->large_bytes, relaxed);
            stats->active_bytes += (size_t)ATOMIC_LOAD(&span->slices, relaxed) << EMMA_SLICE_LOG2;
        } else if (emma__class_is_small(word.class)) {
            *out_bytes += word.out * emma__class_size(word.class);
            stats->active_bytes += (size_t)emma__class_table[word.class].slices << EMMA_SLICE_LOG2;
        }
    }
}

static void read_own(emma_heap *heap, emma_stats *stats) {
    const emma_regions *regions = emma__heap_regions(heap);
    size_t huge_bytes = ATOMIC_LOAD(&regions->huge_bytes, relaxed);
    size_t out_bytes = 0;
    *stats = (emma_stats){.active_bytes = huge_bytes, .mapped_bytes = huge_bytes, .large_bytes = huge_bytes};
    stats->large_blocks = ATOMIC_LOAD(&regions->huge_count, relaxed);
    for (emma_tract *tract = emma__regions_next_tract(regions, 0); tract != 0;
         tract = emma__regions_next_tract(regions, tract))
        add_tract(tract, stats, &out_bytes);
    size_t cached = cached_bytes(heap);
    stats->cached_bytes = cached;
    stats->allocated_bytes = stats->large_bytes + (out_bytes > cached ? out_bytes - cached : 0);
    stats->dirty_bytes = ATOMIC_LOAD(&regions->dirty_slices, relaxed) << EMMA_SLICE_LOG2;
    stats->mapped_bytes += ATOMIC_LOAD(&regions->mapped_slices, relaxed) << EMMA_SLICE_LOG2;
}

void emma__stats_read(emma_heap *heap, emma_stats *stats) {
    const emma_lent *lent = &heap->lent;
    *stats = (emma_stats){0};
    if (!emma__heap_is_lent(heap))
        read_own(heap, stats);
    stats->allocated_bytes += emma__lent_live_bytes(lent);
    stats->active_bytes += ATOMIC_LOAD(&lent->used_bytes, relaxed);
    stats->mapped_bytes += ATOMIC_LOAD(&lent->lent_bytes, relaxed);
}
