/* region.h: the memory of a heap: windows of addresses, in which tracts come and go, in which runs of slices are
 * claimed.
 *
 *     emma_region                 base                                       base + slots * 64 MiB
 *    +-----------+---------------+-----------+-----------+-----------+------------------------+
 *    |  header   |  class bytes  |  tract 0  |  tract 1  | huge block ...  |  nothing mapped yet  |
 *    +-----------+---------------+-----------+-----------+-----------+------------------------+
 *
 * A region is a window of addresses (nothing is reserved in it), divided into slots of one tract. A slot is claimed by
 * one bit; a tract is mapped in it in steps, as the heap grows: the mapping itself is the claim, since the kernel
 * refuses to map over anything. So windows of several heaps may overlap. A slot found occupied, by a stranger or by
 * another heap, is left claimed for ever and the next one taken.
 *
 * Class bytes, one for each slice of the window, belong to the span layer. Only the first region of the default heap
 * has them: at a constant distance below the base, so that free finds the class of a block there with one subtraction,
 * one comparison and one load. The header of a made heap's first region lies in its first tract, so an empty heap is
 * one mapping; other headers are mappings of their own.
 *
 * Nothing is ever unmapped from a region but huge blocks, until the heap is destroyed. Regions form a list that only
 * grows.
 *
 * Invariants: free slices <= mapped slices; a slice is in one hand or in one chunk word (law 1).
 * Threads, signals, fork: any, lock-free. Failure of any system call changes nothing. */
#ifndef EMMA_REGION_REGION_H
#define EMMA_REGION_REGION_H

#include "region/commit.h"
#include "region/directory.h"
#include "region/tract.h"

enum {
    EMMA_REGION_SLICES = EMMA_REGION_TRACTS * EMMA_TRACT_SLICES,
    EMMA_REGION_SLOT_WORDS = EMMA_REGION_TRACTS / 64,
    EMMA_REGION_HEADER_BYTES = 128 * 1024, /* of which upper layers use what follows the first 8 KiB */
    EMMA_REGION_OWN_BYTES = 8192,
    EMMA_REGION_CLASS_DISTANCE = EMMA_REGION_SLICES,
};

/* What is in 64 slots, by bits; together, so that a small heap touches little. */
typedef struct emma_region_word {
    _Atomic(uint64_t) slot;  /* claimed */
    _Atomic(uint64_t) tract; /* holds a tract that is mapped and ready */
    _Atomic(uint64_t) huge;  /* a huge block begins in it */
    _Atomic(uint64_t) hint[EMMA_RUN_RANKS];
} emma_region_word;

typedef struct emma_region {
    uintptr_t base;
    struct emma_regions *owner;
    uint8_t *classes;    /* class bytes; 0: none */
    size_t header_bytes; /* of a header with a mapping of its own; 0: it lies in a tract */
    _Atomic(struct emma_region *) next;
    emma_region_word word[EMMA_REGION_SLOT_WORDS];
} emma_region;

EMMA_STATIC_ASSERT(sizeof(emma_region) <= EMMA_REGION_OWN_BYTES, "the region's own part of its header");

/* All the memory of one heap. EMMA_REGIONS_INITIAL, the rest zero, is a valid value: no memory yet. */
typedef struct emma_regions {
    _Atomic(uintptr_t) base; /* of the first region, if it has class bytes: read by every free */
    emma_directory *directory;
    bool is_made;         /* one of many: no class bytes, placed beside other made heaps */
    uintptr_t founded;    /* the tract that it lies in itself; EMMA_NO_BASE: none */
    size_t founded_bytes; /* charged for the heap itself */
    _Atomic(emma_region *) first;
    _Atomic(emma_tract *) growing; /* hint: the tract whose rest is mapped next */

    _Atomic(size_t) page_bytes;     /* 0: not asked yet */
    _Atomic(size_t) mapped_slices;  /* in tracts */
    _Atomic(size_t) used_slices;    /* claimed, tracts' own included */
    _Atomic(size_t) dirty_slices;   /* free and dirty */
    _Atomic(size_t) freed_slices;   /* ever: by this the purge knows when to look */
    _Atomic(size_t) clean_claims;   /* clean slices claimed, ever: by this it knows what it should have kept */
    _Atomic(size_t) recarved_lines; /* and lines of spans carved again after they were purged */
    _Atomic(size_t) huge_bytes;     /* usable bytes of huge blocks */
    _Atomic(size_t) huge_count;
    emma_commit commit;
    _Atomic(size_t) huge_pages_bytes; /* from so much used memory on huge pages are asked for; 0: never */
    _Atomic(size_t) huge_pages_slow;  /* so many slices were mapped when one was slow to come; 0: none was */
    _Atomic(uint32_t) now_seconds;    /* the purge layer's clock, as old as its last look */
} emma_regions;

/* Charge the heap, and all heaps together: these first, and refunded last, so that a child of fork never has a heap
 * that is charged with more than all are. Who is at the heap's own limit does not disturb others even for a moment.
 * Returns: false iff one of the limits would be exceeded; nothing is charged then. */
static inline bool emma__regions_charge(emma_regions *regions, size_t bytes) {
    emma_commit *all = &regions->directory->all;
    if (bytes == 0)
        return true; /* it was charged when it became dirty */
    if (!emma__commit_fits(&regions->commit, bytes) || !emma__commit_charge(all, bytes))
        return false;
    if (EMMA_LIKELY(emma__commit_charge(&regions->commit, bytes)))
        return true;
    emma__commit_cancel(all, bytes);
    return false;
}

/* What is resident already, limit or not. */
static inline void emma__regions_charge_anyway(emma_regions *regions, size_t bytes) {
    emma__commit_charge_anyway(&regions->directory->all, bytes);
    emma__commit_charge_anyway(&regions->commit, bytes);
}

/* What was charged could not be had. */
static inline void emma__regions_cancel(emma_regions *regions, size_t bytes) {
    emma__commit_cancel(&regions->commit, bytes);
    emma__commit_cancel(&regions->directory->all, bytes);
}

/* What was charged was given back. Nobody asks for the peak of all. */
static inline void emma__regions_refund(emma_regions *regions, size_t bytes) {
    emma__commit_refund(&regions->commit, bytes);
    emma__commit_cancel(&regions->directory->all, bytes);
}

/* Whether a limit holds for the heap, its own or that of all. */
static inline bool emma__regions_are_limited(const emma_regions *regions) {
    return ATOMIC_LOAD(&regions->commit.limit_bytes, relaxed) != 0 ||
           ATOMIC_LOAD(&regions->directory->all.limit_bytes, relaxed) != 0;
}

/* Claims and releases of slices charge nothing: clean slices are charged by who claims them; dirty ones, free or
 * claimed, are charged, each whole. emma__regions_release is for slices that are charged whole. */

/* Claim a run of n slices whose address is a multiple of align slices: lowest address first, then by growing.
 * Returns: the address, or 0 iff no memory can be had. Requires: n <= EMMA_RUN_MAX_SLICES; align a power of two <= 32.
 * Cost: usually one CAS; growing, one system call. */
uintptr_t emma__regions_claim(emma_regions *regions, unsigned n, unsigned align);

/* Claim the n slices at address, if they are free. Returns: whether. */
bool emma__regions_claim_at(emma_regions *regions, uintptr_t address, unsigned n);

/* Give back slices, all or a part of a run; they count as dirty. */
void emma__regions_release(emma_regions *regions, uintptr_t address, unsigned n);

/* Give back slices as they were when they were claimed, clean or dirty. */
void emma__regions_unclaim(emma_regions *regions, uintptr_t address, unsigned n);

/* Give back slices that were purged, and are not charged: they are clean, whatever they were when they were claimed. */
void emma__regions_release_purged(emma_regions *regions, uintptr_t address, unsigned n);

/* How many of n claimed slices are clean. */
unsigned emma__regions_count_clean(uintptr_t address, unsigned n);

/* Purge what emma__tract_claim_dirty claims of a chunk. Returns: how many slices were dirty. Cost: a system call for
 * each run. */
unsigned emma__regions_purge_chunk(emma_regions *regions, emma_tract *tract, unsigned chunk);

/* A part of a chunk is to be purged: from now on its pages are small, until all of it was purged. Else the system would
 * make a huge page again of what is left, and all of the chunk resident. Cost: a system call, if they were huge. */
void emma__regions_end_huge_pages(emma_tract *tract, unsigned chunk);

/* The tract after this one (0: the first), in address order within a region. Returns: 0 at the end. */
emma_tract *emma__regions_next_tract(const emma_regions *regions, const emma_tract *tract);

/* Whether an address lies in a tract of this heap. Any value may be asked for. Cost: a step for each region, usually
 * one. */
bool emma__regions_have_tract(const emma_regions *regions, uintptr_t address);

/* Claim n slots in a row, in the first region that has them. Returns: their address, a multiple of align, at which
 * nothing of this copy's is mapped; 0 iff memory is refused, or n is more than a region has. Requires: align a power of
 * two; an empty region has room. */
uintptr_t emma__regions_claim_slots(emma_regions *regions, unsigned n, size_t align, emma_region **found);
void emma__regions_release_slots(emma_region *region, uintptr_t address, unsigned n);

/* Claim as many slots as these bytes need, and map the bytes. Returns, requires: as above. */
uintptr_t emma__regions_map_slots(emma_regions *regions, size_t bytes, size_t align, emma_region **found);

/* Give a mapping back. Returns: false iff the system refuses even that (too many mappings): then the pages are purged,
 * and the addresses lost. */
bool emma__regions_unmap(uintptr_t address, size_t bytes);

/* Claim the n slots at address, if nobody has them. Returns: whether. */
bool emma__regions_claim_slots_at(emma_region *region, uintptr_t address, unsigned n);

/* A base from which every address is far. */
#define EMMA_NO_BASE ((uintptr_t)1 << 63)
#define EMMA_REGIONS_INITIAL(directory_of)                                                                             \
    {                                                                                                                  \
        .base = EMMA_NO_BASE, .founded = EMMA_NO_BASE, .directory = (directory_of),                                    \
        .huge_pages_bytes = (size_t)16 * EMMA_CHUNK_BYTES                                                              \
    }

size_t emma__regions_page_bytes(emma_regions *regions);

/* The address where the class bytes of a region begin. */
static inline uint8_t *emma__region_classes(uintptr_t base) {
    return (uint8_t *)(base - EMMA_REGION_CLASS_DISTANCE); // NOLINT(performance-no-int-to-ptr)
}

static inline uintptr_t emma__region_slot_address(const emma_region *region, unsigned slot) {
    return region->base + ((uintptr_t)slot << EMMA_TRACT_LOG2);
}

static inline unsigned emma__region_slot_of(const emma_region *region, uintptr_t address) {
    return (unsigned)((address - region->base) >> EMMA_TRACT_LOG2);
}

static inline unsigned emma__region_slots_for(size_t bytes) {
    return (unsigned)emma__bits_div_up(bytes, EMMA_TRACT_BYTES);
}

/* Hints of tracts, as tract.h says. */
void emma__region_set_hint(emma_region *region, unsigned slot, unsigned rank);

/* Found the memory of a made heap: a tract whose first slices are the caller's, beside the tract's and the region's
 * own. They read as zero. The caller sets up an emma_regions there, and says so by emma__regions_settle.
 * Charges all heaps with EMMA_FOUNDED_BYTES. Returns: where the caller's slices begin; 0 iff refused.
 * Cost: one mapping. */
uintptr_t emma__regions_found(emma_directory *directory, unsigned slices);
void emma__regions_settle(emma_regions *regions, emma_directory *directory, uintptr_t founded, unsigned slices);

/* What such a heap is charged for itself: all that its tables may touch. The first slice (records of spans and what is
 * offered) 52 KiB, the region's header 12 KiB, the heap with stripes, shelves and the fit of lent memory 72 KiB. */
enum { EMMA_FOUNDED_BYTES = 136 * 1024 };

/* Give every mapping back. regions itself may lie in one of them. Requires: nobody uses them any more.
 * Cost: a system call for each tract and huge block. */
void emma__regions_destroy(emma_regions *regions);

/* Charge more for the founder's slices than that. Returns: false iff refused. */
bool emma__regions_charge_founder(emma_regions *regions, size_t bytes);

bool emma__regions_valid(const emma_regions *regions);

#endif
