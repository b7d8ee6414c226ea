/* fit.c: good fit in constant time: allocate, deallocate, resize. Blocks are drawn in fit_block.h, lists in
 * fit_lists.h.
 *
 * Invariants, between any two calls: the blocks of a pool follow each other without holes; no two neighbours are both
 * free; every free block is in the list of its size and has its size at its end; AFTER_FREE tells the truth. */
#include "bare/fit_lists.h"

/* The size of a block that holds size_bytes for the program. Requires: size_bytes below the limit. */
static size_t block_bytes_for(size_t size_bytes) {
    size_t bytes = emma__bare_word_align_up(size_bytes + EMMA__FIT_BLOCK_HEADER_BYTES, EMMA_FIT_GRANULE);
    return bytes < EMMA__FIT_BLOCK_MIN_BYTES ? EMMA__FIT_BLOCK_MIN_BYTES : bytes;
}

/* Make a block free whose neighbours are not: write its size at both ends, tell the block behind, put it in its
 * list. */
static void leave(emma_fit *fit, emma_fit_block *block, size_t size) {
    emma_fit_block *next = emma__fit_block_at(block, size);
    emma__fit_block_set(block, size, EMMA__FIT_BLOCK_FREE);
    *emma__fit_block_foot(next) = size;
    next->header |= EMMA__FIT_BLOCK_AFTER_FREE;
    emma__fit_lists_insert(fit, block, size);
}

/* Make a block free and join it with its neighbours that are. */
static void put(emma_fit *fit, emma_fit_block *block) {
    size_t size = emma__fit_block_size(block);
    emma_fit_block *next = emma__fit_block_at(block, size);
    if (emma__fit_block_has(next, EMMA__FIT_BLOCK_FREE)) {
        emma__fit_lists_remove(fit, next);
        size += emma__fit_block_size(next);
    }
    if (emma__fit_block_has(block, EMMA__FIT_BLOCK_AFTER_FREE)) {
        block = emma__fit_block_before(block);
        emma__fit_lists_remove(fit, block);
        size += emma__fit_block_size(block);
    }
    leave(fit, block, size);
}

static void count(emma_fit *fit, size_t more_bytes) {
    fit->used_bytes += more_bytes;
    if (fit->used_bytes > fit->peak_used_bytes)
        fit->peak_used_bytes = fit->used_bytes;
}

/* Bytes to leave free in front of the block's memory, so that what follows is aligned. They make a block, or are 0. */
static size_t padding_for(const emma_fit_block *block, size_t align_bytes) {
    size_t padding = (0 - (uintptr_t)emma__fit_block_memory(block)) & (align_bytes - 1);
    return padding == EMMA_FIT_GRANULE ? padding + align_bytes : padding;
}

void *emma_fit_allocate(emma_fit *fit, size_t size_bytes, size_t align_bytes) {
    if (size_bytes == 0 || size_bytes >= emma__fit_lists_limit_bytes || !emma__bare_word_is_pow2(align_bytes))
        return NULL;
    size_t size = block_bytes_for(size_bytes);
    size_t search = align_bytes > EMMA_FIT_GRANULE ? size + align_bytes + EMMA_FIT_GRANULE : size;
    if (align_bytes >= emma__fit_lists_limit_bytes || search >= emma__fit_lists_limit_bytes)
        return NULL;
    emma_fit_block *block = emma__fit_lists_take(fit, search);
    if (block == NULL)
        return NULL;
    size_t rest = emma__fit_block_size(block);
    emma_fit_block *front = block;
    size_t padding = align_bytes > EMMA_FIT_GRANULE ? padding_for(block, align_bytes) : 0;
    block = emma__fit_block_at(front, padding);
    rest -= padding + size;
    if (rest >= EMMA__FIT_BLOCK_MIN_BYTES) {
        leave(fit, emma__fit_block_at(block, size), rest);
    } else {
        size += rest;
        emma__fit_block_at(block, size)->header &= ~(size_t)EMMA__FIT_BLOCK_AFTER_FREE;
    }
    emma__fit_block_set(block, size, 0);
    if (padding != 0)
        leave(fit, front, padding);
    count(fit, size);
    fit->outstanding++;
    return emma__fit_block_memory(block);
}

/* Whether memory can be a live block: as much as its header and its neighbours tell, none of them outside the pools. */
static emma_bare_error check(const emma_fit *fit, const void *memory) {
    uintptr_t address = (uintptr_t)memory;
    if (!EMMA_BARE_CHECKS)
        return EMMA_BARE_OK;
    if (!emma__bare_word_is_aligned(address, EMMA_FIT_GRANULE) || address < fit->low_address ||
        address >= fit->high_address)
        return EMMA_BARE_FOREIGN;
    const emma_fit_block *block = emma__fit_block_of(memory);
    size_t size = emma__fit_block_size(block);
    if (emma__fit_block_has(block, EMMA__FIT_BLOCK_FREE) || size < EMMA__FIT_BLOCK_MIN_BYTES ||
        size > fit->high_address - address + EMMA__FIT_BLOCK_HEADER_BYTES ||
        !emma__bare_word_is_aligned(size, EMMA_FIT_GRANULE) ||
        emma__fit_block_has(emma__fit_block_at(block, size), EMMA__FIT_BLOCK_AFTER_FREE))
        return EMMA_BARE_NOT_LIVE;
    if (!emma__fit_block_has(block, EMMA__FIT_BLOCK_AFTER_FREE))
        return EMMA_BARE_OK;
    size_t before = *emma__fit_block_foot(block);
    if (before > address - fit->low_address || !emma__bare_word_is_aligned(before, EMMA_FIT_GRANULE) ||
        emma__fit_block_at(block, 0 - before)->header != (before | EMMA__FIT_BLOCK_FREE))
        return EMMA_BARE_NOT_LIVE;
    return EMMA_BARE_OK;
}

emma_bare_error emma_fit_deallocate(emma_fit *fit, void *memory) {
    if (memory == NULL)
        return EMMA_BARE_OK;
    emma_bare_error error = check(fit, memory);
    if (error != EMMA_BARE_OK)
        return error;
    emma_fit_block *block = emma__fit_block_of(memory);
    fit->used_bytes -= emma__fit_block_size(block);
    fit->outstanding--;
    put(fit, block);
    return EMMA_BARE_OK;
}

size_t emma_fit_usable_size(const emma_fit *fit, const void *memory) {
    if (memory == NULL || check(fit, memory) != EMMA_BARE_OK)
        return 0;
    return emma__fit_block_size(emma__fit_block_of(memory)) - EMMA__FIT_BLOCK_HEADER_BYTES;
}

/* The block has size bytes from now on, without moving. Returns: false iff it cannot have them where it is. */
static EMMA_ALWAYS_INLINE bool resize_in_place(emma_fit *fit, emma_fit_block *block, size_t size) {
    size_t before = emma__fit_block_size(block), now = before;
    emma_fit_block *next = emma__fit_block_at(block, before);
    if (size > before) {
        now += emma__fit_block_size(next);
        if (!emma__fit_block_has(next, EMMA__FIT_BLOCK_FREE) || size > now)
            return false;
        emma__fit_lists_remove(fit, next);
        emma__fit_block_at(block, now)->header &= ~(size_t)EMMA__FIT_BLOCK_AFTER_FREE;
    }
    size_t flags = block->header & EMMA__FIT_BLOCK_AFTER_FREE, rest = now - size;
    if (rest >= EMMA__FIT_BLOCK_MIN_BYTES) {
        now = size;
        emma_fit_block *tail = emma__fit_block_at(block, size);
        emma__fit_block_set(tail, rest, 0);
        put(fit, tail);
    }
    emma__fit_block_set(block, now, flags);
    count(fit, now - before);
    return true;
}

bool emma_fit_resize(emma_fit *fit, void *memory, size_t size_bytes) {
    return size_bytes != 0 && size_bytes < emma__fit_lists_limit_bytes && emma_fit_usable_size(fit, memory) != 0 &&
           resize_in_place(fit, emma__fit_block_of(memory), block_bytes_for(size_bytes));
}

void *emma_fit_reallocate(emma_fit *fit, void *memory, size_t size_bytes, size_t align_bytes) {
    if (memory == NULL)
        return emma_fit_allocate(fit, size_bytes, align_bytes);
    size_t usable = emma_fit_usable_size(fit, memory);
    if (usable == 0 || size_bytes == 0 || size_bytes >= emma__fit_lists_limit_bytes ||
        !emma__bare_word_is_pow2(align_bytes))
        return NULL;
    if (emma__bare_word_is_aligned((uintptr_t)memory, align_bytes) &&
        resize_in_place(fit, emma__fit_block_of(memory), block_bytes_for(size_bytes)))
        return memory;
    void *moved = emma_fit_allocate(fit, size_bytes, align_bytes);
    if (moved == NULL)
        return NULL;
    size_t kept = size_bytes < usable ? emma__bare_word_align_up(size_bytes, sizeof(size_t)) : usable;
    emma__bare_word_copy(moved, memory, kept / sizeof(size_t));
    emma_fit_deallocate(fit, memory);
    return moved;
}

emma_bare_figures emma_fit_figures(const emma_fit *fit) {
    return (emma_bare_figures){fit->capacity_bytes, fit->used_bytes, fit->outstanding};
}

static void *backing_allocate(void *context, emma_layout layout) {
    return emma_fit_allocate(context, layout.size_bytes, layout.align_bytes);
}

static void backing_deallocate(void *context, void *memory, emma_layout layout) {
    (void)layout;
    if (emma_fit_deallocate(context, memory) != EMMA_BARE_OK)
        __builtin_trap();
}

emma_backing emma_fit_backing(emma_fit *fit) {
    return (emma_backing){backing_allocate, backing_deallocate, fit};
}
