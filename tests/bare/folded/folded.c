/* folded.c: a library folded for one geometry takes that and refuses others. */
#include "../port/port.h"
#include "../suites.h"
#include "bare/buddy_map.h"

static _Alignas(1024) unsigned char region[4096];
static size_t metadata[64];

static void takes_its_own_geometry(void) {
    emma_buddy buddy;
    emma_buddy_memory memory = {region, metadata};
    static const emma_buddy_config others[] = {{1024, 4, 3}, {1024, 4, 5}, {512, 4, 4}, {2048, 2, 4}, {0, 4, 0}};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        EXPECT(emma_buddy_init(&buddy, &others[i], memory) == EMMA_BARE_INVALID_CONFIG);
    EXPECT(emma_buddy_allocate(&buddy, 1, 1) == NULL && emma_buddy_valid(&buddy));
    EXPECT(emma_buddy_init(&buddy, &(emma_buddy_config){1024, 4, 4}, memory) == EMMA_BARE_OK);
    buddy.block_log2 = buddy.levels = 99; /* not read: they are constants */
    void *a = emma_buddy_allocate(&buddy, 1, 1);
    void *b = emma_buddy_allocate(&buddy, 1024, 1);
    EXPECT(a == region && b == region + 1024 && emma_buddy_block_size(&buddy, a) == 128);
    EXPECT(emma_buddy_deallocate(&buddy, a) == EMMA_BARE_OK && emma_buddy_deallocate(&buddy, b) == EMMA_BARE_OK);
    EXPECT(emma_buddy_free_blocks(&buddy, 0) == 4 && emma_buddy_valid(&buddy));
    emma_buddy_parts parts;
    emma_buddy_into_raw_parts(&buddy, &parts);
    EXPECT(parts.region_layout.size_bytes == 4096 && parts.region_layout.align_bytes == 1024);
    emma_buddy empty = {0};
    EXPECT(emma_buddy_allocate(&empty, 1, 1) == NULL && emma_buddy_deallocate(&empty, region) == EMMA_BARE_FOREIGN);
}

static const emma_tap_case cases[] = {{"takes its own geometry and no other", takes_its_own_geometry}};

int emma_port_main(void) {
    static const emma_tap_suite suite = EMMA_TAP_SUITE("folded", cases);
    emma_tap_run(&suite);
    emma_tap_run(&emma_property_suite);
    return emma_tap_end();
}
