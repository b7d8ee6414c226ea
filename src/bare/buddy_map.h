/* buddy_map.h: where things are in the metadata of a buddy, and in which block sizes it counts.
 *
 *     metadata:  | levels words: where each set begins | marks | free set of level 0 | ... | of the last level |
 *
 * Places and sizes are counted in units, the smallest blocks: block i of level k is 1 << rank units at unit i << rank,
 * with rank = levels - 1 - k. The region itself is only ever an address to count from.
 *
 *   free sets   bit i of level k: that block is free. Buddies are never both free, except on level 0, where there are
 * none. marks       two bits a unit: a live block begins here; a live block ends here. From the two the size follows.
 *
 * Every unit is in one live block, in one free block, or was never added. */
#ifndef EMMA_BARE_BUDDY_MAP_H
#define EMMA_BARE_BUDDY_MAP_H

#include "bare/bitset.h"

EMMA_STATIC_ASSERT((EMMA_BUDDY_BLOCK_BYTES == 0) == (EMMA_BUDDY_LEVELS == 0), "fold for both or for none");

static inline unsigned emma__buddy_map_levels(const emma_buddy *buddy) {
    return EMMA_BUDDY_LEVELS != 0 ? EMMA_BUDDY_LEVELS : buddy->levels;
}

static inline unsigned emma__buddy_map_block_log2(const emma_buddy *buddy) {
    return EMMA_BUDDY_BLOCK_BYTES != 0
               ? EMMA__BARE_WORD_BITS - 1u - (unsigned)__builtin_clzl(EMMA_BUDDY_BLOCK_BYTES | 1u)
               : buddy->block_log2;
}

static inline unsigned emma__buddy_map_unit_log2(const emma_buddy *buddy) {
    return emma__buddy_map_block_log2(buddy) + 1u - emma__buddy_map_levels(buddy);
}

static inline size_t emma__buddy_map_region_bytes(const emma_buddy *buddy) {
    return buddy->blocks << emma__buddy_map_block_log2(buddy);
}

/* Blocks of that level in the region. */
static inline size_t emma__buddy_map_capacity(const emma_buddy *buddy, unsigned level) {
    return buddy->blocks << level;
}

static inline unsigned emma__buddy_map_rank(const emma_buddy *buddy, unsigned level) {
    return emma__buddy_map_levels(buddy) - 1 - level;
}

static inline size_t *emma__buddy_map_free(const emma_buddy *buddy, unsigned level) {
    return buddy->memory.metadata + buddy->memory.metadata[level];
}

static inline size_t *emma__buddy_map_marks(const emma_buddy *buddy) {
    return buddy->memory.metadata + emma__buddy_map_levels(buddy);
}

static inline bool emma__buddy_map_begins(const emma_buddy *buddy, size_t unit) {
    return emma__bitset_has(emma__buddy_map_marks(buddy), 2 * unit);
}

static inline bool emma__buddy_map_ends(const emma_buddy *buddy, size_t unit) {
    return emma__bitset_has(emma__buddy_map_marks(buddy), 2 * unit + 1);
}

/* A live block of that rank begins here from now on, or no longer. */
static inline void emma__buddy_map_flip(const emma_buddy *buddy, size_t unit, unsigned rank) {
    size_t *marks = emma__buddy_map_marks(buddy);
    size_t ends[2] = {2 * unit, 2 * (unit + ((size_t)1 << rank) - 1) + 1};
    for (unsigned i = 0; i < 2; i++) {
        EMMA_BARE_STEP();
        marks[ends[i] >> EMMA__BARE_WORD_LOG2] ^= (size_t)1 << (ends[i] & (EMMA__BARE_WORD_BITS - 1));
    }
}

/* The rank of the live block that begins here: its end is the first that is marked where a block of some rank would
 * end. Requires: one begins here. Cost: levels steps. */
static inline unsigned emma__buddy_map_live_rank(const emma_buddy *buddy, size_t unit) {
    unsigned rank = 0;
    while (!emma__buddy_map_ends(buddy, unit + ((size_t)1 << rank) - 1))
        rank++;
    return rank;
}

/* Make a block free that is neither free nor live, and join it with its buddies. Cost: O(depth * levels). */
void emma__buddy_put(emma_buddy *buddy, unsigned level, size_t index);

#endif
