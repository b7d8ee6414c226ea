/* window_test.c: region/window.h: opening regions, claiming slots, mapping step by step, strangers in the way. */
#include "region/window.h"

#include "../tap.h"
#include "plat/plat.h"
#include "unit.h"

enum { STEP = EMMA_CHUNK_SLICES };

static emma_regions regions = EMMA_REGIONS_INITIAL(&unit_directory);

static emma_tract *grow(unsigned n, unsigned align) {
    uintptr_t address = emma__window_grow(&regions, n, align);
    OK(address != 0);
    OK(emma__regions_valid(&regions));
    if (address == 0)
        return 0;
    emma_tract *tract = emma__tract_of(address);
    unsigned slice = emma__tract_slice_of(address);
    IS(slice % align, 0);
    OK(slice >= EMMA_TRACT_META_SLICES && slice + n <= tract->mapped_slices);
    OK(n > EMMA_CHUNK_SLICES || slice / EMMA_CHUNK_SLICES == (slice + n - 1) / EMMA_CHUNK_SLICES);
    for (unsigned i = slice; i < slice + n; i++)
        OK((tract->chunk[i / EMMA_CHUNK_SLICES] >> 32 >> i % EMMA_CHUNK_SLICES & 1) == 0); /* the caller's */
    OK(unit_is_zero(unit_pointer(address), EMMA_SLICE_BYTES));
    IS(emma__directory_get(&unit_directory, address), EMMA_GRANULE_TRACT);
    return tract;
}

static unsigned free_slices(const emma_tract *tract) {
    unsigned count = 0;
    for (unsigned chunk = 0; chunk < EMMA_TRACT_CHUNKS; chunk++)
        count += emma__bits_count(tract->chunk[chunk] >> 32);
    return count;
}

static void first_growth_is_small(void) {
    unit_regions_reset(&regions);
    IS(regions.base, EMMA_NO_BASE);
    OK(emma__regions_valid(&regions)); /* no memory is a valid value */
    emma_tract *tract = grow(1, 1);
    if (tract == 0)
        return;
    IS(tract->mapped_slices, STEP / 2);
    IS(regions.mapped_slices, STEP / 2);
    IS(regions.used_slices, 2); /* the tract's own and the caller's */
    IS(free_slices(tract), STEP / 2 - 2);
    IS(regions.dirty_slices, 0);
    IS(regions.base, regions.first->base);
    OK(regions.first->owner == &regions && regions.first->next == 0);
    IS(regions.base % EMMA_TRACT_BYTES, 0);
    OK(unit_is_zero(emma__region_classes(regions.base), EMMA_REGION_SLICES));
    OK(tract->region == regions.first);
}

static void first_growth_for_a_long_run(void) {
    unit_regions_reset(&regions);
    emma_tract *tract = grow(EMMA_RUN_MAX_SLICES, 1);
    IS(regions.mapped_slices, EMMA_RUN_MAX_SLICES + (tract != 0 ? 1 : 0));
    unit_regions_reset(&regions);
    tract = grow(EMMA_CHUNK_SLICES, 1); /* does not fit behind the tract's own slice */
    IS(tract != 0 ? free_slices(tract) : 0, EMMA_CHUNK_SLICES - 1);
}

/* Everything is used up, so each growth maps: a step of 1/8, at least 2 MiB, as long as the tract lasts. */
static void grows_in_steps(void) {
    unit_regions_reset(&regions);
    grow(1, 1);
    for (unsigned i = 0; i < 400 && tap.failures == 0; i++) {
        size_t before = regions.mapped_slices;
        emma_tract *tract = grow(1, 1);
        if (tract == 0)
            return;
        size_t step = regions.mapped_slices - before;
        size_t most = before / 8 > STEP ? before / 8 : STEP;
        OK(step <= most + STEP); /* rounded up to a chunk */
        OK(step >= STEP || tract->mapped_slices == EMMA_TRACT_SLICES || tract->mapped_slices % STEP == 0);
        IS(regions.used_slices, 2 + i + 1 + (regions.mapped_slices - 1) / EMMA_TRACT_SLICES);
        OK(regions.mapped_slices <= (size_t)EMMA_TRACT_SLICES * 1000);
        if (before > (size_t)EMMA_TRACT_SLICES * 3)
            break;
    }
    OK(regions.mapped_slices > (size_t)EMMA_TRACT_SLICES); /* it came to further tracts */
}

static void aligned_growth(void) {
    for (unsigned align = 1; align <= EMMA_CHUNK_SLICES; align *= 2) {
        unit_regions_reset(&regions);
        static const unsigned lengths[] = {1, 31, 32, 33, EMMA_RUN_MAX_SLICES};
        for (unsigned i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
            if (lengths[i] + align <= EMMA_TRACT_SLICES)
                grow(lengths[i], align);
    }
}

/* A stranger behind what is mapped: the tract stays as it is, growth goes on in the next slot. */
static void stranger_behind_the_tract(void) {
    unit_regions_reset(&regions);
    emma_tract *tract = grow(1, 1);
    if (tract == 0)
        return;
    unsigned mapped = tract->mapped_slices;
    uintptr_t behind = emma__tract_address(tract, mapped);
    IS(emma__plat_map_at(behind, EMMA_SLICE_BYTES), EMMA_MAP_DONE);
    unit_fill(unit_pointer(behind), 4096, 5);
    emma_tract *next = grow(1, 1);
    OK(next != tract);
    IS(tract->mapped_slices, mapped);
    OK(unit_is_filled(unit_pointer(behind), 4096, 5));
    IS((uintptr_t)next, (uintptr_t)tract + EMMA_TRACT_BYTES);
    OK(emma__plat_unmap(behind, EMMA_SLICE_BYTES));
}

/* A stranger in the next slots: each is left claimed for ever, and the one behind them taken. */
static void stranger_in_a_slot(void) {
    unit_regions_reset(&regions);
    emma_tract *tract = grow(1, 1);
    if (tract == 0)
        return;
    uintptr_t second = (uintptr_t)tract + EMMA_TRACT_BYTES;
    uintptr_t third = second + EMMA_TRACT_BYTES;
    IS(emma__plat_map_at(emma__tract_address(tract, tract->mapped_slices), EMMA_SLICE_BYTES), EMMA_MAP_DONE);
    IS(emma__plat_map_at(second, EMMA_SLICE_BYTES), EMMA_MAP_DONE);
    IS(emma__plat_map_at(third + EMMA_SLICE_BYTES, EMMA_SLICE_BYTES), EMMA_MAP_DONE);
    emma_tract *next = grow(1, 1);
    IS((uintptr_t)next, third + EMMA_TRACT_BYTES);
    OK(unit_is_zero(unit_pointer(second), EMMA_SLICE_BYTES));
    IS(emma__directory_get(&unit_directory, second), EMMA_GRANULE_NONE);
    IS(emma__directory_get(&unit_directory, third), EMMA_GRANULE_NONE);
    IS(regions.first->word[0].slot & 15, 15);
    IS(regions.first->word[0].tract & 15, 9);
    OK(emma__regions_next_tract(&regions, tract) == next);
    OK(emma__plat_unmap(emma__tract_address(tract, tract->mapped_slices), EMMA_SLICE_BYTES));
    OK(emma__plat_unmap(second, EMMA_SLICE_BYTES) && emma__plat_unmap(third + EMMA_SLICE_BYTES, EMMA_SLICE_BYTES));
    emma_tract *again = grow(EMMA_RUN_MAX_SLICES, 1);
    OK((uintptr_t)again > third); /* for ever, also when the stranger is gone */
}

static void slots_are_claimed_in_rows(void) {
    unit_regions_reset(&regions);
    emma_region *region = 0;
    uintptr_t one = emma__regions_claim_slots(&regions, 1, 1, &region);
    uintptr_t three = emma__regions_claim_slots(&regions, 3, 1, &region);
    uintptr_t two = emma__regions_claim_slots(&regions, 2, 1, &region);
    OK(region == regions.first);
    IS(one, regions.base);
    IS(three, one + EMMA_TRACT_BYTES);
    IS(two, three + 3 * (uintptr_t)EMMA_TRACT_BYTES);
    emma__regions_release_slots(region, three, 3);
    IS(emma__regions_claim_slots(&regions, 4, 1, &region), two + 2 * (uintptr_t)EMMA_TRACT_BYTES);
    IS(emma__regions_claim_slots(&regions, 2, 1, &region), three); /* the lowest that are enough */
    OK(!emma__regions_claim_slots_at(region, three + EMMA_TRACT_BYTES, 2));
    OK(emma__regions_claim_slots_at(region, three + 2 * (uintptr_t)EMMA_TRACT_BYTES, 1));
    OK(!emma__regions_claim_slots_at(region, three + 2 * (uintptr_t)EMMA_TRACT_BYTES, 1));
    OK(emma__regions_claim_slots_at(region, three, 0)); /* none at all: nothing to refuse */
}

/* A claim that fails half-way leaves nothing claimed. */
static void failed_slot_claims_leave_nothing(void) {
    unit_regions_reset(&regions);
    emma_region *region = 0;
    uintptr_t first = emma__regions_claim_slots(&regions, 1, 1, &region);
    uintptr_t fifth = first + 4 * (uintptr_t)EMMA_TRACT_BYTES;
    OK(emma__regions_claim_slots_at(region, fifth, 1));
    OK(!emma__regions_claim_slots_at(region, first + EMMA_TRACT_BYTES, 4));
    IS(region->word[0].slot, 0x11);
    uintptr_t end = region->base + (uintptr_t)EMMA_REGION_TRACTS * EMMA_TRACT_BYTES;
    OK(!emma__regions_claim_slots_at(region, end - EMMA_TRACT_BYTES, 2));
    OK(emma__regions_claim_slots_at(region, end - EMMA_TRACT_BYTES, 1));
    OK(!emma__regions_claim_slots_at(region, end, 1));
    IS(emma__regions_claim_slots(&regions, EMMA_REGION_TRACTS + 1, 1, &region), 0);
}

/* A row that the first region no longer has comes from a second one. */
static void full_region_is_followed_by_another(void) {
    unit_regions_reset(&regions);
    emma_region *region = 0;
    OK(emma__regions_claim_slots(&regions, 2, 1, &region) != 0);
    uintptr_t base = regions.base;
    uintptr_t all = emma__regions_claim_slots(&regions, EMMA_REGION_TRACTS, 1, &region);
    OK(all != 0 && region != 0 && region != regions.first && region == regions.first->next);
    IS(all, region->base);
    IS(regions.base, base); /* the first stays the first */
    OK(region->owner == &regions);
    IS(emma__regions_claim_slots(&regions, 1, 1, &region), base + 2 * (uintptr_t)EMMA_TRACT_BYTES);
    OK(region == regions.first);
    OK(base != all); /* windows may overlap: what is mapped does not */
}

/* Each heap has a region of its own; nothing says how many heaps there may be. */
static void many_heaps_open_regions(void) {
    enum { HEAPS = 40 };
    static emma_regions heap[HEAPS];
    unsigned opened = 0;
    for (unsigned i = 0; i < HEAPS; i++) {
        heap[i] = (emma_regions)EMMA_REGIONS_INITIAL(&unit_directory);
        opened += emma__window_grow(&heap[i], 1, 1) != 0;
    }
    IS(opened, HEAPS);
    for (unsigned i = 0; i < HEAPS; i++)
        unit_regions_reset(&heap[i]);
}

/* Huge pages: one is tried in each step, and where it was slow none is until twice as much is mapped. Where pages are
 * too large for that nothing is asked for. */
static void slow_huge_pages_are_put_off(void) {
    unit_regions_reset(&regions);
    regions.huge_pages_bytes = 1;
    grow(1, 1); /* less than a chunk is mapped */
    emma_tract *tract = grow(EMMA_CHUNK_SLICES, 1);
    if (tract == 0 || tract->huge_pages == 0) {
        OK(EMMA_CHUNK_BYTES < (4 << 20) && emma__plat_page_bytes() > 4096);
        return;
    }
    unsigned first = emma__bits_lowest(tract->huge_pages);
    IS(unit_resident_pages((uintptr_t)tract + first * (uintptr_t)EMMA_CHUNK_BYTES, 4096), 1); /* it was tried */
    size_t mapped = regions.mapped_slices;
    regions.huge_pages_slow = mapped;
    uint32_t asked = tract->huge_pages;
    while (regions.mapped_slices + EMMA_CHUNK_SLICES < 2 * mapped)
        grow(EMMA_CHUNK_SLICES, 1);
    IS(tract->huge_pages, asked);
    IS(regions.huge_pages_slow, mapped);
    while (tract->huge_pages == asked && tract->mapped_slices < EMMA_TRACT_SLICES)
        grow(EMMA_CHUNK_SLICES, 1);
    OK(tract->huge_pages != asked && regions.mapped_slices / 2 >= mapped);
    OK(regions.huge_pages_slow == 0 || regions.huge_pages_slow == regions.mapped_slices);
    unit_regions_reset(&regions);
}

/* The one that was tried may be nobody's, and goes back like what was freed. */
static void tried_huge_pages_go_back(void) {
    unit_regions_reset(&regions);
    emma_tract *last = grow(EMMA_CHUNK_SLICES, 1);
    while (last != 0 && (last->mapped_slices < EMMA_TRACT_SLICES || regions.mapped_slices / 8 < 2 * EMMA_CHUNK_SLICES))
        last = grow(EMMA_CHUNK_SLICES, 1);
    regions.huge_pages_bytes = 1;
    emma_tract *tract = grow(1, 1); /* a new one, some chunks of it */
    if (tract == 0 || tract->huge_pages == 0) {
        OK(EMMA_CHUNK_BYTES < (4 << 20) && emma__plat_page_bytes() > 4096);
        return;
    }
    uintptr_t tried = (uintptr_t)tract + EMMA_CHUNK_BYTES;
    OK(tract != last && unit_resident_pages(tried, EMMA_CHUNK_BYTES) != 0);
    IS(regions.dirty_slices, 1);
    IS(emma__regions_purge_chunk(&regions, tract, 1), 1);
    IS(regions.dirty_slices, 0);
    IS(unit_resident_pages(tried, EMMA_CHUNK_BYTES), 0);
    unit_regions_reset(&regions);
}

TAP_MAIN({"the first growth maps half a chunk", first_growth_is_small},
         {"the first growth maps what is asked for", first_growth_for_a_long_run},
         {"growth goes in steps of an eighth, into further tracts", grows_in_steps},
         {"growth for aligned runs, short and long", aligned_growth},
         {"a stranger's mapping behind the tract", stranger_behind_the_tract},
         {"strangers' mappings in the next slots", stranger_in_a_slot},
         {"slots are claimed in rows, lowest first", slots_are_claimed_in_rows},
         {"a claim of slots that fails leaves nothing", failed_slot_claims_leave_nothing},
         {"a region without room is followed by another", full_region_is_followed_by_another},
         {"many heaps in one process", many_heaps_open_regions},
         {"huge pages that come slowly are put off", slow_huge_pages_are_put_off},
         {"huge pages that were tried go back", tried_huge_pages_go_back})
