/* tract.h: 64 MiB of addresses at a multiple of 64 MiB, as slices in bit masks. Whoever knows an address in a tract
 * finds the tract by masking.
 *
 *     slice 0                     slice 1         ...                         slice 1023
 *    +---------------------------+-----------------------------------+--------------------+
 *    | emma_tract | for upper    |  spans and large runs             |  not mapped yet    |
 *    |            | layers       |                                   |                    |
 *    +---------------------------+-----------------------------------+--------------------+
 *                                                                    ^ mapped_slices
 *
 * Each chunk of 32 slices is one word: which slices are free, and which are dirty (not known to be zero). Zero means
 * that nothing is free: memory that is not mapped yet, or not ours yet, needs no other state. A claim is one CAS that
 * takes free bits; a release is one that gives them back. Dirty bits change only when a slice is released or purged, so
 * the holder of a run may read those of its slices at leisure.
 *
 * Hints (hint[rank], and the same in the region): bit c says that chunk c may have a run of 2^rank free slices. They
 * may lie in one direction for a while, never for ever: who makes a run free sets them afterwards; who finds a lie
 * takes the bit away, looks again, and sets it back if it was wrong. Both sides are sequentially consistent (store
 * buffering), so either the setter sees the bit gone or the clearer sees the slices.
 *
 * A thread that stops here for ever holds at most the run that it was claiming. Threads, signals, fork: any. */
#ifndef EMMA_REGION_TRACT_H
#define EMMA_REGION_TRACT_H

#include "base/atomic.h"
#include "base/bits.h"
#include "base/config.h"

struct emma_region;
struct emma_regions;

enum {
    EMMA_TRACT_HEADER_BYTES = 2048, /* upper layers use the rest of slice 0 */
    EMMA_TRACT_META_SLICES = 1,
    EMMA_RUN_RANKS = 6, /* runs of 1, 2, 4, 8, 16, 32 slices */
    EMMA_NO_SLICE = 0,  /* slice 0 is never handed out */
    /* A run of one chunk at most never crosses chunks; a longer one may begin anywhere. */
    EMMA_RUN_MAX_SLICES = EMMA_TRACT_SLICES / 2,
};

typedef struct emma_tract {
    struct emma_region *region;
    struct emma_regions *owner; /* the region's */
    uint32_t slot;              /* its number in the region */
    _Atomic(uint32_t) mapped_slices;
    _Atomic(uint32_t) huge_pages; /* bit: the chunk is to have huge pages */
    _Atomic(uint32_t) hint[EMMA_RUN_RANKS];
    _Atomic(uint32_t) dirty_since[EMMA_TRACT_CHUNKS]; /* seconds; when the chunk last became dirty */
    _Atomic(uint64_t) chunk[EMMA_TRACT_CHUNKS];       /* free:32 | dirty:32 */
} emma_tract;

EMMA_STATIC_ASSERT(sizeof(emma_tract) <= EMMA_TRACT_HEADER_BYTES, "the tract's own part of its first slice");

static inline emma_tract *emma__tract_of(uintptr_t address) {
    return (emma_tract *)(address & ~((uintptr_t)EMMA_TRACT_BYTES - 1)); // NOLINT(performance-no-int-to-ptr)
}

static inline unsigned emma__tract_slice_of(uintptr_t address) {
    return (unsigned)(address >> EMMA_SLICE_LOG2) % EMMA_TRACT_SLICES;
}

static inline uintptr_t emma__tract_address(const emma_tract *tract, unsigned slice) {
    return (uintptr_t)tract + ((uintptr_t)slice << EMMA_SLICE_LOG2);
}

/* What a change of chunk words did. */
typedef struct emma_run {
    unsigned slice; /* the first, or EMMA_NO_SLICE */
    unsigned dirty; /* how many of the slices are dirty */
} emma_run;

/* Claim the lowest free run of n slices that starts at a multiple of align.
 * Returns: slice EMMA_NO_SLICE iff none was found. Requires: n <= EMMA_RUN_MAX_SLICES; align a power of two <= 32.
 * Cost: one CAS for each chunk touched, after a search of at most EMMA_TRACT_CHUNKS words. */
emma_run emma__tract_claim(emma_tract *tract, unsigned n, unsigned align);

/* Claim exactly these slices, if all are free. Returns: as above. */
emma_run emma__tract_claim_at(emma_tract *tract, unsigned slice, unsigned n);

/* What slices are when they are released. */
typedef enum emma_slices {
    EMMA_SLICES_KEPT, /* as they were, dirty or clean */
    EMMA_SLICES_DIRTY,
    EMMA_SLICES_CLEAN, /* they read as zero now */
} emma_slices;

/* Make claimed slices free. */
void emma__tract_release(emma_tract *tract, unsigned slice, unsigned n, emma_slices are);

/* The same for slices of one chunk, by their bits. */
void emma__tract_release_bits(emma_tract *tract, unsigned chunk, uint32_t bits, emma_slices are);

/* Whether a slice that the caller holds is dirty. */
static inline bool emma__tract_is_dirty(const emma_tract *tract, unsigned slice) {
    return ATOMIC_LOAD(&tract->chunk[slice / EMMA_CHUNK_SLICES], relaxed) >> (slice % EMMA_CHUNK_SLICES) & 1;
}

/* How many of the n slices from slice on, which the caller holds, are dirty. */
unsigned emma__tract_count_dirty(const emma_tract *tract, unsigned slice, unsigned n);

/* Claim the free dirty slices of a chunk. The clean ones too where it is free as a whole and some are dirty (then one
 * call purges all), or is used in part and to have huge pages (then they may be resident). Returns: their bits. Who
 * claims, purges, and releases them as clean. */
uint32_t emma__tract_claim_dirty(emma_tract *tract, unsigned chunk);

bool emma__tract_valid(const emma_tract *tract);

#endif
