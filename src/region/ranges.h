/* ranges.h: memory that was lent to heaps: which addresses, to which heap.
 *
 *     directory ── 8 entries ── page of entries ── page of entries ...
 *     entry:  version | from | to | owner (0: the entry is free)
 *
 * Asked only where the directory knows nothing of an address. An entry is written by who makes its version odd, by one
 * compare-and-swap, and readers never wait: they pass over an entry that is being written or was written meanwhile.
 * They may, because an entry that stands throughout is seen, and a legal free is of a block whose entry stands
 * throughout. Pages are never unmapped, entries are used again.
 *
 * Each store of a field is a release and each load an acquire: who reads a new field finds a new version behind it.
 * Threads, signals, fork: any; lock-free. A writer that stops for ever takes one entry out of use. Cost: O(ranges). */
#ifndef EMMA_REGION_RANGES_H
#define EMMA_REGION_RANGES_H

#include "base/atomic.h"
#include "base/compiler.h"

typedef struct emma_range {
    uintptr_t from;
    uintptr_t to;
    void *owner;
} emma_range;

typedef struct emma_range_entry {
    _Atomic(uint64_t) version; /* odd: being written */
    _Atomic(uintptr_t) from;
    _Atomic(uintptr_t) to;
    _Atomic(void *) owner;
} emma_range_entry;

enum { EMMA_RANGES_FIRST = 8, EMMA_RANGE_PAGE_BYTES = 4096 };
enum { EMMA_RANGES_IN_PAGE = EMMA_RANGE_PAGE_BYTES / sizeof(emma_range_entry) - 1 };

typedef struct emma_range_page {
    _Atomic(struct emma_range_page *) next;
    emma_range_entry entry[EMMA_RANGES_IN_PAGE];
} emma_range_page;

typedef struct emma_ranges {
    _Atomic(size_t) count;
    _Atomic(size_t) nested; /* ranges that lie in memory of emma's: blocks that were lent in their turn */
    _Atomic(emma_range_page *) next;
    emma_range_entry entry[EMMA_RANGES_FIRST];
} emma_ranges;

EMMA_STATIC_ASSERT(sizeof(emma_range_page) <= EMMA_RANGE_PAGE_BYTES, "a page of entries");

/* The range that holds an address. Returns: whether there is one. */
bool emma__ranges_find(const emma_ranges *ranges, uintptr_t address, emma_range *range);

/* Whether a range shares a byte with [from, to). */
bool emma__ranges_overlap(const emma_ranges *ranges, uintptr_t from, uintptr_t to);

/* Returns: false iff no entry is free and memory for more is refused. Requires: from < to; owner is not 0. */
bool emma__ranges_add(emma_ranges *ranges, emma_range range, bool is_nested);

/* Take back the ranges of owner that begin in [from, to). Requires: nobody else does so for the same owner. */
void emma__ranges_remove(emma_ranges *ranges, const void *owner, uintptr_t from, uintptr_t to);

#endif
