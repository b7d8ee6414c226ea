/* pools_test.c: the pools of fit: of any place and size, added and removed while it runs. */
#include "suites.h"

enum { WORD = sizeof(void *), GRANULE = EMMA_FIT_GRANULE };

static _Alignas(4096) unsigned char region[8192];

static void refuses_pools(void) {
    emma_fit fit;
    emma_fit_init(&fit);
    EXPECT(emma_fit_add_pool(&fit, NULL, 4096, NULL) == EMMA_BARE_INVALID_LOCATION);
    EXPECT(emma_fit_add_pool(&fit, NULL, 0, NULL) == EMMA_BARE_INVALID_LOCATION);
    EXPECT(emma_fit_add_pool(&fit, (void *)(UINTPTR_MAX - 63), 65, NULL) == EMMA_BARE_INVALID_LOCATION);
    EXPECT(emma_fit_add_pool(&fit, region, 0, NULL) == EMMA_BARE_INVALID_CONFIG);
    EXPECT(emma_fit_add_pool(&fit, region, 8 * WORD - 1, NULL) == EMMA_BARE_INVALID_CONFIG);
    EXPECT(emma_fit_add_pool(&fit, (void *)4096, PTRDIFF_MAX, NULL) == EMMA_BARE_INVALID_CONFIG);
    EXPECT(emma_fit_figures(&fit).capacity_bytes == 0 && emma_fit_valid(&fit));
    EXPECT(emma_fit_add_pool(&fit, region + 1024, 1024, NULL) == EMMA_BARE_OK);
    static const size_t overlaps[][2] = {{1024, 1024}, {0, 4096}, {1000, 64}, {2000, 512}, {1500, 100}, {2040, 1}};
    for (size_t i = 0; i < sizeof overlaps / sizeof overlaps[0]; i++)
        EXPECT(emma_fit_add_pool(&fit, region + overlaps[i][0], overlaps[i][1], NULL) == EMMA_BARE_INVALID_LOCATION);
    EXPECT(emma_fit_add_pool(&fit, region + 2048, 1024, NULL) == EMMA_BARE_OK);
    EXPECT(emma_fit_add_pool(&fit, region, 1024, NULL) == EMMA_BARE_OK && emma_fit_valid(&fit));
}

static void smallest_pools_anywhere(void) {
    for (size_t offset = 0; offset < 2 * GRANULE; offset++) {
        for (size_t size = 0; size < 12 * WORD; size++) {
            emma_fit fit;
            emma_fit_init(&fit);
            for (size_t i = 0; i < 16 * WORD; i++)
                region[i] = 0xA5;
            bool added = emma_fit_add_pool(&fit, region + offset, size, NULL) == EMMA_BARE_OK;
            EXPECT(added || size < 9 * WORD);
            EXPECT(!added || (emma_fit_valid(&fit) && emma_fit_allocate(&fit, 1, 1) != NULL));
            for (size_t i = 0; i < 16 * WORD; i++)
                EXPECT((i >= offset && i < offset + size) || region[i] == 0xA5); /* nothing outside is written */
        }
    }
}

static void pools_come_and_go(void) {
    emma_fit fit;
    emma_fit_pool *first, *second, *third;
    emma_fit_init(&fit);
    EXPECT(emma_fit_add_pool(&fit, region, 1024, &first) == EMMA_BARE_OK);
    void *a = emma_fit_allocate(&fit, 800, 1);
    EXPECT(a != NULL && emma_fit_allocate(&fit, 800, 1) == NULL);
    EXPECT(emma_fit_add_pool(&fit, region + 4096, 1024, &second) == EMMA_BARE_OK);
    EXPECT(emma_fit_add_pool(&fit, region + 1024, 1024, &third) == EMMA_BARE_OK); /* touches the first: not joined */
    void *b = emma_fit_allocate(&fit, 800, 1), *c = emma_fit_allocate(&fit, 800, 1);
    EXPECT(b != NULL && c != NULL && emma_fit_allocate(&fit, 800, 1) == NULL && emma_fit_valid(&fit));
    EXPECT(emma_fit_remove_pool(&fit, first) == EMMA_BARE_BUSY && emma_fit_remove_pool(&fit, second) == EMMA_BARE_BUSY);
    EXPECT(emma_fit_remove_pool(&fit, NULL) == EMMA_BARE_FOREIGN);
    EXPECT(emma_fit_remove_pool(&fit, (emma_fit_pool *)(void *)(region + 64)) == EMMA_BARE_FOREIGN);
    EXPECT(emma_fit_deallocate(&fit, a) == EMMA_BARE_OK && emma_fit_remove_pool(&fit, first) == EMMA_BARE_OK);
    EXPECT(emma_fit_remove_pool(&fit, first) == EMMA_BARE_FOREIGN && emma_fit_valid(&fit));
    for (size_t i = 0; i < 1024; i++)
        region[i] = 0xFF; /* it is ours again */
    EXPECT(emma_fit_valid(&fit) && emma_fit_allocate(&fit, 800, 1) == NULL);
    EXPECT(emma_fit_deallocate(&fit, c) == EMMA_BARE_OK && emma_fit_deallocate(&fit, b) == EMMA_BARE_OK);
    EXPECT(emma_fit_remove_pool(&fit, third) == EMMA_BARE_OK && emma_fit_remove_pool(&fit, second) == EMMA_BARE_OK);
    EXPECT(emma_fit_figures(&fit).capacity_bytes == 0 && emma_fit_valid(&fit) && emma_fit_allocate(&fit, 1, 1) == NULL);
    EXPECT(emma_fit_add_pool(&fit, region, 1024, &first) == EMMA_BARE_OK && emma_fit_allocate(&fit, 800, 1) == a);
}

static void sits_on_a_backing(void) {
    emma_fit fit;
    emma_test_backing_reset();
    EXPECT(emma_fit_init_in(&fit, 0, &emma_test_backing) == EMMA_BARE_INVALID_CONFIG);
    EXPECT(emma_fit_init_in(&fit, 8 * WORD - 1, &emma_test_backing) == EMMA_BARE_INVALID_CONFIG);
    EXPECT(emma_fit_init_in(&fit, PTRDIFF_MAX, &emma_test_backing) == EMMA_BARE_INVALID_CONFIG);
    EXPECT(emma_test_backing_calls == 0);
    emma_test_backing_fails_at = 1;
    EXPECT(emma_fit_init_in(&fit, 1024, &emma_test_backing) == EMMA_BARE_ALLOC_FAILED);
    EXPECT(emma_test_backing_last.size_bytes == 1024 && emma_test_backing_last.align_bytes == GRANULE);
    EXPECT(emma_fit_allocate(&fit, 1, 1) == NULL);
    emma_test_backing_reset();
    EXPECT(emma_fit_init_in(&fit, 8 * WORD, &emma_test_backing) == EMMA_BARE_OK);
    EXPECT(emma_fit_allocate(&fit, 3 * WORD, 1) != NULL && emma_fit_allocate(&fit, 1, 1) == NULL);
    EXPECT(emma_fit_remove_pool(&fit, fit.owned) == EMMA_BARE_FOREIGN);
    EXPECT(emma_fit_add_pool(&fit, region, 1024, NULL) == EMMA_BARE_OK && emma_fit_allocate(&fit, 64, 64) != NULL);
    emma_fit_release(&fit);
    EXPECT(emma_test_backing_live == 0 && emma_fit_allocate(&fit, 1, 1) == NULL);
    emma_fit_release(&fit);
}

static const emma_tap_case cases[] = {
    {"refuses pools that cannot be, or overlap", refuses_pools},
    {"the smallest pools, at any address", smallest_pools_anywhere},
    {"pools come and go", pools_come_and_go},
    {"sits on a backing", sits_on_a_backing},
};

const emma_tap_suite emma_pools_suite = EMMA_TAP_SUITE("fit pools", cases);
