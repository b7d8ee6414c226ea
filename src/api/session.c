/* session.c: one cache of a heap, claimed once. Contracts in emma_heap.h. */
#include "api/fast.h"
#include "emma_heap.h"

void emma_session_begin(emma_heap *heap, emma_session *session) {
    session->heap = heap;
    session->cache = emma__heap_is_lent(heap) ? 0 : emma__shared_claim(&heap->shared, &heap->depot);
}

/* Nobody else can send home what this session's cache holds: that is tried before the handlers are asked. */
static void *alloc_without_cache(emma_heap *heap, emma_stripe *stripe, size_t size) {
    emma__magazines_flush(&stripe->magazines, &heap->depot, false);
    return emma_heap_malloc(heap, size);
}

static void *alloc_large(emma_heap *heap, emma_stripe *stripe, size_t size) {
    void *block = emma__heap_alloc(heap, 0, 0, size);
    if (EMMA_UNLIKELY(block == 0))
        return alloc_without_cache(heap, stripe, size);
    emma__heap_tick(heap);
    return block;
}

/* The magazine is empty. */
static EMMA_COLD void *alloc_slow(emma_session *session, size_t size) {
    emma_stripe *stripe = session->cache;
    emma_heap *heap = session->heap;
    if (stripe == 0)
        return emma_heap_malloc(heap, size);
    if (size > EMMA_SMALL_MAX_BYTES)
        return alloc_large(heap, stripe, size);
    void *block = emma__magazines_alloc(&stripe->magazines, &heap->depot, emma__class_of(size != 0 ? size : 1));
    if (EMMA_UNLIKELY(block == 0))
        return alloc_without_cache(heap, stripe, size);
    emma__heap_tick(heap);
    return block;
}

void *emma_session_malloc(emma_session *session, size_t size) {
    emma_stripe *stripe = session->cache;
    size_t class = (size + EMMA_BLOCK_ALIGN - 1) / EMMA_BLOCK_ALIGN; /* 0 where it overflows, and for size 0 */
    if (EMMA_UNLIKELY(class > EMMA_CLASS_FINE || stripe == 0))
        return alloc_slow(session, size);
    _Atomic(emma_chain) *loaded = &stripe->magazines.of[class].loaded;
    emma_chain chain = ATOMIC_LOAD(loaded, relaxed);
    if (EMMA_UNLIKELY(emma__chain_is_empty(chain)))
        return alloc_slow(session, size);
    void *block = emma__chain_first(chain);
    ATOMIC_STORE(loaded, emma__chain_rest(chain), release); /* see magazines.h: fork */
    emma__chain_unmark(block);
    return block;
}

/* The magazine is full, or the block is not a plain one. */
static EMMA_COLD void free_slow(emma_session *session, void *block) {
    emma_stripe *stripe = session->cache;
    emma_heap *heap = session->heap;
    emma_block found = emma__heap_find(heap, block);
    bool is_cacheable = found.kind == EMMA_BLOCK_SMALL && found.heap == heap && stripe != 0 &&
                        (heap->wishes.flags & EMMA_HEAP_ZERO_ON_FREE) == 0;
    if (!is_cacheable) {
        emma_heap_free(heap, block);
        return;
    }
    if (EMMA_UNLIKELY(emma__chain_looks_free(block)) &&
        emma__heap_is_free(heap, &stripe->magazines, found.class, block))
        emma__heap_misuse(heap, "double free", (uintptr_t)block);
    emma__magazines_free(&stripe->magazines, &heap->depot, found.class, block);
    emma__heap_tick(heap);
}

void emma_session_free(emma_session *session, void *block) {
    emma_stripe *stripe = session->cache;
    unsigned class = stripe != 0 ? emma__plain_class(session->heap, block) : (unsigned)EMMA_CLASS_NONE;
    if (EMMA_UNLIKELY(class == EMMA_CLASS_NONE)) {
        free_slow(session, block);
        return;
    }
    _Atomic(emma_chain) *loaded = &stripe->magazines.of[class].loaded;
    emma_chain chain = ATOMIC_LOAD(loaded, relaxed);
    if (EMMA_UNLIKELY(emma__chain_room(chain) == 0))
        free_slow(session, block);
    else
        ATOMIC_STORE(loaded, emma__chain_push(chain, block), release); /* see magazines.h: fork */
}

void emma_session_end(emma_session *session) {
    if (session->cache != 0)
        emma__shared_unclaim(&session->heap->shared, &session->heap->depot, session->cache);
    session->cache = 0;
}
