/* tract_test.c: region/tract.h: claims and releases of runs, against an array of slices. The tract lies alone in memory
 * of the test's own, beside a region that holds nothing but hints. */
#include "region/tract.h"

#include "../tap.h"
#include "plat/plat.h"
#include "region/region.h"
#include "unit.h"

enum { SLOT = 70, SLICES = EMMA_TRACT_SLICES };

static emma_region region;
static emma_tract *tract;

/* What must be true of each slice. */
static bool is_free[SLICES];
static bool is_dirty[SLICES];

/* A tract with all slices mapped, none free. */
static bool fresh(void) {
    if (tract == 0) {
        uintptr_t memory = emma__plat_map(2 * (size_t)EMMA_TRACT_BYTES);
        if (!OK(memory != 0))
            return false;
        tract = emma__tract_of(memory + EMMA_TRACT_BYTES - 1);
    }
    __builtin_memset((void *)tract, 0, EMMA_TRACT_HEADER_BYTES);
    __builtin_memset(&region, 0, sizeof region);
    __builtin_memset(is_free, 0, sizeof is_free);
    __builtin_memset(is_dirty, 0, sizeof is_dirty);
    tract->region = &region;
    tract->slot = SLOT;
    tract->mapped_slices = SLICES;
    return true;
}

static void release(unsigned slice, unsigned n, bool dirty) {
    emma__tract_release(tract, slice, n, dirty ? EMMA_SLICES_DIRTY : EMMA_SLICES_KEPT);
    for (unsigned i = slice; i < slice + n; i++) {
        is_free[i] = true;
        is_dirty[i] |= dirty;
    }
}

static bool run_is_free(unsigned slice, unsigned n) {
    if (slice + n > SLICES)
        return false;
    for (unsigned i = slice; i < slice + n; i++)
        if (!is_free[i])
            return false;
    return true;
}

/* Short runs do not cross chunks; long ones may. */
static unsigned slow_find(unsigned n, unsigned align) {
    for (unsigned slice = 0; slice < SLICES; slice += align) {
        bool crosses = n <= EMMA_CHUNK_SLICES && slice / EMMA_CHUNK_SLICES != (slice + n - 1) / EMMA_CHUNK_SLICES;
        if (!crosses && run_is_free(slice, n))
            return slice;
    }
    return EMMA_NO_SLICE;
}

static unsigned take_run(unsigned slice, unsigned n) {
    unsigned dirty = 0;
    for (unsigned i = slice; i < slice + n; i++) {
        is_free[i] = false;
        dirty += is_dirty[i];
    }
    return dirty;
}

/* Claim, and compare with the model. Returns: the slice. */
static unsigned claim(unsigned n, unsigned align) {
    unsigned expected = slow_find(n, align);
    emma_run run = emma__tract_claim(tract, n, align);
    if (IS(run.slice, expected) && run.slice != EMMA_NO_SLICE)
        IS(run.dirty, take_run(run.slice, n));
    return run.slice;
}

static bool same_as_model(void) {
    for (unsigned slice = 0; slice < SLICES; slice++) {
        uint64_t word = tract->chunk[slice / EMMA_CHUNK_SLICES];
        unsigned bit = slice % EMMA_CHUNK_SLICES;
        if ((word >> 32 >> bit & 1) != is_free[slice] || (word >> bit & 1) != is_dirty[slice] ||
            emma__tract_is_dirty(tract, slice) != is_dirty[slice])
            return false;
    }
    return true;
}

/* Hints lie in one direction only: where a run is, every bit that leads to it is set. */
static bool hints_lead_to_runs(void) {
    for (unsigned chunk = 0; chunk < EMMA_TRACT_CHUNKS; chunk++) {
        unsigned ranks = emma__bits_run_rank((uint32_t)(tract->chunk[chunk] >> 32));
        for (unsigned rank = 0; rank < ranks; rank++)
            if ((tract->hint[rank] >> chunk & 1) == 0 || (region.word[SLOT / 64].hint[rank] >> SLOT % 64 & 1) == 0)
                return false;
    }
    return true;
}

static void zero_means_nothing_free(void) {
    if (!fresh())
        return;
    for (unsigned n = 1; n <= EMMA_RUN_MAX_SLICES; n++)
        IS(emma__tract_claim(tract, n, 1).slice, EMMA_NO_SLICE);
    IS(emma__tract_claim_at(tract, 1, 1).slice, EMMA_NO_SLICE);
    IS(emma__tract_claim_dirty(tract, 0), 0);
    OK(emma__tract_valid(tract));
}

static void addresses_and_slices(void) {
    if (!fresh())
        return;
    for (unsigned slice = 0; slice < SLICES; slice++) {
        uintptr_t address = emma__tract_address(tract, slice);
        OK(emma__tract_of(address) == tract && emma__tract_of(address + EMMA_SLICE_BYTES - 1) == tract);
        OK(emma__tract_slice_of(address) == slice && emma__tract_slice_of(address + EMMA_SLICE_BYTES - 1) == slice);
    }
    IS((uintptr_t)tract % EMMA_TRACT_BYTES, 0);
}

/* n = 1, 31, 32, 33, the maximum; one slice free too few, just enough, and the run's neighbours left alone. */
static void runs_of_every_length(void) {
    for (unsigned n = 1; n <= EMMA_RUN_MAX_SLICES; n = n < 35 ? n + 1 : n * 2 - 3) {
        if (!fresh())
            return;
        unsigned at = EMMA_CHUNK_SLICES;
        release(at, n, false);
        OK(emma__tract_valid(tract));
        IS(claim(n + 1, 1), EMMA_NO_SLICE);
        IS(claim(n, 1), at);
        IS(claim(1, 1), EMMA_NO_SLICE);
        OK(same_as_model());
        release(at, n, true);
        OK(same_as_model() && hints_lead_to_runs() && emma__tract_valid(tract));
        IS(emma__tract_claim_at(tract, at, n).dirty, n);
    }
    if (!fresh())
        return;
    release(SLICES - EMMA_RUN_MAX_SLICES, EMMA_RUN_MAX_SLICES, false); /* to the very end */
    IS(claim(EMMA_RUN_MAX_SLICES, 1), SLICES - EMMA_RUN_MAX_SLICES);
}

/* Free places begin at an odd slice; every alignment finds the first multiple that has room. */
static void aligned_runs(void) {
    static const unsigned lengths[] = {1, 2, 3, 8, 15, 31, 32, 33, 40, 63};
    for (unsigned align = 1; align <= EMMA_CHUNK_SLICES; align *= 2) {
        for (unsigned i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
            if (!fresh() || lengths[i] > EMMA_RUN_MAX_SLICES)
                return;
            release(1, 2, false);
            release(5, 3, true);
            release(EMMA_CHUNK_SLICES + 3, SLICES - EMMA_CHUNK_SLICES - 3, false);
            unsigned slice = claim(lengths[i], align);
            OK(slice != EMMA_NO_SLICE && slice % align == 0);
            OK(same_as_model() && hints_lead_to_runs());
        }
    }
}

static void claims_exactly_there_or_not_at_all(void) {
    if (!fresh())
        return;
    release(10, 20, true);
    release(30, 60, false);
    release(91, 9, false); /* 90 is busy */
    IS(emma__tract_claim_at(tract, 9, 2).slice, EMMA_NO_SLICE);
    IS(emma__tract_claim_at(tract, 89, 2).slice, EMMA_NO_SLICE);
    IS(emma__tract_claim_at(tract, 31, 68).slice,
       EMMA_NO_SLICE); /* fails in a later chunk: the earlier ones come back */
    OK(same_as_model() && hints_lead_to_runs());
    emma_run run = emma__tract_claim_at(tract, 10, 80);
    IS(run.slice, 10);
    IS(run.dirty, take_run(10, 80));
    IS(run.dirty, 20);
    IS(emma__tract_claim_at(tract, 10, 1).slice, EMMA_NO_SLICE);
    OK(same_as_model());
    IS(emma__tract_claim_at(tract, SLICES - 1, 2).slice, EMMA_NO_SLICE); /* over the end */
    IS(emma__tract_claim_at(tract, SLICES, 1).slice, EMMA_NO_SLICE);
}

static void release_keeps_dirty_bits(void) {
    if (!fresh())
        return;
    release(1, 31, true);
    IS(claim(31, 1), 1);
    OK(emma__tract_is_dirty(tract, 1) && !emma__tract_is_dirty(tract, 32)); /* the holder may read them */
    emma__tract_release(tract, 1, 10, EMMA_SLICES_KEPT);
    for (unsigned i = 1; i < 11; i++)
        is_free[i] = true;
    OK(same_as_model()); /* still dirty */
}

static void dirty_slices_are_claimed_and_cleaned(void) {
    if (!fresh())
        return;
    release(32, 8, true);
    release(40, 8, false);
    release(50, 4, true);
    IS(emma__tract_claim_at(tract, 34, 2).dirty, take_run(34, 2)); /* dirty, but not free */
    uint32_t bits = emma__tract_claim_dirty(tract, 1);
    IS(bits, 0xF << 18 | (0xFF & ~0xC));
    for (unsigned i = 0; i < 32; i++)
        if ((bits >> i & 1) != 0)
            is_free[32 + i] = false;
    OK(same_as_model());
    IS(emma__tract_claim_dirty(tract, 1), 0);
    IS(claim(8, 1), 40);
    release(40, 8, false);
    uint32_t half = bits & 0xFF;
    emma__tract_release_bits(tract, 1, half, EMMA_SLICES_CLEAN);
    emma__tract_release_bits(tract, 1, bits & ~half, EMMA_SLICES_KEPT);
    for (unsigned i = 0; i < 32; i++)
        if ((bits >> i & 1) != 0) {
            is_free[32 + i] = true;
            is_dirty[32 + i] &= (half >> i & 1) == 0;
        }
    OK(same_as_model() && hints_lead_to_runs() && emma__tract_valid(tract));
}

static void release_one_free_slice(void) {
    fresh();
    emma__tract_release(tract, 7, 1, EMMA_SLICES_KEPT);
    emma__tract_release(tract, 5, 3, EMMA_SLICES_KEPT);
}

static void releasing_twice_is_seen(void) {
    if (fresh())
        OK(unit_dies(release_one_free_slice, "memory released twice"));
}

static void validity_is_checked(void) {
    if (!fresh())
        return;
    OK(emma__tract_valid(tract));
    tract->mapped_slices = 100;
    release(99, 1, false);
    OK(emma__tract_valid(tract));
    release(100, 1, false); /* not mapped */
    OK(!emma__tract_valid(tract));
    fresh();
    tract->chunk[0] = UINT64_C(1) << 32; /* the tract's own slice */
    OK(!emma__tract_valid(tract));
    fresh();
    tract->mapped_slices = SLICES + 1;
    OK(!emma__tract_valid(tract));
}

/* Tens of thousands of random steps; after each the words, the hints and what was found are as in the model. */
static void random_steps(void) {
    static struct { unsigned slice, n; } held[512];
    unsigned count = 0;
    uint64_t state = 3;
    if (!fresh())
        return;
    release(1, SLICES - 1, false);
    for (unsigned step = 0; step < (EMMA_TORTURE ? 30000 : 10000) && tap.failures == 0; step++) {
        bool full = count == sizeof held / sizeof held[0];
        unsigned random = (unsigned)(unit_random(&state) % 100);
        if (random < 45 && !full) {
            unsigned n = (unsigned)(1 + unit_random(&state) % (random < 40 ? 12 : 80 % EMMA_RUN_MAX_SLICES));
            unsigned slice = claim(n, 1U << unit_random(&state) % 6 * (random % 3 == 0));
            held[count].n = n;
            held[count].slice = slice;
            count += slice != EMMA_NO_SLICE;
        } else if (random < 90 && count != 0) {
            unsigned i = (unsigned)(unit_random(&state) % count);
            release(held[i].slice, held[i].n, random % 2 == 0);
            held[i] = held[--count];
        } else if (count != 0 && !full) { /* grow the last one in place */
            unsigned next = held[count - 1].slice + held[count - 1].n;
            bool expected = run_is_free(next, 2);
            emma_run run = emma__tract_claim_at(tract, next, 2);
            IS(run.slice, expected ? next : EMMA_NO_SLICE);
            if (expected) {
                IS(run.dirty, take_run(next, 2));
                held[count - 1].n += 2;
            }
        }
        OK(step % 16 != 0 || same_as_model());
        OK(step % 16 != 0 || (hints_lead_to_runs() && emma__tract_valid(tract)));
    }
}

TAP_MAIN({"all zero: nothing is free", zero_means_nothing_free},
         {"addresses are slices and back", addresses_and_slices},
         {"runs of 1 to the maximum, 31, 32, 33 among them", runs_of_every_length},
         {"aligned runs, short and long", aligned_runs},
         {"claim_at: all of it or nothing, across chunks and at the end", claims_exactly_there_or_not_at_all},
         {"a release that is not dirty leaves dirty bits as they were", release_keeps_dirty_bits},
         {"dirty slices are claimed together and released clean", dirty_slices_are_claimed_and_cleaned},
         {"releasing what is free ends the process", releasing_twice_is_seen},
         {"emma__tract_valid tells sound from broken", validity_is_checked},
         {"random claims and releases against a model", random_steps})
