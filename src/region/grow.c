/* grow.c: more memory for a heap: a tract is mapped step by step, then another one. Interface in window.h. */
#include "base/check.h"
#include "plat/plat.h"
#include "region/window.h"

enum {
    FIRST_STEP_SLICES = EMMA_CHUNK_SLICES / 2,
    STEP_SLICES_MIN = EMMA_CHUNK_SLICES,
    STEP_SHARE = 8, /* a step is at most this part of what is mapped */
    SLOT_TRIES = 64,
};

/* Where a run of n slices begins that comes at or after slice: short runs do not cross chunks. */
static unsigned place_run(unsigned slice, unsigned n, unsigned align) {
    unsigned start = (unsigned)emma__bits_align_up(slice, align);
    if (n <= EMMA_CHUNK_SLICES && start % EMMA_CHUNK_SLICES + n > EMMA_CHUNK_SLICES)
        start = (unsigned)emma__bits_align_up(start, EMMA_CHUNK_SLICES);
    return start;
}

/* Map the slices [from, *end) of a tract, or only [from, least) where that is refused; *end tells which. */
static emma_map_result map_slices(uintptr_t tract, unsigned from, unsigned *end, unsigned least) {
    uintptr_t at = tract + ((uintptr_t)from << EMMA_SLICE_LOG2);
    *end = *end < EMMA_TRACT_SLICES ? *end : EMMA_TRACT_SLICES;
    emma_map_result result = emma__plat_map_at(at, (size_t)(*end - from) << EMMA_SLICE_LOG2);
    if (result != EMMA_MAP_REFUSED || *end <= least)
        return result;
    *end = least;
    return emma__plat_map_at(at, (size_t)(least - from) << EMMA_SLICE_LOG2);
}

/* A slice that nobody sees yet was touched. */
static void be_dirty(emma_tract *tract, unsigned slice) {
    emma_regions *regions = tract->owner;
    unsigned chunk = slice / EMMA_CHUNK_SLICES;
    ATOMIC_STORE(&tract->dirty_since[chunk], ATOMIC_LOAD(&regions->now_seconds, relaxed), relaxed);
    ATOMIC_ADD(&regions->dirty_slices, 1, relaxed);
    emma__regions_charge_anyway(regions, EMMA_SLICE_BYTES); /* there is no limit: emma__window_try_huge_pages */
    ATOMIC_OR(&tract->chunk[chunk], UINT64_C(1) << slice % EMMA_CHUNK_SLICES, relaxed);
}

/* The slices [from, end) are mapped: all but the caller's run become free. Returns: the run's address. */
static uintptr_t hand_out(emma_tract *tract, unsigned from, unsigned end, unsigned run, unsigned n) {
    emma_regions *regions = tract->owner;
    ATOMIC_ADD(&regions->mapped_slices, end - from, relaxed);
    unsigned touched = emma__window_try_huge_pages(tract, (unsigned)emma__bits_div_up(from, EMMA_CHUNK_SLICES),
                                                   end / EMMA_CHUNK_SLICES);
    if (touched != EMMA_NO_SLICE && (touched < run || touched >= run + n))
        be_dirty(tract, touched); /* it is resident, and would never be purged */
    ATOMIC_ADD(&regions->used_slices, n, relaxed);
    if (run > from)
        emma__tract_release(tract, from, run - from, EMMA_SLICES_KEPT);
    if (end > run + n)
        emma__tract_release(tract, run + n, end - run - n, EMMA_SLICES_KEPT);
    return emma__tract_address(tract, run);
}

/* Map some slices behind those that a tract has. Returns: the caller's run, 0 iff refused; *occupied tells that the
 * place was not free. */
static uintptr_t extend_tract(emma_regions *regions, emma_tract *tract, unsigned n, unsigned align, bool *occupied) {
    unsigned mapped = ATOMIC_LOAD(&tract->mapped_slices, acquire);
    unsigned run = place_run(mapped, n, align);
    *occupied = true;
    if (run + n > EMMA_TRACT_SLICES)
        return 0;
    size_t step = ATOMIC_LOAD(&regions->mapped_slices, relaxed) / STEP_SHARE;
    size_t most = run + n > mapped + step ? run + n : mapped + step;
    unsigned end = (unsigned)emma__bits_align_up(most, EMMA_CHUNK_SLICES);
    emma_map_result result = map_slices((uintptr_t)tract, mapped, &end, run + n);
    *occupied = result == EMMA_MAP_OCCUPIED;
    if (result != EMMA_MAP_DONE)
        return 0;
    ATOMIC_STORE(&tract->mapped_slices, end, release); /* only who mapped there comes here: no CAS is needed */
    return hand_out(tract, mapped, end, run, n);
}

/* Map a new tract at an address whose slot the caller has claimed, n slices of it claimed. */
static emma_map_result map_tract(emma_region *region, uintptr_t address, unsigned n, unsigned align, uintptr_t *found) {
    emma_regions *regions = region->owner;
    unsigned run = place_run(EMMA_TRACT_META_SLICES, n, align);
    size_t mapped = ATOMIC_LOAD(&regions->mapped_slices, relaxed);
    size_t step = mapped / STEP_SHARE > STEP_SLICES_MIN ? mapped / STEP_SHARE
                  : mapped == 0                         ? FIRST_STEP_SLICES
                                                        : STEP_SLICES_MIN;
    unsigned end = (unsigned)(run + n < step ? step : run + n);
    size_t own_bytes = (size_t)EMMA_TRACT_META_SLICES << EMMA_SLICE_LOG2;
    if (!emma__regions_charge(regions, own_bytes))
        return EMMA_MAP_REFUSED;
    emma_map_result result = map_slices(address, 0, &end, run + n);
    if (result != EMMA_MAP_DONE) {
        emma__regions_cancel(regions, own_bytes);
        return result;
    }
    emma_tract *tract = emma__tract_of(address);
    emma__window_add_tract(region, tract, end);
    ATOMIC_STORE(&regions->growing, tract, release);
    ATOMIC_ADD(&regions->used_slices, EMMA_TRACT_META_SLICES, relaxed);
    ATOMIC_ADD(&regions->mapped_slices, EMMA_TRACT_META_SLICES, relaxed);
    *found = hand_out(tract, EMMA_TRACT_META_SLICES, end, run, n);
    return EMMA_MAP_DONE;
}

static uintptr_t new_tract(emma_regions *regions, unsigned n, unsigned align) {
    for (unsigned try = 0; try < SLOT_TRIES; try++) {
        emma_region *region;
        uintptr_t run = 0;
        uintptr_t address = emma__regions_claim_slots(regions, 1, 1, &region);
        if (address == 0)
            return 0;
        switch (map_tract(region, address, n, align, &run)) {
        case EMMA_MAP_DONE:
            return run;
        case EMMA_MAP_OCCUPIED: /* the slot stays claimed, and nobody tries it again */
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
