/* fit_block.h: the blocks of a pool, seen from one of them. The only file that knows how a block is written.
 *
 *                  | header | memory of the program ...            | header of the next block
 *     live block     size, flags
 *     free block     size, flags | next in list | previous in list | ... | size |
 *
 * One word of overhead a block. A block's size counts its header and is a multiple of the granule (two words), so that
 * the low bits of the header are free for flags, and blocks lie one word before a multiple of the granule: what the
 * program gets is aligned to it. The size at the end of a free block is how its successor finds it.
 *
 *     pool:  | next pool | bytes | first block | block | ... | last: a header alone, size 0, live |
 *
 * A header that is absorbed by the free block before it stays as it is, and so betrays a second free: it says free, or
 * that the block before it is free and of a size that is no longer so. */
#ifndef EMMA_BARE_FIT_BLOCK_H
#define EMMA_BARE_FIT_BLOCK_H

#include "bare/bare_word.h"

struct __attribute__((may_alias)) emma_fit_block {
    size_t header;
    emma_fit_block *next_free; /* these two only while free */
    emma_fit_block *previous_free;
};

struct __attribute__((may_alias)) emma_fit_pool {
    emma_fit_pool *next;
    size_t bytes; /* from here to the end of the last header */
};

enum {
    EMMA__FIT_BLOCK_FREE = 1,
    EMMA__FIT_BLOCK_AFTER_FREE = 2, /* the block before is free: its size stands right before this header */
    EMMA__FIT_BLOCK_FLAGS = 3,
    EMMA__FIT_BLOCK_HEADER_BYTES = sizeof(size_t),
    EMMA__FIT_BLOCK_MIN_BYTES = 2 * EMMA_FIT_GRANULE,
};

EMMA_STATIC_ASSERT(sizeof(emma_fit_block) + sizeof(size_t) == EMMA__FIT_BLOCK_MIN_BYTES, "a free block fits");
EMMA_STATIC_ASSERT(sizeof(emma_fit_pool) == EMMA_FIT_GRANULE, "the first block lies as all others do");

static inline size_t emma__fit_block_size(const emma_fit_block *block) {
    EMMA_BARE_STEP();
    return block->header & ~(size_t)EMMA__FIT_BLOCK_FLAGS;
}

static inline bool emma__fit_block_has(const emma_fit_block *block, size_t flag) {
    EMMA_BARE_STEP();
    return (block->header & flag) != 0;
}

static inline void emma__fit_block_set(emma_fit_block *block, size_t size_bytes, size_t flags) {
    EMMA_BARE_STEP();
    block->header = size_bytes | flags;
}

/* The header that many bytes further on. */
static inline emma_fit_block *emma__fit_block_at(const emma_fit_block *block, size_t offset_bytes) {
    return (emma_fit_block *)((uintptr_t)block + offset_bytes);
}

static inline emma_fit_block *emma__fit_block_next(const emma_fit_block *block) {
    return emma__fit_block_at(block, emma__fit_block_size(block));
}

/* The size written at the end of the block before. Requires: that one is free. */
static inline size_t *emma__fit_block_foot(const emma_fit_block *next) {
    EMMA_BARE_STEP();
    return (size_t *)((uintptr_t)next - sizeof(size_t));
}

static inline emma_fit_block *emma__fit_block_before(const emma_fit_block *block) {
    return emma__fit_block_at(block, 0 - *emma__fit_block_foot(block));
}

static inline void *emma__fit_block_memory(const emma_fit_block *block) {
    return (void *)((uintptr_t)block + EMMA__FIT_BLOCK_HEADER_BYTES);
}

static inline emma_fit_block *emma__fit_block_of(const void *memory) {
    return (emma_fit_block *)((uintptr_t)memory - EMMA__FIT_BLOCK_HEADER_BYTES);
}

static inline emma_fit_block *emma__fit_block_first(const emma_fit_pool *pool) {
    return (emma_fit_block *)((uintptr_t)pool + sizeof *pool);
}

static inline emma_fit_block *emma__fit_block_last(const emma_fit_pool *pool) {
    return (emma_fit_block *)((uintptr_t)pool + pool->bytes - EMMA__FIT_BLOCK_HEADER_BYTES);
}

#endif
