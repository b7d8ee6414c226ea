/* region_test.c: region/region.h: claims, releases, purging and the counts, over all tracts of a heap. */
#include "region/region.h"

#include "../tap.h"
#include "plat/plat.h"
#include "unit.h"

static emma_regions regions = EMMA_REGIONS_INITIAL(&unit_directory);

/* used + free = mapped, and the counts say what the words say. */
static bool counts_agree(void) {
    size_t mapped = 0;
    size_t free = 0;
    size_t dirty = 0;
    for (emma_tract *tract = emma__regions_next_tract(&regions, 0); tract != 0;
         tract = emma__regions_next_tract(&regions, tract)) {
        mapped += tract->mapped_slices;
        for (unsigned chunk = 0; chunk < EMMA_TRACT_CHUNKS; chunk++) {
            free += emma__bits_count(tract->chunk[chunk] >> 32);
            dirty += emma__bits_count(tract->chunk[chunk] >> 32 & tract->chunk[chunk]);
        }
    }
    return mapped == regions.mapped_slices && dirty == regions.dirty_slices && mapped - free == regions.used_slices &&
           emma__regions_valid(&regions);
}

static void lowest_address_first(void) {
    unit_regions_reset(&regions);
    uintptr_t block[6];
    for (unsigned i = 0; i < 6; i++)
        block[i] = emma__regions_claim(&regions, 2, 1);
    for (unsigned i = 1; i < 6; i++)
        IS(block[i], block[i - 1] + 2 * EMMA_SLICE_BYTES);
    emma__regions_release(&regions, block[4], 2);
    emma__regions_release(&regions, block[1], 2);
    IS(emma__regions_claim(&regions, 2, 1), block[1]);
    IS(emma__regions_claim(&regions, 2, 1), block[4]);
    OK(counts_agree());
}

static void memory_is_readable_and_zero(void) {
    unit_regions_reset(&regions);
    for (unsigned n = 1; n <= EMMA_RUN_MAX_SLICES; n = 2 * n + 1) {
        uintptr_t address = emma__regions_claim(&regions, n, 1);
        if (!OK(address != 0))
            return;
        for (unsigned i = 0; i < n; i++)
            OK(unit_is_zero(unit_pointer(address + (uintptr_t)i * EMMA_SLICE_BYTES), EMMA_SLICE_BYTES));
        unit_fill(unit_pointer(address), 64, n);
        unit_fill(unit_pointer(address + (uintptr_t)n * EMMA_SLICE_BYTES - 64), 64, n);
        OK(unit_is_filled(unit_pointer(address + (uintptr_t)n * EMMA_SLICE_BYTES - 64), 64, n));
    }
    OK(counts_agree());
}

static void a_part_of_a_run_goes_back(void) {
    unit_regions_reset(&regions);
    unsigned n = EMMA_CHUNK_SLICES + 9;
    uintptr_t address = emma__regions_claim(&regions, n, 1);
    size_t used = regions.used_slices;
    emma__regions_release(&regions, address + 5 * (uintptr_t)EMMA_SLICE_BYTES, n - 5);
    IS(regions.used_slices, used - (n - 5));
    IS(regions.dirty_slices, n - 5);
    IS(regions.freed_slices, n - 5);
    OK(counts_agree());
    OK(emma__regions_claim_at(&regions, address + 5 * (uintptr_t)EMMA_SLICE_BYTES, n - 5));
    OK(!emma__regions_claim_at(&regions, address, 1));
    IS(regions.used_slices, used);
    IS(regions.dirty_slices, 0);
    OK(counts_agree());
}

static void a_tracts_end_cannot_be_claimed(void) {
    unit_regions_reset(&regions);
    uintptr_t address = emma__regions_claim(&regions, 1, 1);
    uintptr_t end = (uintptr_t)emma__tract_of(address) + EMMA_TRACT_BYTES;
    OK(!emma__regions_claim_at(&regions, end, 1));
    OK(!emma__regions_claim_at(&regions, end - EMMA_SLICE_BYTES, 2));
    OK(!emma__regions_claim_at(&regions, end - EMMA_SLICE_BYTES, 1)); /* not mapped yet */
    OK(counts_agree());
}

/* Purged pages leave memory, read as zero and are clean; busy and clean ones stay. */
static void a_chunk_is_purged(void) {
    unit_regions_reset(&regions);
    size_t page = emma__regions_page_bytes(&regions);
    OK(page >= 4096 && emma__bits_is_pow2(page));
    uintptr_t address = emma__regions_claim(&regions, 12, 1);
    emma_tract *tract = emma__tract_of(address);
    for (unsigned i = 0; i < 12; i++)
        unit_fill(unit_pointer(address + (uintptr_t)i * EMMA_SLICE_BYTES), EMMA_SLICE_BYTES, i);
    emma__regions_release(&regions, address + 2 * (uintptr_t)EMMA_SLICE_BYTES, 3);
    emma__regions_release(&regions, address + 7 * (uintptr_t)EMMA_SLICE_BYTES, 1);
    IS(unit_resident_pages(address, 12 * EMMA_SLICE_BYTES), 12 * (EMMA_SLICE_BYTES / page));
    IS(emma__regions_purge_chunk(&regions, tract, 0), 4);
    IS(unit_resident_pages(address, 12 * EMMA_SLICE_BYTES), 8 * (EMMA_SLICE_BYTES / page));
    IS(regions.dirty_slices, 0);
    OK(counts_agree());
    IS(emma__regions_purge_chunk(&regions, tract, 0), 0); /* nothing left to do */
    for (unsigned i = 0; i < 12; i++) {
        bool purged = (i >= 2 && i < 5) || i == 7;
        const void *slice = unit_pointer(address + (uintptr_t)i * EMMA_SLICE_BYTES);
        OK(purged ? unit_is_zero(slice, EMMA_SLICE_BYTES) : unit_is_filled(slice, EMMA_SLICE_BYTES, i));
    }
    IS(emma__regions_claim(&regions, 3, 1), address + 2 * (uintptr_t)EMMA_SLICE_BYTES);
    OK(!emma__tract_is_dirty(tract, emma__tract_slice_of(address) + 2));
}

static void a_whole_chunk_is_purged(void) {
    unit_regions_reset(&regions);
    uintptr_t address = emma__regions_claim(&regions, EMMA_CHUNK_SLICES, EMMA_CHUNK_SLICES);
    IS(address % EMMA_CHUNK_BYTES, 0);
    unit_fill(unit_pointer(address), EMMA_CHUNK_BYTES, 1);
    emma__regions_release(&regions, address, EMMA_CHUNK_SLICES);
    unsigned chunk = emma__tract_slice_of(address) / EMMA_CHUNK_SLICES;
    IS(emma__regions_purge_chunk(&regions, emma__tract_of(address), chunk), EMMA_CHUNK_SLICES);
    IS(unit_resident_pages(address, EMMA_CHUNK_BYTES), 0);
    OK(unit_is_zero(unit_pointer(address), EMMA_CHUNK_BYTES));
    OK(counts_agree());
}

static void tracts_are_walked_in_order(void) {
    unit_regions_reset(&regions);
    OK(emma__regions_next_tract(&regions, 0) == 0);
    while (regions.mapped_slices < 3 * (size_t)EMMA_TRACT_SLICES)
        if (!OK(emma__regions_claim(&regions, EMMA_RUN_MAX_SLICES, 1) != 0))
            return;
    unsigned count = 0;
    const emma_tract *before = 0;
    for (emma_tract *tract = emma__regions_next_tract(&regions, 0); tract != 0;
         tract = emma__regions_next_tract(&regions, tract)) {
        OK(tract > before);
        before = tract;
        count++;
    }
    OK(count >= 3);
    OK(counts_agree());
}

/* A purged, then reused slice is not counted twice; a random life of a few hundred runs. */
static void counts_agree_after_random_steps(void) {
    static struct {
        uintptr_t address;
        unsigned n;
    } held[200];
    unsigned count = 0;
    uint64_t state = 99;
    unit_regions_reset(&regions);
    for (unsigned step = 0; step < 20000 && tap.failures == 0; step++) {
        unsigned random = (unsigned)(unit_random(&state) % 100);
        if (random < 50 && count < 200) {
            unsigned n = 1 + (unsigned)(unit_random(&state) % (random < 47 ? 9 : EMMA_RUN_MAX_SLICES));
            unsigned align = 1U << unit_random(&state) % 6 * (random % 4 == 0);
            uintptr_t address = emma__regions_claim(&regions, n, align);
            if (!OK(address != 0 && address % ((uintptr_t)align * EMMA_SLICE_BYTES) == 0))
                return;
            held[count].address = address;
            held[count++].n = n;
        } else if (random < 95 && count != 0) {
            unsigned i = (unsigned)(unit_random(&state) % count);
            emma__regions_release(&regions, held[i].address, held[i].n);
            held[i] = held[--count];
        } else if (regions.first != 0) {
            emma_tract *tract = emma__regions_next_tract(&regions, 0);
            emma__regions_purge_chunk(&regions, tract, (unsigned)(unit_random(&state) % EMMA_TRACT_CHUNKS));
        }
        OK(step % 32 != 0 || counts_agree());
    }
    OK(counts_agree());
}

TAP_MAIN({"the lowest address is claimed first", lowest_address_first},
         {"claimed memory is zero and can be written to its ends", memory_is_readable_and_zero},
         {"a part of a run goes back and is claimed again", a_part_of_a_run_goes_back},
         {"what is behind a tract or not mapped cannot be claimed", a_tracts_end_cannot_be_claimed},
         {"purging a chunk: pages leave, only those", a_chunk_is_purged},
         {"purging a chunk that is free as a whole", a_whole_chunk_is_purged},
         {"tracts are walked in address order", tracts_are_walked_in_order},
         {"the counts after a random life", counts_agree_after_random_steps})
