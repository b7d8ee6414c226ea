/* session.c: one cache of a heap, claimed once. Contracts in emma_heap.h. */
#include "api/fast.h"
#include "base/check.h"
#include "emma_heap.h"

void emma_session_begin(emma_heap *heap, emma_session *session) {
    session->heap = heap;
    session->cache = emma__shared_claim(&heap->shared);
}

void *emma_session_malloc(emma_session *session, size_t size) {
    emma_stripe *stripe = session->cache;
    if (EMMA_UNLIKELY(size > EMMA_SMALL_MAX_BYTES || stripe == 0))
        return emma_heap_malloc(session->heap, size);
    unsigned class = emma__class_of(size != 0 ? size : 1);
    void *block = emma__magazines_alloc(&stripe->magazines, &session->heap->depot, class);
    return EMMA_LIKELY(block != 0) ? block : emma_heap_malloc(session->heap, size);
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
    emma__magazines_free(&stripe->magazines, &heap->depot, found.class, block);
}

void emma_session_end(emma_session *session) {
    if (session->cache != 0)
        emma__shared_unclaim(&session->heap->shared, &session->heap->depot, session->cache);
    session->cache = 0;
}
