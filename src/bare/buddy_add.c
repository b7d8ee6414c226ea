/* buddy_add.c: making memory of a buddy's region free for the first time: parts of it, or all of it but gaps.
 *
 * A range of units is cut into the largest blocks that are aligned and fit:
 *
 *     units   5 6 7 8 9 10 11 12 13 14        blocks   5 | 6 7 | 8 9 10 11 | 12 13 | 14
 *
 * Every range is looked through before the first one is added, so that an error changes nothing. */
#include "bare/buddy_map.h"

/* A live block that begins at or before the unit reaches it. */
static bool is_live(const emma_buddy *buddy, size_t unit) {
    for (unsigned rank = 0; rank < emma__buddy_map_levels(buddy); rank++) {
        size_t begin = unit >> rank << rank;
        if (emma__buddy_map_begins(buddy, begin)) return (unit - begin) >> emma__buddy_map_live_rank(buddy, begin) == 0;
    }
    return false;
}

/* Nothing of the units begin .. end - 1 was added before. Requires: begin < end. */
static bool is_blank(emma_buddy *buddy, size_t begin, size_t end) {
    for (unsigned level = 0; level < emma__buddy_map_levels(buddy); level++) {
        unsigned rank = emma__buddy_map_rank(buddy, level);
        if (emma__bitset_count(emma__buddy_map_free(buddy, level), begin >> rank, ((end - 1) >> rank) + 1) != 0)
            return false;
    }
    return emma__bitset_count(emma__buddy_map_marks(buddy), 2 * begin, 2 * end) == 0 && !is_live(buddy, begin);
}

/* Requires: is_blank. Returns: true. */
static bool add(emma_buddy *buddy, size_t begin, size_t end) {
    unsigned rank_max = emma__buddy_map_levels(buddy) - 1;
    buddy->capacity_bytes += (end - begin) << emma__buddy_map_unit_log2(buddy);
    while (begin < end) {
        unsigned rank = emma__word_lowest(begin | (size_t)1 << rank_max);
        unsigned fits = emma__word_highest(end - begin);
        if (rank > fits) rank = fits;
        emma__buddy_put(buddy, rank_max - rank, begin >> rank);
        begin += (size_t)1 << rank;
    }
    return true;
}

/* Visit what lies between the gaps, until a visit returns false. Returns: false iff one did. */
static bool between(emma_buddy *buddy, emma_buddy_gaps gaps, bool (*visit)(emma_buddy *, size_t begin, size_t end)) {
    unsigned unit_log2 = emma__buddy_map_unit_log2(buddy);
    size_t units = emma__buddy_map_region_bytes(buddy) >> unit_log2;
    size_t at = 0;
    for (size_t i = 0; i < gaps.count && at < units; i++) {
        size_t begin = gaps.gaps[i].begin >> unit_log2;
        size_t end = gaps.gaps[i].end;
        if (gaps.gaps[i].begin == end) continue;
        end = ((end - 1) >> unit_log2) + 1;
        if (begin >= units) break;
        if (begin > at && !visit(buddy, at, begin)) return false;
        if (end > at) at = end;
    }
    return at >= units || visit(buddy, at, units);
}

emma_bare_error emma_buddy_add_all_but(emma_buddy *buddy, emma_buddy_gaps gaps) {
    for (size_t i = 0; i < gaps.count; i++) {
        const emma_buddy_gap *gap = &gaps.gaps[i];
        if (gap->end < gap->begin || (i != 0 && gap->begin < gap[-1].begin)) return EMMA_BARE_INVALID_CONFIG;
    }
    if (!between(buddy, gaps, is_blank)) return EMMA_BARE_INVALID_LOCATION;
    between(buddy, gaps, add);
    return EMMA_BARE_OK;
}

emma_bare_error emma_buddy_add_region(emma_buddy *buddy, void *begin, size_t size_bytes) {
    uintptr_t offset = (uintptr_t)begin - (uintptr_t)buddy->memory.region;
    size_t region_bytes = emma__buddy_map_region_bytes(buddy);
    unsigned unit_log2 = emma__buddy_map_unit_log2(buddy);
    if (offset > region_bytes || size_bytes > region_bytes - offset ||
        !emma__word_is_aligned(offset | size_bytes, (size_t)1 << unit_log2))
        return EMMA_BARE_INVALID_LOCATION;
    const emma_buddy_gap around[2] = {{0, offset}, {offset + size_bytes, region_bytes}};
    return emma_buddy_add_all_but(buddy, (emma_buddy_gaps){around, 2});
}
