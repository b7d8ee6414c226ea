/* session.c: one cache of a heap, claimed once. Contracts in emma_heap.h. */
#include "api/fast.h"
#include "base/check.h"
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

static emma_chain loaded(const emma_stripe *stripe, unsigned class) {
    return ATOMIC_LOAD(&stripe->magazines.of[class].loaded, relaxed);
}

void *emma_session_malloc(emma_session *session, size_t size) {
    emma_stripe *stripe = session->cache;
    emma_heap *heap = session->heap;
    if (EMMA_UNLIKELY(stripe == 0))
        return emma_heap_malloc(heap, size);
    if (EMMA_UNLIKELY(size > EMMA_SMALL_MAX_BYTES))
        return alloc_large(heap, stripe, size);
    unsigned class = emma__class_of(size != 0 ? size : 1);
    bool is_hit = !emma__chain_is_empty(loaded(stripe, class));
    void *block = emma__magazines_alloc(&stripe->magazines, &heap->depot, class);
    if (EMMA_LIKELY(is_hit))
        return block;
    if (EMMA_UNLIKELY(block == 0))
        return alloc_without_cache(heap, stripe, size);
    emma__heap_tick(heap);
    return block;
}

void emma_session_free(emma_session *session, void *block) {
    emma_stripe *stripe = session->cache;
    emma_heap *heap = session->heap;
    emma_block found = emma__heap_find(heap, block);
    bool is_plain = found.kind == EMMA_BLOCK_SMALL && found.heap == heap && stripe != 0 && heap->wishes.flags == 0;
    if (EMMA_UNLIKELY(!is_plain)) {
        emma_heap_free(heap, block);
        return;
    }
    if (EMMA_UNLIKELY(emma__chain_looks_free(block)) &&
        emma__heap_is_free(heap, &stripe->magazines, found.class, block))
        emma__fatal("double free", (uintptr_t)block);
    bool is_full = emma__chain_room(loaded(stripe, found.class)) == 0;
    emma__magazines_free(&stripe->magazines, &heap->depot, found.class, block);
    if (EMMA_UNLIKELY(is_full))
        emma__heap_tick(heap);
}

void emma_session_end(emma_session *session) {
    if (session->cache != 0)
        emma__shared_unclaim(&session->heap->shared, &session->heap->depot, session->cache);
    session->cache = 0;
}
