/* gaps_test.c: buddies over regions with holes: gaps, parts added later, parts taken away to build anew. */
#include "suites.h"

enum { UNIT = 16 };

static _Alignas(256) unsigned char region[1024];
static size_t metadata[128];
static const emma_buddy_memory memory = {region, metadata};

/* Over blocks of UNIT << (levels - 1), without these gaps. */
static emma_bare_error build(emma_buddy *buddy, unsigned levels, size_t blocks, emma_buddy_gaps gaps) {
    emma_buddy_config config = {(size_t)UNIT << (levels - 1), blocks, levels};
    emma_bare_error error = emma_buddy_init_empty(buddy, &config, memory);
    if (error == EMMA_BARE_OK)
        error = emma_buddy_add_all_but(buddy, gaps);
    EXPECT(emma_buddy_valid(buddy));
    return error;
}

static bool free_counts(const emma_buddy *buddy, size_t first, size_t second, size_t third, size_t fourth) {
    return emma_buddy_free_blocks(buddy, 0) == first && emma_buddy_free_blocks(buddy, 1) == second &&
           emma_buddy_free_blocks(buddy, 2) == third && emma_buddy_free_blocks(buddy, 3) == fourth;
}

static void one_level(void) {
    static const struct {
        emma_buddy_gap gap;
        size_t free;
    } table[] = {
        {{0, 1}, 7},   {{0, 15}, 7},    {{0, 16}, 7},     {{15, 16}, 7},    {{15, 17}, 6},      {{0, 17}, 6},
        {{0, 32}, 6},  {{15, 32}, 6},   {{16, 32}, 7},    {{0, 0}, 8},      {{5, 5}, 8},        {{0, 128}, 0},
        {{1, 127}, 0}, {{127, 128}, 7}, {{127, 1000}, 7}, {{128, 1000}, 8}, {{0, SIZE_MAX}, 0},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        emma_buddy buddy;
        EXPECT(build(&buddy, 1, 8, (emma_buddy_gaps){&table[i].gap, 1}) == EMMA_BARE_OK);
        EXPECT(emma_buddy_free_blocks(&buddy, 0) == table[i].free);
        EXPECT(emma_buddy_figures(&buddy).capacity_bytes == table[i].free * UNIT);
        for (size_t n = 0; n < table[i].free; n++) {
            unsigned char *block = emma_buddy_allocate(&buddy, UNIT, 1);
            size_t at = (size_t)(block - region), end = table[i].gap.end;
            EXPECT(block != NULL && (at >= end || at + UNIT <= table[i].gap.begin || table[i].gap.begin == end));
        }
        EXPECT(emma_buddy_allocate(&buddy, 1, 1) == NULL && emma_buddy_valid(&buddy));
    }
}

static void two_levels(void) {
    emma_buddy buddy;
    static const emma_buddy_gap left = {0, 16}, right = {16, 48}, past = {17, 5000};
    EXPECT(build(&buddy, 2, 1, (emma_buddy_gaps){&left, 1}) == EMMA_BARE_OK && free_counts(&buddy, 0, 1, 0, 0));
    void *a = emma_buddy_allocate(&buddy, 1, 1);
    EXPECT(a == region + 16 && emma_buddy_allocate(&buddy, 1, 1) == NULL);
    EXPECT(emma_buddy_deallocate(&buddy, a) == EMMA_BARE_OK && free_counts(&buddy, 0, 1, 0, 0)); /* not with the gap */
    EXPECT(emma_buddy_deallocate(&buddy, region) == EMMA_BARE_NOT_LIVE);                         /* the gap itself */
    EXPECT(build(&buddy, 2, 1, (emma_buddy_gaps){&right, 1}) == EMMA_BARE_OK && free_counts(&buddy, 0, 1, 0, 0));
    EXPECT(build(&buddy, 2, 2, (emma_buddy_gaps){&right, 1}) == EMMA_BARE_OK && free_counts(&buddy, 0, 2, 0, 0));
    EXPECT(build(&buddy, 2, 2, (emma_buddy_gaps){&past, 1}) == EMMA_BARE_OK && free_counts(&buddy, 0, 1, 0, 0));
}

static void three_levels(void) {
    emma_buddy buddy;
    static const emma_buddy_gap one[] = {{0, 16}}, two[] = {{64, 80}, {96, 112}},
                                three[] = {{16, 32}, {32, 48}, {40, 56}};
    EXPECT(build(&buddy, 3, 2, (emma_buddy_gaps){one, 1}) == EMMA_BARE_OK && free_counts(&buddy, 1, 1, 1, 0));
    EXPECT(build(&buddy, 3, 2, (emma_buddy_gaps){two, 2}) == EMMA_BARE_OK && free_counts(&buddy, 1, 0, 2, 0));
    EXPECT(build(&buddy, 3, 2, (emma_buddy_gaps){three, 3}) == EMMA_BARE_OK && free_counts(&buddy, 1, 0, 1, 0));
    static const emma_buddy_gap half[] = {{32, 64}};
    EXPECT(build(&buddy, 3, 2, (emma_buddy_gaps){half, 1}) == EMMA_BARE_OK && free_counts(&buddy, 1, 1, 0, 0));
    EXPECT(build(&buddy, 4, 1, (emma_buddy_gaps){half, 1}) == EMMA_BARE_OK && free_counts(&buddy, 0, 1, 1, 0));
}

static void refuses_gaps(void) {
    emma_buddy buddy;
    static const emma_buddy_gap backwards[] = {{32, 16}}, unsorted[] = {{32, 48}, {0, 16}},
                                touching[] = {{0, 40}, {16, 24}};
    EXPECT(build(&buddy, 3, 2, (emma_buddy_gaps){backwards, 1}) == EMMA_BARE_INVALID_CONFIG);
    EXPECT(emma_buddy_figures(&buddy).capacity_bytes == 0);
    EXPECT(build(&buddy, 3, 2, (emma_buddy_gaps){unsorted, 2}) == EMMA_BARE_INVALID_CONFIG);
    EXPECT(emma_buddy_allocate(&buddy, 1, 1) == NULL);
    EXPECT(build(&buddy, 3, 2, (emma_buddy_gaps){touching, 2}) == EMMA_BARE_OK && free_counts(&buddy, 1, 0, 1, 0));
}

static void adds_and_joins(void) {
    emma_buddy buddy;
    emma_buddy_config config = {256, 4, 3};
    EXPECT(emma_buddy_init_empty(&buddy, &config, memory) == EMMA_BARE_OK);
    EXPECT(emma_buddy_allocate(&buddy, 1, 1) == NULL);
    EXPECT(emma_buddy_add_region(&buddy, region, 128) == EMMA_BARE_OK && free_counts(&buddy, 0, 1, 0, 0));
    void *a = emma_buddy_allocate(&buddy, 128, 1);
    EXPECT(a == region && emma_buddy_allocate(&buddy, 1, 1) == NULL);
    EXPECT(emma_buddy_deallocate(&buddy, a) == EMMA_BARE_OK && free_counts(&buddy, 0, 1, 0, 0));
    EXPECT(emma_buddy_add_region(&buddy, region + 128, 128) == EMMA_BARE_OK && free_counts(&buddy, 1, 0, 0, 0));
    EXPECT(emma_buddy_allocate(&buddy, 256, 1) == region);
    EXPECT(emma_buddy_add_region(&buddy, region + 320, 640) == EMMA_BARE_OK && free_counts(&buddy, 1, 2, 2, 0));
    EXPECT(emma_buddy_figures(&buddy).capacity_bytes == 896 && emma_buddy_valid(&buddy));
}

static void refuses_parts(void) {
    emma_buddy buddy;
    emma_buddy_config config = {256, 4, 3};
    EXPECT(emma_buddy_init_empty(&buddy, &config, memory) == EMMA_BARE_OK);
    EXPECT(emma_buddy_add_region(&buddy, (void *)((uintptr_t)region - 64), 64) == EMMA_BARE_INVALID_LOCATION);
    EXPECT(emma_buddy_add_region(&buddy, region + 960, 128) == EMMA_BARE_INVALID_LOCATION);
    EXPECT(emma_buddy_add_region(&buddy, region + 64, SIZE_MAX - 63) == EMMA_BARE_INVALID_LOCATION);
    EXPECT(emma_buddy_add_region(&buddy, region + 32, 64) == EMMA_BARE_INVALID_LOCATION);
    EXPECT(emma_buddy_add_region(&buddy, region + 64, 96) == EMMA_BARE_INVALID_LOCATION);
    EXPECT(emma_buddy_add_region(&buddy, region + 1024, 0) == EMMA_BARE_OK);
    EXPECT(emma_buddy_figures(&buddy).capacity_bytes == 0);
    EXPECT(emma_buddy_add_region(&buddy, region + 256, 256) == EMMA_BARE_OK);
    /* Whatever is there already, free or live, whole or part of it, is not added again. */
    for (unsigned live = 0; live < 4; live++) {
        static const size_t sizes[] = {256, 256, 128, 64};
        void *block = live != 0 ? emma_buddy_allocate(&buddy, sizes[live], 1) : NULL;
        for (size_t begin = 0; begin <= 960; begin += 64) {
            for (size_t end = begin + 64; end <= 1024; end += 64) {
                if (end <= 256 || begin >= 512)
                    continue;
                EXPECT(emma_buddy_add_region(&buddy, region + begin, end - begin) == EMMA_BARE_INVALID_LOCATION);
            }
        }
        EXPECT(emma_buddy_add_all_but(&buddy, (emma_buddy_gaps){NULL, 0}) == EMMA_BARE_INVALID_LOCATION);
        EXPECT(emma_buddy_deallocate(&buddy, block) == EMMA_BARE_OK);
        EXPECT(emma_buddy_figures(&buddy).capacity_bytes == 256 && free_counts(&buddy, 1, 0, 0, 0));
    }
}

static void apart_and_together(void) {
    emma_buddy buddy;
    emma_buddy_parts parts;
    emma_test_backing_reset();
    emma_buddy_config config = {256, 3, 3};
    EXPECT(emma_buddy_init_in(&buddy, &config, &emma_test_backing, (emma_buddy_gaps){NULL, 0}, NULL) == EMMA_BARE_OK);
    void *a = emma_buddy_allocate(&buddy, 256, 256);
    size_t taken = emma_test_backing_live;
    emma_buddy_into_raw_parts(&buddy, &parts);
    EXPECT(emma_buddy_allocate(&buddy, 1, 1) == NULL && emma_buddy_deallocate(&buddy, a) == EMMA_BARE_FOREIGN);
    emma_buddy_release(&buddy);
    EXPECT(emma_test_backing_live == taken && parts.memory.region == a);
    EXPECT(parts.config.block_bytes == 256 && parts.config.blocks == 3 && parts.config.levels == 3);
    EXPECT(parts.region_layout.size_bytes == 768 && parts.region_layout.align_bytes == 256);
    EXPECT(emma_buddy_init(&buddy, &parts.config, parts.memory) == EMMA_BARE_OK);
    EXPECT(emma_buddy_allocate(&buddy, 256, 256) == a && emma_buddy_valid(&buddy));
    emma_test_backing.deallocate(emma_test_backing.context, parts.memory.metadata, parts.metadata_layout);
    emma_test_backing.deallocate(emma_test_backing.context, parts.memory.region, parts.region_layout);
    emma_buddy empty = {0};
    emma_buddy_into_raw_parts(&empty, &parts);
    EXPECT(parts.memory.region == NULL && parts.region_layout.size_bytes == 0 && parts.metadata_layout.size_bytes == 0);
}

static void sits_on_a_backing(void) {
    emma_buddy buddy;
    emma_buddy_config config = {256, 4, 3};
    static const emma_buddy_gap gaps[] = {{0, 64}, {100, 200}}, unsorted[] = {{64, 128}, {0, 64}};
    for (unsigned fails_at = 1; fails_at <= 2; fails_at++) {
        emma_layout refused = {0, 0}, expected;
        emma_test_backing_reset();
        emma_test_backing_fails_at = fails_at;
        EXPECT(emma_buddy_init_in(&buddy, &config, &emma_test_backing, (emma_buddy_gaps){gaps, 2}, &refused) ==
               EMMA_BARE_ALLOC_FAILED);
        EXPECT((fails_at == 1 ? emma_buddy_region_layout : emma_buddy_metadata_layout)(&config, &expected) ==
               EMMA_BARE_OK);
        EXPECT(refused.size_bytes == expected.size_bytes && refused.align_bytes == expected.align_bytes);
        EXPECT(emma_test_backing_live == 0 && emma_buddy_allocate(&buddy, 1, 1) == NULL);
    }
    emma_test_backing_reset();
    EXPECT(emma_buddy_init_in(&buddy, &config, &emma_test_backing, (emma_buddy_gaps){unsorted, 2}, NULL) ==
           EMMA_BARE_INVALID_CONFIG);
    EXPECT(emma_test_backing_live == 0 && emma_buddy_allocate(&buddy, 1, 1) == NULL);
    EXPECT(emma_buddy_init_in(&buddy, &config, &emma_test_backing, (emma_buddy_gaps){gaps, 2}, NULL) == EMMA_BARE_OK);
    EXPECT(emma_buddy_figures(&buddy).capacity_bytes == 768 && emma_buddy_valid(&buddy));
    emma_buddy_release(&buddy);
    EXPECT(emma_test_backing_live == 0);
    emma_buddy_release(&buddy);
}

static void metadata_in_a_gap(void) {
    emma_buddy buddy;
    emma_buddy_config config = {256, 4, 3};
    emma_layout layout;
    EXPECT(emma_buddy_metadata_layout(&config, &layout) == EMMA_BARE_OK && layout.size_bytes <= 256);
    emma_buddy_memory inside = {region, (size_t *)(void *)(region + 256)};
    EXPECT(emma_buddy_init(&buddy, &config, inside) == EMMA_BARE_INVALID_LOCATION);
    EXPECT(emma_buddy_allocate(&buddy, 1, 1) == NULL);
    EXPECT(emma_buddy_init_empty(&buddy, &config, inside) == EMMA_BARE_OK);
    emma_buddy_gap gap = {256, 256 + layout.size_bytes}, beside = {320, 1024};
    EXPECT(emma_buddy_add_all_but(&buddy, (emma_buddy_gaps){&beside, 1}) == EMMA_BARE_INVALID_LOCATION);
    EXPECT(emma_buddy_add_region(&buddy, region, 320) == EMMA_BARE_INVALID_LOCATION);
    EXPECT(emma_buddy_add_all_but(&buddy, (emma_buddy_gaps){&gap, 1}) == EMMA_BARE_OK && emma_buddy_valid(&buddy));
    for (unsigned char *block; (block = emma_buddy_allocate(&buddy, 64, 1)) != NULL;) {
        for (unsigned i = 0; i < 64; i++)
            block[i] = 0xFF;
    }
    EXPECT(emma_buddy_valid(&buddy));
}

static const emma_tap_case cases[] = {
    {"one level: every edge of a gap", one_level},
    {"two levels: nothing joins with a gap", two_levels},
    {"three and four levels: exact counts", three_levels},
    {"refuses gaps that are no gaps", refuses_gaps},
    {"parts added join with what is there", adds_and_joins},
    {"refuses parts outside, askew, or there already", refuses_parts},
    {"metadata in a gap of its own region", metadata_in_a_gap},
    {"taken apart and built again", apart_and_together},
    {"sits on a backing, whose refusal names the layout", sits_on_a_backing},
};

const emma_tap_suite emma_gaps_suite = EMMA_TAP_SUITE("buddy gaps", cases);
