/* huge.h: blocks with a mapping of their own: those too long for a tract, and those that have outgrown their place.
 *
 *     granule start            block
 *    +-----------+------------+---------------------------------------+
 *    | emma_huge |  (padding) |  the caller's bytes                   |   slots of a region, as many as it needs
 *    +-----------+------------+---------------------------------------+
 *
 * The kernel can make such a mapping longer, shorter and move its pages for nothing; its memory goes back at free. The
 * header lies in pages of its own before the block, so the program may remap the block's pages as it likes.
 *
 * Number of mappings: one for each huge block, three once its pages were moved; a block that could be a run becomes
 * huge only while there are fewer than EMMA_HUGE_MAX_SMALL.
 * Threads: any; a block's header is its owner's. A thread stopped here holds the slots that it was claiming. */
#ifndef EMMA_REGION_HUGE_H
#define EMMA_REGION_HUGE_H

#include "region/region.h"

enum { EMMA_HUGE_MAX_SMALL = 1024 };

typedef struct emma_huge {
    emma_region *region;
    uintptr_t block;
    size_t mapped_bytes;     /* from the granule's start */
    _Atomic(size_t) is_live; /* exchanged for 0 by the free; a second free sees it */
} emma_huge;

/* The huge block whose mapping holds an address. Returns: 0 iff there is none. Cost: O(slots before the address),
 * usually 1. */
emma_huge *emma__huge_at(const emma_directory *directory, uintptr_t address);

/* The huge block that begins at address. Returns: 0 iff there is none. Cost: O(slots before the block), usually 1. */
emma_huge *emma__huge_find(const emma_directory *directory, uintptr_t address);

/* Make a block of at least size_bytes at a multiple of align_bytes; it reads as zero.
 * Returns: 0 iff refused. Requires: align a power of two; size + align + a tract does not overflow. Cost: one mmap. */
emma_huge *emma__huge_claim(emma_regions *regions, size_t size_bytes, size_t align_bytes);

/* Give the mapping back. Where even that is refused (too many mappings), the pages are purged, the addresses kept. */
void emma__huge_release(emma_regions *regions, emma_huge *huge);

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
    return huge->mapped_bytes - (huge->block - (uintptr_t)huge);
}

#endif
