/* tell.c: what is done after a heap has done something: purge if it is time, its log, its soft limit. Interface in
 * fast.h. */
#include "api/fast.h"
#include "purge/purge.h"

static EMMA_THREAD_LOCAL uintptr_t telling; /* as asking in exhausted.c */

/* event 0: how much is committed, if that has changed much. */
static EMMA_COLD void tell(emma_heap *heap, const emma_event *event) {
    volatile char apart[EMMA_CALL_BYTES];
    if ((uintptr_t)__builtin_frame_address(0) < telling)
        return;
    apart[0] = 0;
    telling = (uintptr_t)__builtin_frame_address(0) - EMMA_CALL_BYTES;
    if (event != 0)
        emma__heap_tell(heap, event);
    else
        emma__heap_tell_size(heap);
    telling = (uintptr_t)apart[0]; /* 0, read from there so that the bytes are there */
}

void emma__tell(emma_heap *heap, emma_event event) {
    if (EMMA_UNLIKELY(ATOMIC_LOAD(&heap->wishes.log, relaxed) != 0))
        tell(heap, &event);
}

static EMMA_COLD void look_at_soft_limit(emma_heap *heap, size_t soft) {
    emma_heap_wishes *wishes = &heap->wishes;
    const emma_commit *commit = emma__heap_commit(heap);
    size_t committed = commit != 0 ? ATOMIC_LOAD(&commit->bytes, relaxed) : 0;
    if (committed <= soft)
        ATOMIC_STORE(&wishes->soft_passed, 0, relaxed);
    else if (ATOMIC_EXCHANGE(&wishes->soft_passed, 1, relaxed) == 0 && wishes->on_soft_limit != 0)
        wishes->on_soft_limit(heap, committed, wishes->context);
}

void emma__heap_tick(emma_heap *heap) {
    if (heap == &emma__default_heap)
        emma__tick();
    else if (!emma__heap_is_lent(heap))
        emma__purge_tick(heap, 0);
    if (EMMA_UNLIKELY(ATOMIC_LOAD(&heap->wishes.log, relaxed) != 0))
        tell(heap, 0);
    size_t soft = ATOMIC_LOAD(&heap->wishes.soft_limit_bytes, relaxed);
    if (EMMA_UNLIKELY(soft != 0))
        look_at_soft_limit(heap, soft);
}
