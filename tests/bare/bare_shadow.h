/* bare_shadow.h: what a program that plays with an allocator knows by itself: which blocks are live, and what
 * is in them.
 *
 * Every block is filled with bytes of its own; a block that overlaps another, or that someone else wrote to, is found
 * out. The content can be left alone for allocators whose memory does not exist. */
#ifndef EMMA_TEST_SHADOW_H
#define EMMA_TEST_SHADOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EMMA_SHADOW_MAX = 64 };

typedef struct emma_shadow_block {
    unsigned char *memory;
    size_t bytes;
    unsigned stamp;
} emma_shadow_block;

typedef struct emma_shadow {
    emma_shadow_block blocks[EMMA_SHADOW_MAX];
    size_t count;
    unsigned stamps;
} emma_shadow;

/* A block is live, and filled. Returns: false iff it overlaps another one. Requires: count < EMMA_SHADOW_MAX. */
bool emma_shadow_add(emma_shadow *shadow, void *memory, size_t bytes);

/* Returns: the block is as it was filled. */
bool emma_shadow_intact(const emma_shadow *shadow, size_t index);
bool emma_shadow_all_intact(const emma_shadow *shadow);

/* Forget a block; the last one takes its index. */
void emma_shadow_remove(emma_shadow *shadow, size_t index);

/* Bytes that decide what is played; zero for ever when they are used up. */
typedef struct emma_shadow_dice {
    const uint8_t *data;
    size_t left;
} emma_shadow_dice;

uint8_t emma_shadow_byte(emma_shadow_dice *dice);
size_t emma_shadow_number(emma_shadow_dice *dice, size_t below); /* Requires: 1 <= below <= 65536 */

/* Play with one allocator as the bytes say, comparing with a shadow after each step.
 * Returns: 0, or the line of the expectation that failed. */
unsigned emma_play_bump(const uint8_t *data, size_t size);
unsigned emma_play_slab(const uint8_t *data, size_t size);
unsigned emma_play_buddy(const uint8_t *data, size_t size);
unsigned emma_play_fit(const uint8_t *data, size_t size);

#define PLAY(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            return __LINE__;                                                                                           \
    } while (0)

#endif
