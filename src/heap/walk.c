/* walk.c: what lies at an address, and everything that lives in a heap. Interface in heap.h. */
#include "heap/heap.h"

static bool is_cached(emma_heap *heap, unsigned class, void *block) {
    return emma__heap_is_free(heap, 0, class, block) ||
           emma__cpu_peek(&heap->cpu, emma__heap_regions(heap), class, block) ||
           emma__shared_contain(&heap->shared, &heap->depot, class, block);
}

/* The block may be anybody's, and written to at the moment. */
static EMMA_READS_RACING bool looks_free(const void *block) {
    return emma__chain_looks_free(block);
}

/* Whether a small block is free, as far as can be seen without waiting. */
static bool is_free(emma_heap *heap, unsigned class, uintptr_t start, uintptr_t block) {
    emma_free_map map;
    emma__spans_look(&heap->depot.spans, start, &map);
    if (emma__free_map_has(&map, emma__class_index(class, (uint32_t)(block - start))))
        return true;
    void *pointer = (void *)block; // NOLINT(performance-no-int-to-ptr)
    return looks_free(pointer) && is_cached(heap, class, pointer);
}

static void describe_small(uintptr_t start, uintptr_t address, unsigned class, emma_description *description) {
    unsigned index = emma__class_index(class, (uint32_t)(address - start));
    if (index >= emma__class_table[class].blocks)
        return;
    uintptr_t block = start + index * emma__class_size(class);
    description->start = (void *)block; // NOLINT(performance-no-int-to-ptr)
    description->size = emma__class_size(class);
    description->kind = EMMA_BLOCK_SMALL;
    description->state = is_free(description->heap, class, start, block) ? EMMA_FREE_BLOCK : EMMA_LIVE_BLOCK;
}

static void describe_whole(uintptr_t start, size_t size_bytes, emma_block_kind kind, uintptr_t address,
                           emma_description *description) {
    if (address - start >= size_bytes)
        return;
    description->start = (void *)start; // NOLINT(performance-no-int-to-ptr)
    description->size = size_bytes;
    description->state = EMMA_LIVE_BLOCK;
    description->kind = kind;
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
        describe_whole(start, ATOMIC_LOAD(&span->large_bytes, relaxed), EMMA_BLOCK_LARGE, address, description);
    else if (class != EMMA_CLASS_NONE)
        describe_small(start, address, class, description);
}

bool emma__heap_describe(const emma_directory *directory, uintptr_t address, emma_description *description) {
    *description = (emma_description){emma__heap_of(directory, address), 0, 0, EMMA_NO_BLOCK, EMMA_BLOCK_NONE};
    emma_huge_view huge;
    if (description->heap == 0)
        return false;
    if (emma__heap_lent_at(directory, address) != 0)
        emma__lent_describe(description->heap, address, description);
    else if (emma__directory_get(directory, address) == EMMA_GRANULE_TRACT)
        describe_in_tract(address, description);
    else if (emma__huge_look(directory, address, &huge) && emma__heap_with(huge.owner) == description->heap)
        describe_whole(huge.block, huge.usable_bytes, EMMA_BLOCK_HUGE, address, description);
    return description->state != EMMA_NO_BLOCK;
}

/* Who is shown the blocks of the spans. */
typedef struct block_walk {
    emma_heap *heap;
    emma_walker *walker;
    void *context;
} block_walk;

static int show(const block_walk *walk, uintptr_t start, size_t size_bytes, emma_block_kind kind) {
    void *block = (void *)start; // NOLINT(performance-no-int-to-ptr)
    emma_description found = {walk->heap, block, size_bytes, EMMA_LIVE_BLOCK, kind};
    return walk->walker(&found, walk->context);
}

/* The walker may free what it sees, and more: then the map is made anew, and ends if the span is another one now. */
static int show_small(const block_walk *walk, uintptr_t start) {
    emma_spans *spans = &walk->heap->depot.spans;
    emma_free_map map;
    unsigned class = emma__spans_look(spans, start, &map);
    if (!emma__class_is_small(class))
        return 0;
    size_t size = emma__class_size(class);
    for (unsigned i = 0; i < emma__class_table[class].blocks; i++) {
        void *block = (void *)(start + i * size); // NOLINT(performance-no-int-to-ptr)
        if (emma__free_map_has(&map, i) || (looks_free(block) && is_cached(walk->heap, class, block)))
            continue;
        uint64_t word = ATOMIC_LOAD(&emma__span_at(start)->word, relaxed);
        int end = show(walk, (uintptr_t)block, size, EMMA_BLOCK_SMALL);
        if (end != 0)
            return end;
        if (ATOMIC_LOAD(&emma__span_at(start)->word, relaxed) != word && emma__spans_look(spans, start, &map) != class)
            return 0;
    }
    return 0;
}

static int show_blocks(const emma_span_description *span, void *context) {
    const block_walk *walk = context;
    return span->kind == EMMA_BLOCK_SMALL ? show_small(walk, (uintptr_t)span->start)
                                          : show(walk, (uintptr_t)span->start, span->bytes, span->kind);
}

static int visit_whole(uintptr_t start, size_t size_bytes, emma_block_kind kind, emma_span_walker *walker,
                       void *context) {
    void *block = (void *)start; // NOLINT(performance-no-int-to-ptr)
    emma_span_description span = {block, size_bytes, size_bytes, 1, 1, kind};
    return walker(&span, context);
}

static int visit_run(uintptr_t start, emma_span_walker *walker, void *context) {
    const emma_span *record = emma__span_at(start);
    unsigned class = emma__span_class(record);
    if (class == EMMA_CLASS_NONE)
        return 0;
    if (class == EMMA_CLASS_LARGE)
        return visit_whole(start, ATOMIC_LOAD(&record->large_bytes, relaxed), EMMA_BLOCK_LARGE, walker, context);
    const emma_class_info *info = &emma__class_table[class];
    size_t bytes = (size_t)info->slices << EMMA_SLICE_LOG2;
    void *from = (void *)start; // NOLINT(performance-no-int-to-ptr)
    emma_span_description span = {
        from, bytes, emma__class_size(class), info->blocks, emma__span_out(record), EMMA_BLOCK_SMALL};
    return walker(&span, context);
}

static int visit_tract(emma_tract *tract, emma_span_walker *walker, void *context) {
    unsigned mapped = ATOMIC_LOAD(&tract->mapped_slices, acquire);
    int end = 0;
    for (unsigned slice = EMMA_TRACT_META_SLICES; slice < mapped && end == 0; slice++)
        end = visit_run(emma__tract_address(tract, slice), walker, context);
    return end;
}

static int visit_huge(const emma_regions *regions, const emma_region *region, emma_span_walker *walker, void *context) {
    int end = 0;
    for (unsigned slot = 0; slot < EMMA_REGION_TRACTS && end == 0; slot++) {
        if ((ATOMIC_LOAD(&region->word[slot / 64].huge, acquire) >> (slot % 64) & 1) == 0)
            continue;
        emma_huge_view huge;
        if (emma__huge_look(regions->directory, emma__region_slot_address(region, slot), &huge) &&
            huge.owner == regions)
            end = visit_whole(huge.block, huge.usable_bytes, EMMA_BLOCK_HUGE, walker, context);
    }
    return end;
}

int emma__heap_walk_spans(emma_heap *heap, emma_thread *thread, emma_span_walker *walker, void *context) {
    if (emma__heap_is_lent(heap))
        return 0;
    emma__heap_collect_from_all(heap, thread);
    emma_regions *regions = emma__heap_regions(heap);
    int end = 0;
    for (emma_tract *tract = emma__regions_next_tract(regions, 0); tract != 0 && end == 0;
         tract = emma__regions_next_tract(regions, tract))
        end = visit_tract(tract, walker, context);
    for (emma_region *region = ATOMIC_LOAD(&regions->first, acquire); region != 0 && end == 0;
         region = ATOMIC_LOAD(&region->next, acquire))
        end = visit_huge(regions, region, walker, context);
    return end;
}

int emma__heap_walk(emma_heap *heap, emma_thread *thread, emma_walker *walker, void *context) {
    block_walk walk = {heap, walker, context};
    int end = emma__heap_walk_spans(heap, thread, show_blocks, &walk);
    return end != 0 ? end : emma__lent_walk(heap, walker, context);
}
