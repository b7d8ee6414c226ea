/* log.c: telling a heap's log (emma_heap_log of emma_heap.h). Interface in heap.h. */
#include "base/check.h"
#include "heap/heap.h"

static EMMA_COLD void call(emma_heap *heap, emma_heap_log *log, const emma_event *event) {
    log(heap, event, ATOMIC_LOAD(&heap->wishes.log_context, acquire));
}

void emma__heap_set_log(emma_heap *heap, emma_heap_log *log, void *context) {
    emma_heap_wishes *wishes = &heap->wishes;
    ATOMIC_STORE(&wishes->log, 0, release);
    ATOMIC_STORE(&wishes->log_context, context, release);
    emma_commit *commit = emma__heap_commit(heap);
    ATOMIC_STORE(&wishes->told_bytes, commit != 0 ? ATOMIC_LOAD(&commit->bytes, relaxed) : 0, relaxed);
    ATOMIC_STORE(&wishes->log, log, release); /* pairs with the acquire loads of log */
}

void emma__heap_tell(emma_heap *heap, const emma_event *event) {
    emma_heap_log *log = ATOMIC_LOAD(&heap->wishes.log, acquire);
    if (log != 0)
        call(heap, log, event);
}

void emma__heap_tell_size(emma_heap *heap) {
    emma_heap_wishes *wishes = &heap->wishes;
    const emma_commit *commit = emma__heap_commit(heap);
    size_t now = commit != 0 ? ATOMIC_LOAD(&commit->bytes, relaxed) : 0;
    size_t told = ATOMIC_LOAD(&wishes->told_bytes, relaxed);
    size_t change = now > told ? now - told : told - now;
    if (change < EMMA_EVENT_STEP_BYTES || !ATOMIC_CAS(&wishes->told_bytes, &told, now, relaxed))
        return; /* or another thread tells */
    emma__heap_tell(heap, &(emma_event){now > told ? EMMA_EVENT_GREW : EMMA_EVENT_SHRANK, change, 0});
}

_Noreturn void emma__heap_misuse(emma_heap *heap, const char *message, uintptr_t address) {
    emma_heap_log *log = heap != 0 ? ATOMIC_EXCHANGE(&heap->wishes.log, 0, acq_rel) : 0; /* once */
    if (log != 0)
        call(heap, log,
             &(emma_event){EMMA_EVENT_MISUSE, 0, (const void *)address}); // NOLINT(performance-no-int-to-ptr)
    emma__fatal(message, address);
}
