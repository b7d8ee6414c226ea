/* buddy_test.c: every edge of the buddy allocator but gaps and parts, which gaps_test.c has. */
#include "suites.h"

enum { WORD = sizeof(void *), MIN = 2 * WORD };

static _Alignas(4096) unsigned char region[16384];
static size_t metadata[1024];
static const emma_buddy_memory memory = {region, metadata};

static emma_buddy fresh(size_t block_bytes, unsigned levels, size_t blocks) {
    emma_buddy buddy;
    EXPECT(emma_buddy_init(&buddy, &(emma_buddy_config){block_bytes, blocks, levels}, memory) == EMMA_BARE_OK);
    return buddy;
}

static emma_bare_error config_error(size_t block_bytes, unsigned levels, size_t blocks) {
    emma_buddy buddy;
    emma_buddy_config config = {block_bytes, blocks, levels};
    emma_layout layout;
    emma_bare_error error = emma_buddy_init(&buddy, &config, memory);
    EXPECT(emma_buddy_init_empty(&buddy, &config, memory) == error);
    EXPECT(emma_buddy_region_layout(&config, &layout) == error);
    EXPECT(emma_buddy_metadata_layout(&config, &layout) == error);
    EXPECT(emma_buddy_allocate(&buddy, 1, 1) == NULL && emma_buddy_valid(&buddy));
    return error;
}

static void refuses_configs(void) {
    size_t min;
    EXPECT(config_error(256, 0, 8) == EMMA_BARE_INVALID_CONFIG);
    EXPECT(config_error(256, 8 * WORD, 8) == EMMA_BARE_INVALID_CONFIG);
    EXPECT(config_error(256, 8 * WORD + 1, 8) == EMMA_BARE_INVALID_CONFIG);
    EXPECT(config_error(0, 1, 8) == EMMA_BARE_INVALID_CONFIG);
    EXPECT(config_error(255, 4, 8) == EMMA_BARE_INVALID_CONFIG);
    EXPECT(config_error(MIN / 2, 1, 8) == EMMA_BARE_INVALID_CONFIG);
    EXPECT(config_error(256, 7, 8) == EMMA_BARE_INVALID_CONFIG); /* smallest block of 4 bytes */
    EXPECT(config_error(256, 2, 0) == EMMA_BARE_INVALID_CONFIG);
    EXPECT(config_error(256, 2, SIZE_MAX) == EMMA_BARE_INVALID_CONFIG);
    EXPECT(config_error(256, 2, SIZE_MAX / 256 + 1) == EMMA_BARE_INVALID_CONFIG);
    EXPECT(config_error(256, 2, PTRDIFF_MAX / 256 + 1) == EMMA_BARE_INVALID_CONFIG);
    EXPECT(config_error((size_t)1 << (8 * WORD - 1), 2, 1) == EMMA_BARE_INVALID_CONFIG);
    EXPECT(emma_buddy_min_block(256, 3, &min) == EMMA_BARE_OK && min == 64);
    EXPECT(emma_buddy_min_block(MIN, 1, &min) == EMMA_BARE_OK && min == MIN);
    EXPECT(emma_buddy_min_block(MIN, 2, &min) == EMMA_BARE_INVALID_CONFIG);
    EXPECT(emma_buddy_min_block(255, 1, &min) == EMMA_BARE_INVALID_CONFIG);
}

static void refuses_locations(void) {
    emma_buddy buddy;
    emma_buddy_config config = {256, 2, 3};
    void *top = (void *)(UINTPTR_MAX - 511);
    EXPECT(emma_buddy_init(&buddy, &config, (emma_buddy_memory){NULL, metadata}) == EMMA_BARE_INVALID_LOCATION);
    EXPECT(emma_buddy_init(&buddy, &config, (emma_buddy_memory){region, NULL}) == EMMA_BARE_INVALID_LOCATION);
    EXPECT(emma_buddy_init(&buddy, &config, (emma_buddy_memory){region + 128, metadata}) == EMMA_BARE_INVALID_LOCATION);
    size_t *odd = (size_t *)((uintptr_t)metadata + 1), *inside = (size_t *)(void *)(region + 256);
    EXPECT(emma_buddy_init(&buddy, &config, (emma_buddy_memory){region, odd}) == EMMA_BARE_INVALID_LOCATION);
    EXPECT(emma_buddy_init(&buddy, &config, (emma_buddy_memory){region, inside}) == EMMA_BARE_INVALID_LOCATION);
    config.blocks = 3;
    EXPECT(emma_buddy_init(&buddy, &config, (emma_buddy_memory){top, metadata}) == EMMA_BARE_INVALID_LOCATION);
    EXPECT(emma_buddy_allocate(&buddy, 1, 1) == NULL);
    /* Up to the last byte there is, and no byte of it exists: the region is never touched. */
    config.blocks = 2;
    EXPECT(emma_buddy_init(&buddy, &config, (emma_buddy_memory){top, metadata}) == EMMA_BARE_OK);
    EXPECT(emma_buddy_allocate(&buddy, 256, 1) == top);
    void *last = emma_buddy_allocate(&buddy, 256, 1);
    EXPECT(last == (void *)(UINTPTR_MAX - 255) && emma_buddy_allocate(&buddy, 1, 1) == NULL);
    EXPECT(emma_buddy_deallocate(&buddy, last) == EMMA_BARE_OK && emma_buddy_valid(&buddy));
}

/* The words of one set, as docs/BARE.md has it. */
static size_t set_words(size_t capacity) {
    size_t bits = 8 * WORD, words = 0;
    do {
        capacity = (capacity + bits - 1) / bits;
        words += capacity;
    } while (capacity != 1);
    return words;
}

static void metadata_formula(void) {
    static const size_t blocks[] = {1, 2, 3, 64, 65, 1000};
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        for (unsigned levels = 1; levels < 12; levels++) {
            emma_buddy_config config = {(size_t)MIN << (levels - 1), blocks[i], levels};
            emma_layout layout;
            size_t words = levels + ((blocks[i] << levels) + 8 * WORD - 1) / (8 * WORD);
            for (unsigned level = 0; level < levels; level++)
                words += set_words(blocks[i] << level);
            EXPECT(emma_buddy_metadata_layout(&config, &layout) == EMMA_BARE_OK);
            EXPECT(layout.size_bytes == words * WORD && layout.align_bytes == WORD);
        }
    }
}

static void one_level(void) {
    static const size_t sizes[] = {MIN, 128, 4096};
    for (size_t i = 0; i < 3; i++) {
        emma_buddy buddy = fresh(sizes[i], 1, 2);
        void *a = emma_buddy_allocate(&buddy, sizes[i], sizes[i]);
        void *b = emma_buddy_allocate(&buddy, 1, 1);
        EXPECT(a == region && b == region + sizes[i] && emma_buddy_allocate(&buddy, 1, 1) == NULL);
        EXPECT(emma_buddy_allocate(&buddy, sizes[i] + 1, 1) == NULL);
        EXPECT(emma_buddy_deallocate(&buddy, b) == EMMA_BARE_OK && emma_buddy_deallocate(&buddy, a) == EMMA_BARE_OK);
        EXPECT(emma_buddy_free_blocks(&buddy, 0) == 2); /* blocks of level 0 are never joined */
        EXPECT(emma_buddy_valid(&buddy));
    }
}

static void refuses_requests(void) {
    emma_buddy buddy = fresh(256, 3, 1);
    EXPECT(emma_buddy_allocate(&buddy, 0, 1) == NULL && emma_buddy_allocate(&buddy, 257, 1) == NULL);
    EXPECT(emma_buddy_allocate(&buddy, SIZE_MAX, 1) == NULL && emma_buddy_allocate(&buddy, 1, 0) == NULL);
    EXPECT(emma_buddy_allocate(&buddy, 1, 3) == NULL && emma_buddy_allocate(&buddy, 1, 512) == NULL);
    EXPECT(emma_buddy_allocate(&buddy, 1, (size_t)1 << (8 * WORD - 1)) == NULL);
    EXPECT(emma_buddy_free_blocks(&buddy, 0) == 1 && emma_buddy_figures(&buddy).outstanding == 0);
}

static void alignment_rounds_the_size_up(void) {
    emma_buddy buddy = fresh(256, 4, 2);
    unsigned char *a = emma_buddy_allocate(&buddy, 1, 1);
    unsigned char *b = emma_buddy_allocate(&buddy, 1, 128);
    unsigned char *c = emma_buddy_allocate(&buddy, 33, 256);
    EXPECT(a == region && b == region + 128 && c == region + 256);
    EXPECT(emma_buddy_block_size(&buddy, a) == 32 && emma_buddy_block_size(&buddy, b) == 128);
    EXPECT(emma_buddy_block_size(&buddy, c) == 256 && emma_buddy_block_size(&buddy, b + 32) == 0);
    EXPECT(emma_buddy_figures(&buddy).used_bytes == 416);
}

static void frees_in_any_order(void) {
    emma_buddy buddy = fresh(256, 3, 1);
    void *a = emma_buddy_allocate(&buddy, 1, 1);
    void *b = emma_buddy_allocate(&buddy, 1, 1);
    void *c = emma_buddy_allocate(&buddy, 1, 1);
    EXPECT(a == region && b == region + 64 && c == region + 128);
    EXPECT(emma_buddy_deallocate(&buddy, a) == EMMA_BARE_OK && emma_buddy_deallocate(&buddy, c) == EMMA_BARE_OK);
    EXPECT(emma_buddy_free_blocks(&buddy, 1) == 1 && emma_buddy_free_blocks(&buddy, 2) == 1);
    EXPECT(emma_buddy_deallocate(&buddy, b) == EMMA_BARE_OK && emma_buddy_free_blocks(&buddy, 0) == 1);
    for (int order = 0; order < 2; order++) {
        a = emma_buddy_allocate(&buddy, 128, 1);
        b = emma_buddy_allocate(&buddy, 128, 1);
        EXPECT(emma_buddy_allocate(&buddy, 1, 1) == NULL);
        EXPECT(emma_buddy_deallocate(&buddy, order ? a : b) == EMMA_BARE_OK);
        EXPECT(emma_buddy_deallocate(&buddy, order ? b : a) == EMMA_BARE_OK && emma_buddy_free_blocks(&buddy, 0) == 1);
    }
}

static void joins_at_every_level(void) {
    enum { LEVELS = 8, BLOCKS = 8 };
    emma_buddy buddy = fresh(2048, LEVELS, BLOCKS);
    for (unsigned level = 0; level < LEVELS; level++) {
        size_t size = (size_t)2048 >> level;
        for (size_t i = 0; i < (size_t)BLOCKS << level; i++)
            EXPECT(emma_buddy_allocate(&buddy, size, 1) == region + i * size);
        EXPECT(emma_buddy_allocate(&buddy, 1, 1) == NULL && emma_buddy_valid(&buddy));
        size_t count = (size_t)BLOCKS << level;
        for (size_t i = 1; i < count; i += 2)
            EXPECT(emma_buddy_deallocate(&buddy, region + (count - i) * size) == EMMA_BARE_OK);
        for (size_t i = 0; i < count; i += 2)
            EXPECT(emma_buddy_deallocate(&buddy, region + i * size) == EMMA_BARE_OK);
        EXPECT(emma_buddy_free_blocks(&buddy, 0) == BLOCKS && emma_buddy_figures(&buddy).used_bytes == 0);
    }
}

static void refuses_frees(void) {
    emma_buddy buddy = fresh(256, 3, 2);
    EXPECT(emma_buddy_deallocate(&buddy, NULL) == EMMA_BARE_OK);
    EXPECT(emma_buddy_deallocate(&buddy, region) == EMMA_BARE_NOT_LIVE);
    unsigned char *a = emma_buddy_allocate(&buddy, 128, 1);
    EXPECT(emma_buddy_deallocate(&buddy, a + 1) == EMMA_BARE_FOREIGN);
    EXPECT(emma_buddy_deallocate(&buddy, (void *)((uintptr_t)region - 64)) == EMMA_BARE_FOREIGN);
    EXPECT(emma_buddy_deallocate(&buddy, region + 512) == EMMA_BARE_FOREIGN);
    EXPECT(emma_buddy_deallocate(&buddy, a + 64) == EMMA_BARE_NOT_LIVE); /* inside a live block */
    EXPECT(emma_buddy_deallocate(&buddy, a) == EMMA_BARE_OK);
    EXPECT(emma_buddy_deallocate(&buddy, a) == EMMA_BARE_NOT_LIVE && emma_buddy_valid(&buddy));
    EXPECT(emma_buddy_figures(&buddy).outstanding == 0 && emma_buddy_free_blocks(&buddy, 0) == 2);
}

static void region_is_never_touched(void) {
    for (size_t i = 0; i < 4096; i++)
        region[i] = (unsigned char)(i * 7);
    emma_buddy buddy = fresh(1024, 5, 4);
    void *blocks[8];
    for (size_t i = 0; i < 8; i++)
        blocks[i] = emma_buddy_allocate(&buddy, i * 60 + 1, 1);
    for (size_t i = 0; i < 8; i++)
        EXPECT(emma_buddy_deallocate(&buddy, blocks[i * 3 % 8]) == EMMA_BARE_OK);
    size_t changed = 0;
    for (size_t i = 0; i < 4096; i++)
        changed += region[i] != (unsigned char)(i * 7);
    EXPECT(changed == 0 && emma_buddy_valid(&buddy));
}

static void valid_sees_damage(void) {
    emma_buddy buddy = fresh(256, 3, 2);
    emma_buddy_allocate(&buddy, 64, 1);
    emma_layout layout;
    emma_buddy_metadata_layout(&(emma_buddy_config){256, 2, 3}, &layout);
    size_t unseen = 0;
    for (size_t bit = 3 * 8 * WORD; bit < 8 * layout.size_bytes; bit++) {
        metadata[bit / (8 * WORD)] ^= (size_t)1 << bit % (8 * WORD);
        unseen += bit < 3 * 8 * WORD + 16 || bit >= 4 * 8 * WORD ? emma_buddy_valid(&buddy) : 0;
        metadata[bit / (8 * WORD)] ^= (size_t)1 << bit % (8 * WORD);
    }
    EXPECT(unseen == 0 && emma_buddy_valid(&buddy));
    buddy.nonempty ^= 1;
    EXPECT(!emma_buddy_valid(&buddy));
}

static const emma_tap_case cases[] = {
    {"refuses geometries that cannot be", refuses_configs},
    {"refuses memory that cannot be, takes the last byte", refuses_locations},
    {"metadata is as large as documented", metadata_formula},
    {"one level", one_level},
    {"refuses what does not fit, unchanged", refuses_requests},
    {"alignment beyond the size rounds the size up", alignment_rounds_the_size_up},
    {"frees in any order", frees_in_any_order},
    {"joins at every level", joins_at_every_level},
    {"refuses what was not handed out, or twice", refuses_frees},
    {"the region is never read or written", region_is_never_touched},
    {"valid sees every flipped bit", valid_sees_damage},
};

const emma_tap_suite emma_buddy_suite = EMMA_TAP_SUITE("buddy", cases);
