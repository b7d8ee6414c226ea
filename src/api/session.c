/* session.c: one cache of a heap, claimed once. Contracts in emma_heap.h. */
#include "api/fast.h"
#include "emma_heap.h"

void emma_session_begin(emma_heap *heap, emma_session *session) {
    session->heap = heap;
    session->cache = emma__heap_is_lent(heap) ? 0 : emma__shared_claim(&heap->shared, &heap->depot);
}

/* The magazine is empty, or has no such blocks. Nobody else can send home what this cache holds: where memory is
 * refused, that is done here. No handler is asked. */
static void *alloc_from_heap(emma_heap *heap, emma_stripe *stripe, size_t size) {
    void *block = size > EMMA_SMALL_MAX_BYTES
                      ? emma__heap_alloc(heap, 0, 0, size)
                      : emma__magazines_alloc(&stripe->magazines, &heap->depot, emma__class_of(size != 0 ? size : 1));
    if (EMMA_UNLIKELY(block == 0))
        emma__magazines_flush(&stripe->magazines, &heap->depot, false);
    return block;
}

static EMMA_COLD void *alloc_slow(emma_session *session, size_t size) {
    void *block = session->cache != 0 ? alloc_from_heap(session->heap, session->cache, size) : 0;
    if (EMMA_UNLIKELY(block == 0))
        return emma_heap_malloc(session->heap, size);
    emma__heap_tick(session->heap);
    return block;
}

/* Returns: a block from the loaded magazine, or 0. */
static EMMA_ALWAYS_INLINE void *pop(emma_stripe *stripe, size_t size) {
    size_t class = (size + EMMA_BLOCK_ALIGN - 1) / EMMA_BLOCK_ALIGN; /* 0 where it overflows, and for size 0 */
    if (EMMA_UNLIKELY(class > EMMA_CLASS_FINE || stripe == 0))
        return 0;
    return emma__magazines_pop(&stripe->magazines.of[class]);
}

void *emma_session_malloc(emma_session *session, size_t size) {
    void *block = pop(session->cache, size);
    return EMMA_LIKELY(block != 0) ? block : alloc_slow(session, size);
}

/* The magazine is full, or the block is not a plain one. Returns: whether the cache takes it. */
static bool free_to_cache(emma_heap *heap, emma_stripe *stripe, void *block) {
    emma_block found = emma__heap_find(heap, block);
    if (found.kind != EMMA_BLOCK_SMALL || found.heap != heap || stripe == 0 ||
        (heap->wishes.flags & EMMA_HEAP_ZERO_ON_FREE) != 0)
        return false;
    if (EMMA_UNLIKELY(emma__chain_looks_free(block)) &&
        emma__heap_is_free(heap, &stripe->magazines, found.class, block))
        emma__heap_misuse(heap, "double free", (uintptr_t)block);
    emma__magazines_free(&stripe->magazines, &heap->depot, found.class, block);
    return true;
}

static EMMA_COLD void free_slow(emma_session *session, void *block) {
    if (free_to_cache(session->heap, session->cache, block))
        emma__heap_tick(session->heap);
    else
        emma_heap_free(session->heap, block);
}

/* Returns: whether the loaded magazine took a plain block. */
static EMMA_ALWAYS_INLINE bool push(emma_heap *heap, emma_stripe *stripe, void *block) {
    unsigned class = stripe != 0 ? emma__plain_class(heap, block) : (unsigned)EMMA_CLASS_NONE;
    if (EMMA_UNLIKELY(class == EMMA_CLASS_NONE))
        return false;
    _Atomic(emma_chain) *loaded = &stripe->magazines.of[class].loaded;
    emma_chain chain = ATOMIC_LOAD(loaded, relaxed);
    if (EMMA_UNLIKELY(emma__chain_room(chain) == 0))
        return false;
    ATOMIC_STORE(loaded, emma__chain_push(chain, block), release); /* see magazines.h: fork */
    return true;
}

void emma_session_free(emma_session *session, void *block) {
    if (EMMA_UNLIKELY(!push(session->heap, session->cache, block)))
        free_slow(session, block);
}

void emma_session_end(emma_session *session) {
    if (session->cache != 0)
        emma__shared_unclaim(&session->heap->shared, &session->heap->depot, session->cache);
    session->cache = 0;
}

/* What a cache gives without a handler: all blocks that are wanted, or as many as it had and one more. */
static size_t fill(emma_heap *heap, size_t size, size_t count, void **blocks) {
    emma_session session;
    emma_session_begin(heap, &session);
    size_t done = 0;
    while (done < count && (blocks[done] = pop(session.cache, size)) != 0)
        done++;
    if (done < count && session.cache != 0 && (blocks[done] = alloc_from_heap(heap, session.cache, size)) != 0)
        done++;
    emma_session_end(&session);
    return done;
}

/* Handlers, logs and purges have their turn while no cache is claimed: they may not come back (longjmp). */
size_t emma_heap_malloc_batch(emma_heap *heap, size_t size, size_t count, void **blocks) {
    size_t done = 0;
    while (done < count) {
        size_t filled = fill(heap, size, count - done, blocks + done);
        done += filled;
        if (filled != 0)
            emma__heap_tick(heap);
        else if ((blocks[done] = emma_heap_malloc(heap, size)) != 0)
            done++;
        else
            break;
    }
    return done;
}

/* As fill. Returns: how many blocks were taken back. */
static size_t drain(emma_heap *heap, size_t count, void *const *blocks) {
    emma_session session;
    emma_session_begin(heap, &session);
    size_t done = 0;
    while (done < count && push(heap, session.cache, blocks[done]))
        done++;
    if (done < count && free_to_cache(heap, session.cache, blocks[done]))
        done++;
    emma_session_end(&session);
    return done;
}

void emma_heap_free_batch(emma_heap *heap, size_t count, void *const *blocks) {
    for (size_t done = 0; done < count;) {
        size_t drained = drain(heap, count - done, blocks + done);
        done += drained;
        if (drained != 0)
            emma__heap_tick(heap);
        else
            emma_heap_free(heap, blocks[done++]);
    }
}
