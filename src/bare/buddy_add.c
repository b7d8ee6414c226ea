/* buddy_add.c: making memory of a buddy's region free for the first time: parts of it, or all of it but gaps.
 *
 * A range of units is cut into the largest blocks that are aligned and fit:
 *
 *     units   5 6 7 8 9 10 11 12 13 14        blocks   5 | 6 7 | 8 9 10 11 | 12 13 | 14
 *
 * Every range is looked through before the first one is added, so that an error changes nothing. */
#include "bare/buddy_map.h"

/* The units begin .. end - 1 hold metadata, which may lie in a gap of the region. */
static bool holds_metadata(const emma_buddy *buddy, size_t begin, size_t end) {
    unsigned last = emma__buddy_map_levels(buddy) - 1, unit_log2 = emma__buddy_map_unit_log2(buddy);
    const size_t *metadata = buddy->memory.metadata;
    size_t words = metadata[last] + emma__bitset_words(emma__buddy_map_capacity(buddy, last));
    const unsigned char *first = (unsigned char *)buddy->memory.region + (begin << unit_log2);
    return emma__bare_word_ranges_overlap(first, (end - begin) << unit_log2, metadata, words * sizeof(size_t));
}

/* The units begin .. end - 1 were not added before: none is in a free block, no live block begins or ends among them,
 * none that began before them reaches the first. Nor do they hold metadata. Requires: begin < end. */
static bool is_blank(emma_buddy *buddy, size_t begin, size_t end) {
    for (unsigned level = 0; level < emma__buddy_map_levels(buddy); level++) {
        unsigned rank = emma__buddy_map_rank(buddy, level);
        size_t first = begin >> rank;
        size_t above = first << rank;
        if (emma__bitset_count(emma__buddy_map_free(buddy, level), first, ((end - 1) >> rank) + 1) != 0)
            return false;
        if (emma__buddy_map_begins(buddy, above) && emma__buddy_map_live_rank(buddy, above) >= rank)
            return false;
    }
    return emma__bitset_count(emma__buddy_map_marks(buddy), 2 * begin, 2 * end) == 0 &&
           !holds_metadata(buddy, begin, end);
}

/* Requires: is_blank. Returns: true. */
static bool add(emma_buddy *buddy, size_t begin, size_t end) {
    unsigned rank_max = emma__buddy_map_levels(buddy) - 1, unit_log2 = emma__buddy_map_unit_log2(buddy);
    size_t block_units = (size_t)1 << emma__buddy_map_block_log2(buddy) >> unit_log2;
    buddy->capacity_bytes += (end - begin) << unit_log2;
    while (begin < end) {
        unsigned rank = emma__bare_word_lowest(begin | block_units);
        unsigned fits = emma__bare_word_highest(end - begin);
        if (rank > fits)
            rank = fits;
        emma__buddy_put(buddy, rank_max - rank, begin >> rank);
        begin += (size_t)1 << rank;
    }
    return true;
}

/* Visit what lies between the gaps, until a visit returns false. */
static emma_bare_error between(emma_buddy *buddy, emma_buddy_gaps gaps,
                               bool (*visit)(emma_buddy *, size_t begin, size_t end)) {
    unsigned unit_log2 = emma__buddy_map_unit_log2(buddy);
    size_t units = emma__buddy_map_region_bytes(buddy) >> unit_log2;
    size_t at = 0, previous = 0;
    for (size_t i = 0; i < gaps.count; i++) {
        emma_buddy_gap gap = gaps.list[i];
        if (gap.end < gap.begin || gap.begin < previous)
            return EMMA_BARE_INVALID_CONFIG;
        previous = gap.begin;
        if (gap.begin == gap.end)
            continue;
        size_t begin = gap.begin >> unit_log2;
        if (begin > units)
            begin = units;
        if (begin > at && !visit(buddy, at, begin))
            return EMMA_BARE_INVALID_LOCATION;
        size_t end = ((gap.end - 1) >> unit_log2) + 1;
        if (end > at)
            at = end;
    }
    return at >= units || visit(buddy, at, units) ? EMMA_BARE_OK : EMMA_BARE_INVALID_LOCATION;
}

emma_bare_error emma_buddy_add_all_but(emma_buddy *buddy, emma_buddy_gaps gaps) {
    emma_bare_error error = between(buddy, gaps, is_blank);
    return error != EMMA_BARE_OK ? error : between(buddy, gaps, add);
}

emma_bare_error emma_buddy_add_region(emma_buddy *buddy, void *begin, size_t size_bytes) {
    uintptr_t offset = (uintptr_t)begin - (uintptr_t)buddy->memory.region;
    size_t region_bytes = emma__buddy_map_region_bytes(buddy);
    unsigned unit_log2 = emma__buddy_map_unit_log2(buddy);
    if (offset > region_bytes || size_bytes > region_bytes - offset ||
        !emma__bare_word_is_aligned(offset | size_bytes, (size_t)1 << unit_log2))
        return EMMA_BARE_INVALID_LOCATION;
    const emma_buddy_gap around[2] = {{0, offset}, {offset + size_bytes, region_bytes}};
    return emma_buddy_add_all_but(buddy, (emma_buddy_gaps){around, 2});
}
