/* directory.h: which addresses belong to this copy of emma: one byte for each tract-sized granule of the address space.
 *
 *     entry[address >> TRACT_LOG2]:  NONE | TRACT | HUGE | HUGE_REST | BREAK
 *
 * The directory is the one thing that heaps share. It is zero-filled static memory of which only the touched pages
 * exist. An entry is set before a block of the granule is handed out and cleared before the granule is unmapped, so a
 * legal free always finds its entry: the program's own order carries it from the malloc to the free.
 *
 * Threads, signals: any. Cost of a look-up: one load. */
#ifndef EMMA_REGION_DIRECTORY_H
#define EMMA_REGION_DIRECTORY_H

#include "base/atomic.h"
#include "base/compiler.h"
#include "base/config.h"
#include "region/commit.h"
#include "region/ranges.h"

typedef enum emma_granule {
    EMMA_GRANULE_NONE,
    EMMA_GRANULE_TRACT,     /* begins with an emma_tract */
    EMMA_GRANULE_HUGE,      /* begins with a huge block */
    EMMA_GRANULE_HUGE_REST, /* goes on from the granule before it */
    EMMA_GRANULE_BREAK,     /* of a range that grows at its end: no blocks */
} emma_granule;

enum {
    EMMA_HUGE_LEAF_LOG2 = 10, /* granules of a leaf */
    EMMA_HUGE_LEAVES = 1 << (EMMA_ADDRESS_LOG2 - EMMA_TRACT_LOG2 - EMMA_HUGE_LEAF_LOG2),
};
struct emma_huge;

typedef struct emma_directory {
    _Atomic(uint8_t) entry[(size_t)1 << (EMMA_ADDRESS_LOG2 - EMMA_TRACT_LOG2)];
    _Atomic(uint64_t) next_place; /* where the next made heap is looked for: only a hint (window.c) */
    _Atomic(uint64_t) made;       /* heaps made and not destroyed */
    emma_commit all;              /* of all heaps together, but those whose memory is lent or has a source */
    _Atomic(struct emma_huge *) huge[EMMA_HUGE_LEAVES]; /* arrays of their records, made when needed (huge.h) */
    emma_ranges ranges;                                 /* what was lent to heaps: where entry says NONE */
} emma_directory;

/* What lies at an address. Any value may be asked for. Pairs with the release in emma__directory_set. */
static inline emma_granule emma__directory_get(const emma_directory *directory, uintptr_t address) {
    if (address >> EMMA_ADDRESS_LOG2 != 0)
        return EMMA_GRANULE_NONE;
    return (emma_granule)ATOMIC_LOAD(&directory->entry[address >> EMMA_TRACT_LOG2], acquire);
}

static inline void emma__directory_set(emma_directory *directory, uintptr_t address, emma_granule granule) {
    ATOMIC_STORE(&directory->entry[address >> EMMA_TRACT_LOG2], (uint8_t)granule, release);
}

#endif
