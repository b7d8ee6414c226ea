/* chain.h: the chain word. A magazine is a chain of free blocks of one class, named by one 64-bit word.
 *
 *      63                              16 15      8 7       0
 *     +----------------------------------+---------+---------+
 *     |     address of the first block   |   tag   |  room   |
 *     +----------------------------------+---------+---------+
 *                  |
 *                  v  the first word of each free block holds the chain word of the rest
 *                 [ address of the second | tag | room + 1 ] -> ... -> [ 0 | tag | capacity ]
 *
 * room is how many blocks may still be pushed, so no maximum is loaded or compared, and the count travels with the
 * chain: a pop is two loads and one store, a push two stores. The word 0 is empty and full at once: a zeroed slot
 * falls into the slow path from both sides, which is how caches start. A capacity belongs to the chain (it is the room
 * of its empty end), so chains of different capacities may take each other's places.
 *
 * The tag marks the first word of a free block; a block that is freed and carries it deserves a closer look (double
 * free). 0xF8 never occurs in UTF-8, and as byte 1 of an aligned pointer or a small number it is rare.
 *
 * In the depot the tag byte of a word, not needed there, carries the number of blocks (emma__chain_pack).
 *
 * A chain word is made, read and changed here and nowhere else. No function here is atomic; the holder of a chain is
 * its only user (law 1). Blocks must lie below 2^48. */
#ifndef EMMA_BASE_CHAIN_H
#define EMMA_BASE_CHAIN_H

#include "base/compiler.h"

typedef uint64_t emma_chain;

enum { EMMA_CHAIN_TAG = 0xF8, EMMA_CHAIN_ROOM_MAX = 255 };

/* Empty and full at once, like 0, but another word. */
#define EMMA_CHAIN_CLOSED ((emma_chain)EMMA_CHAIN_TAG << 8)

EMMA_STATIC_ASSERT(sizeof(void *) == 8, "the chain word holds a 48-bit address");

/* An empty chain that takes capacity blocks. */
static inline emma_chain emma__chain_empty(unsigned capacity) {
    return (emma_chain)EMMA_CHAIN_TAG << 8 | capacity;
}

static EMMA_ALWAYS_INLINE void *emma__chain_first(emma_chain chain) {
    return (void *)(uintptr_t)(chain >> 16); // NOLINT(performance-no-int-to-ptr): this is what a chain word is
}

static EMMA_ALWAYS_INLINE bool emma__chain_is_empty(emma_chain chain) {
    return chain >> 16 == 0;
}

static EMMA_ALWAYS_INLINE unsigned emma__chain_room(emma_chain chain) {
    return (uint8_t)chain;
}

/* The chain without its first block. Requires: not empty. */
static EMMA_ALWAYS_INLINE emma_chain emma__chain_rest(emma_chain chain) {
    return *(const emma_chain *)emma__chain_first(chain);
}

/* The chain with block before its first. Writes the first word of block. Requires: room left. */
static EMMA_ALWAYS_INLINE emma_chain emma__chain_push(emma_chain chain, void *block) {
    *(emma_chain *)block = chain;
    return ((emma_chain)(uintptr_t)block << 16) + (uint16_t)chain - 1;
}

/* Whether the first word of a block looks like that of a free block. Cheap, and wrong once in 256 random words. */
static EMMA_ALWAYS_INLINE bool emma__chain_looks_free(const void *block) {
    return ((const uint8_t *)block)[1] == EMMA_CHAIN_TAG;
}

/* Take the tag from a block that leaves its chain. */
static EMMA_ALWAYS_INLINE void emma__chain_unmark(void *block) {
    *(emma_chain *)block = 0;
}

/* Take the first block of a chain in hand. Requires: not empty. */
static EMMA_ALWAYS_INLINE void *emma__chain_pop(emma_chain *chain) {
    void *block = emma__chain_first(*chain);
    *chain = emma__chain_rest(*chain);
    emma__chain_unmark(block);
    return block;
}

/* Whether block is in a chain. The chain must be in hand. Cost: a step for each block. */
static inline bool emma__chain_contains(emma_chain chain, const void *block) {
    for (; !emma__chain_is_empty(chain); chain = emma__chain_rest(chain))
        if (emma__chain_first(chain) == block)
            return true;
    return false;
}

/* Put the number of blocks in place of the tag, and back. */
static inline emma_chain emma__chain_pack(emma_chain chain, unsigned count) {
    return (chain & ~(emma_chain)0xFF00) | (emma_chain)(uint8_t)count << 8;
}

static inline unsigned emma__chain_packed_count(emma_chain chain) {
    return (uint8_t)(chain >> 8);
}

static inline emma_chain emma__chain_unpack(emma_chain chain) {
    return (chain & ~(emma_chain)0xFF00) | (emma_chain)EMMA_CHAIN_TAG << 8;
}

#endif
