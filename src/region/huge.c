/* huge.c: see huge.h. */
#include "region/huge.h"

#include "base/check.h"
#include "plat/plat.h"

enum { LEAF_LOG2 = EMMA_TRACT_LOG2 + EMMA_HUGE_LEAF_LOG2, LEAF_RECORDS = 1 << EMMA_HUGE_LEAF_LOG2 };

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

/* Returns: the record of a granule; 0 iff it has none yet. */
static emma_huge *record_at(const emma_directory *directory, uintptr_t address) {
    emma_huge *leaf = ATOMIC_LOAD(&directory->huge[address >> LEAF_LOG2], acquire); /* pairs with make_record */
    return leaf != 0 ? &leaf[(address >> EMMA_TRACT_LOG2) % LEAF_RECORDS] : 0;
}

/* Returns: the record of a granule, made if it has none; 0 iff memory is refused. */
static EMMA_COLD emma_huge *make_record(emma_regions *regions, uintptr_t address) {
    size_t bytes = emma__bits_align_up(sizeof(emma_huge) * LEAF_RECORDS, emma__regions_page_bytes(regions));
    uintptr_t memory = emma__plat_map(bytes);
    emma_huge *none = 0;
    /* Publishes the leaf: pairs with record_at. */
    if (memory != 0 && !ATOMIC_CAS(&regions->directory->huge[address >> LEAF_LOG2], &none, (emma_huge *)memory,
                                   acq_rel)) // NOLINT(performance-no-int-to-ptr)
        emma__plat_unmap(memory, bytes);
    return record_at(regions->directory, address);
}

bool emma__huge_look(const emma_directory *directory, uintptr_t address, emma_huge_view *view) {
    uintptr_t granule = address & ~((uintptr_t)EMMA_TRACT_BYTES - 1);
    while (emma__directory_get(directory, granule) == EMMA_GRANULE_HUGE_REST)
        granule -= EMMA_TRACT_BYTES;
    if (emma__directory_get(directory, granule) != EMMA_GRANULE_HUGE)
        return false;
    const emma_huge *huge = record_at(directory, granule); /* there is one: it was made before the granule was marked */
    size_t version = ATOMIC_LOAD(&huge->version, acquire);
    *view = (emma_huge_view){ATOMIC_LOAD(&huge->owner, acquire), granule, ATOMIC_LOAD(&huge->usable_bytes, acquire)};
    return version % 2 != 0 && ATOMIC_LOAD(&huge->version, relaxed) == version; /* these pair as huge.h says */
}

emma_huge *emma__huge_find(const emma_directory *directory, uintptr_t address) {
    bool is_start = address % EMMA_TRACT_BYTES == 0 && emma__directory_get(directory, address) == EMMA_GRANULE_HUGE;
    emma_huge *huge = is_start ? record_at(directory, address) : 0;
    return huge != 0 && ATOMIC_LOAD(&huge->version, acquire) % 2 != 0 ? huge : 0;
}

/* A mapping has been made at address. */
static void begin(emma_huge *huge, emma_region *region, uintptr_t address, size_t bytes) {
    emma_regions *regions = region->owner;
    huge->block = address;
    ATOMIC_STORE(&huge->owner, regions, release);
    ATOMIC_STORE(&huge->region, region, release);
    ATOMIC_STORE(&huge->usable_bytes, bytes, release);
    ATOMIC_ADD(&huge->version, 1, release);
    ATOMIC_ADD(&regions->huge_bytes, bytes, relaxed);
    ATOMIC_ADD(&regions->huge_count, 1, relaxed);
    note(region, address, true);
    mark(regions->directory, address, 0, emma__region_slots_for(bytes));
}

emma_huge *emma__huge_claim(emma_regions *regions, size_t size_bytes, size_t align_bytes) {
    size_t bytes = emma__bits_align_up(size_bytes + (size_bytes == 0), emma__regions_page_bytes(regions));
    if ((bytes + align_bytes) >> EMMA_TRACT_LOG2 >= EMMA_REGION_TRACTS || !emma__regions_charge(regions, bytes))
        return 0;

    emma_region *region;
    uintptr_t address = emma__regions_map_slots(regions, bytes, align_bytes, &region);
    emma_huge *huge = address != 0 ? record_at(regions->directory, address) : 0;
    if (huge == 0 && address != 0)
        huge = make_record(regions, address);
    if (huge != 0) {
        begin(huge, region, address, bytes);
        return huge;
    }
    if (address != 0 && emma__regions_unmap(address, bytes))
        emma__regions_release_slots(region, address, emma__region_slots_for(bytes));
    emma__regions_cancel(regions, bytes);
    return 0;
}

/* The block is gone for all who look; the record is still the caller's, until the mapping is gone.
 * Returns: false iff another thread was quicker. */
static bool end(emma_huge *huge) {
    size_t version = ATOMIC_LOAD(&huge->version, relaxed);
    return version % 2 != 0 && ATOMIC_CAS(&huge->version, &version, version + 1, acq_rel);
}

/* Its mapping is gone: it counts no more. are_free: so are its addresses; otherwise the slots stay claimed. */
static void forget(emma_region *region, uintptr_t address, size_t bytes, bool are_free) {
    emma_regions *regions = region->owner;
    note(region, address, false);
    ATOMIC_SUB(&regions->huge_bytes, bytes, relaxed);
    ATOMIC_SUB(&regions->huge_count, 1, relaxed);
    emma__regions_refund(regions, bytes);
    if (are_free)
        emma__regions_release_slots(region, address, emma__region_slots_for(bytes));
}

/* is_mapped: its mapping is there; otherwise a stranger's may be. */
static bool release(emma_regions *regions, emma_huge *huge, bool is_mapped) {
    uintptr_t address = huge->block;
    emma_region *region = ATOMIC_LOAD(&huge->region, relaxed);
    if (!end(huge))
        return false;
    size_t bytes = emma__huge_usable(huge);
    unmark(regions->directory, address, 0, emma__region_slots_for(bytes));
    forget(region, address, bytes, is_mapped && emma__regions_unmap(address, bytes));
    return true;
}

bool emma__huge_release(emma_regions *regions, emma_huge *huge) {
    return release(regions, huge, true);
}

void emma__huge_release_all(emma_regions *regions) {
    for (emma_region *region = regions->first; region != 0; region = region->next) {
        for (unsigned word = 0; word < EMMA_REGION_SLOT_WORDS; word++) {
            uint64_t bits = ATOMIC_LOAD(&region->word[word].huge, relaxed);
            for (; bits != 0; bits &= bits - 1) {
                uintptr_t address = emma__region_slot_address(region, word * 64 + emma__bits_lowest(bits));
                emma__huge_release(regions, record_at(regions->directory, address));
            }
        }
    }
}

static bool shrink(emma_regions *regions, emma_huge *huge, size_t bytes) {
    uintptr_t address = huge->block;
    size_t less = emma__huge_usable(huge) - bytes;
    unsigned before = emma__region_slots_for(bytes + less);
    unsigned after = emma__region_slots_for(bytes);
    unmark(regions->directory, address, after, before); /* first: others may map there as soon as it is unmapped */
    if (!emma__plat_unmap(address + bytes, less)) {
        mark(regions->directory, address, after, before);
        return false;
    }
    ATOMIC_SUB(&regions->huge_bytes, less, relaxed);
    emma__regions_refund(regions, less);
    ATOMIC_STORE(&huge->usable_bytes, bytes, release);
    emma__regions_release_slots(ATOMIC_LOAD(&huge->region, relaxed), address + ((uintptr_t)after << EMMA_TRACT_LOG2),
                                before - after);
    return true;
}

static bool grow(emma_regions *regions, emma_huge *huge, size_t bytes) {
    emma_region *region = ATOMIC_LOAD(&huge->region, relaxed);
    size_t usable_bytes = emma__huge_usable(huge);
    unsigned before = emma__region_slots_for(usable_bytes);
    unsigned after = emma__region_slots_for(bytes);
    uintptr_t slots_end = huge->block + ((uintptr_t)before << EMMA_TRACT_LOG2);
    size_t more = bytes - usable_bytes;
    if (!emma__regions_charge(regions, more))
        return false;
    bool claimed = emma__regions_claim_slots_at(region, slots_end, after - before);
    if (!claimed || !emma__plat_resize(huge->block, usable_bytes, bytes)) {
        if (claimed)
            emma__regions_release_slots(region, slots_end, after - before);
        emma__regions_cancel(regions, more);
        return false;
    }
    ATOMIC_ADD(&regions->huge_bytes, more, relaxed);
    ATOMIC_STORE(&huge->usable_bytes, bytes, release);
    mark(regions->directory, huge->block, before, after);
    return true;
}

bool emma__huge_resize(emma_regions *regions, emma_huge *huge, size_t size_bytes) {
    size_t bytes = emma__bits_align_up(size_bytes, emma__regions_page_bytes(regions));
    size_t usable_bytes = emma__huge_usable(huge);
    if (bytes >> EMMA_TRACT_LOG2 >= EMMA_REGION_TRACTS)
        return false;
    if (bytes == usable_bytes)
        return true;
    return bytes < usable_bytes ? shrink(regions, huge, bytes) : grow(regions, huge, bytes);
}

emma_huge *emma__huge_adopt(emma_regions *regions, uintptr_t from, size_t size_bytes, size_t new_bytes) {
    if (new_bytes < EMMA_TRACT_BYTES && ATOMIC_LOAD(&regions->huge_count, relaxed) >= EMMA_HUGE_MAX_SMALL)
        return 0;
    emma_huge *huge = emma__huge_claim(regions, size_bytes, EMMA_BLOCK_ALIGN);
    if (huge == 0)
        return 0;
    /* The pages move to where as many were mapped; then that mapping grows, so that the block is one mapping. */
    emma_move_result result = emma__plat_move_pages(from, huge->block, size_bytes);
    if (result == EMMA_MOVE_DONE) {
        if (emma__huge_resize(regions, huge, new_bytes))
            return huge;
        /* Back by copying, into what is still mapped: a move unmaps its target first, and where it is refused then, a
         * stranger's mapping may be there. */
        __builtin_memcpy((void *)from, (void *)huge->block, size_bytes); // NOLINT(performance-no-int-to-ptr)
    }
    release(regions, huge, result != EMMA_MOVE_LOST);
    return 0;
}

emma_huge *emma__huge_move(emma_regions *regions, emma_huge *huge, size_t new_bytes) {
    emma_huge *to = emma__huge_claim(regions, new_bytes, EMMA_BLOCK_ALIGN);
    if (to == 0)
        return 0;
    uintptr_t address = huge->block;
    emma_region *region = ATOMIC_LOAD(&huge->region, relaxed);
    size_t bytes = emma__huge_usable(huge);
    unsigned slots = emma__region_slots_for(bytes);
    if (!end(huge)) {
        release(regions, to, true);
        return 0;
    }
    unmark(regions->directory, address, 0, slots); /* first: others may map there as soon as the block has moved */
    emma_move_result result = emma__plat_move_mapping(address, bytes, to->block, emma__huge_usable(to));
    if (result != EMMA_MOVE_DONE) {
        ATOMIC_ADD(&huge->version, 1, release);
        mark(regions->directory, address, 0, slots);
        release(regions, to, result != EMMA_MOVE_LOST);
        return 0;
    }
    forget(region, address, bytes, true);
    return to;
}
