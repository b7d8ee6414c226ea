/* default.c: the default heap, the directory that all heaps share, and the slow paths behind the hit paths of
 * fast.h. */
#include "api/fast.h"
#include "purge/purge.h"

static emma_directory directory;

static emma_fit fit; /* of what is lent to the default heap */

static emma_shelf shelves[EMMA_CLASS_COUNT];

emma_heap emma__default_heap = EMMA_HEAP_INITIAL(&directory, shelves, &fit);

EMMA_THREAD_LOCAL emma_thread emma__this_thread = EMMA_THREAD_INITIAL;

emma_thread *emma__thread_here(void) {
    return EMMA_HAS_TLS ? &emma__this_thread : 0;
}

void emma__tick(void) {
    emma_thread *thread = emma__thread_here();
    if (thread == 0 || EMMA_LIKELY(thread->cache != EMMA_CLOSED(EMMA_TAKEN)))
        emma__purge_tick(&emma__default_heap, thread);
}

/* The loaded magazine has nothing, or is not asked. Apart: a hit above the fine classes then needs no stack frame. */
static EMMA_NOINLINE void *malloc_past_loaded(size_t size, emma_magazine_pair *cache) {
    if (EMMA_HAS_TLS && EMMA_LIKELY(size - 1 < EMMA_SMALL_MAX_BYTES) &&
        emma__magazines_load_spare((emma_magazines *)(void *)cache, emma__class_of(size)))
        return emma__pop(cache, emma__class_of(size));
    emma_thread *thread = emma__thread_here();
    void *block = emma__heap_alloc(&emma__default_heap, thread, cache, size);
    for (unsigned round = 0; EMMA_UNLIKELY(block == 0) && emma__exhausted(&emma__default_heap, size, &round);)
        block = emma__heap_alloc(&emma__default_heap, thread, thread != 0 ? emma__thread_take(thread) : 0, size);
    emma__heap_tick(&emma__default_heap);
    return block;
}

/* A word that was taken, if one was. */
static void give_back(emma_magazine_pair *cache) {
    if (EMMA_HAS_TLS && cache != 0)
        emma__thread_give(&emma__this_thread, cache);
}

void *emma__malloc_slow(size_t size, emma_magazine_pair *cache) {
    if (EMMA_UNLIKELY(emma__cpu_is_on(&emma__default_heap.cpu)) && size - 1 < EMMA_SMALL_MAX_BYTES) {
        void *block = emma__cpu_pop(&emma__default_heap.cpu, emma__class_of(size));
        if (block != 0) {
            give_back(cache);
            return block;
        }
    }
    if (EMMA_HAS_TLS && cache == 0) {
        cache = emma__thread_take(&emma__this_thread);
        if (EMMA_LIKELY(size - 1 < EMMA_SMALL_MAX_BYTES)) {
            void *block = emma__pop(cache, emma__class_of(size));
            if (EMMA_LIKELY(block != 0))
                return block;
        }
    }
    return malloc_past_loaded(size, cache);
}

/* A small block of a made heap goes to the processor's cache. Returns: false for any other. */
static bool push_to_made(void *block) {
    uintptr_t address = (uintptr_t)block;
    if (emma__directory_get(&directory, address) != EMMA_GRANULE_TRACT || !emma__tract_of(address)->owner->is_made)
        return false;
    emma_heap *heap = emma__heap_with(emma__tract_of(address)->owner);
    unsigned class = emma__cpu_is_on(&heap->cpu) ? emma__plain_class(heap, block) : (unsigned)EMMA_CLASS_NONE;
    return class != EMMA_CLASS_NONE && emma__cpu_push(&heap->cpu, class, block);
}

void emma__free_slow(void *block, emma_magazine_pair *cache) {
    if (EMMA_UNLIKELY(emma__cpu_is_on(&emma__default_heap.cpu))) {
        unsigned class = emma__plain_class(&emma__default_heap, block);
        if (class != EMMA_CLASS_NONE && emma__cpu_push(&emma__default_heap.cpu, class, block)) {
            give_back(cache);
            return;
        }
    }
    if (cache == 0 && push_to_made(block))
        return;
    emma_thread *thread = emma__thread_here();
    if (EMMA_HAS_TLS && cache == 0)
        cache = emma__thread_take(thread);
    size_t class = emma__span_class_fast(emma__heap_regions(&emma__default_heap), (uintptr_t)block);
    if (EMMA_HAS_TLS && class != EMMA_CLASS_NONE && !emma__chain_looks_free(block) &&
        emma__magazines_spare_loaded((emma_magazines *)(void *)cache, (unsigned)class)) {
        emma__push(cache, class, ATOMIC_LOAD(&cache[class].loaded, relaxed), block);
        return;
    }
    emma__heap_tick(emma__heap_free(&emma__default_heap, thread, cache, block, class));
}
