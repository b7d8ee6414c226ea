/* on_heap.c: the bare allocators on malloc and on emma's own heap, by the adapters of docs/BARE.md. */
#include "../bare_shadow.h"
#include "../bare_tap.h"
#include "../port/port.h"
#include "emma.h"
#include "emma_bare.h"

#include <stdlib.h>

static size_t blocks_out; /* of the adapters, now */

static size_t at_least_a_pointer(size_t align_bytes) {
    return align_bytes < sizeof(void *) ? sizeof(void *) : align_bytes;
}

static void *from_malloc(void *context, emma_layout layout) {
    (void)context;
    size_t align = at_least_a_pointer(layout.align_bytes);
    blocks_out++;
    return aligned_alloc(align, (layout.size_bytes + align - 1) / align * align);
}

static void to_malloc(void *context, void *memory, emma_layout layout) {
    (void)context;
    (void)layout;
    blocks_out--;
    free(memory);
}

static void *from_emma(void *context, emma_layout layout) {
    (void)context;
    blocks_out++;
    return emma_aligned_alloc(at_least_a_pointer(layout.align_bytes), layout.size_bytes);
}

static void to_emma(void *context, void *memory, emma_layout layout) {
    (void)context;
    (void)layout;
    blocks_out--;
    emma_free(memory);
}

/* Every allocator on the backing, filled, checked and released. */
static void stand_on(const emma_backing *backing) {
    static emma_shadow shadow;
    static emma_fit fit;
    emma_bump bump;
    emma_slab slab;
    emma_buddy buddy;
    emma_buddy_config config = {4096, 6, 5};
    shadow.count = 0;
    EXPECT(emma_bump_init_in(&bump, 4096, 64, backing) == EMMA_BARE_OK);
    EXPECT(emma_slab_init_in(&slab, 192, 8, backing, NULL) == EMMA_BARE_OK);
    EXPECT(emma_buddy_init_in(&buddy, &config, backing, (emma_buddy_gaps){NULL, 0}, NULL) == EMMA_BARE_OK);
    EXPECT(emma_fit_init_in(&fit, 16384, backing) == EMMA_BARE_OK);
    for (size_t i = 0; i < 8; i++) {
        EXPECT(emma_shadow_add(&shadow, emma_bump_allocate(&bump, 400, 8), 400));
        EXPECT(emma_shadow_add(&shadow, emma_slab_allocate(&slab, 192, 64), 192));
        EXPECT(emma_shadow_add(&shadow, emma_buddy_allocate(&buddy, 256 + i * 200, 64), 256 + i * 200));
        EXPECT(emma_shadow_add(&shadow, emma_fit_allocate(&fit, 100 * i + 1, 32), 100 * i + 1));
    }
    EXPECT(emma_shadow_all_intact(&shadow));
    EXPECT(emma_bump_valid(&bump) && emma_slab_valid(&slab) && emma_buddy_valid(&buddy) && emma_fit_valid(&fit));
    emma_bump_release(&bump);
    emma_slab_release(&slab);
    emma_buddy_release(&buddy);
    emma_fit_release(&fit);
    EXPECT(blocks_out == 0);
}

static void on_malloc(void) {
    static const emma_backing backing = {from_malloc, to_malloc, NULL};
    stand_on(&backing);
}

static void on_emma(void) {
    static const emma_backing backing = {from_emma, to_emma, NULL};
    stand_on(&backing);
}

static const emma_tap_case cases[] = {
    {"all four on malloc", on_malloc},
    {"all four on emma's heap", on_emma},
};

int emma_port_main(void) {
    static const emma_tap_suite suite = EMMA_TAP_SUITE("on a heap", cases);
    emma_tap_run(&suite);
    return emma_tap_end();
}
