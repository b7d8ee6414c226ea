/* window.c: see window.h. */
#include "region/window.h"

#include "base/check.h"
#include "plat/plat.h"

enum {
    FIRST_STEP_SLICES = EMMA_CHUNK_SLICES / 2,
    STEP_SLICES_MIN = EMMA_CHUNK_SLICES,
    STEP_SHARE = 8, /* a step is at most this part of what is mapped */
    OPEN_TRIES = 16,
    SLOT_TRIES = 64,
};

/* Address zones where nothing else is put by kernels or sanitizers: { from, length }. The second is for small address
 * spaces; ThreadSanitizer allows one only. */
static const uint64_t zones[2][2] = {
    {UINT64_C(20) << 40, UINT64_C(8) << 40},
    {UINT64_C(64) << 30, UINT64_C(64) << 30},
};
static const uint64_t thread_sanitizer_zone[2] = {UINT64_C(0x7e8000000000), UINT64_C(1) << 39};

static const size_t region_bytes = (size_t)EMMA_REGION_HEADER_BYTES + EMMA_REGION_CLASS_DISTANCE;

/* Map the header of a region at a random place; seed differs from region to region. Returns: its base, or 0. */
static uintptr_t map_header(uintptr_t seed) {
    uint64_t hint = (emma__plat_random_hint() ^ seed) * UINT64_C(0x9e3779b97f4a7c15) >> 8;
    for (unsigned try = 0; try < OPEN_TRIES; try++) { /* half of them in each zone */
        const uint64_t *zone = EMMA_THREAD_SANITIZER ? thread_sanitizer_zone : zones[try * 2 / OPEN_TRIES];
        uintptr_t base = (uintptr_t)(zone[0] + (hint % (zone[1] >> EMMA_TRACT_LOG2) << EMMA_TRACT_LOG2));
        emma_map_result result = emma__plat_map_at(base - region_bytes, region_bytes);
        if (result == EMMA_MAP_DONE)
            return base;
        if (result == EMMA_MAP_REFUSED && try >= OPEN_TRIES / 2)
            break; /* in neither zone: memory is refused, not the address */
        if (result == EMMA_MAP_REFUSED)
            try = OPEN_TRIES / 2 - 1;
        hint = hint * UINT64_C(6364136223846793005) + 1442695040888963407;
    }
    return 0;
}

/* Open another region at the end of the list: built aside, published by one CAS; the loser gives its own back.
 * Returns: the region after last (0: the first), or 0 iff memory is refused. */
static emma_region *open_region(emma_regions *regions, _Atomic(emma_region *) *place) {
    uintptr_t base = map_header((uintptr_t)place);
    if (base == 0)
        return 0;
    emma_region *region = (emma_region *)(base - region_bytes); // NOLINT(performance-no-int-to-ptr)
    region->base = base;
    region->owner = regions;
    emma_region *present = 0;
    if (!ATOMIC_CAS(place, &present, region, acq_rel)) { /* pairs with the acquire loads of first and next */
        emma__plat_unmap(base - region_bytes, region_bytes);
        return present;
    }
    if (place == &regions->first) {
        ATOMIC_STORE(&regions->now_seconds, emma__plat_seconds(), relaxed);
        ATOMIC_STORE(&regions->base, base, release); /* pairs with emma__span_class_fast */
    }
    return region;
}

/* Map some slices behind those that a tract has; those that the caller does not get become free.
 * Returns: the caller's run, 0 iff refused; *occupied tells that the place was not free. */
static uintptr_t extend_tract(emma_regions *regions, emma_tract *tract, unsigned n, unsigned align, bool *occupied) {
    unsigned mapped = ATOMIC_LOAD(&tract->mapped_slices, acquire);
    unsigned start = (unsigned)emma__bits_align_up(mapped, align);
    if (n <= EMMA_CHUNK_SLICES && start % EMMA_CHUNK_SLICES + n > EMMA_CHUNK_SLICES)
        start = (unsigned)emma__bits_align_up(start, EMMA_CHUNK_SLICES); /* short runs do not cross chunks */
    *occupied = true;
    if (start + n > EMMA_TRACT_SLICES)
        return 0;

    size_t step = ATOMIC_LOAD(&regions->mapped_slices, relaxed) / STEP_SHARE;
    unsigned end = (unsigned)emma__bits_align_up(start + n, EMMA_CHUNK_SLICES);
    end = end < mapped + step ? (unsigned)emma__bits_align_up(mapped + step, EMMA_CHUNK_SLICES) : end;
    end = end < EMMA_TRACT_SLICES ? end : EMMA_TRACT_SLICES;

    uintptr_t at = emma__tract_address(tract, mapped);
    emma_map_result result = emma__plat_map_at(at, (size_t)(end - mapped) << EMMA_SLICE_LOG2);
    if (result == EMMA_MAP_REFUSED && end > start + n) {
        end = start + n;
        result = emma__plat_map_at(at, (size_t)(end - mapped) << EMMA_SLICE_LOG2);
    }
    *occupied = result == EMMA_MAP_OCCUPIED;
    if (result != EMMA_MAP_DONE)
        return 0;

    ATOMIC_STORE(&tract->mapped_slices, end, release); /* only who mapped there comes here: no CAS is needed */
    ATOMIC_ADD(&regions->mapped_slices, end - mapped, relaxed);
    ATOMIC_ADD(&regions->used_slices, n, relaxed);
    if (start > mapped)
        emma__tract_release(tract, mapped, start - mapped, false);
    if (end > start + n)
        emma__tract_release(tract, start + n, end - start - n, false);
    return emma__tract_address(tract, start);
}

/* Map a new tract at an address whose slot the caller has claimed, n slices of it claimed. */
static emma_map_result map_tract(emma_region *region, uintptr_t address, unsigned n, unsigned align, uintptr_t *run) {
    emma_regions *regions = region->owner;
    unsigned start = (unsigned)emma__bits_align_up(EMMA_TRACT_META_SLICES, align);
    if (n <= EMMA_CHUNK_SLICES && start + n > EMMA_CHUNK_SLICES)
        start = EMMA_CHUNK_SLICES;
    bool is_first = ATOMIC_LOAD(&regions->mapped_slices, relaxed) == 0;
    size_t step = ATOMIC_LOAD(&regions->mapped_slices, relaxed) / STEP_SHARE;
    step = step > STEP_SLICES_MIN ? step : is_first ? FIRST_STEP_SLICES : STEP_SLICES_MIN;
    size_t end = start + n < step ? step : start + n;
    end = end < EMMA_TRACT_SLICES ? end : EMMA_TRACT_SLICES;

    emma_map_result result = emma__plat_map_at(address, end << EMMA_SLICE_LOG2);
    if (result == EMMA_MAP_REFUSED && end > start + n) {
        end = start + n;
        result = emma__plat_map_at(address, end << EMMA_SLICE_LOG2);
    }
    if (result != EMMA_MAP_DONE)
        return result;

    emma_tract *tract = emma__tract_of(address);
    unsigned slot = (unsigned)((address - region->base) >> EMMA_TRACT_LOG2);
    tract->region = region;
    tract->slot = slot;
    ATOMIC_STORE(&tract->mapped_slices, (unsigned)end, relaxed);
    emma__directory_set(regions->directory, address, EMMA_GRANULE_TRACT);
    ATOMIC_OR(&region->tract[slot / 64], UINT64_C(1) << (slot % 64), release);
    ATOMIC_STORE(&regions->growing, tract, release);
    ATOMIC_ADD(&regions->mapped_slices, end, relaxed);
    ATOMIC_ADD(&regions->used_slices, EMMA_TRACT_META_SLICES + n, relaxed);
    if (start > EMMA_TRACT_META_SLICES)
        emma__tract_release(tract, EMMA_TRACT_META_SLICES, start - EMMA_TRACT_META_SLICES, false);
    if (end > start + n)
        emma__tract_release(tract, start + n, (unsigned)end - start - n, false);
    *run = emma__tract_address(tract, start);
    return EMMA_MAP_DONE;
}

static uintptr_t new_tract(emma_regions *regions, unsigned n, unsigned align) {
    for (unsigned try = 0; try < SLOT_TRIES; try++) {
        emma_region *region;
        uintptr_t run = 0;
        uintptr_t address = emma__regions_claim_slots(regions, 1, &region);
        if (address == 0)
            return 0;
        switch (map_tract(region, address, n, align, &run)) {
        case EMMA_MAP_DONE:
            return run;
        case EMMA_MAP_OCCUPIED: /* a stranger's mapping: the slot stays claimed, and nobody tries it again */
            break;
        case EMMA_MAP_REFUSED:
            emma__regions_release_slots(region, address, 1);
            return 0;
        }
    }
    return 0;
}

uintptr_t emma__window_grow(emma_regions *regions, unsigned n, unsigned align) {
    emma_tract *tract = ATOMIC_LOAD(&regions->growing, acquire);
    if (tract != 0) {
        bool occupied;
        uintptr_t run = extend_tract(regions, tract, n, align, &occupied);
        if (run != 0 || !occupied)
            return run;
    }
    return new_tract(regions, n, align);
}

/* Claim n slots of a region from slot on. Returns: whether; if not, nothing is claimed. */
static bool claim_slots_at(emma_region *region, unsigned slot, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        uint64_t bit = UINT64_C(1) << ((slot + i) % 64);
        if ((ATOMIC_OR(&region->slot[(slot + i) / 64], bit, acq_rel) & bit) == 0)
            continue;
        while (i-- > 0)
            ATOMIC_AND(&region->slot[(slot + i) / 64], ~(UINT64_C(1) << ((slot + i) % 64)), release);
        return false;
    }
    return true;
}

static bool slot_is_claimed(const emma_region *region, unsigned slot) {
    return ATOMIC_LOAD(&region->slot[slot / 64], relaxed) >> (slot % 64) & 1;
}

/* The lowest n unclaimed slots in a row, claimed. Returns: the first, or EMMA_REGION_TRACTS. */
static unsigned claim_slots(emma_region *region, unsigned n) {
    unsigned length = 0;
    for (unsigned slot = 0; slot < EMMA_REGION_TRACTS; slot++) {
        length = slot_is_claimed(region, slot) ? 0 : length + 1;
        if (length < n)
            continue;
        if (claim_slots_at(region, slot + 1 - n, n))
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
            region = open_region(regions, place);
        if (region == 0)
            return 0;
        unsigned slot = claim_slots(region, n);
        if (slot < EMMA_REGION_TRACTS) {
            *found = region;
            return region->base + ((uintptr_t)slot << EMMA_TRACT_LOG2);
        }
        place = &region->next;
    }
}

bool emma__regions_claim_slots_at(emma_region *region, uintptr_t address, unsigned n) {
    unsigned slot = (unsigned)((address - region->base) >> EMMA_TRACT_LOG2);
    return slot + n <= EMMA_REGION_TRACTS && claim_slots_at(region, slot, n);
}

void emma__regions_release_slots(emma_region *region, uintptr_t address, unsigned n) {
    unsigned slot = (unsigned)((address - region->base) >> EMMA_TRACT_LOG2);
    for (unsigned i = 0; i < n; i++)
        ATOMIC_AND(&region->slot[(slot + i) / 64], ~(UINT64_C(1) << ((slot + i) % 64)), release);
}
