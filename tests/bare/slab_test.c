/* slab_test.c: every edge of the slab allocator. */
#include "suites.h"

enum { WORD = sizeof(void *) };

static _Alignas(128) unsigned char region[1024];
static size_t marks[4];

static emma_slab fresh(size_t block_bytes, size_t blocks) {
    emma_slab slab;
    EXPECT(emma_slab_init(&slab, region, marks, block_bytes, blocks) == EMMA_BARE_OK);
    return slab;
}

static void refuses_small_blocks(void) {
    static const size_t sizes[] = {0, 1, WORD - 1};
    for (size_t i = 0; i < 3; i++) {
        for (size_t blocks = 0; blocks < 2; blocks++) {
            emma_slab slab;
            emma_layout layout;
            EXPECT(emma_slab_region_layout(sizes[i], blocks, &layout) == EMMA_BARE_INVALID_CONFIG);
            EXPECT(emma_slab_init(&slab, region, marks, sizes[i], blocks) == EMMA_BARE_INVALID_CONFIG);
            EXPECT(emma_slab_init_in(&slab, sizes[i], blocks, &emma_test_backing, NULL) == EMMA_BARE_INVALID_CONFIG);
            EXPECT(emma_slab_allocate_block(&slab) == NULL && emma_slab_valid(&slab));
        }
    }
}

static void refuses_overflow(void) {
    emma_slab slab;
    emma_layout layout;
    EXPECT(emma_slab_init_in(&slab, SIZE_MAX, 2, &emma_test_backing, NULL) == EMMA_BARE_INVALID_CONFIG);
    EXPECT(emma_slab_region_layout(SIZE_MAX - WORD + 2, 1, &layout) == EMMA_BARE_INVALID_CONFIG);
    EXPECT(emma_slab_region_layout(WORD, SIZE_MAX / WORD + 2, &layout) == EMMA_BARE_INVALID_CONFIG);
    EXPECT(emma_slab_region_layout(PTRDIFF_MAX, 1, &layout) == EMMA_BARE_INVALID_CONFIG);
    EXPECT(emma_slab_region_layout(PTRDIFF_MAX - WORD + 1, 1, &layout) == EMMA_BARE_OK);
    EXPECT(emma_slab_region_layout((size_t)PTRDIFF_MAX + 1, 1, &layout) == EMMA_BARE_INVALID_CONFIG);
}

static void layouts(void) {
    emma_layout layout;
    EXPECT(emma_slab_region_layout(96, 3, &layout) == EMMA_BARE_OK);
    EXPECT(layout.size_bytes == 288 && layout.align_bytes == 32);
    EXPECT(emma_slab_region_layout(48, 2, &layout) == EMMA_BARE_OK && layout.align_bytes == 16);
    EXPECT(emma_slab_region_layout(WORD + 1, 2, &layout) == EMMA_BARE_OK);
    EXPECT(layout.size_bytes == 4 * WORD && layout.align_bytes == 2 * WORD);
    EXPECT(emma_slab_region_layout(128, 0, &layout) == EMMA_BARE_OK && layout.size_bytes == 0);
    EXPECT(emma_slab_marks_layout(0).size_bytes == 0);
    EXPECT(emma_slab_marks_layout(1).size_bytes == (EMMA_BARE_CHECKS ? WORD : 0));
    EXPECT(emma_slab_marks_layout(8 * WORD + 1).size_bytes == (EMMA_BARE_CHECKS ? 2 * WORD : 0));
    EXPECT(emma_slab_marks_layout(1).align_bytes == WORD);
}

static void refuses_locations(void) {
    emma_slab slab;
    void *top = (void *)(UINTPTR_MAX - 63);
    EXPECT(emma_slab_init(&slab, NULL, marks, 32, 1) == EMMA_BARE_INVALID_LOCATION);
    EXPECT(emma_slab_init(&slab, region + WORD, marks, 32, 1) == EMMA_BARE_INVALID_LOCATION); /* 32 is promised */
    EXPECT(emma_slab_init(&slab, region + 1, marks, WORD, 1) == EMMA_BARE_INVALID_LOCATION);
    EXPECT(emma_slab_init(&slab, top, marks, 64, 2) == EMMA_BARE_INVALID_LOCATION);
    size_t *inside = (size_t *)(void *)(region + 32);
    EXPECT(emma_slab_init(&slab, region, inside, 32, 4) == EMMA_BARE_INVALID_LOCATION);
    EXPECT(emma_slab_init(&slab, region, (size_t *)((uintptr_t)marks + 1), 32, 1) == EMMA_BARE_INVALID_LOCATION);
    EXPECT(emma_slab_allocate_block(&slab) == NULL);
    /* Up to the last byte there is; nothing is touched, so it need not exist. */
    EXPECT(emma_slab_init(&slab, top, marks, 32, 2) == EMMA_BARE_OK);
    EXPECT(emma_slab_limit(&slab) == NULL && emma_slab_contains(&slab, (void *)UINTPTR_MAX));
    EXPECT(emma_slab_contains(&slab, top) && !emma_slab_contains(&slab, (void *)(UINTPTR_MAX - 64)));
    EXPECT(emma_slab_allocate_block(&slab) == top);
}

static void zero_blocks(void) {
    emma_slab slab;
    emma_test_backing_reset();
    EXPECT(emma_slab_init_in(&slab, 128, 0, &emma_test_backing, NULL) == EMMA_BARE_OK);
    EXPECT(emma_test_backing_calls == 0);
    EXPECT(emma_slab_allocate(&slab, 0, 1) == NULL && !emma_slab_can_allocate(&slab));
    EXPECT(emma_slab_num_blocks(&slab) == 0 && emma_slab_size(&slab) == 0 && emma_slab_block_size(&slab) == 128);
    EXPECT(!emma_slab_contains(&slab, region) && !emma_slab_contains(&slab, NULL));
    EXPECT(emma_slab_valid(&slab));
    emma_slab_release(&slab);
    EXPECT(emma_slab_init(&slab, NULL, NULL, 128, 0) == EMMA_BARE_OK && emma_slab_allocate_block(&slab) == NULL);
}

static void one_block(void) {
    emma_slab slab = fresh(128, 1);
    EXPECT(emma_slab_can_allocate(&slab));
    void *a = emma_slab_allocate(&slab, 0, 1);
    EXPECT(a == region && emma_slab_outstanding(&slab) == 1 && !emma_slab_can_allocate(&slab));
    EXPECT(emma_slab_allocate(&slab, 0, 1) == NULL && emma_slab_outstanding(&slab) == 1);
    EXPECT(emma_slab_deallocate(&slab, a) == EMMA_BARE_OK && emma_slab_outstanding(&slab) == 0);
    EXPECT(emma_slab_allocate(&slab, 129, 1) == NULL);
    EXPECT(emma_slab_allocate(&slab, 128, 128) == a); /* block alignment is the lowest set bit of the size */
    EXPECT(emma_slab_deallocate(&slab, a) == EMMA_BARE_OK);
    EXPECT(emma_slab_allocate(&slab, 1, 256) == NULL && emma_slab_allocate(&slab, 1, 0) == NULL);
    EXPECT(emma_slab_allocate(&slab, 1, 3) == NULL && emma_slab_outstanding(&slab) == 0);
}

static void two_blocks_lifo(void) {
    emma_slab slab = fresh(128, 2);
    for (int reverse = 0; reverse < 2; reverse++) {
        void *a = emma_slab_allocate(&slab, 1, 1);
        void *b = emma_slab_allocate(&slab, 1, 1);
        EXPECT(a != NULL && b != NULL && a != b && emma_slab_allocate(&slab, 1, 1) == NULL);
        void *first = reverse ? b : a, *second = reverse ? a : b;
        EXPECT(emma_slab_deallocate(&slab, first) == EMMA_BARE_OK && emma_slab_can_allocate(&slab));
        EXPECT(emma_slab_deallocate(&slab, second) == EMMA_BARE_OK && emma_slab_outstanding(&slab) == 0);
        EXPECT(emma_slab_allocate_block(&slab) == second && emma_slab_allocate_block(&slab) == first);
        EXPECT(emma_slab_deallocate(&slab, a) == EMMA_BARE_OK && emma_slab_deallocate(&slab, b) == EMMA_BARE_OK);
        EXPECT(emma_slab_valid(&slab));
    }
}

static void address_order_and_untouched(void) {
    for (size_t i = 0; i < sizeof region; i++)
        region[i] = 0xA5;
    marks[0] = marks[1] = SIZE_MAX;
    emma_slab slab = fresh(32, 32);
    for (size_t i = 0; i < 16; i++)
        EXPECT(emma_slab_allocate_block(&slab) == region + 32 * i);
    EXPECT(emma_slab_deallocate(&slab, region + 64) == EMMA_BARE_OK);
    EXPECT(emma_slab_allocate_block(&slab) == region + 64);
    EXPECT(emma_slab_allocate_block(&slab) == region + 32 * 16);
    size_t touched = 0;
    for (size_t i = 0; i < sizeof region; i++)
        touched += region[i] != 0xA5;
    EXPECT(touched <= WORD); /* the one link of the block that was freed */
    EXPECT(emma_slab_valid(&slab));
}

static void refuses_frees(void) {
    emma_slab slab = fresh(32, 8);
    EXPECT(emma_slab_deallocate(&slab, NULL) == EMMA_BARE_OK);
    if (!EMMA_BARE_CHECKS) {
        emma_tap_skip("checks are compiled out");
        return;
    }
    EXPECT(emma_slab_deallocate(&slab, region) == EMMA_BARE_FOREIGN); /* never handed out */
    unsigned char *a = emma_slab_allocate_block(&slab);
    unsigned char *b = emma_slab_allocate_block(&slab);
    EXPECT(emma_slab_deallocate(&slab, a + 1) == EMMA_BARE_FOREIGN);
    EXPECT(emma_slab_deallocate(&slab, (void *)((uintptr_t)a - 32)) == EMMA_BARE_FOREIGN);
    EXPECT(emma_slab_deallocate(&slab, a + 16) == EMMA_BARE_FOREIGN);
    EXPECT(emma_slab_deallocate(&slab, b + 32) == EMMA_BARE_FOREIGN);
    EXPECT(emma_slab_deallocate(&slab, region + sizeof region) == EMMA_BARE_FOREIGN);
    EXPECT(emma_slab_deallocate(&slab, a) == EMMA_BARE_OK);
    EXPECT(emma_slab_deallocate(&slab, a) == EMMA_BARE_NOT_LIVE);
    EXPECT(emma_slab_deallocate(&slab, b) == EMMA_BARE_OK && emma_slab_deallocate(&slab, b) == EMMA_BARE_NOT_LIVE);
    EXPECT(emma_slab_outstanding(&slab) == 0 && emma_slab_valid(&slab));
    /* Without marks only an empty slab knows. */
    EXPECT(emma_slab_init(&slab, region, NULL, 32, 8) == EMMA_BARE_OK);
    a = emma_slab_allocate_block(&slab);
    EXPECT(emma_slab_deallocate(&slab, a) == EMMA_BARE_OK && emma_slab_deallocate(&slab, a) == EMMA_BARE_NOT_LIVE);
}

static void valid_sees_damage(void) {
    emma_slab slab = fresh(32, 8);
    unsigned char *a = emma_slab_allocate_block(&slab);
    unsigned char *b = emma_slab_allocate_block(&slab);
    emma_slab_deallocate(&slab, a);
    emma_slab_deallocate(&slab, b);
    EXPECT(emma_slab_valid(&slab));
    *(emma__bare_word_link *)(void *)b = 77; /* written after free */
    EXPECT(!emma_slab_valid(&slab));
    *(emma__bare_word_link *)(void *)b = 0;
    EXPECT(emma_slab_valid(&slab));
    slab.outstanding = 9;
    EXPECT(!emma_slab_valid(&slab));
}

static void sits_on_a_backing(void) {
    emma_slab slab;
    for (unsigned fails_at = 1; fails_at <= 1 + EMMA_BARE_CHECKS; fails_at++) {
        emma_layout refused = {0, 0};
        emma_test_backing_reset();
        emma_test_backing_fails_at = fails_at;
        EXPECT(emma_slab_init_in(&slab, 96, 10, &emma_test_backing, &refused) == EMMA_BARE_ALLOC_FAILED);
        EXPECT(refused.size_bytes == (fails_at == 1 ? 960 : WORD) &&
               refused.align_bytes == (fails_at == 1 ? 32 : WORD));
        EXPECT(emma_test_backing_live == 0 && emma_slab_allocate_block(&slab) == NULL);
    }
    emma_test_backing_reset();
    EXPECT(emma_slab_init_in(&slab, 96, 10, &emma_test_backing, NULL) == EMMA_BARE_OK);
    for (unsigned i = 0; i < 10; i++)
        EXPECT(emma_slab_allocate(&slab, 96, 32) != NULL);
    emma_bare_figures figures = emma_slab_figures(&slab);
    EXPECT(figures.capacity_bytes == 960 && figures.used_bytes == 960 && figures.outstanding == 10);
    EXPECT(!emma_slab_can_allocate(&slab) && emma_slab_valid(&slab));
    emma_slab_release(&slab);
    EXPECT(emma_test_backing_live == 0);
    emma_slab_release(&slab);
}

static const emma_tap_case cases[] = {
    {"refuses blocks smaller than a pointer", refuses_small_blocks},
    {"refuses sizes beyond the address space", refuses_overflow},
    {"layouts of region and marks", layouts},
    {"refuses regions that cannot be, takes the last byte", refuses_locations},
    {"zero blocks", zero_blocks},
    {"one block", one_block},
    {"two blocks, last in first out", two_blocks_lifo},
    {"address order; nothing touched before it is used", address_order_and_untouched},
    {"refuses what was not handed out, or twice", refuses_frees},
    {"valid sees damage", valid_sees_damage},
    {"sits on a backing, whose refusal names the layout", sits_on_a_backing},
};

const emma_tap_suite emma_slab_suite = EMMA_TAP_SUITE("slab", cases);
