/* janitor_storm_test.c: purge/janitor.c: a thread of emma's own that gives memory back, and ends. Hosted only: it needs
 * seconds, and a thread that no emulator or sanitizer knows of. */
#include "../tap.h"
#include "plat/plat.h"
#include "purge/purge.h"
#include "unit.h"

enum { LUMP = 65536, BLOCKS = 128, PATIENCE_MS = 12000, LOOK_MS = 50 };

static emma_heap heap = EMMA_HEAP_INITIAL(&unit_directory);
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

static bool is_gone(void) {
    return janitor_word() == 0;
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
    OK(heap.purge.janitor_stack == 0);
}

static void has_nothing_to_do(void) {
    unit_heap_reset(&heap);
    unit_free(&heap, 0, unit_alloc(&heap, 0, LUMP));
    heap.purge.janitor = 2;
    emma__janitor_start(&heap);
    IS(janitor_word(), 0);
}

static void cleans_up_and_ends(void) {
    if (EMMA_THREAD_SANITIZER || EMMA_ADDRESS_SANITIZER) {
        tap_skip("sanitizers do not know threads that libc did not make");
        return;
    }
    unit_heap_reset(&heap);
    make_dirty();
    heap.purge.janitor = 2;
    emma__janitor_start(&heap);
    uint32_t id = janitor_word();
    OK(id != 0 && id != emma__plat_thread_id());
    emma__janitor_start(&heap); /* there is one already */
    IS(janitor_word(), id);
    OK(wait_until(is_clean));
    OK(unit_is_filled(held[0], LUMP, 0));
    IS(unit_resident_pages((uintptr_t)held[BLOCKS - 1], LUMP), 0);
    OK(wait_until(is_gone));
    OK(unit_heap_sound(&heap, 0));
    uintptr_t stack = heap.purge.janitor_stack;
    make_dirty(); /* a second one, on the same stack */
    emma__janitor_start(&heap);
    OK(janitor_word() != 0 && heap.purge.janitor_stack == stack);
    OK(wait_until(is_clean));
    OK(wait_until(is_gone));
}

TAP_MAIN({"it is not started where it may not be", stays_off}, {"it is not started for little", has_nothing_to_do},
         {"it cleans up, ends, and is started again", cleans_up_and_ends})
