/* janitor.c: a thread of emma's own that gives memory back while the program does nothing.
 *
 * Made on demand, with the cheapest kind of thread the system has: no libc, its own thread pointer and stack, all
 * signals blocked, no capabilities. It touches the heap only as any other thread may, without a cache of its own, and
 * nobody ever waits for it: if it is stopped, one chunk is out of use. It looks once a second, purges what has been dirty
 * for two seconds, compacts when nothing has happened meanwhile, and ends after four looks with nothing to do.
 *
 * Its word lies on the page that fork wipes: 0 none, 1 being started, else its thread id, cleared by the kernel when its
 * stack is no longer used. In a child of fork there is none, and one may be started. Stack: one mapping, kept and reused. */
#include "base/check.h"
#include "plat/plat.h"
#include "purge/purge.h"

enum {
    JANITOR_OFF = 0, /* as options.h names them */
    JANITOR_THREADS,
    JANITOR_ON,
    STACK_BYTES = 64 * 1024, /* a multiple of any page size; only what is used is touched */
    LOOK_MILLISECONDS = 1000,
    OLD_SECONDS = 2,
    IDLE_LOOKS_MAX = 4,
    WORTH_BYTES = 4 << 20, /* so much must have been freed to make a thread for it */
};

static void janitor(void *argument) {
    emma_heap *heap = argument;
    emma_regions *regions = emma__heap_regions(heap);
    size_t freed_before = ATOMIC_LOAD(&regions->freed_slices, relaxed);
    unsigned quiet = 0;
    for (unsigned idle = 0; idle < IDLE_LOOKS_MAX;) {
        emma__plat_sleep(LOOK_MILLISECONDS);
        ATOMIC_STORE(&regions->now_seconds, emma__plat_seconds(), relaxed);
        size_t freed = ATOMIC_LOAD(&regions->freed_slices, relaxed);
        quiet = freed == freed_before ? quiet + 1 : 0;
        size_t purged = quiet == OLD_SECONDS ? emma__purge_compact(heap, 0) : 0;
        freed_before = ATOMIC_LOAD(&regions->freed_slices, relaxed);
        purged += emma__purge_dirty(heap, SIZE_MAX, OLD_SECONDS);
        idle = purged == 0 && quiet > 0 ? idle + 1 : 0;
    }
}

static uintptr_t stack_of(emma_heap *heap) {
    uintptr_t stack = ATOMIC_LOAD(&heap->purge.janitor_stack, acquire);
    if (stack != 0)
        return stack;
    stack = emma__plat_map(STACK_BYTES);
    uintptr_t none = 0;
    if (stack == 0 || ATOMIC_CAS(&heap->purge.janitor_stack, &none, stack, acq_rel))
        return stack;
    emma__plat_unmap(stack, STACK_BYTES);
    return none;
}

static bool may_start(emma_heap *heap) {
    size_t when = ATOMIC_LOAD(&heap->purge.janitor, relaxed);
    if (when == JANITOR_OFF || when > JANITOR_ON || EMMA_THREAD_SANITIZER || EMMA_ADDRESS_SANITIZER)
        return false;
    if (when == JANITOR_THREADS && ATOMIC_LOAD(&heap->registry.threads, relaxed) < 2)
        return false;
    emma_regions *regions = emma__heap_regions(heap);
    return ATOMIC_LOAD(&regions->dirty_slices, relaxed) >= WORTH_BYTES / EMMA_SLICE_BYTES ||
           ATOMIC_LOAD(&heap->depot.spans.out_bytes, relaxed) + WORTH_BYTES <
               ATOMIC_LOAD(&heap->purge.crest_bytes, relaxed);
}

void emma__janitor_start(emma_heap *heap) {
    if (!may_start(heap))
        return;
    emma__registry_generation(&heap->registry); /* makes the page, if this process has none yet */
    emma_wiped *wiped = ATOMIC_LOAD(&heap->registry.wiped, acquire);
    if (wiped == 0 || ATOMIC_LOAD(&wiped->janitor, relaxed) != 0)
        return;
    uint32_t none = 0;
    /* Acquire: the kernel's store of 0 when the last janitor left its stack. */
    if (!ATOMIC_CAS(&wiped->janitor, &none, 1, acq_rel))
        return;
    uintptr_t stack = stack_of(heap);
    if (stack == 0 || emma__plat_is_privileged() ||
        ATOMIC_LOAD(&heap->registry.process_id, relaxed) != emma__plat_process_id() ||
        !emma__plat_thread_start(janitor, heap, stack, STACK_BYTES, &wiped->janitor))
        ATOMIC_STORE(&wiped->janitor, 0, release);
}
