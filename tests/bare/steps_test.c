/* steps_test.c: buddies of every depth of metadata stay within the documented steps, and the bound is sharp. */
#include "bare/buddy_map.h"
#include "steps.h"
#include "suites.h"

enum { METADATA_WORDS = 1 << 16, UNIT = 2 * sizeof(void *), LIVE = 512 };

static size_t metadata[METADATA_WORDS];
static void *live[LIVE];

/* The region need not exist. */
static bool set_up(emma_buddy *buddy, unsigned levels, size_t blocks) {
    emma_buddy_config config = {(size_t)UNIT << (levels - 1), blocks, levels};
    emma_buddy_memory memory = {(void *)((uintptr_t)1 << 28), metadata};
    emma_layout layout;
    if (emma_buddy_metadata_layout(&config, &layout) != EMMA_BARE_OK || layout.size_bytes > sizeof metadata)
        return false;
    return EXPECT(emma_buddy_init(buddy, &config, memory) == EMMA_BARE_OK);
}

static void *allocate(emma_buddy *buddy, size_t size) {
    emma_steps_begin();
    void *block = emma_buddy_allocate(buddy, size, 1);
    emma_steps_end(EMMA_STEPS_ALLOCATE);
    return block;
}

static void deallocate(emma_buddy *buddy, void *block) {
    emma_steps_begin();
    EXPECT(emma_buddy_deallocate(buddy, block) == EMMA_BARE_OK);
    emma_steps_end(EMMA_STEPS_DEALLOCATE);
}

static void play(emma_buddy *buddy, unsigned levels, uint32_t state) {
    size_t count = 0;
    for (unsigned i = 0; i < 3000; i++) {
        state = state * 1664525u + 1013904223u;
        uint32_t dice = state >> 8;
        if (count < LIVE && (dice & 1) != 0) {
            live[count] = allocate(buddy, (size_t)UNIT << (dice >> 1) % levels);
            count += live[count] != NULL;
        } else if (count != 0) {
            size_t index = (dice >> 1) % count;
            deallocate(buddy, live[index]);
            live[index] = live[--count];
        }
    }
    while (count != 0)
        deallocate(buddy, live[--count]);
}

static void every_geometry(void) {
    unsigned geometries = 0;
    for (unsigned levels = 1; levels <= 16; levels++) {
        for (size_t blocks = 1; blocks < 100000; blocks = blocks * 5 + 1) {
            emma_buddy buddy;
            if (!set_up(&buddy, levels, blocks))
                continue;
            emma_steps_reset();
            play(&buddy, levels, levels * 7 + (uint32_t)blocks);
            EXPECT(emma_steps_within(levels, blocks << (levels - 1)));
            EXPECT(emma_buddy_figures(&buddy).used_bytes == 0);
            EXPECT(emma_buddy_free_blocks(&buddy, 0) == blocks);
            geometries++;
        }
    }
    emma_tap_note("geometries", geometries);
    EXPECT(geometries > 60);
}

/* One block split all the way down and joined all the way up: every set goes from empty to one and back. */
static void worst_case(void) {
    for (unsigned levels = 1; levels <= 16; levels++) {
        emma_buddy buddy;
        EXPECT(set_up(&buddy, levels, 1));
        emma_steps_reset();
        deallocate(&buddy, allocate(&buddy, 1));
        EXPECT(emma_steps_within(levels, (size_t)1 << (levels - 1)));
        if (levels != 7 && levels != 13 && levels != 16)
            continue;
        emma_tap_note("levels", levels);
        emma_tap_note("  steps of allocate", emma_steps_most(EMMA_STEPS_ALLOCATE));
        emma_tap_note("  documented worst case",
                      emma_steps_bound(EMMA_STEPS_ALLOCATE, levels, (size_t)1 << (levels - 1)));
        emma_tap_note("  steps of deallocate", emma_steps_most(EMMA_STEPS_DEALLOCATE));
        emma_tap_note("  documented worst case",
                      emma_steps_bound(EMMA_STEPS_DEALLOCATE, levels, (size_t)1 << (levels - 1)));
    }
}

static const emma_tap_case cases[] = {
    {"every geometry, random play", every_geometry},
    {"one block, all the way down and up", worst_case},
};

const emma_tap_suite emma_steps_suite = EMMA_TAP_SUITE("buddy steps", cases);
