/* default.c: the default heap, the directory that all heaps share, and the slow paths behind the hit paths of fast.h. */
#include "api/fast.h"
#include "purge/purge.h"

static emma_directory directory;

emma_heap emma__default_heap = {.depot.spans.regions = EMMA_REGIONS_INITIAL(&directory)};

#if EMMA_HAS_TLS
_Thread_local emma_thread emma__this_thread = EMMA_THREAD_INITIAL;
#endif

void *emma__malloc_slow(size_t size, emma_magazine_pair *cache) {
#if EMMA_HAS_TLS
    emma_thread *thread = &emma__this_thread;
    if (cache == 0) {
        cache = emma__thread_take(thread);
        if (EMMA_LIKELY(size - 1 < EMMA_SMALL_MAX_BYTES)) {
            void *block = emma__pop(cache, emma__class_of(size));
            if (EMMA_LIKELY(block != 0))
                return block;
        }
    }
#else
    emma_thread *thread = 0;
#endif
    void *block = emma__heap_alloc(&emma__default_heap, thread, cache, size);
    emma__purge_tick(&emma__default_heap, thread);
    return block;
}

void emma__free_slow(void *block, emma_magazine_pair *cache) {
#if EMMA_HAS_TLS
    emma_thread *thread = &emma__this_thread;
    if (cache == 0)
        cache = emma__thread_take(thread);
#else
    emma_thread *thread = 0;
#endif
    size_t class = emma__span_class_fast(emma__heap_regions(&emma__default_heap), (uintptr_t)block);
    emma__heap_free(&emma__default_heap, thread, cache, block, class);
    emma__purge_tick(&emma__default_heap, thread);
}
