/* huge.h: blocks with a mapping of their own: those too long for a tract, and those that have outgrown their place.
 *
 *     granule start
 *    +-----------------------------------------+
 *    | the caller's bytes                      |   slots of a region, as many as it needs
 *    +-----------------------------------------+
 *
 * The kernel can make such a mapping longer, shorter and move its pages for nothing; its memory goes back at free. What
 * is known of a block lies apart, in the directory: a record for each granule, in arrays of 1024 (64 GiB of addresses)
 * that are mapped when the first of them is needed, and stay. So the program may remap the block's pages as it likes,
 * and anybody may look at the record of any address at any time, also of a block that is being freed.
 *
 * A record is written by who has mapped at its granule; version is odd while the block lives. Who looks reads the
 * version, the rest, and the version again: the same and odd, then all of it was true at one moment. Each store of the
 * rest is a release, each of these loads an acquire: who sees a word of a later block sees the version that ended the
 * earlier one.
 *
 * Number of mappings: one for each huge block; a block that could be a run becomes huge only while there are fewer than
 * EMMA_HUGE_MAX_SMALL.
 * Threads: any. A thread stopped here holds the slots that it was claiming. */
#ifndef EMMA_REGION_HUGE_H
#define EMMA_REGION_HUGE_H

#include "region/region.h"

enum { EMMA_HUGE_MAX_SMALL = 1024 };

typedef struct emma_huge {
    _Atomic(size_t) version;
    uintptr_t block; /* the granule's address: the same for ever */
    _Atomic(emma_regions *) owner;
    _Atomic(emma_region *) region;
    _Atomic(size_t) usable_bytes; /* all of the mapping */
} emma_huge;

/* What a look at a record found. */
typedef struct emma_huge_view {
    emma_regions *owner;
    uintptr_t block;
    size_t usable_bytes;
} emma_huge_view;

/* The huge block whose slots hold an address. Any value may be asked for, also while others free. Returns: false iff
 * there is none that lives. Cost: O(slots before the address), usually 1. */
bool emma__huge_look(const emma_directory *directory, uintptr_t address, emma_huge_view *view);

/* The huge block that begins at address. Returns: 0 iff there is none. Cost: two loads. */
emma_huge *emma__huge_find(const emma_directory *directory, uintptr_t address);

/* Make a block of at least size_bytes at a multiple of align_bytes; it reads as zero.
 * Returns: 0 iff refused. Requires: align a power of two; size + align + a tract does not overflow. Cost: one mmap. */
emma_huge *emma__huge_claim(emma_regions *regions, size_t size_bytes, size_t align_bytes);

/* Give the mapping back. Where even that is refused (too many mappings), the pages are purged, the addresses kept.
 * Returns: false iff another thread was quicker to free the block. */
bool emma__huge_release(emma_regions *regions, emma_huge *huge);

/* Give back all huge blocks of a heap. Requires: nobody uses them. */
void emma__huge_release_all(emma_regions *regions);

/* Change the size without moving. Returns: false iff it cannot; nothing changed. Shrinking succeeds but where the
 * system refuses it. Cost: one mremap. */
bool emma__huge_resize(emma_regions *regions, emma_huge *huge, size_t size_bytes);

/* Move the pages of [from, from + size) into a new huge block of at least new_bytes. The old range reads as zero then.
 * Returns: the block; 0 iff refused, nothing moved. Requires: page-aligned from and size; new_bytes >= size_bytes. */
emma_huge *emma__huge_adopt(emma_regions *regions, uintptr_t from, size_t size_bytes, size_t new_bytes);

/* Move a block, growing it, to where there is room. Returns: the new one; 0 iff refused, nothing moved.
 * Requires: new_bytes above its usable size. Cost: three system calls; no byte is copied. */
emma_huge *emma__huge_move(emma_regions *regions, emma_huge *huge, size_t new_bytes);

static inline size_t emma__huge_usable(const emma_huge *huge) {
    return ATOMIC_LOAD(&huge->usable_bytes, relaxed);
}

#endif
