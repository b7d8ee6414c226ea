/* slots.c: which slots of a heap's windows are taken, and mapping whole ones. Interface in region.h. */
#include "plat/plat.h"
#include "region/region.h"
#include "region/window.h"

enum { MAP_TRIES = 32 };

/* Claim n slots of a region from slot on. Returns: whether; if not, nothing is claimed. */
static bool claim_at(emma_region *region, unsigned slot, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        uint64_t bit = UINT64_C(1) << ((slot + i) % 64);
        if ((ATOMIC_OR(&region->word[(slot + i) / 64].slot, bit, acq_rel) & bit) == 0)
            continue;
        while (i-- > 0)
            ATOMIC_AND(&region->word[(slot + i) / 64].slot, ~(UINT64_C(1) << ((slot + i) % 64)), release);
        return false;
    }
    return true;
}

/* Claimed, or another heap's at present: windows overlap. */
static bool is_taken(const emma_region *region, unsigned slot) {
    return (ATOMIC_LOAD(&region->word[slot / 64].slot, relaxed) >> (slot % 64) & 1) != 0 ||
           emma__directory_get(region->owner->directory, emma__region_slot_address(region, slot)) != EMMA_GRANULE_NONE;
}

/* The lowest n slots in a row, from a multiple of align on, that nobody has, claimed. Returns: their address, or 0. */
static uintptr_t claim_lowest(emma_region *region, unsigned n, size_t align) {
    unsigned length = 0;
    for (unsigned slot = 0; slot < EMMA_REGION_TRACTS; slot++) {
        bool begins = length != 0 || emma__region_slot_address(region, slot) % align == 0;
        length = begins && !is_taken(region, slot) ? length + 1 : 0;
        if (length < n)
            continue;
        if (claim_at(region, slot + 1 - n, n))
            return emma__region_slot_address(region, slot + 1 - n);
        length = 0;
    }
    return 0;
}

uintptr_t emma__regions_claim_slots(emma_regions *regions, unsigned n, size_t align, emma_region **found) {
    if (n > EMMA_REGION_TRACTS)
        return 0;
    _Atomic(emma_region *) *place = &regions->first;
    for (;;) {
        emma_region *region = ATOMIC_LOAD(place, acquire);
        if (region == 0)
            region = emma__window_open(regions, place);
        if (region == 0)
            return 0;
        uintptr_t address = claim_lowest(region, n, align);
        *found = region;
        if (address != 0)
            return address;
        place = &region->next;
    }
}

bool emma__regions_claim_slots_at(emma_region *region, uintptr_t address, unsigned n) {
    unsigned slot = emma__region_slot_of(region, address);
    return slot + n <= EMMA_REGION_TRACTS && claim_at(region, slot, n);
}

void emma__regions_release_slots(emma_region *region, uintptr_t address, unsigned n) {
    unsigned slot = emma__region_slot_of(region, address);
    for (unsigned i = 0; i < n; i++)
        ATOMIC_AND(&region->word[(slot + i) / 64].slot, ~(UINT64_C(1) << ((slot + i) % 64)), release);
}

uintptr_t emma__regions_map_slots(emma_regions *regions, size_t bytes, size_t align, emma_region **found) {
    unsigned n = emma__region_slots_for(bytes);
    for (unsigned try = 0; try < MAP_TRIES; try++) {
        uintptr_t address = emma__regions_claim_slots(regions, n, align, found);
        if (address == 0)
            return 0;
        emma_map_result result = emma__plat_map_at(address, bytes);
        if (result == EMMA_MAP_DONE)
            return address;
        if (result == EMMA_MAP_REFUSED) {
            emma__regions_release_slots(*found, address, n);
            return 0;
        } /* occupied, by a stranger's mapping somewhere in it: these slots stay claimed */
    }
    return 0;
}

bool emma__regions_unmap(uintptr_t address, size_t bytes) {
    if (emma__plat_unmap(address, bytes))
        return true;
    emma__plat_purge(address, bytes);
    return false;
}
