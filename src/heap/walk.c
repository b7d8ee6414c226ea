/* walk.c: what lies at an address, and everything that lives in a heap. Interface in heap.h. */
#include "heap/heap.h"

static bool is_cached(emma_heap *heap, unsigned class, void *block) {
    return emma__heap_is_free(heap, 0, class, block) ||
           emma__cpu_peek(&heap->cpu, emma__heap_regions(heap), class, block) ||
           emma__shared_contain(&heap->shared, &heap->depot, class, block);
}

/* Whether a small block is free, as far as can be seen without waiting. */
static bool is_free(emma_heap *heap, unsigned class, uintptr_t start, uintptr_t block) {
    emma_free_map map;
    emma__spans_look(&heap->depot.spans, start, &map);
    if (emma__free_map_has(&map, emma__class_index(class, (uint32_t)(block - start))))
        return true;
    void *pointer = (void *)block; // NOLINT(performance-no-int-to-ptr)
    return emma__chain_looks_free(pointer) && is_cached(heap, class, pointer);
}

static void describe_small(uintptr_t start, uintptr_t address, unsigned class, emma_description *description) {
    unsigned index = emma__class_index(class, (uint32_t)(address - start));
    if (index >= emma__class_table[class].blocks)
        return;
    uintptr_t block = start + index * emma__class_size(class);
    description->start = (void *)block; // NOLINT(performance-no-int-to-ptr)
    description->size = emma__class_size(class);
    description->state = is_free(description->heap, class, start, block) ? EMMA_FREE_BLOCK : EMMA_LIVE_BLOCK;
}

static void describe_whole(uintptr_t start, size_t size_bytes, uintptr_t address, emma_description *description) {
    if (address - start >= size_bytes)
        return;
    description->start = (void *)start; // NOLINT(performance-no-int-to-ptr)
    description->size = size_bytes;
    description->state = EMMA_LIVE_BLOCK;
}

static void describe_in_tract(uintptr_t address, emma_description *description) {
    unsigned slice = emma__tract_slice_of(address);
    const emma_tract *tract = emma__tract_of(address);
    if (slice < EMMA_TRACT_META_SLICES || slice >= ATOMIC_LOAD(&tract->mapped_slices, acquire))
        return;
    uintptr_t start = emma__span_run_of(address);
    if (start == 0)
        return;
    const emma_span *span = emma__span_at(start);
    unsigned class = emma__span_class(span);
    if (class == EMMA_CLASS_LARGE)
        describe_whole(start, ATOMIC_LOAD(&span->large_bytes, relaxed), address, description);
    else if (class != EMMA_CLASS_NONE)
        describe_small(start, address, class, description);
}

bool emma__heap_describe(const emma_directory *directory, uintptr_t address, emma_description *description) {
    *description = (emma_description){emma__heap_of(directory, address), 0, 0, EMMA_NO_BLOCK};
    emma_huge_view huge;
    if (description->heap == 0)
        return false;
    if (emma__heap_lent_at(directory, address) != 0)
        emma__lent_describe(description->heap, address, description);
    else if (emma__directory_get(directory, address) == EMMA_GRANULE_TRACT)
        describe_in_tract(address, description);
    else if (emma__huge_look(directory, address, &huge) && emma__heap_with(huge.owner) == description->heap)
        describe_whole(huge.block, huge.usable_bytes, address, description);
    return description->state != EMMA_NO_BLOCK;
}

static int visit_whole(emma_heap *heap, uintptr_t start, size_t size_bytes, emma_walker *walker, void *context) {
    emma_description block = {heap, (void *)start, size_bytes, EMMA_LIVE_BLOCK}; // NOLINT(performance-no-int-to-ptr)
    return walker(&block, context);
}

/* The walker may free what it sees, and more: then the map is made anew, and ends if the span is another one now. */
static int visit_span(emma_heap *heap, uintptr_t start, emma_walker *walker, void *context) {
    emma_free_map map;
    unsigned class = emma__spans_look(&heap->depot.spans, start, &map);
    if (class == EMMA_CLASS_LARGE)
        return visit_whole(heap, start, ATOMIC_LOAD(&emma__span_at(start)->large_bytes, relaxed), walker, context);
    size_t size = emma__class_size(class);
    for (unsigned i = 0; i < emma__class_table[class].blocks; i++) {
        void *block = (void *)(start + i * size); // NOLINT(performance-no-int-to-ptr)
        if (emma__free_map_has(&map, i) || (emma__chain_looks_free(block) && is_cached(heap, class, block)))
            continue;
        uint64_t word = ATOMIC_LOAD(&emma__span_at(start)->word, relaxed);
        int end = visit_whole(heap, (uintptr_t)block, size, walker, context);
        if (end != 0)
            return end;
        if (ATOMIC_LOAD(&emma__span_at(start)->word, relaxed) != word &&
            emma__spans_look(&heap->depot.spans, start, &map) != class)
            return 0;
    }
    return 0;
}

static int visit_tract(emma_heap *heap, emma_tract *tract, emma_walker *walker, void *context) {
    unsigned mapped = ATOMIC_LOAD(&tract->mapped_slices, acquire);
    for (unsigned slice = EMMA_TRACT_META_SLICES; slice < mapped; slice++) {
        const emma_span *span = &emma__span_table_of(tract)->record[slice];
        if (emma__span_class(span) == EMMA_CLASS_NONE)
            continue;
        int end = visit_span(heap, emma__tract_address(tract, slice), walker, context);
        if (end != 0)
            return end;
    }
    return 0;
}

static int walk_own(emma_heap *heap, emma_thread *thread, emma_walker *walker, void *context) {
    emma__heap_collect(heap, thread);
    emma_regions *regions = emma__heap_regions(heap);
    int end = 0;
    for (emma_tract *tract = emma__regions_next_tract(regions, 0); tract != 0 && end == 0;
         tract = emma__regions_next_tract(regions, tract))
        end = visit_tract(heap, tract, walker, context);
    for (emma_region *region = ATOMIC_LOAD(&regions->first, acquire); region != 0 && end == 0;
         region = ATOMIC_LOAD(&region->next, acquire)) {
        for (unsigned slot = 0; slot < EMMA_REGION_TRACTS && end == 0; slot++) {
            if ((ATOMIC_LOAD(&region->word[slot / 64].huge, acquire) >> (slot % 64) & 1) == 0)
                continue;
            emma_huge_view huge;
            if (emma__huge_look(regions->directory, emma__region_slot_address(region, slot), &huge) &&
                huge.owner == regions)
                end = visit_whole(heap, huge.block, huge.usable_bytes, walker, context);
        }
    }
    return end;
}

int emma__heap_walk(emma_heap *heap, emma_thread *thread, emma_walker *walker, void *context) {
    int end = emma__heap_is_lent(heap) ? 0 : walk_own(heap, thread, walker, context);
    return end != 0 ? end : emma__lent_walk(heap, walker, context);
}
