/* buddy_valid.c: every invariant of a buddy, checked from nothing but its metadata. */
#include "bare/buddy_map.h"

/* The sets agree with themselves and with nonempty, and no two buddies are both free. Returns: the units in free
 * blocks, each block taken for itself; SIZE_MAX when something is wrong. */
static size_t free_units(const emma_buddy *buddy) {
    size_t units = 0;
    for (unsigned level = 0; level < emma__buddy_map_levels(buddy); level++) {
        const size_t *set = emma__buddy_map_free(buddy, level);
        size_t capacity = emma__buddy_map_capacity(buddy, level);
        size_t count = emma__bitset_count(set, 0, capacity);
        if (!emma__bitset_valid(set, capacity) || (buddy->nonempty >> level & 1) != (count != 0))
            return SIZE_MAX;
        for (size_t i = 0; level != 0 && i < capacity; i += 2)
            if (emma__bitset_has(set, i) && emma__bitset_has(set, i + 1))
                return SIZE_MAX;
        units += count << emma__buddy_map_rank(buddy, level);
    }
    return buddy->nonempty >> emma__buddy_map_levels(buddy) == 0 ? units : SIZE_MAX;
}

/* How many units the block that stands here has: the first rank, from the smallest, at which a free block or the end of
 * a live one is found. 0 when there is none. */
static size_t units_at(const emma_buddy *buddy, size_t unit, bool live) {
    unsigned levels = emma__buddy_map_levels(buddy);
    for (unsigned rank = 0; rank < levels; rank++) {
        size_t size = (size_t)1 << rank;
        if (!emma__bare_word_is_aligned(unit, size))
            break;
        if (live ? emma__buddy_map_ends(buddy, unit + size - 1)
                 : emma__bitset_has(emma__buddy_map_free(buddy, levels - 1 - rank), unit >> rank))
            return size;
    }
    return 0;
}

/* Walk from block to block. The blocks met on the way are all that there are, when the sets and marks hold no others:
 * so no two overlap. */
bool emma_buddy_valid(const emma_buddy *buddy) {
    if (buddy->blocks == 0)
        return buddy->capacity_bytes == 0 && buddy->used_bytes == 0 && buddy->outstanding == 0;
    unsigned unit_log2 = emma__buddy_map_unit_log2(buddy);
    size_t units = emma__buddy_map_region_bytes(buddy) >> unit_log2;
    size_t live_blocks = 0, met[2] = {0, 0}, size;
    for (size_t unit = 0; unit < units; unit += size) {
        bool live = emma__buddy_map_begins(buddy, unit);
        size = units_at(buddy, unit, live);
        if (live && size == 0)
            return false;
        live_blocks += live;
        met[live] += size;
        if (size == 0)
            size = 1; /* never added */
    }
    return met[false] == free_units(buddy) && met[true] << unit_log2 == buddy->used_bytes &&
           (met[true] + met[false]) << unit_log2 == buddy->capacity_bytes && live_blocks == buddy->outstanding &&
           emma__bitset_count(emma__buddy_map_marks(buddy), 0, 2 * units) == 2 * live_blocks;
}
