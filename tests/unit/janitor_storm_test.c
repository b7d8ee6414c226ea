/* janitor_storm_test.c: purge/janitor.c: a thread of emma's own that gives memory back, and ends. Hosted only: it needs
 * seconds, and a thread that no emulator or sanitizer knows of. */
#include "../tap.h"
#include "plat/plat.h"
#include "purge/purge.h"
#include "unit.h"

enum { LUMP = 65536, BLOCKS = 128, PATIENCE_MS = 12000, LOOK_MS = 50 };

static emma_heap heap = EMMA_HEAP_INITIAL(&unit_directory, unit_shelves, 0);
static void *held[BLOCKS];

static uint32_t janitor_word(void) {
    return heap.registry.wiped != 0 ? ATOMIC_LOAD(&heap.registry.wiped->janitor, acquire) : 0;
}

/* Much dirty memory, within the bound, so that nobody but the janitor purges it. */
static void make_dirty(void) {
    emma_regions *regions = emma__heap_regions(&heap);
    heap.purge.dirty_bytes = SIZE_MAX / 4;
    regions->now_seconds = emma__plat_seconds();
    for (unsigned i = 0; i < BLOCKS; i++) {
        held[i] = unit_alloc(&heap, 0, LUMP);
        unit_fill(held[i], LUMP, i);
    }
    for (unsigned i = 1; i < BLOCKS; i++)
        unit_free(&heap, 0, held[i]);
    OK(regions->dirty_slices * EMMA_SLICE_BYTES >= 4 << 20);
}

static bool wait_until(bool (*condition)(void)) {
    for (unsigned waited = 0; waited < PATIENCE_MS && !condition(); waited += LOOK_MS)
        emma__plat_sleep(LOOK_MS);
    return condition();
}

static bool is_clean(void) {
    return ATOMIC_LOAD(&emma__heap_regions(&heap)->dirty_slices, acquire) == 0;
}

/* The thread that is on a stack of the janitor's. */
static uint32_t stack_user(unsigned i) {
    return heap.registry.wiped != 0 ? ATOMIC_LOAD(&heap.registry.wiped->stack_user[i], acquire) : 0;
}

static bool is_gone(void) {
    return janitor_word() == EMMA_JANITOR_NONE && stack_user(0) == 0 && stack_user(1) == 0;
}

static bool can_run(void) {
    bool is_watched = EMMA_THREAD_SANITIZER || EMMA_ADDRESS_SANITIZER;
    if (is_watched)
        tap_skip("sanitizers do not know threads that libc did not make");
    return !is_watched;
}

static void stays_off(void) {
    unit_heap_reset(&heap);
    make_dirty();
    heap.purge.janitor = 0;
    emma__janitor_start(&heap);
    IS(janitor_word(), 0);
    heap.purge.janitor = 1; /* only where a second thread has used the heap */
    emma__janitor_start(&heap);
    IS(janitor_word(), 0);
    OK(heap.purge.janitor_stack[0] == 0);
}

static void has_nothing_to_do(void) {
    unit_heap_reset(&heap);
    unit_free(&heap, 0, unit_alloc(&heap, 0, LUMP));
    heap.purge.janitor = 2;
    emma__janitor_start(&heap);
    IS(janitor_word(), 0);
}

static void cleans_up_and_ends(void) {
    if (!can_run())
        return;
    unit_heap_reset(&heap);
    make_dirty();
    heap.purge.janitor = 2;
    emma__janitor_start(&heap);
    uint32_t id = stack_user(0);
    IS(janitor_word(), EMMA_JANITOR_HERE);
    OK(id != 0 && id != emma__plat_thread_id() && emma__janitor_runs(&heap));
    emma__janitor_start(&heap); /* there is one already */
    IS(janitor_word(), EMMA_JANITOR_ASKED);
    OK(stack_user(0) == id && stack_user(1) == 0);
    OK(wait_until(is_clean));
    OK(unit_is_filled(held[0], LUMP, 0));
    IS(unit_resident_pages((uintptr_t)held[BLOCKS - 1], LUMP), 0);
    OK(wait_until(is_gone));
    OK(unit_heap_sound(&heap, 0));
    uintptr_t stack = heap.purge.janitor_stack[0];
    make_dirty(); /* a second one, on the same stack */
    emma__janitor_start(&heap);
    OK(stack_user(0) != 0 && heap.purge.janitor_stack[0] == stack && heap.purge.janitor_stack[1] == 0);
    OK(wait_until(is_clean));
    OK(wait_until(is_gone));
}

/* Whichever of the two comes first, the last look comes after the free. */
static void a_free_at_its_end_is_seen(void) {
    if (!can_run())
        return;
    unit_heap_reset(&heap);
    make_dirty();
    heap.purge.janitor = 2;
    emma__registry_generation(&heap.registry);
    emma_wiped *wiped = heap.registry.wiped;
    wiped->janitor = EMMA_JANITOR_HERE; /* as after the last look */
    OK(!emma__janitor_runs(&heap));     /* nor is there a thread: its starter might have stopped */
    emma__janitor_start(&heap);
    IS(wiped->janitor, EMMA_JANITOR_ASKED);
    emma__janitor_start(&heap);
    IS(wiped->janitor, EMMA_JANITOR_ASKED);
    OK(!emma__janitor_leave(wiped)); /* it stays */
    IS(wiped->janitor, EMMA_JANITOR_HERE);
    OK(emma__janitor_leave(wiped));
    IS(wiped->janitor, EMMA_JANITOR_NONE);

    wiped->stack_user[0] = 1; /* it has left, but not its stack yet: another one is made */
    emma__janitor_start(&heap);
    IS(wiped->janitor, EMMA_JANITOR_HERE);
    OK(stack_user(1) != 0 && heap.purge.janitor_stack[0] == 0 && heap.purge.janitor_stack[1] != 0);
    OK(wait_until(is_clean));
    wiped->stack_user[0] = 0;
    OK(wait_until(is_gone));

    make_dirty();
    wiped->stack_user[0] = wiped->stack_user[1] = 1; /* two are on their way: later */
    emma__janitor_start(&heap);
    IS(wiped->janitor, EMMA_JANITOR_NONE);
    wiped->stack_user[0] = wiped->stack_user[1] = 0;
}

enum { SMALL_BYTES = 64, SMALL_BLOCKS = (12 << 20) / SMALL_BYTES, KEPT_SHARE = 512 };
static void *small[SMALL_BLOCKS];

static bool is_idle(void) {
    return is_clean() && heap.purge.out_peak_bytes != SIZE_MAX / 2;
}

/* Blocks come home while it idles, and no slice becomes free of it: the spans are compacted once more. */
static void what_falls_while_it_idles_goes_back(void) {
    if (!can_run())
        return;
    unit_heap_reset(&heap);
    for (unsigned i = 0; i < SMALL_BLOCKS; i++) {
        small[i] = unit_alloc(&heap, 0, SMALL_BYTES);
        *(char *)small[i] = 1;
    }
    make_dirty();
    heap.purge.janitor = 2;
    heap.purge.out_peak_bytes = SIZE_MAX / 2; /* its first compaction corrects that */
    emma__janitor_start(&heap);
    OK(wait_until(is_idle));
    emma__plat_sleep(1500); /* a quiet look later */
    size_t freed = emma__heap_regions(&heap)->freed_slices;
    heap.purge.out_peak_bytes = heap.depot.spans.out_bytes;
    for (unsigned i = 0; i < SMALL_BLOCKS; i++)
        if (i % KEPT_SHARE != 0)
            unit_free(&heap, 0, small[i]);
    emma__heap_collect(&heap, 0);
    OK(EMMA_TORTURE || emma__heap_regions(&heap)->freed_slices == freed);
    OK(heap.depot.spans.out_bytes + (4 << 20) < heap.purge.out_peak_bytes);
    OK(janitor_word() == EMMA_JANITOR_HERE);
    emma__janitor_start(&heap); /* as a tick does */
    OK(wait_until(is_gone));
    OK(heap.purge.out_peak_bytes == heap.depot.spans.out_bytes);
    size_t resident = 0;
    for (unsigned i = 0; i < SMALL_BLOCKS; i += KEPT_SHARE)
        resident += unit_resident_pages((uintptr_t)small[i] & ~(uintptr_t)(EMMA_SLICE_BYTES - 1), EMMA_SLICE_BYTES);
    OK(resident < SMALL_BLOCKS / KEPT_SHARE * 4);
}

TAP_MAIN({"it is not started where it may not be", stays_off}, {"it is not started for little", has_nothing_to_do},
         {"it cleans up, ends, and is started again", cleans_up_and_ends},
         {"a free at its end is seen", a_free_at_its_end_is_seen},
         {"what falls while it idles goes back", what_falls_while_it_idles_goes_back})
