/* exhausted.c: what is done before an allocation fails. Interface in fast.h, handlers in emma_heap.h.
 *
 *     round 0    what is not in use goes back (only that makes room below a limit); the default heap's too, which has
 *                the most of it, where it is the limit of all heaps that refused. Then it is tried again, whatever
 *                came of it, as others may be giving back at the same time
 *     round 1    the thread's handler, once; else the heap's; if that says no, the one for all heaps
 *     further    again from the begin, as long as a handler says that something has changed: what it freed is not yet
 *                given back */
#include "api/fast.h"

typedef struct handler {
    emma_out_of_memory *function;
    void *context;
} handler;

/* Two words that change together: who asks reads the function before and after the context. */
static _Atomic(emma_out_of_memory *) global_function;
static _Atomic(void *) global_context;

static EMMA_THREAD_LOCAL handler thread_handler;
static EMMA_THREAD_LOCAL uintptr_t asking; /* handlers that run have their frames below; 0: none runs */

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
    emma_out_of_memory *global;
    void *context;
    do {
        global = ATOMIC_LOAD(&global_function, acquire);
        context = ATOMIC_LOAD(&global_context, acquire);
    } while (EMMA_UNLIKELY(ATOMIC_LOAD(&global_function, acquire) != global)); /* ends: unless it is set all the time */
    return global != 0 && global(heap, size, context) != 0;
}

/* See EMMA_CALL_BYTES. */
static EMMA_IN_ITS_FRAME bool ask_below(emma_heap *heap, size_t size) {
    volatile char apart[EMMA_CALL_BYTES];
    apart[0] = 0;
    asking = (uintptr_t)apart; /* not by the frame's address: on aarch64 a frame's variables lie above that */
    bool again = ask(heap, size);
    asking = (uintptr_t)apart[0]; /* 0, read from there so that the bytes are there */
    return again;
}

void emma__make_room(emma_heap *heap, size_t size) {
    enum { SPAN_BYTES = 1 << 20 }; /* so much a small block may need, a tract included */
    emma_heap_collect(heap);
    if (heap != &emma__default_heap && !emma__heap_is_lent(heap) &&
        !emma__commit_fits(&emma__heap_directory(heap)->all, size + SPAN_BYTES))
        emma_collect();
}

static bool give_chance(emma_heap *heap, size_t size, unsigned *round, bool is_limited) {
    if ((*round)++ == 0 && is_limited) {
        emma__make_room(heap, size);
        return true;
    }
    if ((uintptr_t)__builtin_frame_address(0) < asking)
        return false;
    *round = 0;
    return ask_below(heap, size);
}

bool emma__exhausted(emma_heap *heap, size_t size, unsigned *round) {
    if (size > PTRDIFF_MAX)
        return false; /* that is not for want of memory */
    bool is_limited = emma__heap_is_limited(heap);
    if (*round == 0 && is_limited)
        emma__tell(heap, (emma_event){EMMA_EVENT_LIMIT, size, 0});
    bool again = give_chance(heap, size, round, is_limited);
    if (!again)
        emma__tell(heap, (emma_event){EMMA_EVENT_OUT_OF_MEMORY, size, 0});
    return again;
}
