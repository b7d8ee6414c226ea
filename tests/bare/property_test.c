/* property_test.c: live blocks never overlap, stay in the region and keep their content, over random plays. */
#include "bare_shadow.h"
#include "suites.h"

enum { PLAYS = 400, BYTES = 1000 };

static uint8_t data[BYTES];

/* Failing plays print their seed: the same bytes come again from it. */
static void play_many(unsigned (*play)(const uint8_t *data, size_t size)) {
    for (uint32_t seed = 1; seed <= PLAYS; seed++) {
        uint32_t state = seed * 2654435761u;
        for (size_t i = 0; i < BYTES; i++) {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            data[i] = (uint8_t)(state >> 11);
        }
        unsigned line = play(data, BYTES - seed % 300);
        if (!EXPECT(line == 0)) {
            emma_tap_note("seed", seed);
            emma_tap_note("line of the play", line);
            return;
        }
    }
}

static void bump(void) {
    play_many(emma_play_bump);
}

static void slab(void) {
    play_many(emma_play_slab);
}

static void buddy(void) {
    play_many(emma_play_buddy);
}

static void fit(void) {
    play_many(emma_play_fit);
}

static const emma_tap_case cases[] = {
    {"bump, 400 random plays", bump},
    {"slab, 400 random plays", slab},
    {"buddy, 400 random plays with random gaps", buddy},
    {"fit, 400 random plays with pools that come and go", fit},
};

const emma_tap_suite emma_property_suite = EMMA_TAP_SUITE("property", cases);
