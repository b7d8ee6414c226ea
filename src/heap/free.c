/* free.c: the slow paths of free. Interface in heap.h. */
#include "heap/heap.h"

static void clear(const emma_heap *heap, void *block, size_t size_bytes) {
    if ((heap->wishes.flags & EMMA_HEAP_ZERO_ON_FREE) != 0 && size_bytes != 0)
        __builtin_memset(block, 0, size_bytes);
}

/* Without a cache of its own the caller's are those of the processor, and the shared ones. */
static bool is_free_here(emma_heap *heap, const emma_magazines *magazines, unsigned class, void *block) {
    return emma__heap_is_free(heap, magazines, class, block) ||
           (magazines == 0 && (emma__cpu_contain(&heap->cpu, &heap->depot, class, block) ||
                               emma__shared_contain(&heap->shared, &heap->depot, class, block)));
}

static void free_small(emma_heap *heap, emma_thread *thread, emma_magazine_pair *cache, void *block, unsigned class) {
    bool by_cpu = emma__heap_uses_cpu(heap);
    emma_magazines *magazines = 0;
    if (thread != 0 && !by_cpu)
        magazines = emma__thread_enter(thread, &heap->registry, &heap->depot, &cache);
    else if (thread != 0)
        emma__thread_retire(thread, &heap->registry, &heap->depot, &cache);
    if (EMMA_UNLIKELY(emma__chain_looks_free(block)) && is_free_here(heap, magazines, class, block))
        emma__heap_misuse(heap, "double free", (uintptr_t)block);
    clear(heap, block, emma__class_size(class));
    if (magazines != 0)
        emma__magazines_free(magazines, &heap->depot, class, block);
    else if (!by_cpu || !emma__cpu_free(&heap->cpu, &heap->depot, class, block))
        emma__shared_free(&heap->shared, &heap->depot, class, block);
    if (thread != 0)
        emma__thread_give(thread, cache);
}

static bool free_huge(emma_heap *heap, uintptr_t address) {
    emma_huge *huge = emma__huge_find(emma__heap_regions(heap)->directory, address);
    return huge != 0 && emma__huge_release(emma__heap_regions(heap), huge);
}

emma_heap *emma__heap_free(emma_heap *heap, emma_thread *thread, emma_magazine_pair *cache, void *block, size_t class) {
    if (EMMA_LIKELY(class != EMMA_CLASS_NONE)) {
        free_small(heap, thread, cache, block, (unsigned)class);
        return heap;
    }
    emma_block found = emma__heap_find(heap, block);
    if (found.heap != heap) { /* its thread caches are not this thread's word */
        if (thread != 0)
            emma__thread_give(thread, cache);
        thread = 0;
        cache = 0;
        heap = found.heap != 0 ? found.heap : heap;
    }
    if (found.kind == EMMA_BLOCK_SMALL) { /* not in the default heap's first region */
        free_small(heap, thread, cache, block, found.class);
        return heap;
    }
    if (thread != 0)
        emma__thread_give(thread, cache);
    clear(heap, block, found.usable_bytes);
    uintptr_t address = (uintptr_t)block;
    bool freed = block == 0;
    if (found.kind == EMMA_BLOCK_LARGE)
        freed = emma__spans_release_large(&heap->depot.spans, address);
    else if (found.kind == EMMA_BLOCK_HUGE)
        freed = free_huge(heap, address);
    else if (found.kind == EMMA_BLOCK_LENT)
        freed = emma__lent_free(heap, block);
    if (EMMA_UNLIKELY(!freed))
        emma__heap_misuse(found.heap != 0 ? heap : emma__heap_of(emma__heap_directory(heap), address), EMMA_NOT_LIVE,
                          address);
    return heap;
}
