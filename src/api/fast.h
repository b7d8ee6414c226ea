/* fast.h: the hit paths of malloc and free, to be inlined into each function that offers them, and the default heap.
 *
 * Budget on x86-64, counted by `make bench-gate`: 17 and 25 instructions, ret included; no call, no stack frame, no
 * atomic instruction, no division. What does not hit goes to a slow function by a tail call, the cache word taken. */
#ifndef EMMA_API_FAST_H
#define EMMA_API_FAST_H

#include "heap/heap.h"

EMMA_HIDDEN extern emma_heap emma__default_heap;

EMMA_HIDDEN extern EMMA_THREAD_LOCAL emma_thread emma__this_thread; /* not used without thread-local storage */

/* The calling thread's own; NULL without thread-local storage. */
emma_thread *emma__thread_here(void);

/* Purge, if it is time; but not in handlers that interrupted an operation: they may have little stack. */
void emma__tick(void);

/* The same for any heap, and its soft limit. */
void emma__heap_tick(emma_heap *heap);

/* Tell the heap's log, but not what happens while it is being told. */
void emma__tell(emma_heap *heap, emma_event event);

/* A request that a heap could not fulfil: what is not in use goes back, if there is a limit, then the handlers are
 * asked. *round begins as 0. Returns: whether to try again. Threads: any; handlers are not called within handlers. */
bool emma__exhausted(emma_heap *heap, size_t size, unsigned *round);

/* Give back what is not in use, where a limit refused this heap so much. Requires: size <= PTRDIFF_MAX. */
void emma__make_room(emma_heap *heap, size_t size);

/* A handler that runs is not asked again by what it does itself: by requests from deeper in the stack. It may have been
 * left by longjmp; so that a later request, by another function of emma, is not taken for one of its own, so much of
 * the stack is left free below the frame that calls it. */
enum { EMMA_CALL_BYTES = 1024 };

/* A block of any heap, the default one as by emma_malloc; handlers are asked. align 1: as every block. */
void *emma__heap_get(emma_heap *heap, size_t size, size_t align);
void *emma__heap_get_zeroed(emma_heap *heap, size_t size);

/* Take back a block that emma__heap_find found in this heap. */
void emma__heap_put(emma_heap *heap, void *block);

/* The slow paths. cache: the word that was taken; NULL: it was not taken. errno is not touched. */
void *emma__malloc_slow(size_t size, emma_magazine_pair *cache);
void emma__free_slow(void *block, emma_magazine_pair *cache);

/* The class of a small block that is this heap's, does not look free and may be cached as it is.
 * Returns: EMMA_CLASS_NONE for any other. Requires: the heap has memory of its own. */
static EMMA_ALWAYS_INLINE unsigned emma__plain_class(const emma_heap *heap, const void *block) {
    uintptr_t address = (uintptr_t)block;
    const emma_regions *regions = &heap->depot.spans.regions;
    bool is_beside = address - regions->founded < EMMA_TRACT_BYTES; /* in the tract that the heap itself lies in */
    if (EMMA_UNLIKELY(!is_beside && (emma__directory_get(regions->directory, address) != EMMA_GRANULE_TRACT ||
                                     emma__tract_of(address)->owner != regions)) ||
        EMMA_UNLIKELY((heap->wishes.flags & EMMA_HEAP_ZERO_ON_FREE) != 0))
        return EMMA_CLASS_NONE;
    const emma_span *record = emma__span_at(address);
    unsigned class = ATOMIC_LOAD(&record->class, relaxed);
    bool is_plain =
        emma__class_is_start(class, address - emma__span_start(record, address)) && !emma__chain_looks_free(block);
    return EMMA_LIKELY(is_plain) ? class : (unsigned)EMMA_CLASS_NONE;
}

typedef void *emma_malloc_slow(size_t size, emma_magazine_pair *cache);
typedef void emma_free_slow(void *block, emma_magazine_pair *cache);

/* Pop from a magazine of the taken cache. Returns: NULL iff it is empty; the word is then still taken. */
static EMMA_ALWAYS_INLINE void *emma__pop(emma_magazine_pair *cache, size_t class) {
    void *block = emma__magazines_pop(&cache[class]);
    if (EMMA_LIKELY(block != 0))
        emma__thread_give(&emma__this_thread, cache);
    return block;
}

static EMMA_ALWAYS_INLINE void *emma__fast_malloc(size_t size, emma_malloc_slow *slow) {
    size_t class = (size + EMMA_BLOCK_ALIGN - 1) / EMMA_BLOCK_ALIGN; /* 0 where it overflows, and for size 0 */
    if (EMMA_UNLIKELY(class > EMMA_CLASS_FINE) || !EMMA_HAS_TLS)
        return slow(size, 0);
    emma_magazine_pair *cache = emma__thread_take(&emma__this_thread);
    void *block = emma__pop(cache, class);
    return EMMA_LIKELY(block != 0) ? block : slow(size, cache);
}

/* A small block for calloc, all of its usable bytes zero. Requires: size_bytes <= EMMA_SMALL_MAX_BYTES. */
static EMMA_ALWAYS_INLINE void *emma__fast_zeroed(size_t size, emma_malloc_slow *slow) {
    void *block = emma__fast_malloc(size, slow);
    if (EMMA_UNLIKELY(block == 0))
        return 0;
    size_t usable = size > EMMA_FINE_BYTES ? emma__class_size(emma__class_of(size))
                                           : emma__bits_align_up(size + (size == 0), EMMA_BLOCK_ALIGN);
    return __builtin_memset(block, 0, usable);
}

/* Push to the loaded magazine of the taken cache, which has room. */
static EMMA_ALWAYS_INLINE void emma__push(emma_magazine_pair *cache, size_t class, emma_chain chain, void *block) {
    ATOMIC_STORE(&cache[class].loaded, emma__chain_push(chain, block), release); /* see magazines.h: fork */
    emma__thread_give(&emma__this_thread, cache);
}

static EMMA_ALWAYS_INLINE void emma__fast_free(void *block, emma_free_slow *slow) {
    uintptr_t base = ATOMIC_LOAD(&emma__default_heap.depot.spans.regions.base, acquire);
    size_t slice = emma__span_slice_in(base, (uintptr_t)block);
    if (EMMA_UNLIKELY(slice >= EMMA_REGION_SLICES) || !EMMA_HAS_TLS) {
        slow(block, 0);
        return;
    }
    size_t class = emma__region_classes(base)[slice]; /* EMMA_CLASS_NONE has no room: it leaves below */
    emma_magazine_pair *cache = emma__thread_take(&emma__this_thread);
    emma_chain chain = ATOMIC_LOAD(&cache[class].loaded, relaxed);
    if (EMMA_UNLIKELY(emma__chain_room(chain) == 0 || emma__chain_looks_free(block))) {
        slow(block, cache);
        return;
    }
    emma__push(cache, class, chain, block);
}

#endif
