/* exhausted.c: what is done before an allocation fails. Interface in fast.h, handlers in emma_heap.h.
 *
 *     round 0    what is not in use goes back (only that makes room below a limit)
 *     round 1    the thread's handler, once; else the heap's; if that says no, the one for all heaps
 *     further    again from the begin, as long as a handler says that something has changed: what it freed is not yet given back */
#include "api/fast.h"
#include "purge/purge.h"

typedef struct handler {
    emma_out_of_memory *function;
    void *context;
} handler;

/* Two words that change together; who sets them while another asks may be asked once more with the old context. */
static _Atomic(emma_out_of_memory *) global_function;
static _Atomic(void *) global_context;

static EMMA_THREAD_LOCAL handler thread_handler;
static EMMA_THREAD_LOCAL bool is_asking;

void emma_set_out_of_memory(emma_out_of_memory *function, void *context) {
    ATOMIC_STORE(&global_function, 0, release);
    ATOMIC_STORE(&global_context, context, release);
    ATOMIC_STORE(&global_function, function, release); /* pairs with ask */
}

void emma_set_thread_out_of_memory(emma_out_of_memory *function, void *context) {
    thread_handler.function = 0;
    EMMA_SIGNAL_FENCE();
    thread_handler.context = context;
    EMMA_SIGNAL_FENCE();
    thread_handler.function = function;
}

static bool ask(emma_heap *heap, size_t size) {
    emma_out_of_memory *once = thread_handler.function;
    if (once != 0) {
        thread_handler.function = 0;
        return once(heap, size, thread_handler.context) != 0;
    }
    const emma_heap_wishes *wishes = &heap->wishes;
    if (wishes->on_out_of_memory != 0 && wishes->on_out_of_memory(heap, size, wishes->context) != 0)
        return true;
    emma_out_of_memory *global = ATOMIC_LOAD(&global_function, acquire);
    return global != 0 && global(heap, size, ATOMIC_LOAD(&global_context, acquire)) != 0;
}

bool emma__exhausted(emma_heap *heap, size_t size, unsigned *round) {
    if (size > PTRDIFF_MAX)
        return false; /* that is not for want of memory */
    bool is_limited =
        !emma__heap_is_lent(heap) && ATOMIC_LOAD(&emma__heap_regions(heap)->commit.limit_bytes, relaxed) != 0;
    if ((*round)++ == 0 && is_limited && emma__purge_all(heap, 0) != 0)
        return true;
    if (is_asking)
        return false;
    is_asking = true;
    bool again = ask(heap, size);
    is_asking = false;
    *round = 0;
    return again;
}

void emma__heap_tick(emma_heap *heap) {
    if (heap == &emma__default_heap)
        emma__tick();
    else if (emma__heap_is_lent(heap))
        return;
    else
        emma__purge_tick(heap, 0);
    emma_heap_wishes *wishes = &heap->wishes;
    size_t soft = ATOMIC_LOAD(&wishes->soft_limit_bytes, relaxed);
    if (EMMA_LIKELY(soft == 0))
        return;
    size_t committed = ATOMIC_LOAD(&emma__heap_regions(heap)->commit.bytes, relaxed);
    if (committed <= soft)
        ATOMIC_STORE(&wishes->soft_passed, 0, relaxed);
    else if (ATOMIC_EXCHANGE(&wishes->soft_passed, 1, relaxed) == 0 && wishes->on_soft_limit != 0)
        wishes->on_soft_limit(heap, committed, wishes->context);
}
