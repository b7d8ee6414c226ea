/* tract.c: claims and releases of runs of slices; see tract.h. */
#include "region/tract.h"

#include "base/check.h"
#include "region/region.h"

static uint32_t free_bits(uint64_t word) {
    return (uint32_t)(word >> 32);
}

static uint64_t as_free(uint32_t bits) {
    return (uint64_t)bits << 32;
}

/* The bits of [slice, slice + n) that lie in this chunk. */
static uint32_t bits_in_chunk(unsigned chunk, unsigned slice, unsigned n) {
    unsigned first = chunk * EMMA_CHUNK_SLICES;
    unsigned from = slice > first ? slice - first : 0;
    unsigned to = slice + n - first < EMMA_CHUNK_SLICES ? slice + n - first : EMMA_CHUNK_SLICES;
    return emma__bits_low_mask(to) & ~emma__bits_low_mask(from);
}

/* Take bits from a chunk if all of them are free. Pairs, acquire, with the release of those slices.
 * Returns: how many were dirty, or -1. */
static int claim_bits(emma_tract *tract, unsigned chunk, uint32_t bits) {
    uint64_t word = ATOMIC_LOAD(&tract->chunk[chunk], relaxed);
    do {
        if ((free_bits(word) & bits) != bits)
            return -1;
    } while (!ATOMIC_CAS(&tract->chunk[chunk], &word, word & ~as_free(bits), acq_rel));
    return (int)emma__bits_count((uint32_t)word & bits);
}

/* Say that a chunk may have a run of this rank. The region's bit is looked at even where the tract's is set already:
 * who set that one may have stopped before the other. Pairs with clear_hint here and in region.c. */
static void set_hint(emma_tract *tract, unsigned chunk, unsigned rank) {
    if ((ATOMIC_LOAD(&tract->hint[rank], seq_cst) >> chunk & 1) == 0)
        ATOMIC_OR(&tract->hint[rank], UINT32_C(1) << chunk, seq_cst);
    emma__region_set_hint(tract->region, tract->slot, rank);
}

/* A searcher found no run of this rank in a chunk although the hint said so: take the bit away, look again, and set it
 * if it was true after all. Pairs with set_hint in emma__tract_release_bits, after the change of the chunk. */
static void clear_hint(emma_tract *tract, unsigned chunk, unsigned rank) {
    ATOMIC_AND(&tract->hint[rank], ~(UINT32_C(1) << chunk), seq_cst);
    if (emma__bits_run_rank(free_bits(ATOMIC_LOAD(&tract->chunk[chunk], seq_cst))) > rank)
        set_hint(tract, chunk, rank);
}

static emma_run claim_short(emma_tract *tract, unsigned n, unsigned align) {
    unsigned rank = emma__bits_highest(n);
    uint32_t chunks = ATOMIC_LOAD(&tract->hint[rank], relaxed);
    while (chunks != 0) {
        unsigned chunk = emma__bits_lowest(chunks);
        uint32_t free = free_bits(ATOMIC_LOAD(&tract->chunk[chunk], relaxed));
        unsigned position = emma__bits_find_run(free, n, align);
        if (position == EMMA_CHUNK_SLICES) {
            if (emma__bits_run_rank(free) <= rank)
                clear_hint(tract, chunk, rank);
            chunks &= chunks - 1;
            continue;
        }
        int dirty = claim_bits(tract, chunk, emma__bits_low_mask(n) << position);
        if (dirty >= 0) /* else another thread won; the chunk is looked at again */
            return (emma_run){chunk * EMMA_CHUNK_SLICES + position, (unsigned)dirty};
    }
    return (emma_run){EMMA_NO_SLICE, 0};
}

/* The lowest free run of n slices at or after from, across chunks. Returns: EMMA_NO_SLICE iff there is none. */
static unsigned find_long(const emma_tract *tract, unsigned from, unsigned n, unsigned align) {
    unsigned start = from;
    for (unsigned chunk = from / EMMA_CHUNK_SLICES; chunk < EMMA_TRACT_CHUNKS; chunk++) {
        unsigned first = chunk * EMMA_CHUNK_SLICES;
        uint32_t busy = ~free_bits(ATOMIC_LOAD(&tract->chunk[chunk], relaxed));
        unsigned candidate = (unsigned)emma__bits_align_up(start, align);
        if (candidate + n <= first + (busy != 0 ? emma__bits_lowest(busy) : EMMA_CHUNK_SLICES))
            return candidate;
        if (busy != 0 && first + emma__bits_highest(busy) >= start)
            start = first + emma__bits_highest(busy) + 1;
    }
    return EMMA_NO_SLICE;
}

static emma_run claim_long(emma_tract *tract, unsigned n, unsigned align) {
    unsigned from = EMMA_TRACT_META_SLICES;
    for (;;) {
        unsigned slice = find_long(tract, from, n, align);
        if (slice == EMMA_NO_SLICE)
            return (emma_run){EMMA_NO_SLICE, 0};
        emma_run run = emma__tract_claim_at(tract, slice, n);
        if (run.slice != EMMA_NO_SLICE)
            return run;
        from = slice + 1; /* somebody took a part of it; go on behind, so the search ends */
    }
}

emma_run emma__tract_claim(emma_tract *tract, unsigned n, unsigned align) {
    ASSERT(n >= 1 && n <= EMMA_RUN_MAX_SLICES && align <= EMMA_CHUNK_SLICES);
    return n <= EMMA_CHUNK_SLICES ? claim_short(tract, n, align) : claim_long(tract, n, align);
}

emma_run emma__tract_claim_at(emma_tract *tract, unsigned slice, unsigned n) {
    if (slice + n > EMMA_TRACT_SLICES)
        return (emma_run){EMMA_NO_SLICE, 0};
    unsigned first = slice / EMMA_CHUNK_SLICES;
    unsigned last = (slice + n - 1) / EMMA_CHUNK_SLICES;
    unsigned dirty_total = 0;
    for (unsigned chunk = first; chunk <= last; chunk++) {
        int dirty = claim_bits(tract, chunk, bits_in_chunk(chunk, slice, n));
        if (dirty < 0) {
            while (chunk-- > first) /* give back what was got, dirty or not as it was */
                emma__tract_release_bits(tract, chunk, bits_in_chunk(chunk, slice, n), EMMA_SLICES_KEPT);
            return (emma_run){EMMA_NO_SLICE, 0};
        }
        dirty_total += (unsigned)dirty;
    }
    return (emma_run){slice, dirty_total};
}

/* Pairs, release, with claim_bits; then sets the hints. */
void emma__tract_release_bits(emma_tract *tract, unsigned chunk, uint32_t bits, emma_slices are) {
    uint64_t word = ATOMIC_LOAD(&tract->chunk[chunk], relaxed);
    uint64_t after;
    do {
        CHECK((free_bits(word) & bits) == 0, "memory released twice", emma__tract_address(tract, chunk * 32));
        after = word | as_free(bits) | (are == EMMA_SLICES_DIRTY ? bits : 0);
        after &= ~(uint64_t)(are == EMMA_SLICES_CLEAN ? bits : 0);
    } while (!ATOMIC_CAS(&tract->chunk[chunk], &word, after, seq_cst));

    unsigned ranks = emma__bits_run_rank(free_bits(after));
    for (unsigned rank = 0; rank < ranks; rank++)
        set_hint(tract, chunk, rank);
}

void emma__tract_release(emma_tract *tract, unsigned slice, unsigned n, emma_slices are) {
    unsigned last = (slice + n - 1) / EMMA_CHUNK_SLICES;
    for (unsigned chunk = slice / EMMA_CHUNK_SLICES; chunk <= last; chunk++)
        emma__tract_release_bits(tract, chunk, bits_in_chunk(chunk, slice, n), are);
}

unsigned emma__tract_count_dirty(const emma_tract *tract, unsigned slice, unsigned n) {
    unsigned count = 0;
    for (unsigned chunk = slice / EMMA_CHUNK_SLICES; chunk <= (slice + n - 1) / EMMA_CHUNK_SLICES; chunk++)
        count +=
            emma__bits_count((uint32_t)ATOMIC_LOAD(&tract->chunk[chunk], relaxed) & bits_in_chunk(chunk, slice, n));
    return count;
}

uint32_t emma__tract_claim_dirty(emma_tract *tract, unsigned chunk) {
    uint64_t word = ATOMIC_LOAD(&tract->chunk[chunk], relaxed);
    uint32_t bits;
    do {
        bool is_huge = (ATOMIC_LOAD(&tract->huge_pages, relaxed) >> chunk & 1) != 0;
        uint32_t free = free_bits(word);
        bits = free & (uint32_t)word;
        if (free == UINT32_MAX ? bits != 0 : is_huge)
            bits = free;
        if (bits == 0)
            return 0;
    } while (!ATOMIC_CAS(&tract->chunk[chunk], &word, word & ~as_free(bits), acq_rel));
    return bits;
}

bool emma__tract_valid(const emma_tract *tract) {
    unsigned mapped = ATOMIC_LOAD(&tract->mapped_slices, acquire);
    if (tract->region == 0 || mapped < EMMA_TRACT_META_SLICES || mapped > EMMA_TRACT_SLICES)
        return false;
    for (unsigned slice = 0; slice < EMMA_TRACT_SLICES; slice++) {
        uint64_t word = ATOMIC_LOAD(&tract->chunk[slice / EMMA_CHUNK_SLICES], relaxed);
        bool is_free = free_bits(word) >> (slice % EMMA_CHUNK_SLICES) & 1;
        if (is_free && (slice < EMMA_TRACT_META_SLICES || slice >= mapped))
            return false;
    }
    return true;
}
