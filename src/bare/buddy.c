/* buddy.c: handing out blocks of powers of two, and joining them again. The metadata is drawn in buddy_map.h.
 *
 * An allocation of level 2 when only a block of level 0 is free:
 *
 *     level 0   |               A               |      taken from its set
 *     level 1   |               |       B       |      the right half becomes free
 *     level 2   |   taken   |   C   |                  and the right half of the left half
 *
 * and deallocation the same way up, while the buddy is free. One set operation per level each. */
#include "bare/buddy_map.h"

static void insert(emma_buddy *buddy, unsigned level, size_t index) {
    emma__bitset_insert(emma__buddy_map_free(buddy, level), emma__buddy_map_capacity(buddy, level), index);
    buddy->nonempty |= (size_t)1 << level;
}

static void take(emma_buddy *buddy, unsigned level, size_t index) {
    if (emma__bitset_remove(emma__buddy_map_free(buddy, level), emma__buddy_map_capacity(buddy, level), index))
        buddy->nonempty &= ~((size_t)1 << level);
}

void *emma_buddy_allocate(emma_buddy *buddy, size_t size_bytes, size_t align_bytes) {
    if (size_bytes == 0 || !emma__bare_word_is_pow2(align_bytes) || buddy->blocks == 0)
        return NULL;
    if (size_bytes < align_bytes)
        size_bytes = align_bytes;
    unsigned block_log2 = emma__buddy_map_block_log2(buddy);
    unsigned unit_log2 = emma__buddy_map_unit_log2(buddy);
    if (size_bytes > (size_t)1 << block_log2)
        return NULL;
    unsigned rank = 0;
    if (size_bytes > (size_t)1 << unit_log2)
        rank = emma__bare_word_highest(size_bytes - 1) + 1 - unit_log2;
    unsigned level = emma__buddy_map_levels(buddy) - 1 - rank;
    size_t larger = buddy->nonempty & (((size_t)2 << level) - 1);
    if (larger == 0)
        return NULL;
    unsigned from = emma__bare_word_highest(larger);
    size_t index = emma__bitset_lowest(emma__buddy_map_free(buddy, from), emma__buddy_map_capacity(buddy, from));
    take(buddy, from, index);
    while (from != level) {
        from++;
        index *= 2;
        insert(buddy, from, index + 1);
    }
    emma__buddy_map_flip(buddy, index << rank, rank);
    buddy->used_bytes += (size_t)1 << (rank + unit_log2);
    buddy->outstanding++;
    return (unsigned char *)buddy->memory.region + (index << (rank + unit_log2));
}

void emma__buddy_put(emma_buddy *buddy, unsigned level, size_t index) {
    while (level != 0 && emma__bitset_has(emma__buddy_map_free(buddy, level), index ^ 1)) {
        take(buddy, level, index ^ 1);
        index /= 2;
        level--;
    }
    insert(buddy, level, index);
}

/* *unit = where the live block begins. */
static emma_bare_error locate(const emma_buddy *buddy, const void *block, size_t *unit) {
    uintptr_t offset = (uintptr_t)block - (uintptr_t)buddy->memory.region;
    unsigned unit_log2 = emma__buddy_map_unit_log2(buddy);
    if (offset >= emma__buddy_map_region_bytes(buddy) || !emma__bare_word_is_aligned(offset, (size_t)1 << unit_log2))
        return EMMA_BARE_FOREIGN;
    *unit = offset >> unit_log2;
    return emma__buddy_map_begins(buddy, *unit) ? EMMA_BARE_OK : EMMA_BARE_NOT_LIVE;
}

emma_bare_error emma_buddy_deallocate(emma_buddy *buddy, void *block) {
    if (block == NULL)
        return EMMA_BARE_OK;
    size_t unit;
    emma_bare_error error = locate(buddy, block, &unit);
    if (error != EMMA_BARE_OK)
        return error;
    unsigned rank = emma__buddy_map_live_rank(buddy, unit);
    emma__buddy_map_flip(buddy, unit, rank);
    emma__buddy_put(buddy, emma__buddy_map_levels(buddy) - 1 - rank, unit >> rank);
    buddy->used_bytes -= (size_t)1 << (rank + emma__buddy_map_unit_log2(buddy));
    buddy->outstanding--;
    return EMMA_BARE_OK;
}

size_t emma_buddy_block_size(const emma_buddy *buddy, const void *block) {
    size_t unit;
    if (locate(buddy, block, &unit) != EMMA_BARE_OK)
        return 0;
    return (size_t)1 << (emma__buddy_map_live_rank(buddy, unit) + emma__buddy_map_unit_log2(buddy));
}

size_t emma_buddy_free_blocks(const emma_buddy *buddy, unsigned level) {
    if (buddy->blocks == 0 || level >= emma__buddy_map_levels(buddy))
        return 0;
    return emma__bitset_count(emma__buddy_map_free(buddy, level), 0, emma__buddy_map_capacity(buddy, level));
}

emma_bare_figures emma_buddy_figures(const emma_buddy *buddy) {
    return (emma_bare_figures){buddy->capacity_bytes, buddy->used_bytes, buddy->outstanding};
}

static void *backing_allocate(void *context, emma_layout layout) {
    return emma_buddy_allocate(context, layout.size_bytes, layout.align_bytes);
}

static void backing_deallocate(void *context, void *memory, emma_layout layout) {
    (void)layout;
    if (emma_buddy_deallocate(context, memory) != EMMA_BARE_OK)
        __builtin_trap();
}

emma_backing emma_buddy_backing(emma_buddy *buddy) {
    return (emma_backing){backing_allocate, backing_deallocate, buddy};
}
