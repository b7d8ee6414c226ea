/* bump_test.c: every edge of the bump allocator. */
#include "suites.h"

static _Alignas(4096) unsigned char region[4096];

static emma_bump fresh(size_t size_bytes) {
    emma_bump bump;
    EXPECT(emma_bump_init(&bump, region, size_bytes, 1) == EMMA_BARE_OK);
    return bump;
}

static void refuses_configs(void) {
    emma_bump bump;
    EXPECT(emma_bump_init(&bump, region, 64, 0) == EMMA_BARE_INVALID_CONFIG);
    EXPECT(emma_bump_init(&bump, region, 64, 3) == EMMA_BARE_INVALID_CONFIG);
    EXPECT(emma_bump_init(&bump, region + 1, 64, 2) == EMMA_BARE_INVALID_CONFIG);
    EXPECT(emma_bump_init(&bump, region + 2048, 64, 4096) == EMMA_BARE_INVALID_CONFIG);
    EXPECT(emma_bump_allocate(&bump, 1, 1) == NULL && emma_bump_valid(&bump));
    EXPECT(emma_bump_init(&bump, region, 64, 4096) == EMMA_BARE_OK);
}

static void refuses_locations(void) {
    emma_bump bump;
    unsigned char *end = (unsigned char *)(UINTPTR_MAX - 63);
    EXPECT(emma_bump_init(&bump, NULL, 64, 1) == EMMA_BARE_INVALID_LOCATION);
    EXPECT(emma_bump_init(&bump, end, 65, 1) == EMMA_BARE_INVALID_LOCATION);
    EXPECT(emma_bump_init(&bump, region, SIZE_MAX, 1) == EMMA_BARE_INVALID_LOCATION);
    EXPECT(emma_bump_allocate(&bump, 1, 1) == NULL);
    /* Up to the last byte there is. Nothing is written to the region, so it need not exist. */
    EXPECT(emma_bump_init(&bump, end, 64, 64) == EMMA_BARE_OK);
    EXPECT(emma_bump_allocate(&bump, 1, 1) == (void *)UINTPTR_MAX);
    EXPECT(emma_bump_allocate(&bump, 63, 1) == end);
    EXPECT(emma_bump_deallocate(&bump, end) == EMMA_BARE_OK);
    EXPECT(emma_bump_deallocate(&bump, (void *)UINTPTR_MAX) == EMMA_BARE_OK && emma_bump_valid(&bump));
}

static void grows_down(void) {
    emma_bump bump = fresh(4096);
    EXPECT(emma_bump_allocate(&bump, 1, 1) == region + 4095);
    EXPECT(emma_bump_allocate(&bump, 8, 8) == region + 4080);
    EXPECT(emma_bump_allocate(&bump, 100, 1024) == region + 3072);
    EXPECT(emma_bump_allocate(&bump, 3072, 4096) == region);
    EXPECT(emma_bump_allocate(&bump, 1, 1) == NULL);
    emma_bare_figures figures = emma_bump_figures(&bump);
    EXPECT(figures.capacity_bytes == 4096 && figures.used_bytes == 4096 && figures.outstanding == 4);
    EXPECT(emma_bump_valid(&bump));
}

static void refuses_requests(void) {
    emma_bump bump = fresh(64);
    EXPECT(emma_bump_allocate(&bump, 0, 1) == NULL);
    EXPECT(emma_bump_allocate(&bump, 65, 1) == NULL);
    EXPECT(emma_bump_allocate(&bump, SIZE_MAX, 1) == NULL);
    EXPECT(emma_bump_allocate(&bump, 1, 0) == NULL);
    EXPECT(emma_bump_allocate(&bump, 1, 24) == NULL);
    EXPECT(emma_bump_allocate(&bump, 1, (size_t)1 << (8 * sizeof(size_t) - 1)) == NULL);
    EXPECT(emma_bump_figures(&bump).used_bytes == 0 && emma_bump_figures(&bump).outstanding == 0);
    EXPECT(emma_bump_allocate(&bump, 64, 64) == region);
}

static void last_free_resets(void) {
    emma_bump bump = fresh(64);
    void *a = emma_bump_allocate(&bump, 40, 1);
    void *b = emma_bump_allocate(&bump, 24, 1);
    EXPECT(emma_bump_deallocate(&bump, a) == EMMA_BARE_OK);
    EXPECT(emma_bump_allocate(&bump, 1, 1) == NULL);
    EXPECT(emma_bump_deallocate(&bump, b) == EMMA_BARE_OK);
    EXPECT(emma_bump_figures(&bump).used_bytes == 0);
    EXPECT(emma_bump_allocate(&bump, 64, 1) == region);
}

static void refuses_frees(void) {
    emma_bump bump = fresh(64);
    EXPECT(emma_bump_deallocate(&bump, NULL) == EMMA_BARE_OK);
    EXPECT(emma_bump_deallocate(&bump, region) == EMMA_BARE_NOT_LIVE);
    void *a = emma_bump_allocate(&bump, 32, 1);
    if (EMMA_BARE_CHECKS) {
        EXPECT(emma_bump_deallocate(&bump, region + 31) == EMMA_BARE_FOREIGN);
        EXPECT(emma_bump_deallocate(&bump, region + 64) == EMMA_BARE_FOREIGN);
        EXPECT(emma_bump_figures(&bump).outstanding == 1);
    }
    EXPECT(emma_bump_deallocate(&bump, a) == EMMA_BARE_OK);
    EXPECT(emma_bump_deallocate(&bump, a) == EMMA_BARE_NOT_LIVE);
}

static void reset_clears_the_count(void) {
    emma_bump bump = fresh(64);
    emma_bump_allocate(&bump, 8, 1);
    emma_bump_allocate(&bump, 8, 1);
    emma_bump_reset(&bump);
    EXPECT(emma_bump_figures(&bump).outstanding == 0 && emma_bump_valid(&bump));
    void *a = emma_bump_allocate(&bump, 64, 1);
    EXPECT(a == region && emma_bump_deallocate(&bump, a) == EMMA_BARE_OK);
    EXPECT(emma_bump_figures(&bump).used_bytes == 0);
}

static void marks_and_rewinds(void) {
    emma_bump bump = fresh(64);
    emma_bump_position empty = emma_bump_mark(&bump);
    void *a = emma_bump_allocate(&bump, 16, 1);
    emma_bump_position one = emma_bump_mark(&bump);
    for (int frame = 0; frame < 3; frame++) {
        EXPECT(emma_bump_allocate(&bump, 16, 1) == region + 32);
        EXPECT(emma_bump_allocate(&bump, 32, 1) == region);
        EXPECT(emma_bump_rewind(&bump, &one) == EMMA_BARE_OK);
        EXPECT(emma_bump_figures(&bump).used_bytes == 16 && emma_bump_figures(&bump).outstanding == 1);
    }
    EXPECT(emma_bump_rewind(&bump, &empty) == EMMA_BARE_OK);
    EXPECT(emma_bump_rewind(&bump, &one) == EMMA_BARE_NOT_LIVE); /* lies in what is free */
    for (int frame = 0; frame < 3; frame++) {
        EXPECT((a = emma_bump_allocate(&bump, 64, 1)) == region);
        EXPECT(emma_bump_rewind(&bump, &empty) == EMMA_BARE_OK && emma_bump_figures(&bump).outstanding == 0);
    }
    EXPECT(emma_bump_deallocate(&bump, emma_bump_allocate(&bump, 8, 1)) == EMMA_BARE_OK); /* empty by itself */
    emma_bump_allocate(&bump, 64, 1);
    EXPECT(emma_bump_rewind(&bump, &empty) == EMMA_BARE_OK && emma_bump_figures(&bump).used_bytes == 0);
    a = emma_bump_allocate(&bump, 16, 1);
    one = emma_bump_mark(&bump);
    EXPECT(emma_bump_deallocate(&bump, a) == EMMA_BARE_OK); /* everything is free: the mark is stale for good */
    emma_bump_allocate(&bump, 64, 1);
    EXPECT(emma_bump_rewind(&bump, &one) == EMMA_BARE_NOT_LIVE && emma_bump_valid(&bump));
}

static void rewind_never_counts_too_few(void) {
    emma_bump bump = fresh(64);
    void *a = emma_bump_allocate(&bump, 8, 1);
    void *b = emma_bump_allocate(&bump, 8, 1);
    emma_bump_position mark = emma_bump_mark(&bump);
    emma_bump_allocate(&bump, 8, 1);
    EXPECT(emma_bump_deallocate(&bump, a) == EMMA_BARE_OK);
    EXPECT(emma_bump_rewind(&bump, &mark) == EMMA_BARE_OK);
    EXPECT(emma_bump_figures(&bump).outstanding >= 1 && emma_bump_valid(&bump));
    EXPECT(emma_bump_deallocate(&bump, b) == EMMA_BARE_OK);
}

static void splits(void) {
    emma_bump bump = fresh(64), lower;
    void *a = emma_bump_allocate(&bump, 16, 16);
    emma_bump_split(&bump, &lower);
    EXPECT(emma_bump_valid(&bump) && emma_bump_valid(&lower));
    EXPECT(emma_bump_figures(&lower).capacity_bytes == 48 && emma_bump_figures(&lower).outstanding == 0);
    EXPECT(emma_bump_figures(&bump).capacity_bytes == 16 && emma_bump_figures(&bump).outstanding == 1);
    EXPECT(emma_bump_allocate(&bump, 1, 1) == NULL);
    EXPECT(emma_bump_allocate(&lower, 48, 1) == region);
    EXPECT(emma_bump_deallocate(&bump, a) == EMMA_BARE_OK);
    EXPECT(emma_bump_allocate(&bump, 16, 16) == a);
    emma_bump_reset(&bump);
    emma_bump_split(&bump, &lower);
    EXPECT(emma_bump_figures(&bump).capacity_bytes == 0 && emma_bump_figures(&lower).capacity_bytes == 16);
    EXPECT(emma_bump_valid(&bump) && emma_bump_allocate(&bump, 1, 1) == NULL);
}

static void sits_on_a_backing(void) {
    emma_test_backing_reset();
    emma_bump bump, lower;
    EXPECT(emma_bump_init_in(&bump, 0, 1, &emma_test_backing) == EMMA_BARE_INVALID_CONFIG);
    EXPECT(emma_bump_init_in(&bump, 64, 6, &emma_test_backing) == EMMA_BARE_INVALID_CONFIG);
    EXPECT(emma_test_backing_calls == 0);
    emma_test_backing_fails_at = 1;
    EXPECT(emma_bump_init_in(&bump, 64, 8, &emma_test_backing) == EMMA_BARE_ALLOC_FAILED);
    EXPECT(emma_bump_allocate(&bump, 1, 1) == NULL);
    emma_bump_release(&bump);
    emma_test_backing_reset();
    EXPECT(emma_bump_init_in(&bump, 64, 8, &emma_test_backing) == EMMA_BARE_OK);
    EXPECT(emma_test_backing_live == 64);
    emma_bump_allocate(&bump, 8, 8);
    emma_bump_split(&bump, &lower);
    emma_bump_release(&lower);
    EXPECT(emma_test_backing_live == 64);
    emma_bump_release(&bump);
    EXPECT(emma_test_backing_live == 0 && emma_bump_allocate(&bump, 1, 1) == NULL);
    emma_bump_release(&bump);
}

static const emma_tap_case cases[] = {
    {"refuses alignments that are none", refuses_configs},
    {"refuses regions that cannot be, takes the last byte", refuses_locations},
    {"grows down, aligned", grows_down},
    {"refuses what does not fit, unchanged", refuses_requests},
    {"is empty again with the last block", last_free_resets},
    {"refuses what was not handed out", refuses_frees},
    {"reset clears the count", reset_clears_the_count},
    {"mark and rewind, again and again; stale marks", marks_and_rewinds},
    {"rewind never counts too few", rewind_never_counts_too_few},
    {"splits", splits},
    {"sits on a backing, whose refusal is an error", sits_on_a_backing},
};

const emma_tap_suite emma_bump_suite = EMMA_TAP_SUITE("bump", cases);
