/* buddy_valid.c: every invariant of a buddy, checked from nothing but its metadata. */
#include "bare/buddy_map.h"

/* What stands at a unit: how many units the block there has, 0 where none begins. */
static size_t free_units_at(const emma_buddy *buddy, size_t unit, unsigned *level) {
    for (*level = 0; *level < emma__buddy_map_levels(buddy); ++*level) {
        unsigned rank = emma__buddy_map_rank(buddy, *level);
        if (emma__word_is_aligned(unit, (size_t)1 << rank) &&
            emma__bitset_has(emma__buddy_map_free(buddy, *level), unit >> rank))
            return (size_t)1 << rank;
    }
    return 0;
}

/* The rank of the block that begins here, or levels when its end is not marked. */
static unsigned live_rank_or_levels(const emma_buddy *buddy, size_t unit, size_t units) {
    unsigned levels = emma__buddy_map_levels(buddy);
    for (unsigned rank = 0; rank < levels; rank++) {
        size_t last = unit + ((size_t)1 << rank) - 1;
        if (!emma__word_is_aligned(unit, (size_t)1 << rank) || last >= units) return levels;
        if (emma__buddy_map_ends(buddy, last)) return rank;
    }
    return levels;
}

static bool sets_valid(const emma_buddy *buddy, size_t *free_blocks) {
    *free_blocks = 0;
    for (unsigned level = 0; level < emma__buddy_map_levels(buddy); level++) {
        const size_t *set = emma__buddy_map_free(buddy, level);
        size_t capacity = emma__buddy_map_capacity(buddy, level);
        size_t count = emma__bitset_count(set, 0, capacity);
        if (!emma__bitset_valid(set, capacity) || (buddy->nonempty >> level & 1) != (count != 0)) return false;
        *free_blocks += count;
    }
    return buddy->nonempty >> emma__buddy_map_levels(buddy) == 0;
}

/* Walk from block to block. The blocks met on the way are all that there are, when the sets and marks hold no others:
 * so no two overlap. */
bool emma_buddy_valid(const emma_buddy *buddy) {
    if (buddy->blocks == 0) return buddy->capacity_bytes == 0 && buddy->used_bytes == 0 && buddy->outstanding == 0;
    size_t units = emma__buddy_map_capacity(buddy, emma__buddy_map_levels(buddy) - 1);
    size_t free_blocks, free_met = 0, live_met = 0, free_units = 0, live_units = 0;
    if (!sets_valid(buddy, &free_blocks)) return false;
    for (size_t unit = 0; unit < units;) {
        size_t size = 1;
        unsigned level;
        if (emma__buddy_map_begins(buddy, unit)) {
            unsigned rank = live_rank_or_levels(buddy, unit, units);
            if (rank == emma__buddy_map_levels(buddy)) return false;
            size = (size_t)1 << rank;
            live_units += size;
            live_met++;
        } else if ((size = free_units_at(buddy, unit, &level)) != 0) {
            size_t index = unit >> emma__buddy_map_rank(buddy, level);
            if (level != 0 && emma__bitset_has(emma__buddy_map_free(buddy, level), index ^ 1)) return false;
            free_units += size;
            free_met++;
        } else {
            size = 1; /* never added */
        }
        unit += size;
    }
    unsigned unit_log2 = emma__buddy_map_unit_log2(buddy);
    return free_met == free_blocks && live_met == buddy->outstanding &&
           emma__bitset_count(emma__buddy_map_marks(buddy), 0, 2 * units) == 2 * live_met &&
           live_units << unit_log2 == buddy->used_bytes &&
           (live_units + free_units) << unit_log2 == buddy->capacity_bytes;
}
