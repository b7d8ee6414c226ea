/* slots.c: which slots of a heap's windows are taken. Interface in region.h. */
#include "region/region.h"
#include "region/window.h"

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

/* The lowest n slots in a row that nobody has, claimed. Returns: the first, or EMMA_REGION_TRACTS. */
static unsigned claim_lowest(emma_region *region, unsigned n) {
    unsigned length = 0;
    for (unsigned slot = 0; slot < EMMA_REGION_TRACTS; slot++) {
        length = is_taken(region, slot) ? 0 : length + 1;
        if (length < n)
            continue;
        if (claim_at(region, slot + 1 - n, n))
            return slot + 1 - n;
        length = 0;
    }
    return EMMA_REGION_TRACTS;
}

uintptr_t emma__regions_claim_slots(emma_regions *regions, unsigned n, emma_region **found) {
    if (n > EMMA_REGION_TRACTS)
        return 0;
    _Atomic(emma_region *) *place = &regions->first;
    for (;;) {
        emma_region *region = ATOMIC_LOAD(place, acquire);
        if (region == 0)
            region = emma__window_open(regions, place);
        if (region == 0)
            return 0;
        unsigned slot = claim_lowest(region, n);
        if (slot < EMMA_REGION_TRACTS) {
            *found = region;
            return emma__region_slot_address(region, slot);
        }
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
