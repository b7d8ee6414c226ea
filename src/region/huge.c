/* huge.c: see huge.h. */
#include "region/huge.h"

#include "base/check.h"
#include "plat/plat.h"

static unsigned slots_of(size_t mapped_bytes) {
    return (unsigned)emma__bits_div_up(mapped_bytes, EMMA_TRACT_BYTES);
}

/* Slots as the directory knows them. First the rest, then the head: who sees the head sees the rest. */
static void mark(emma_directory *directory, uintptr_t address, unsigned from, unsigned to) {
    for (unsigned i = to; i-- > from;)
        emma__directory_set(directory, address + ((uintptr_t)i << EMMA_TRACT_LOG2),
                            i == 0 ? EMMA_GRANULE_HUGE : EMMA_GRANULE_HUGE_REST);
}

static void unmark(emma_directory *directory, uintptr_t address, unsigned from, unsigned to) {
    for (unsigned i = from; i < to; i++)
        emma__directory_set(directory, address + ((uintptr_t)i << EMMA_TRACT_LOG2), EMMA_GRANULE_NONE);
}

/* What emma__regions_destroy has to find. */
static void note(emma_region *region, uintptr_t address, bool is_huge) {
    unsigned slot = emma__region_slot_of(region, address);
    uint64_t bit = UINT64_C(1) << (slot % 64);
    if (is_huge)
        ATOMIC_OR(&region->word[slot / 64].huge, bit, relaxed);
    else
        ATOMIC_AND(&region->word[slot / 64].huge, ~bit, relaxed);
}

emma_huge *emma__huge_at(const emma_directory *directory, uintptr_t address) {
    uintptr_t granule = address & ~((uintptr_t)EMMA_TRACT_BYTES - 1);
    while (emma__directory_get(directory, granule) == EMMA_GRANULE_HUGE_REST)
        granule -= EMMA_TRACT_BYTES;
    bool is_huge = emma__directory_get(directory, granule) == EMMA_GRANULE_HUGE;
    return is_huge ? (emma_huge *)granule : 0; // NOLINT(performance-no-int-to-ptr)
}

emma_huge *emma__huge_find(const emma_directory *directory, uintptr_t address) {
    emma_huge *huge = emma__huge_at(directory, address);
    return huge != 0 && huge->block == address ? huge : 0;
}

emma_huge *emma__huge_claim(emma_regions *regions, size_t size_bytes, size_t align_bytes) {
    size_t page = emma__regions_page_bytes(regions);
    size_t align = align_bytes > page ? align_bytes : page;
    size_t bytes = align + emma__bits_align_up(size_bytes, page); /* the header takes less than one align */
    if (bytes >> EMMA_TRACT_LOG2 >= EMMA_REGION_TRACTS || !emma__commit_charge(&regions->commit, bytes))
        return 0;

    for (unsigned try = 0; try < EMMA_CHUNK_SLICES; try++) {
        emma_region *region;
        uintptr_t address = emma__regions_claim_slots(regions, slots_of(bytes), &region);
        if (address == 0)
            break;
        emma_map_result result = emma__plat_map_at(address, bytes);
        if (result == EMMA_MAP_OCCUPIED)
            continue; /* a stranger's mapping somewhere in it: these slots stay claimed */
        if (result == EMMA_MAP_REFUSED) {
            emma__regions_release_slots(region, address, slots_of(bytes));
            break;
        }
        emma_huge *huge = (emma_huge *)address; // NOLINT(performance-no-int-to-ptr)
        huge->region = region;
        huge->block = emma__bits_align_up(address + page, align);
        huge->mapped_bytes = bytes;
        ATOMIC_STORE(&huge->is_live, 1, relaxed);
        ATOMIC_ADD(&regions->huge_bytes, emma__huge_usable(huge), relaxed);
        ATOMIC_ADD(&regions->huge_count, 1, relaxed);
        note(region, address, true);
        mark(regions->directory, address, 0, slots_of(bytes));
        return huge;
    }
    emma__commit_refund(&regions->commit, bytes);
    return 0;
}

void emma__huge_release(emma_regions *regions, emma_huge *huge) {
    uintptr_t address = (uintptr_t)huge;
    emma_region *region = huge->region;
    size_t bytes = huge->mapped_bytes;
    unmark(regions->directory, address, 0, slots_of(bytes));
    note(region, address, false);
    ATOMIC_SUB(&regions->huge_bytes, emma__huge_usable(huge), relaxed);
    ATOMIC_SUB(&regions->huge_count, 1, relaxed);
    if (emma__plat_unmap(address, bytes))
        emma__regions_release_slots(region, address, slots_of(bytes));
    else
        emma__plat_purge(address, bytes); /* the slots stay claimed: something is mapped there */
    emma__commit_refund(&regions->commit, bytes);
}

void emma__huge_release_all(emma_regions *regions) {
    for (emma_region *region = regions->first; region != 0; region = region->next) {
        for (unsigned word = 0; word < EMMA_REGION_SLOT_WORDS; word++) {
            uint64_t bits = ATOMIC_LOAD(&region->word[word].huge, relaxed);
            for (; bits != 0; bits &= bits - 1) {
                uintptr_t address = emma__region_slot_address(region, word * 64 + emma__bits_lowest(bits));
                emma__huge_release(regions, (emma_huge *)address); // NOLINT(performance-no-int-to-ptr)
            }
        }
    }
}

static bool shrink(emma_regions *regions, emma_huge *huge, size_t bytes) {
    uintptr_t address = (uintptr_t)huge;
    unsigned before = slots_of(huge->mapped_bytes);
    unsigned after = slots_of(bytes);
    unmark(regions->directory, address, after, before); /* first: others may map there as soon as it is unmapped */
    if (!emma__plat_unmap(address + bytes, huge->mapped_bytes - bytes)) {
        mark(regions->directory, address, after, before);
        return false;
    }
    ATOMIC_SUB(&regions->huge_bytes, huge->mapped_bytes - bytes, relaxed);
    emma__commit_refund(&regions->commit, huge->mapped_bytes - bytes);
    huge->mapped_bytes = bytes;
    emma__regions_release_slots(huge->region, address + ((uintptr_t)after << EMMA_TRACT_LOG2), before - after);
    return true;
}

static bool grow(emma_regions *regions, emma_huge *huge, size_t bytes) {
    uintptr_t address = (uintptr_t)huge;
    unsigned before = slots_of(huge->mapped_bytes);
    unsigned after = slots_of(bytes);
    uintptr_t end = address + ((uintptr_t)before << EMMA_TRACT_LOG2);
    size_t more = bytes - huge->mapped_bytes;
    if (!emma__commit_charge(&regions->commit, more))
        return false;
    bool claimed = emma__regions_claim_slots_at(huge->region, end, after - before);
    if (!claimed || !emma__plat_resize(huge->block, emma__huge_usable(huge), emma__huge_usable(huge) + more)) {
        if (claimed)
            emma__regions_release_slots(huge->region, end, after - before);
        emma__commit_refund(&regions->commit, more);
        return false;
    }
    ATOMIC_ADD(&regions->huge_bytes, bytes - huge->mapped_bytes, relaxed);
    huge->mapped_bytes = bytes;
    mark(regions->directory, address, before, after);
    return true;
}

bool emma__huge_resize(emma_regions *regions, emma_huge *huge, size_t size_bytes) {
    size_t page = emma__regions_page_bytes(regions);
    size_t bytes = (huge->block - (uintptr_t)huge) + emma__bits_align_up(size_bytes, page);
    if (bytes >> EMMA_TRACT_LOG2 >= EMMA_REGION_TRACTS)
        return false;
    if (bytes == huge->mapped_bytes)
        return true;
    return bytes < huge->mapped_bytes ? shrink(regions, huge, bytes) : grow(regions, huge, bytes);
}

emma_huge *emma__huge_adopt(emma_regions *regions, uintptr_t from, size_t size_bytes, size_t new_bytes) {
    if (new_bytes < EMMA_TRACT_BYTES && ATOMIC_LOAD(&regions->huge_count, relaxed) >= EMMA_HUGE_MAX_SMALL)
        return 0;
    emma_huge *huge = emma__huge_claim(regions, size_bytes, EMMA_BLOCK_ALIGN);
    if (huge == 0)
        return 0;
    /* The pages move to where as many were mapped; then that mapping grows, so that the block is one mapping. */
    if (emma__plat_move_pages(from, huge->block, size_bytes)) {
        if (emma__huge_resize(regions, huge, new_bytes))
            return huge;
        if (!emma__plat_move_pages(huge->block, from, size_bytes)) {
            emma__plat_map_at(from, size_bytes); /* a refused move may have unmapped its target */
            __builtin_memcpy((void *)from, (void *)huge->block, size_bytes); // NOLINT(performance-no-int-to-ptr)
        }
    }
    emma__huge_release(regions, huge);
    return 0;
}

emma_huge *emma__huge_move(emma_regions *regions, emma_huge *huge, size_t new_bytes) {
    emma_huge *to = emma__huge_claim(regions, new_bytes, EMMA_BLOCK_ALIGN);
    if (to == 0)
        return 0;
    size_t usable_bytes = emma__huge_usable(huge);
    size_t mapped_bytes = huge->mapped_bytes;
    uintptr_t address = (uintptr_t)huge;
    unsigned slots = slots_of(mapped_bytes);
    unmark(regions->directory, address, 0, slots); /* first: others may map there as soon as the block has moved */
    if (!emma__plat_move_mapping(huge->block, usable_bytes, to->block, emma__huge_usable(to))) {
        mark(regions->directory, address, 0, slots);
        emma__huge_release(regions, to);
        return 0;
    }
    /* What is left of the old one is its header. Where the block was, others may have mapped by now. */
    emma_region *region = huge->region;
    note(region, address, false);
    emma__commit_refund(&regions->commit, mapped_bytes);
    ATOMIC_SUB(&regions->huge_bytes, usable_bytes, relaxed);
    ATOMIC_SUB(&regions->huge_count, 1, relaxed);
    if (emma__plat_unmap(address, huge->block - address))
        emma__regions_release_slots(region, address, slots);
    return to;
}
