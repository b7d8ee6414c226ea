/* founded.c: the memory of made heaps is founded, and the memory of any heap destroyed. Interface in region.h.
 *
 *     first tract:  | the tract's own | the region's header | the founder's slices | free ... |
 *                   0                 META_SLICES           FIRST_SLICES */
#include "plat/plat.h"
#include "region/huge.h"
#include "region/window.h"

enum {
    STEP_SLICES = EMMA_CHUNK_SLICES / 4,
    FIRST_SLICES = EMMA_TRACT_META_SLICES + EMMA_REGION_HEADER_BYTES / EMMA_SLICE_BYTES, /* before the founder's */
    PACK_FROM = 8192, /* from so many heaps on they are mapped whole: neighbours are one mapping to the kernel then */
};

static emma_region *region_in(const emma_tract *tract) {
    return (emma_region *)emma__tract_address(tract, EMMA_TRACT_META_SLICES); // NOLINT(performance-no-int-to-ptr)
}

bool emma__regions_charge_founder(emma_regions *regions, size_t bytes) {
    if (!emma__regions_charge(regions, bytes))
        return false;
    regions->founded_bytes += bytes;
    return true;
}

uintptr_t emma__regions_found(emma_directory *directory, unsigned slices) {
    if (!emma__commit_charge(&directory->all, EMMA_FOUNDED_BYTES))
        return 0;
    bool is_packed = ATOMIC_ADD(&directory->made, 1, relaxed) >= PACK_FROM;
    unsigned least = FIRST_SLICES + slices + STEP_SLICES;
    unsigned mapped = is_packed ? EMMA_TRACT_SLICES : least;
    uintptr_t address = emma__window_map_founded(directory, (size_t)mapped << EMMA_SLICE_LOG2);
    if (address == 0 && is_packed) { /* a whole tract may be too much for the system, as where overcommit is strict */
        mapped = least;
        address = emma__window_map_founded(directory, (size_t)mapped << EMMA_SLICE_LOG2);
    }
    if (address == 0) {
        ATOMIC_SUB(&directory->made, 1, relaxed);
        emma__commit_cancel(&directory->all, EMMA_FOUNDED_BYTES);
        return 0;
    }
    emma_tract *tract = emma__tract_of(address);
    emma_region *region = region_in(tract);
    region->base = address;
    ATOMIC_STORE(&region->word[0].slot, 1, relaxed);
    ATOMIC_STORE(&tract->mapped_slices, mapped, relaxed);
    return emma__tract_address(tract, FIRST_SLICES);
}

void emma__regions_settle(emma_regions *regions, emma_directory *directory, uintptr_t founded, unsigned slices) {
    emma_tract *tract = emma__tract_of(founded);
    emma_region *region = region_in(tract);
    unsigned mapped = ATOMIC_LOAD(&tract->mapped_slices, relaxed);
    unsigned used = FIRST_SLICES + slices;
    regions->base = EMMA_NO_BASE;
    regions->founded = (uintptr_t)tract;
    regions->directory = directory;
    regions->is_made = true;
    regions->mapped_slices = mapped;
    regions->used_slices = used;
    regions->growing = tract;
    regions->founded_bytes = EMMA_FOUNDED_BYTES;
    emma__commit_charge_anyway(&regions->commit, EMMA_FOUNDED_BYTES); /* and all heaps by emma__regions_found */
    region->owner = regions;
    ATOMIC_STORE(&regions->first, region, release);
    emma__window_add_tract(region, tract, mapped);
    if (mapped > used)
        emma__tract_release(tract, used, mapped - used, EMMA_SLICES_KEPT);
}

static void unmap_tract(emma_directory *directory, emma_tract *tract) {
    size_t bytes = (size_t)ATOMIC_LOAD(&tract->mapped_slices, relaxed) << EMMA_SLICE_LOG2;
    emma__directory_set(directory, (uintptr_t)tract, EMMA_GRANULE_NONE);
    emma__regions_unmap((uintptr_t)tract, bytes);
}

void emma__regions_destroy(emma_regions *regions) {
    emma_directory *directory = regions->directory;
    uintptr_t founded = regions->founded;
    emma__huge_release_all(regions);
    size_t charged = ATOMIC_LOAD(&regions->commit.bytes, relaxed);
    emma_tract *next_tract;
    for (emma_tract *tract = emma__regions_next_tract(regions, 0); tract != 0; tract = next_tract) {
        next_tract = emma__regions_next_tract(regions, tract);
        if ((uintptr_t)tract != founded)
            unmap_tract(directory, tract);
    }
    emma_region *next;
    for (emma_region *region = regions->first; region != 0; region = next) {
        next = region->next;
        if (region->header_bytes != 0)
            emma__plat_unmap((uintptr_t)region, region->header_bytes);
    }
    if (founded != EMMA_NO_BASE)
        unmap_tract(directory, emma__tract_of(founded));
    emma__commit_cancel(&directory->all, charged);
    if (founded == EMMA_NO_BASE)
        return;
    ATOMIC_SUB(&directory->made, 1, relaxed);
    ATOMIC_STORE(&directory->next_place, founded >> EMMA_TRACT_LOG2, relaxed); /* its tables are warm */
}
