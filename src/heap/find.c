/* find.c: what an address is. Interface in heap.h. The directory is asked first; what it does not know may be lent. */
#include "heap/heap.h"

static const emma_block no_block = {0, EMMA_BLOCK_NONE, EMMA_CLASS_NONE, 0};

static emma_block find_in_tract(uintptr_t address) {
    const emma_tract *tract = emma__tract_of(address);
    unsigned slice = emma__tract_slice_of(address);
    if (slice < EMMA_TRACT_META_SLICES || slice >= ATOMIC_LOAD(&tract->mapped_slices, acquire))
        return no_block;
    emma_heap *heap = emma__heap_with(tract->owner);
    emma_span *record = emma__span_at(address);
    unsigned class = emma__span_class(emma__span_first(record));
    if (class == EMMA_CLASS_LARGE)
        return emma__span_start(record, address) == address
                   ? (emma_block){heap, EMMA_BLOCK_LARGE, EMMA_CLASS_NONE, ATOMIC_LOAD(&record->large_bytes, relaxed)}
                   : no_block;
    if (!emma__span_is_block(record, address))
        return no_block;
    return (emma_block){heap, EMMA_BLOCK_SMALL, class, emma__class_size(class)};
}

static emma_block find_own(const emma_directory *directory, uintptr_t address) {
    if (emma__directory_get(directory, address) == EMMA_GRANULE_TRACT)
        return find_in_tract(address);
    emma_huge_view huge;
    if (emma__huge_look(directory, address, &huge) && huge.block == address)
        return (emma_block){emma__heap_with(huge.owner), EMMA_BLOCK_HUGE, EMMA_CLASS_NONE, huge.usable_bytes};
    return no_block;
}

static emma_block find_lent(const emma_directory *directory, uintptr_t address) {
    emma_heap *heap;
    size_t usable_bytes = emma__lent_find(directory, address, &heap);
    return usable_bytes != 0 ? (emma_block){heap, EMMA_BLOCK_LENT, EMMA_CLASS_NONE, usable_bytes} : no_block;
}

emma_block emma__heap_find(emma_heap *heap, const void *block) {
    const emma_directory *directory = emma__heap_directory(heap);
    emma_block found = find_own(directory, (uintptr_t)block);
    return found.kind != EMMA_BLOCK_NONE ? found : find_lent(directory, (uintptr_t)block);
}

emma_heap *emma__heap_lent_at(const emma_directory *directory, uintptr_t address) {
    emma_range range;
    bool is_own = emma__directory_get(directory, address) != EMMA_GRANULE_NONE;
    return (!is_own || ATOMIC_LOAD(&directory->ranges.nested, acquire) != 0) &&
                   emma__ranges_find(&directory->ranges, address, &range)
               ? range.owner
               : 0;
}

emma_heap *emma__heap_of(const emma_directory *directory, uintptr_t address) {
    emma_heap *lent_to = emma__heap_lent_at(directory, address);
    if (lent_to != 0)
        return lent_to;
    if (emma__directory_get(directory, address) == EMMA_GRANULE_TRACT)
        return emma__heap_with(emma__tract_of(address)->owner);
    emma_huge_view huge;
    return emma__huge_look(directory, address, &huge) ? emma__heap_with(huge.owner) : 0;
}

bool emma__heap_owns(emma_heap *heap, const void *block) {
    const emma_directory *directory = emma__heap_directory(heap);
    /* No more is asked of a tract: its heap may be going at this moment, so its header may not be read. */
    return emma__directory_get(directory, (uintptr_t)block) != EMMA_GRANULE_NONE ||
           emma__heap_lent_at(directory, (uintptr_t)block) != 0;
}
