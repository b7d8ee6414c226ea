/* fit_walk.c: looking at every block of a fit: for the program, and to check all invariants. */
#include "bare/fit_lists.h"

bool emma_fit_walk(const emma_fit *fit, emma_fit_visit *visit, void *context) {
    for (const emma_fit_pool *pool = fit->pools; pool != NULL; pool = pool->next) {
        const emma_fit_block *last = emma__fit_block_last(pool);
        for (const emma_fit_block *block = emma__fit_block_first(pool); block != last;
             block = emma__fit_block_next(block)) {
            size_t usable = emma__fit_block_size(block) - EMMA__FIT_BLOCK_HEADER_BYTES;
            if (!visit(context, emma__fit_block_memory(block), usable,
                       !emma__fit_block_has(block, EMMA__FIT_BLOCK_FREE)))
                return false;
        }
    }
    return true;
}

typedef struct tally {
    size_t bytes;
    size_t live_bytes;
    size_t live_blocks;
    size_t free_blocks;
} tally;

/* The blocks of a pool follow each other from its first to its last, free ones alone and marked at their end. */
static bool pool_valid(const emma_fit_pool *pool, tally *sum) {
    const emma_fit_block *last = emma__fit_block_last(pool);
    const emma_fit_block *block = emma__fit_block_first(pool);
    bool after_free = false;
    while (block != last) {
        size_t left = (uintptr_t)last - (uintptr_t)block;
        size_t size = emma__fit_block_size(block);
        bool free = emma__fit_block_has(block, EMMA__FIT_BLOCK_FREE);
        if (size < EMMA__FIT_BLOCK_MIN_BYTES || size > left || !emma__bare_word_is_aligned(size, EMMA_FIT_GRANULE) ||
            emma__fit_block_has(block, EMMA__FIT_BLOCK_AFTER_FREE) != after_free || (free && after_free))
            return false;
        if (free && *emma__fit_block_foot(emma__fit_block_at(block, size)) != size)
            return false;
        sum->bytes += size;
        sum->live_bytes += free ? 0 : size;
        sum->live_blocks += !free;
        sum->free_blocks += free;
        after_free = free;
        block = emma__fit_block_at(block, size);
    }
    return last->header == (after_free ? EMMA__FIT_BLOCK_AFTER_FREE : 0);
}

/* A whole smallest block could lie here. */
static bool in_a_pool(const emma_fit *fit, const emma_fit_block *block) {
    for (const emma_fit_pool *pool = fit->pools; pool != NULL; pool = pool->next) {
        uintptr_t offset = (uintptr_t)block - (uintptr_t)emma__fit_block_first(pool);
        if (offset < (uintptr_t)emma__fit_block_last(pool) - (uintptr_t)emma__fit_block_first(pool))
            return emma__bare_word_is_aligned(offset, EMMA_FIT_GRANULE);
    }
    return false;
}

/* A list holds free blocks of its sizes, linked both ways. Counts them down from *left, so that a ring ends. */
static bool list_valid(const emma_fit *fit, emma_fit_place place, size_t *left) {
    const emma_fit_block *previous = NULL;
    for (const emma_fit_block *block = fit->lists[place.row][place.column]; block != NULL; block = block->next_free) {
        if (*left == 0 || !in_a_pool(fit, block) || !emma__fit_block_has(block, EMMA__FIT_BLOCK_FREE) ||
            block->previous_free != previous)
            return false;
        emma_fit_place own = emma__fit_lists_place(emma__fit_block_size(block));
        if (own.row != place.row || own.column != place.column)
            return false;
        --*left;
        previous = block;
    }
    return true;
}

bool emma_fit_valid(const emma_fit *fit) {
    tally sum = {0, 0, 0, 0};
    for (const emma_fit_pool *pool = fit->pools; pool != NULL; pool = pool->next)
        if (!pool_valid(pool, &sum))
            return false;
    size_t left = sum.free_blocks;
    for (unsigned row = 0; row < EMMA_FIT_ROWS; row++) {
        if ((fit->rows >> row & 1) != (fit->columns[row] != 0))
            return false;
        for (unsigned column = 0; column < EMMA_FIT_COLUMNS; column++) {
            if ((fit->columns[row] >> column & 1) != (fit->lists[row][column] != NULL))
                return false;
            if (!list_valid(fit, (emma_fit_place){row, column}, &left))
                return false;
        }
    }
    return left == 0 && sum.bytes == fit->capacity_bytes && sum.live_bytes == fit->used_bytes &&
           sum.live_blocks == fit->outstanding && fit->used_bytes <= fit->peak_used_bytes;
}
