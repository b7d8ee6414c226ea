/* alloc.c: the slow paths of allocation. Interface in heap.h. */
#include "base/check.h"
#include "cache/idle.h"
#include "heap/heap.h"
#include "plat/plat.h"

enum { LARGE_MAX_BYTES = EMMA_RUN_MAX_SLICES * EMMA_SLICE_BYTES };

/* Who comes second meanwhile uses a thread cache, or the shared one. */
static bool begin_cpu_caches(emma_heap *heap) {
    size_t bytes = emma__cpu_bytes();
    if (bytes == 0 || ATOMIC_EXCHANGE(&heap->wishes.cpu_begun, 1, relaxed) != 0)
        return false;
    uintptr_t memory = emma__plat_map(emma__bits_align_up(bytes, emma__regions_page_bytes(emma__heap_regions(heap))));
    if (memory != 0)
        emma__cpu_init(&heap->cpu, memory, 0);
    return memory != 0;
}

bool emma__heap_uses_cpu(emma_heap *heap) {
    if (emma__cpu_is_on(&heap->cpu))
        return emma__heap_regions(heap)->is_made || ATOMIC_LOAD(&heap->wishes.cache, relaxed) != 0;
    return EMMA_UNLIKELY(ATOMIC_LOAD(&heap->wishes.cache, relaxed) != 0) && begin_cpu_caches(heap);
}

static void *alloc_small_once(emma_heap *heap, emma_thread *thread, emma_magazine_pair **cache, unsigned class) {
    bool by_cpu = emma__heap_uses_cpu(heap);
    emma_magazines *magazines = 0;
    if (thread != 0 && !by_cpu)
        magazines = emma__thread_enter(thread, &heap->registry, &heap->depot, cache);
    else if (thread != 0)
        emma__thread_retire(thread, &heap->registry, &heap->depot, cache);
    if (by_cpu) {
        bool available;
        void *block = emma__cpu_alloc(&heap->cpu, &heap->depot, class, &available);
        if (EMMA_LIKELY(available))
            return block;
    }
    return magazines != 0 ? emma__magazines_alloc(magazines, &heap->depot, class)
                          : emma__shared_alloc(&heap->shared, &heap->depot, class);
}

static void give(emma_thread *thread, emma_magazine_pair *cache) {
    if (thread != 0)
        emma__thread_give(thread, cache);
}

static void *alloc_small(emma_heap *heap, emma_thread *thread, emma_magazine_pair *cache, unsigned class) {
    void *block = alloc_small_once(heap, thread, &cache, class);
    give(thread, cache);
    if (EMMA_LIKELY(block != 0))
        return block;
    /* Blocks of other classes may hold all there is. */
    emma__heap_collect(heap, thread);
    cache = thread != 0 ? emma__thread_take(thread) : 0;
    block = alloc_small_once(heap, thread, &cache, class);
    give(thread, cache);
    return block;
}

/* The heap's own memory is refused: a block of what was lent to it, with all bytes that one of its own would have. What
 * it has beyond them is zero already: who wants it zeroed knows the class only. */
EMMA_COLD static void *alloc_lent(emma_heap *heap, unsigned class, size_t size_bytes, size_t align_bytes) {
    size_t bytes = class != EMMA_CLASS_NONE ? emma__class_size(class) : size_bytes;
    char *block = emma__lent_alloc(heap, bytes, align_bytes);
    if (block == 0 || class == EMMA_CLASS_NONE)
        return block;
    size_t usable = emma__heap_find(heap, block).usable_bytes;
    __builtin_memset(block + bytes, 0, usable - bytes);
    return block;
}

/* A large or huge block. Returns: its address, or 0; *is_zero tells that it reads as zero. */
static uintptr_t alloc_large_once(emma_heap *heap, size_t size_bytes, size_t align_bytes, bool *is_zero) {
    *is_zero = false;
    size_bytes = size_bytes != 0 ? size_bytes : 1;
    if (size_bytes <= LARGE_MAX_BYTES && align_bytes <= EMMA_CHUNK_BYTES) {
        unsigned align = align_bytes <= EMMA_SLICE_BYTES ? 1 : (unsigned)(align_bytes >> EMMA_SLICE_LOG2);
        return emma__spans_claim_large(&heap->depot.spans, size_bytes, align);
    }
    *is_zero = true;
    const emma_huge *huge = emma__huge_claim(emma__heap_regions(heap), size_bytes, align_bytes);
    return huge != 0 ? huge->block : 0;
}

static uintptr_t alloc_large(emma_heap *heap, emma_thread *thread, size_t size_bytes, size_t align_bytes,
                             bool *is_zero) {
    if (size_bytes > PTRDIFF_MAX - EMMA_TRACT_BYTES || align_bytes > PTRDIFF_MAX / 2 - size_bytes / 2)
        return 0;
    uintptr_t address = alloc_large_once(heap, size_bytes, align_bytes, is_zero);
    if (EMMA_LIKELY(address != 0) || size_bytes > (size_t)1 << (EMMA_ADDRESS_LOG2 - 1))
        return address;
    emma__heap_collect(heap, thread); /* what caches hold may keep whole spans */
    return alloc_large_once(heap, size_bytes, align_bytes, is_zero);
}

void *emma__heap_alloc(emma_heap *heap, emma_thread *thread, emma_magazine_pair *cache, size_t size_bytes) {
    return emma__heap_alloc_aligned(heap, thread, cache, size_bytes, 1);
}

void *emma__heap_alloc_aligned(emma_heap *heap, emma_thread *thread, emma_magazine_pair *cache, size_t size_bytes,
                               size_t align_bytes) {
    if (EMMA_UNLIKELY(emma__heap_is_lent(heap)))
        return emma__lent_alloc(heap, size_bytes, align_bytes);
    unsigned class = EMMA_CLASS_NONE;
    if (size_bytes <= EMMA_SMALL_MAX_BYTES)
        class = align_bytes <= EMMA_BLOCK_ALIGN ? emma__class_of(size_bytes != 0 ? size_bytes : 1)
                                                : emma__class_of_aligned(size_bytes, align_bytes);
    void *block;
    if (class != EMMA_CLASS_NONE) {
        block = alloc_small(heap, thread, cache, class);
    } else {
        give(thread, cache);
        bool is_zero;
        block =
            (void *)alloc_large(heap, thread, size_bytes, align_bytes, &is_zero); // NOLINT(performance-no-int-to-ptr)
    }
    return EMMA_LIKELY(block != 0) ? block : alloc_lent(heap, class, size_bytes, align_bytes);
}

void *emma__heap_alloc_zeroed_large(emma_heap *heap, emma_thread *thread, size_t size_bytes) {
    if (EMMA_UNLIKELY(emma__heap_is_lent(heap)))
        return emma__lent_alloc_zeroed(heap, size_bytes);
    bool is_zero;
    uintptr_t address = alloc_large(heap, thread, size_bytes, 1, &is_zero);
    if (address == 0)
        return emma__lent_alloc_zeroed(heap, size_bytes);
    if (is_zero)
        return (void *)address; // NOLINT(performance-no-int-to-ptr)
    const emma_tract *tract = emma__tract_of(address);
    size_t left = ATOMIC_LOAD(&emma__span_at(address)->large_bytes, relaxed);
    for (uintptr_t at = address; left != 0; at += EMMA_SLICE_BYTES) {
        size_t bytes = left < EMMA_SLICE_BYTES ? left : EMMA_SLICE_BYTES;
        if (emma__tract_is_dirty(tract, emma__tract_slice_of(at)))
            __builtin_memset((void *)at, 0, bytes); // NOLINT(performance-no-int-to-ptr)
        left -= bytes;
    }
    return (void *)address; // NOLINT(performance-no-int-to-ptr)
}

void emma__heap_collect(emma_heap *heap, emma_thread *thread) {
    if (thread != 0) {
        emma_magazine_pair *cache = emma__thread_take(thread);
        emma_magazines *magazines = 0;
        if (!emma__thread_is_closed(cache)) /* who forked notices it here as well */
            magazines = emma__thread_enter(thread, &heap->registry, &heap->depot, &cache);
        if (magazines != 0)
            emma__magazines_flush(magazines, &heap->depot, false);
        emma__thread_give(thread, cache);
    }
    /* The default heap's janitor is a thread without a slot, and must not look for one. */
    bool has_slot = thread != 0 || emma__heap_regions(heap)->is_made;
    if (emma__cpu_is_on(&heap->cpu) && !emma__cpu_drain(&heap->cpu, &heap->depot) && has_slot)
        emma__cpu_flush(&heap->cpu, &heap->depot);
    emma__shared_flush(&heap->shared, &heap->depot);
    emma__depot_empty(&heap->depot);
}

void emma__heap_collect_from_all(emma_heap *heap, emma_thread *thread) {
    emma__heap_collect(heap, thread);
    if (!emma__heap_regions(heap)->is_made) /* such a heap has no caches of threads */
        emma__idle_collect(&heap->registry, &heap->depot, true);
}
