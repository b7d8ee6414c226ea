/* janitor.c: a thread of emma's own that gives memory back while the program does nothing.
 *
 * Made on demand, with the cheapest kind of thread the system has: no libc, its own thread pointer and stack, all
 * signals blocked, no capabilities. It touches the heap only as any other thread may, without a cache of its own, and
 * nobody ever waits for it: if it is stopped, one chunk is out of use. It looks once a second, purges what has been
 * dirty for two seconds, compacts when nothing has happened meanwhile or much has come home for some seconds, sends home
 * what lies in caches that have not changed for a second (cache/idle.h), and ends after four looks with nothing to do.
 * As there is somebody to do that, caches may be larger while it lives; so it stays while threads work that have such.
 *
 * Its word:    NONE --a start: CAS--> HERE --a start: CAS--> ASKED
 *                ^                     |  ^                    |
 *                +---- leaving: CAS ---+  +- each look: CAS ---+
 *
 * No free is missed that a tick saw. The tick's start and the janitor's leaving each change this one word by a CAS, so
 * one of them comes first. If the start does, it says ASKED, and the CAS by which the janitor leaves fails: it looks
 * on, and its acquire pairs with the start's release, so it sees what was freed. If leaving does, the start finds NONE
 * and makes a new janitor. The old one may still be on its way out of its stack, so there are two of these, kept and
 * reused; the kernel clears a stack's user when its thread is gone (acquire where it is looked at). Where both are in
 * use, a janitor has not come to its last instruction for the five seconds that the next one lives at least: then the
 * next tick starts one.
 *
 * The words lie on the page that fork wipes: in a child there is none, and one may be started. */
#include "base/check.h"
#include "cache/idle.h"
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
    FALLEN_LOOKS = 5,      /* for so long a busy process may use much less than before, until it is compacted */
    WORTH_BYTES = 4 << 20, /* so much must have been freed to make a thread for it */
};

/* Threads may cache more while there is somebody to send it home when they sleep. */
static void allow_caches(emma_heap *heap, bool much) {
    ATOMIC_STORE(&heap->depot.earned_most, much ? EMMA_CACHE_EARNED_MOST_BYTES : 0, relaxed);
}

static size_t earned_by_caches(const emma_heap *heap) {
    return (uint32_t)ATOMIC_LOAD(&heap->depot.earned, relaxed);
}

/* Much came home since spans were compacted last. */
static bool has_fallen(emma_heap *heap) {
    return ATOMIC_LOAD(&heap->depot.spans.out_bytes, relaxed) + WORTH_BYTES <
           ATOMIC_LOAD(&heap->purge.out_peak_bytes, relaxed);
}

static bool was_asked(emma_wiped *wiped) {
    uint32_t asked = EMMA_JANITOR_ASKED;
    return ATOMIC_CAS(&wiped->janitor, &asked, EMMA_JANITOR_HERE, acq_rel); /* acquire: see the banner */
}

bool emma__janitor_leave(emma_wiped *wiped) {
    uint32_t here = EMMA_JANITOR_HERE;
    return ATOMIC_CAS(&wiped->janitor, &here, EMMA_JANITOR_NONE, acq_rel) || !was_asked(wiped);
}

static bool leave(emma_heap *heap, emma_wiped *wiped) {
    allow_caches(heap, false);
    return emma__janitor_leave(wiped);
}

static void janitor(void *argument) {
    emma_heap *heap = argument;
    emma_regions *regions = emma__heap_regions(heap);
    emma_wiped *wiped = ATOMIC_LOAD(&heap->registry.wiped, acquire); /* as its maker's: emma__janitor_start */
    size_t freed_before = ATOMIC_LOAD(&regions->freed_slices, relaxed);
    unsigned quiet = 0;
    unsigned fallen = 0; /* looks in a row */
    bool visits = emma__idle_try(&heap->registry);
    for (unsigned idle = 0; idle < IDLE_LOOKS_MAX || !leave(heap, wiped);) {
        allow_caches(heap, visits && emma__idle_is_possible(&heap->registry));
        emma__plat_sleep(LOOK_MILLISECONDS);
        bool asked = was_asked(wiped);
        ATOMIC_STORE(&regions->now_seconds, emma__plat_seconds(), relaxed);
        size_t freed = ATOMIC_LOAD(&regions->freed_slices, relaxed);
        quiet = freed == freed_before ? quiet + 1 : 0;
        fallen = has_fallen(heap) ? fallen + 1 : 0;
        bool compacts = quiet == OLD_SECONDS || (quiet > OLD_SECONDS && fallen != 0) || fallen == FALLEN_LOOKS;
        fallen = compacts ? 0 : fallen;
        emma_idle caches = emma__idle_collect(&heap->registry, &heap->depot, false);
        size_t purged = compacts ? emma__purge_compact(heap, 0) : 0;
        freed_before = ATOMIC_LOAD(&regions->freed_slices, relaxed);
        purged += emma__purge_dirty(heap, SIZE_MAX, OLD_SECONDS, OLD_SECONDS);
        bool is_needed = caches.is_busy && earned_by_caches(heap) > EMMA_CACHE_EARNED_BYTES;
        idle = purged == 0 && quiet > 0 && !asked && !is_needed ? idle + 1 : 0;
    }
}

static bool start_on(emma_heap *heap, emma_wiped *wiped, unsigned i) {
    uintptr_t stack = ATOMIC_LOAD(&heap->purge.janitor_stack[i], relaxed);
    if (stack == 0) {
        stack = emma__plat_map(STACK_BYTES);
        ATOMIC_STORE(&heap->purge.janitor_stack[i], stack, relaxed);
    }
    return stack != 0 && emma__plat_thread_start(janitor, heap, stack, STACK_BYTES, &wiped->stack_user[i]);
}

/* Not with more rights than the caller's, nor for a child of vfork, which has its parent's memory. */
static bool is_allowed_here(emma_heap *heap) {
    return !emma__plat_is_privileged() && ATOMIC_LOAD(&heap->registry.process_id, relaxed) == emma__plat_process_id();
}

/* Requires: the word says HERE and no thread says so but the caller, which alone uses the stacks. */
static bool start(emma_heap *heap, emma_wiped *wiped) {
    for (unsigned i = 0; i < EMMA_JANITOR_STACKS; i++)
        /* Acquire: the kernel's store of 0 when the last janitor left this stack. */
        if (ATOMIC_LOAD(&wiped->stack_user[i], acquire) == 0)
            return start_on(heap, wiped, i);
    return false;
}

static bool may_start(emma_heap *heap) {
    size_t when = ATOMIC_LOAD(&heap->purge.janitor, relaxed);
    if (when == JANITOR_OFF || when > JANITOR_ON || EMMA_THREAD_SANITIZER || EMMA_ADDRESS_SANITIZER)
        return false;
    if (when == JANITOR_THREADS && ATOMIC_LOAD(&heap->registry.threads, relaxed) < 2)
        return false;
    emma_regions *regions = emma__heap_regions(heap);
    return ATOMIC_LOAD(&regions->dirty_slices, relaxed) >= WORTH_BYTES / EMMA_SLICE_BYTES || has_fallen(heap) ||
           (earned_by_caches(heap) > EMMA_CACHE_EARNED_BYTES / 2 && emma__idle_is_possible(&heap->registry));
}

/* The word alone is not believed: who said HERE may have stopped for ever before there was a thread. Then nobody starts
 * another one, but who frees purges as where there is none. */
bool emma__janitor_runs(const emma_heap *heap) {
    const emma_wiped *wiped = ATOMIC_LOAD(&heap->registry.wiped, acquire);
    if (wiped == 0 || ATOMIC_LOAD(&wiped->janitor, relaxed) == EMMA_JANITOR_NONE)
        return false;
    uint32_t users = 0;
    for (unsigned i = 0; i < EMMA_JANITOR_STACKS; i++)
        users |= ATOMIC_LOAD(&wiped->stack_user[i], relaxed);
    return users != 0;
}

void emma__janitor_start(emma_heap *heap) {
    if (!may_start(heap))
        return;
    emma__registry_generation(&heap->registry); /* makes the page, if this process has none yet */
    emma_wiped *wiped = ATOMIC_LOAD(&heap->registry.wiped, acquire);
    if (wiped == 0)
        return;
    uint32_t state = ATOMIC_LOAD(&wiped->janitor, relaxed);
    /* Also where it is ASKED already: each start releases what it saw freed. Pairs with was_asked, and with the start
     * that comes after emma__janitor_leave. */
    uint32_t next;
    do {
        next = state == EMMA_JANITOR_NONE ? EMMA_JANITOR_HERE : EMMA_JANITOR_ASKED;
        if (state == EMMA_JANITOR_NONE && !is_allowed_here(heap))
            return;
    } while (!ATOMIC_CAS(&wiped->janitor, &state, next, acq_rel));
    if (next == EMMA_JANITOR_HERE && !start(heap, wiped)) /* refused: the next tick tries again */
        ATOMIC_STORE(&wiped->janitor, EMMA_JANITOR_NONE, release);
}
