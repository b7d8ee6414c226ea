/* span.h: a span is a few slices that hold blocks of one class. Its record lies apart, in its tract's first slice.
 *
 *     the record's word:  | head:16 | out:16 | class:8 | state:8 | 16 unused |       changed only by CAS
 *
 *       head    first block of the chain of blocks that came home, as offset / 16 in the span; EMMA_SPAN_NO_BLOCK: none
 *       out     blocks that are not at home: in caches, in the depot, in the program's hands
 *       class   EMMA_CLASS_NONE: not a span; EMMA_CLASS_LARGE: a large run
 *
 *     state   | event                            | becomes, and then
 *     --------+----------------------------------+----------------------------------------------------------
 *     IDLE    | blocks come home                 | OFFERED; set the offer bit
 *     OFFERED | a refill finds the bit           | OWNED; take the bit away
 *     OFFERED | blocks come home                 | OFFERED; now and then set the bit (its setter may have stopped)
 *     any but OWNED | the last block comes home  | OWNED by the one who brought it; take the bit away; retire
 *     OWNED   | blocks come home                 | OWNED: only head and out change
 *     OWNED   | the owner is done                | OFFERED if blocks are left, else IDLE; out = 0: retire
 *
 * The owner alone uses the rest of the record: the local chain, from which refills take, and the lines that are not
 * carved yet. At home are: the chain at head, the local chain, the uncarved blocks. Always:
 *     out + chain at head + local chain + uncarved + in the owner's hand = blocks of the span.
 *
 * Offer bits (one for each slice, for each class) only lead to a span; its word decides. A bit may be set late, by a
 * pusher that stopped: then a searcher finds a word that does not fit, takes the bit away and looks again. Setting a
 * bit comes after the change of the word, looking at the word comes after taking the bit away, all sequentially
 * consistent: no offer is lost. Above the bits of a group of 64 slices are one bit for each group of a tract and one
 * for each tract.
 *
 * Who stops as an owner for ever keeps that one span from being offered; its blocks still come home. Who stops between
 * taking blocks and using them loses those blocks. Nobody waits for anybody.
 *
 * ABA: a push looks at head only to link to it, and everything a CAS means is in the word; only the owner unlinks, all
 * of head at once. */
#ifndef EMMA_SPAN_SPAN_H
#define EMMA_SPAN_SPAN_H

#include "base/chain.h"
#include "region/region.h"
#include "span/class.h"

enum {
    EMMA_SPAN_NO_BLOCK = 0xFFFF,
    EMMA_SPAN_REPAIR = 8, /* each so many blocks that come home, the bit of an offered span is looked at */
    EMMA_SPAN_GROUP_SLICES = 64,
    EMMA_SPAN_GROUPS = (EMMA_TRACT_SLICES + EMMA_SPAN_GROUP_SLICES - 1) / EMMA_SPAN_GROUP_SLICES,
    EMMA_SPAN_MAX_BYTES = EMMA_SMALL_MAX_BYTES * EMMA_SPAN_BLOCKS_MIN,
};

typedef struct emma_span {
    _Atomic(uint64_t) word;
    uint64_t fresh_lines;           /* bit i: no block that starts in line i is carved; the owner's */
    _Atomic(size_t) large_bytes;    /* of a large run: how many bytes its holder may use; others only look */
    uint16_t local;                 /* the owner's chain, as offset / 16 */
    _Atomic(uint8_t) slices_before; /* how many slices of the same span come before this one */
    uint8_t is_compacted : 1;       /* some of the fresh lines were purged */
    uint8_t is_whole : 1;           /* all of its slices are charged, not the lines that are touched (commit.h) */
    _Atomic(uint16_t) slices;       /* length of the span or large run, in its first slice's record */
    _Atomic(uint8_t) class;         /* of the span that has this slice, for frees into made heaps */
} emma_span;

EMMA_STATIC_ASSERT(sizeof(emma_span) == 32, "two records in a cache line");
EMMA_STATIC_ASSERT(EMMA_SPAN_MAX_BYTES / EMMA_LINE_BYTES <= 64, "a bit for each line of a span");

/* What the span layer keeps in the first slice of a tract, behind the tract's own header. */
typedef struct emma_span_table {
    _Atomic(uint64_t) offered_groups[EMMA_CLASS_COUNT];            /* bit: a group of 64 slices */
    _Atomic(uint64_t) offered[EMMA_SPAN_GROUPS][EMMA_CLASS_COUNT]; /* bit: a slice of the group */
    _Alignas(64) emma_span record[EMMA_TRACT_SLICES];
} emma_span_table;

/* What the span layer keeps in the header of a region, behind the region's own part: bit: a tract. */
typedef struct emma_span_index {
    _Atomic(uint64_t) offered_tracts[EMMA_REGION_SLOT_WORDS][EMMA_CLASS_COUNT];
} emma_span_index;

EMMA_STATIC_ASSERT(EMMA_TRACT_HEADER_BYTES + sizeof(emma_span_table) <= EMMA_SLICE_BYTES, "fits the first slice");
EMMA_STATIC_ASSERT(EMMA_REGION_OWN_BYTES + sizeof(emma_span_index) <= EMMA_REGION_HEADER_BYTES, "fits the header");

typedef struct emma_spans {
    emma_regions regions;
    _Atomic(size_t) slices;     /* of spans */
    _Atomic(size_t) out_bytes;  /* of blocks that are out of their spans */
    _Atomic(size_t) home_bytes; /* that came home, ever */
} emma_spans;

static inline emma_span_table *emma__span_table_of(const emma_tract *tract) {
    return (emma_span_table *)((uintptr_t)tract + EMMA_TRACT_HEADER_BYTES); // NOLINT(performance-no-int-to-ptr)
}

/* The record of the slice that holds an address. Requires: the address lies in a tract. */
static inline emma_span *emma__span_at(uintptr_t address) {
    return &emma__span_table_of(emma__tract_of(address))->record[emma__tract_slice_of(address)];
}

/* The record of the first slice of the span that this slice belongs to. */
static inline emma_span *emma__span_first(emma_span *record) {
    return record - ATOMIC_LOAD(&record->slices_before, relaxed);
}

/* The address where the span begins that an address with this record lies in. */
static inline uintptr_t emma__span_start(const emma_span *record, uintptr_t address) {
    uintptr_t slice = address & ~((uintptr_t)EMMA_SLICE_BYTES - 1);
    return slice - ((uintptr_t)ATOMIC_LOAD(&record->slices_before, relaxed) << EMMA_SLICE_LOG2);
}

static inline unsigned emma__span_class(const emma_span *span) {
    return (uint8_t)(ATOMIC_LOAD(&span->word, relaxed) >> 32);
}

/* How many blocks of a span are not at home. */
static inline unsigned emma__span_out(const emma_span *span) {
    return (uint16_t)(ATOMIC_LOAD(&span->word, relaxed) >> 16);
}

/* The slice of an address in the region with this base; EMMA_REGION_SLICES or more for any other address. */
static EMMA_ALWAYS_INLINE size_t emma__span_slice_in(uintptr_t base, uintptr_t address) {
    return (address - base) >> EMMA_SLICE_LOG2;
}

/* The class of a block in the first region; EMMA_CLASS_NONE for any other address. */
static inline size_t emma__span_class_fast(const emma_regions *regions, uintptr_t address) {
    uintptr_t base = ATOMIC_LOAD(&regions->base, acquire); /* pairs with emma__window_open: class bytes */
    size_t slice = emma__span_slice_in(base, address);
    return slice < EMMA_REGION_SLICES ? emma__region_classes(base)[slice] : (size_t)EMMA_CLASS_NONE;
}

/* Take up to want free blocks of a class, as a chain with room for capacity blocks in all; a page's worth at most where
 * they are carved afresh. Returns: an empty chain iff no memory can be had; *count says how many.
 * Requires: 1 <= want <= capacity <= EMMA_CHAIN_ROOM_MAX. Cost: a few CAS and one step for each block. */
emma_chain emma__spans_refill(emma_spans *spans, unsigned class, unsigned capacity, unsigned want, unsigned *count);

/* The same, but only blocks of a line that was not carved before, so none of them has neighbours in another cache; as
 * many as there is room for. Returns: an empty chain also where several spans have no such line. */
emma_chain emma__spans_refill_fresh(emma_spans *spans, unsigned class, unsigned capacity, unsigned *count);

/* Bring every block of a chain home. Ends the process with a message if a block does not belong there.
 * Returns: whether most of the spans are nearly empty now: then it is the caches that keep them, and should not.
 * Cost: one CAS for each slice that has blocks in it, as long as these are few. */
bool emma__spans_take_home(emma_spans *spans, unsigned class, emma_chain chain);

/* Claim a large run and give it to the caller. Returns: its address, or 0. align in slices, as emma__regions_claim. */
uintptr_t emma__spans_claim_large(emma_spans *spans, size_t size_bytes, unsigned align);

/* Give a large run back. Returns: false iff address is not the start of a live one. */
bool emma__spans_release_large(emma_spans *spans, uintptr_t address);

/* Change the usable size of a live large run in place. Returns: false iff what follows is not free. */
bool emma__spans_resize_large(emma_spans *spans, uintptr_t address, size_t size_bytes);

/* Whether address may be the start of a live block of this class, as far as the span's record tells. */
bool emma__span_is_block(emma_span *record, uintptr_t address);

/* Whether a word is one that a block at home may begin with. Almost no other word is. */
bool emma__span_is_home_word(uint64_t word);

/* Whether a block of this class is at home in its span. Finds it only if the span is offered and can be claimed: an
 * owned one's chains are its owner's. Requires: block lies in a span of this class. Cost: a step for each block at
 * home. */
bool emma__spans_contain(emma_spans *spans, unsigned class, const void *block);

/* A bit for each block of a span: it is at home or not carved. */
enum { EMMA_FREE_MAP_WORDS = EMMA_SLICE_BYTES / EMMA_BLOCK_ALIGN / 64 };
typedef struct emma_free_map {
    uint64_t free[EMMA_FREE_MAP_WORDS > 64 ? EMMA_FREE_MAP_WORDS : 64];
} emma_free_map;

static inline bool emma__free_map_has(const emma_free_map *map, unsigned block) {
    return (map->free[block / 64] >> (block % 64) & 1) != 0;
}

/* Which blocks of the span that begins at start are free; none, where another thread owns the span at the moment.
 * Returns: its class; EMMA_CLASS_NONE or EMMA_CLASS_LARGE where there is no span. Cost: a step for each free block. */
unsigned emma__spans_look(emma_spans *spans, uintptr_t start, emma_free_map *map);

/* Where the span or large run begins that holds an address. Returns: 0 iff there is none.
 * Requires: the address lies in mapped slices of a tract, not its own. Cost: O(slices of the run). */
uintptr_t emma__span_run_of(uintptr_t address);

/* LOOK: only say what would be purged. PURGE_HUGE: the chunk had huge pages, so pages may be resident that were never
 * touched. */
typedef enum emma_span_purge { EMMA_SPAN_LOOK, EMMA_SPAN_PURGE, EMMA_SPAN_PURGE_HUGE } emma_span_purge;

/* Give back the pages of a span that hold nothing but free blocks. slice: any slice of a tract.
 * Returns: bytes purged, or that would be, at least. Cost: claims the span if it is offered; a step for each free
 * block; a system call for each run of pages. */
size_t emma__spans_purge(emma_spans *spans, emma_tract *tract, unsigned slice, emma_span_purge how);

/* Take back every block and every large run. Requires: nobody uses the spans. Cost: a step for each slice. */
void emma__spans_reset(emma_spans *spans);

/* Set again an offer bit whose setter stopped; purging calls it for every slice. */
void emma__spans_repair(emma_tract *tract, unsigned slice);

bool emma__span_valid(const emma_span *span);

#endif
