/* tell.c: what is done after a heap has done something: purge if it is time, its log, its soft limit. Interface in
 * fast.h. */
#include "api/fast.h"
#include "purge/purge.h"

static EMMA_THREAD_LOCAL uintptr_t telling; /* as asking in exhausted.c */

typedef void tell(emma_heap *heap, const emma_event *event);

/* Call what may call the program, but not from what the program does when it is called. */
static EMMA_COLD EMMA_IN_ITS_FRAME void tell_below(emma_heap *heap, tell *what, const emma_event *event) {
    volatile char apart[EMMA_CALL_BYTES];
    if ((uintptr_t)(apart + EMMA_CALL_BYTES) <= telling)
        return;
    apart[0] = 0;
    telling = (uintptr_t)apart;
    what(heap, event);
    telling = (uintptr_t)apart[0]; /* 0, read from there so that the bytes are there */
}

void emma__tell(emma_heap *heap, emma_event event) {
    if (EMMA_UNLIKELY(ATOMIC_LOAD(&heap->wishes.log, relaxed) != 0))
        tell_below(heap, emma__heap_tell, &event);
}

static void tell_size(emma_heap *heap, const emma_event *event) {
    (void)event;
    emma__heap_tell_size(heap);
}

/* Returns: whether what is committed is above a limit now, and was not when this was asked last. */
static bool has_passed(size_t committed, size_t soft, _Atomic(uint32_t) *passed) {
    bool had = ATOMIC_LOAD(passed, relaxed) != 0;
    if (committed > soft)
        return !had && ATOMIC_EXCHANGE(passed, 1, relaxed) == 0;
    if (had)
        ATOMIC_STORE(passed, 0, relaxed);
    return false;
}

static void look_at_soft_limit(emma_heap *heap, const emma_event *event) {
    (void)event;
    emma_heap_wishes *wishes = &heap->wishes;
    const emma_commit *commit = emma__heap_commit(heap);
    size_t committed = commit != 0 ? ATOMIC_LOAD(&commit->bytes, relaxed) : 0;
    if (has_passed(committed, ATOMIC_LOAD(&wishes->soft_limit_bytes, relaxed), &wishes->soft_passed) &&
        wishes->on_soft_limit != 0)
        wishes->on_soft_limit(heap, committed, wishes->context);
}

/* The soft limit of all heaps. Function and context are as those in exhausted.c. */
static struct {
    _Atomic(size_t) bytes; /* 0: none */
    _Atomic(uint32_t) passed;
    _Atomic(emma_soft_limit *) function;
    _Atomic(void *) context;
} all_soft;

void emma_set_soft_limit(size_t soft_limit_bytes, emma_soft_limit *function, void *context) {
    ATOMIC_STORE(&all_soft.bytes, 0, relaxed);
    ATOMIC_STORE(&all_soft.function, 0, release);
    ATOMIC_STORE(&all_soft.context, context, release);
    ATOMIC_STORE(&all_soft.function, function, release); /* pairs with look_at_all */
    ATOMIC_STORE(&all_soft.passed, 0, relaxed);
    ATOMIC_STORE(&all_soft.bytes, function != 0 ? soft_limit_bytes : 0, release);
}

static void look_at_all(emma_heap *heap, const emma_event *event) {
    (void)event;
    size_t committed = emma_committed_bytes();
    size_t soft = ATOMIC_LOAD(&all_soft.bytes, acquire);
    emma_soft_limit *function = ATOMIC_LOAD(&all_soft.function, acquire);
    void *context = ATOMIC_LOAD(&all_soft.context, acquire);
    if (soft != 0 && has_passed(committed, soft, &all_soft.passed) && function != 0 &&
        ATOMIC_LOAD(&all_soft.function, acquire) == function)
        function(heap, committed, context);
}

static EMMA_COLD void tell_what_is_wanted(emma_heap *heap) {
    if (ATOMIC_LOAD(&heap->wishes.log, relaxed) != 0)
        tell_below(heap, tell_size, 0);
    if (ATOMIC_LOAD(&heap->wishes.soft_limit_bytes, relaxed) != 0)
        tell_below(heap, look_at_soft_limit, 0);
    if (ATOMIC_LOAD(&all_soft.bytes, relaxed) != 0 && !emma__heap_is_lent(heap))
        tell_below(heap, look_at_all, 0);
}

void emma__heap_tick(emma_heap *heap) {
    if (heap == &emma__default_heap)
        emma__tick();
    else if (!emma__heap_is_lent(heap))
        emma__purge_tick(heap, 0);
    size_t wanted = (size_t)ATOMIC_LOAD(&heap->wishes.log, relaxed) |
                    ATOMIC_LOAD(&heap->wishes.soft_limit_bytes, relaxed) | ATOMIC_LOAD(&all_soft.bytes, relaxed);
    if (EMMA_UNLIKELY(wanted != 0))
        tell_what_is_wanted(heap);
}
