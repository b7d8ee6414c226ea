/* emma_bare.h: allocators over memory that the caller gives, for code that has no operating system under it.
 *
 *     bump    a pointer that goes down; everything is freed at once, or back to a mark
 *     slab    blocks of one size
 *     buddy   blocks of powers of two, from a region that is never read or written: its metadata lies apart
 *     fit     blocks of any size and alignment with resize, over pools that come and go; worst case O(1)
 *
 * No libc, no system call, no global variable, no lock. The structures belong to the caller, who allocates them and
 * never touches their fields. docs/BARE.md has the guide, the overheads and the measured worst cases.
 *
 * Common rules, unless a function says otherwise:
 *   Sizes and offsets are in bytes. Alignments are powers of two. Memory is handed out uninitialised.
 *   Returns: allocate gives NULL iff the request cannot be served; nothing has then changed.
 *   Errors: after an error nothing has changed. deallocate(NULL) does nothing and is EMMA_BARE_OK.
 *   Requires: structures were initialised. One that is all zero, released, or refused by its constructor counts as
 *     that, too: it is empty, which means that nothing can be allocated from it.
 *   Owns: memory handed to init stays the caller's; what init_in took from a backing, release gives back.
 *   Threads: one owner at a time. To share a structure, hold the same lock around every call on it, valid and figures
 *     included. Different structures are independent.
 *   Cost: "no loop" is straight-line code; a step is one word of metadata read or changed. */
#ifndef EMMA_BARE_H
#define EMMA_BARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- what all four share ---- */

typedef struct emma_layout {
    size_t size_bytes;
    size_t align_bytes;
} emma_layout;

typedef enum emma_bare_error {
    EMMA_BARE_OK = 0,
    EMMA_BARE_ALLOC_FAILED,     /* the backing had no memory for a layout that the constructor names */
    EMMA_BARE_INVALID_CONFIG,   /* sizes, counts or alignments that no memory could satisfy */
    EMMA_BARE_INVALID_LOCATION, /* memory that is NULL, misaligned, overlapping, or leaves the address space */
    EMMA_BARE_FOREIGN,          /* a pointer that cannot have come from this allocator */
    EMMA_BARE_NOT_LIVE,         /* a pointer, mark or count that was given back before: a double free */
    EMMA_BARE_BUSY,             /* a pool that still has live blocks */
} emma_bare_error;

/* Where a constructor gets memory from, and where release brings it back.
 * allocate: Returns memory of that layout, or NULL. deallocate: gets each of them back once, with the same layout. */
typedef struct emma_backing {
    void *(*allocate)(void *context, emma_layout layout);
    void (*deallocate)(void *context, void *memory, emma_layout layout);
    void *context;
} emma_backing;

typedef struct emma_bare_figures {
    size_t capacity_bytes; /* what is managed, live or free, metadata inside it included */
    size_t used_bytes;     /* of that, what is not free: live blocks with their rounding and headers */
    size_t outstanding;    /* live blocks */
} emma_bare_figures;

/* ---- bump: grows down, frees at once ---- */

typedef struct emma_bump {
    unsigned char *base;
    size_t room_bytes; /* free, from base on; what lies above is handed out */
    size_t size_bytes;
    size_t outstanding;
    size_t resets;      /* how often everything was freed: makes old marks stale */
    emma_layout layout; /* for release; size 0 when the memory is the caller's */
    emma_backing backing;
} emma_bump;

typedef struct emma_bump_position {
    unsigned char *low;
    size_t outstanding;
    size_t resets;
} emma_bump_position;

/* Start over size_bytes at region. The region is not touched. Cost: O(1).
 * Errors: INVALID_CONFIG iff align_bytes is no power of two or the region is not so aligned; INVALID_LOCATION iff the
 * region is NULL with a size, or leaves the address space. The structure is then empty. */
emma_bare_error emma_bump_init(emma_bump *bump, void *region, size_t size_bytes, size_t align_bytes);

/* The same over memory from backing. Errors: INVALID_CONFIG iff the alignment is no power of two or the size is 0;
 * ALLOC_FAILED iff the backing has nothing of that size and alignment. */
emma_bare_error emma_bump_init_in(emma_bump *bump, size_t size_bytes, size_t align_bytes, const emma_backing *backing);

/* Give the region back to its backing, if it has one; the structure becomes empty. Requires: a part split off this
 * one is used no more. */
void emma_bump_release(emma_bump *bump);

/* Returns: the highest free place of that size and alignment. NULL iff the size is 0, the alignment no power of two, or
 * there is too little room. Cost: O(1), no loop. */
void *emma_bump_allocate(emma_bump *bump, size_t size_bytes, size_t align_bytes);

/* One block less is live; when it was the last, everything is free again. The space of one block alone is not reused.
 * Errors: NOT_LIVE iff nothing is live; FOREIGN iff block lies outside what is handed out (checked builds only; where
 * checks are compiled out, block is ignored). Cost: O(1), no loop. */
emma_bare_error emma_bump_deallocate(emma_bump *bump, void *block);

/* Free everything at once. Requires: no block is used any more. Cost: O(1). */
void emma_bump_reset(emma_bump *bump);

/* Returns: the position now, for rewind. Cost: O(1). */
emma_bump_position emma_bump_mark(const emma_bump *bump);

/* Free what was allocated since the mark, in one go. Blocks older than the mark stay; those of them that were
 * deallocated since may go on counting as outstanding until the next reset. The mark may be used again.
 * Errors: NOT_LIVE iff the mark lies in what is free now, or everything was freed since, by reset or with the last
 * block; but a mark of an empty bump is always good. Requires: a mark of this bump, not rewound past.
 * Cost: O(1), no loop. */
emma_bare_error emma_bump_rewind(emma_bump *bump, const emma_bump_position *mark);

/* Cut off the part that is not handed out: it becomes *lower, over the caller's memory; bump keeps its live blocks,
 * their count and the duty to release, and has no room left. Requires: lower is not bump. Cost: O(1). */
void emma_bump_split(emma_bump *bump, emma_bump *lower);

emma_bare_figures emma_bump_figures(const emma_bump *bump);
bool emma_bump_valid(const emma_bump *bump);

/* This bump as the backing of another allocator. Requires: it outlives that one; a refused deallocate traps. */
emma_backing emma_bump_backing(emma_bump *bump);

/* ---- slab: blocks of one size ---- */

typedef struct emma_slab {
    unsigned char *base;
    size_t *marks; /* one bit per block: live; NULL: double frees are not detected */
    size_t free;   /* LIFO of blocks by number; the first word of each free block holds the next */
    size_t block_bytes;
    size_t blocks;
    size_t fresh; /* blocks from here on were never handed out, and are not touched before they are */
    size_t outstanding;
    bool owned; /* base and marks go back to the backing */
    emma_backing backing;
} emma_slab;

/* The region for blocks of block_bytes, rounded up to the alignment of a pointer: blocks times the rounded size,
 * aligned to its lowest set bit (96 is aligned to 32). Zero blocks make a layout of size 0.
 * Errors: INVALID_CONFIG iff block_bytes is smaller than a pointer or the total exceeds PTRDIFF_MAX. */
emma_bare_error emma_slab_region_layout(size_t block_bytes, size_t blocks, emma_layout *layout);

/* The marks: one bit per block, in whole words; size 0 where checks are compiled out (EMMA_BARE_CHECKS=0). */
emma_layout emma_slab_marks_layout(size_t blocks);

/* Start over a region of region_layout, with marks of marks_layout or NULL. Neither is touched yet.
 * Errors: INVALID_CONFIG as above; INVALID_LOCATION iff region or marks are misaligned, overlap or leave the address
 * space, or region is NULL and blocks is not 0. The structure is then empty. Cost: O(1). */
emma_bare_error emma_slab_init(emma_slab *slab, void *region, size_t *marks, size_t block_bytes, size_t blocks);

/* The same over memory from backing; zero blocks take none. Errors: also ALLOC_FAILED; *refused then is the layout that
 * the backing had nothing for, region's or marks'. What was already taken is given back. refused may be NULL. */
emma_bare_error emma_slab_init_in(emma_slab *slab, size_t block_bytes, size_t blocks, const emma_backing *backing,
                                  emma_layout *refused);

/* Give the memory back to its backing, if it has one; the structure becomes empty. */
void emma_slab_release(emma_slab *slab);

/* Returns: the block freed last, else the next one never used, in the order of addresses. NULL iff all are live, the
 * size exceeds the block size, or the alignment exceeds the block alignment or is no power of two. Size 0 gets a block.
 * Cost: O(1), no loop. */
void *emma_slab_allocate(emma_slab *slab, size_t size_bytes, size_t align_bytes);

/* Returns: a whole block. NULL iff all are live. Cost: O(1), no loop. */
void *emma_slab_allocate_block(emma_slab *slab);

/* Errors: FOREIGN iff block is not the address of a block that was ever handed out; NOT_LIVE iff it is free: without
 * marks this is known only when nothing is outstanding. Where checks are compiled out, only that is detected.
 * Cost: O(1), no loop, one division. */
emma_bare_error emma_slab_deallocate(emma_slab *slab, void *block);

size_t emma_slab_block_size(const emma_slab *slab);  /* rounded */
size_t emma_slab_block_align(const emma_slab *slab); /* lowest set bit of the block size; 0 when empty */
size_t emma_slab_num_blocks(const emma_slab *slab);
size_t emma_slab_size(const emma_slab *slab);                      /* of the region */
void *emma_slab_limit(const emma_slab *slab);                      /* first byte above; NULL at the end of addresses */
bool emma_slab_contains(const emma_slab *slab, const void *place); /* in the region, live or not */
bool emma_slab_can_allocate(const emma_slab *slab);
size_t emma_slab_outstanding(const emma_slab *slab);

emma_bare_figures emma_slab_figures(const emma_slab *slab);
bool emma_slab_valid(const emma_slab *slab); /* Cost: O(blocks). Reads free blocks. */
emma_backing emma_slab_backing(emma_slab *slab);

/* ---- buddy: powers of two, metadata apart ---- */

/* Blocks of level 0 have block_bytes, each next level half of it; the smallest block has block_bytes >> (levels - 1). A
 * library compiled with -DEMMA_BUDDY_BLOCK_BYTES=n -DEMMA_BUDDY_LEVELS=n is folded for these and refuses others. */
typedef struct emma_buddy_config {
    size_t block_bytes;
    size_t blocks; /* of level 0 in the region */
    unsigned levels;
} emma_buddy_config;

typedef struct emma_buddy_memory {
    void *region;     /* handed out, never read or written: device memory and unmapped pages will do */
    size_t *metadata; /* apart from what is handed out */
} emma_buddy_memory;

/* A part of the region that does not exist, as offsets from its start: begin .. end - 1. */
typedef struct emma_buddy_gap {
    size_t begin;
    size_t end;
} emma_buddy_gap;

typedef struct emma_buddy_gaps {
    const emma_buddy_gap *list;
    size_t count; /* 0 for none */
} emma_buddy_gaps;

typedef struct emma_buddy_parts {
    emma_buddy_config config;
    emma_buddy_memory memory;
    emma_layout region_layout;
    emma_layout metadata_layout;
} emma_buddy_parts;

typedef struct emma_buddy {
    emma_buddy_memory memory;
    size_t blocks;
    size_t nonempty; /* bit k: a block of level k is free */
    size_t capacity_bytes;
    size_t used_bytes;
    size_t outstanding;
    unsigned char block_log2;
    unsigned char levels;
    bool owned; /* region and metadata go back to the backing */
    emma_backing backing;
} emma_buddy;

/* *min_bytes = the smallest block. Errors: INVALID_CONFIG iff levels is 0 or not less than the bits of a pointer,
 * block_bytes is no power of two, the smallest block is less than two pointers, or the library is folded for others. */
emma_bare_error emma_buddy_min_block(size_t block_bytes, unsigned levels, size_t *min_bytes);

/* The layout of the region: blocks * block_bytes, aligned to block_bytes. The layout of the metadata: docs/BARE.md has
 * the formula; about 4 bits for each smallest block.
 * Errors: INVALID_CONFIG as min_block, or blocks is 0, or the region exceeds PTRDIFF_MAX. */
emma_bare_error emma_buddy_region_layout(const emma_buddy_config *config, emma_layout *layout);
emma_bare_error emma_buddy_metadata_layout(const emma_buddy_config *config, emma_layout *layout);

/* Start with the whole region free. Cost: O(metadata). The region is not touched.
 * Errors: INVALID_CONFIG as above; INVALID_LOCATION iff region or metadata is NULL, misaligned, leaves the address
 * space, or they overlap. The structure is then empty. */
emma_bare_error emma_buddy_init(emma_buddy *buddy, const emma_buddy_config *config, emma_buddy_memory memory);

/* The same with nothing free: every allocation fails until add_region. The metadata may lie in the region, in a
 * part that is never added. */
emma_bare_error emma_buddy_init_empty(emma_buddy *buddy, const emma_buddy_config *config, emma_buddy_memory memory);

/* The same over memory from backing, all of the region free except the gaps: widened to whole smallest blocks, merged
 * where they touch, cut at the end of the region; an empty gap takes nothing.
 * Errors: also ALLOC_FAILED, and *refused (which may be NULL) as in emma_slab_init_in; INVALID_CONFIG iff a gap ends
 * before it begins, or begins before the one in front of it begins. */
emma_bare_error emma_buddy_init_in(emma_buddy *buddy, const emma_buddy_config *config, const emma_backing *backing,
                                   emma_buddy_gaps gaps, emma_layout *refused);

/* Free all of the region except the gaps, as init_in does, into a buddy that init_empty made.
 * Errors: INVALID_CONFIG as init_in; INVALID_LOCATION iff some of it was added before or holds the metadata.
 * Cost: as add_region. */
emma_bare_error emma_buddy_add_all_but(emma_buddy *buddy, emma_buddy_gaps gaps);

/* Make size_bytes at begin free; they join what is free beside them.
 * Errors: INVALID_LOCATION iff the range is not inside the region, its ends are not multiples of the smallest block
 * from its start, or some of it was added before or holds the metadata.
 * Cost: O(blocks + levels), and the bits of the range are read once. */
emma_bare_error emma_buddy_add_region(emma_buddy *buddy, void *begin, size_t size_bytes);

/* Give the memory back to its backing, if it has one; the structure becomes empty. */
void emma_buddy_release(emma_buddy *buddy);

/* Take the buddy apart into *parts: the memory becomes the caller's, even when it came from a backing; the structure
 * becomes empty. The parts fit emma_buddy_init again. All zero but the config iff buddy was empty. */
void emma_buddy_into_raw_parts(emma_buddy *buddy, emma_buddy_parts *parts);

/* Returns: a block of the least power of two that holds size and alignment, aligned to its size: of the smallest free
 * ones that will do, the lowest. NULL iff the size is 0 or more than block_bytes, the alignment is no power of two or
 * more than block_bytes, or no block is free.
 * Cost: at most depth * (levels + 1) + 2 steps; depth is 1 to 64 smallest blocks, 2 to 4096, 3 to 262,144, and so on
 * (32, 1024 and 32,768 where words have 32 bits). */
void *emma_buddy_allocate(emma_buddy *buddy, size_t size_bytes, size_t align_bytes);

/* Errors: FOREIGN iff block is not in the region or not where a block can begin; NOT_LIVE iff no live block begins
 * there.
 * Cost: at most depth * levels + 2 * levels + 3 steps. */
emma_bare_error emma_buddy_deallocate(emma_buddy *buddy, void *block);

/* Returns: the size of a live block; 0 iff deallocate would refuse it. Cost: levels + 1 steps. */
size_t emma_buddy_block_size(const emma_buddy *buddy, const void *block);

/* Returns: how many blocks of that level are free; 0 for levels that do not exist. Cost: O(blocks of the level). */
size_t emma_buddy_free_blocks(const emma_buddy *buddy, unsigned level);

emma_bare_figures emma_buddy_figures(const emma_buddy *buddy);
bool emma_buddy_valid(const emma_buddy *buddy); /* Cost: O(smallest blocks * levels) */
emma_backing emma_buddy_backing(emma_buddy *buddy);

/* ---- fit: any size, resize, several pools ---- */

/* Free blocks are kept in rows of lists by size: the sizes in one list differ by less than 1/16. */
enum {
    EMMA_FIT_COLUMNS = 16,
    EMMA_FIT_ROWS = sizeof(void *) == 8 ? 32 : 24,
    EMMA_FIT_GRANULE = 2 * sizeof(void *),
};

typedef struct emma_fit_block emma_fit_block;
typedef struct emma_fit_pool emma_fit_pool;

typedef struct emma_fit {
    emma_fit_pool *pools;
    uintptr_t low_address;  /* where the lowest block could be, of all pools there ever were */
    uintptr_t high_address; /* and the end of the highest: what is outside is foreign */
    size_t capacity_bytes;
    size_t used_bytes;
    size_t peak_used_bytes;
    size_t outstanding;
    uint32_t rows; /* bit r: row r has a list that is not empty */
    uint16_t columns[EMMA_FIT_ROWS];
    emma_fit_block *lists[EMMA_FIT_ROWS][EMMA_FIT_COLUMNS];
    emma_fit_pool *owned; /* in memory from the backing */
    void *memory;         /* that memory, and its layout */
    emma_layout layout;
    emma_backing backing;
} emma_fit;

/* Start without memory: every allocation fails until add_pool. Cost: clears the structure. */
void emma_fit_init(emma_fit *fit);

/* Start with one pool of size_bytes from backing, aligned to the granule. Errors: INVALID_CONFIG as add_pool;
 * ALLOC_FAILED iff the backing has nothing for that. */
emma_bare_error emma_fit_init_in(emma_fit *fit, size_t size_bytes, const emma_backing *backing);

/* Forget every pool, live blocks or not, and give the one from the backing back; the structure becomes empty. */
void emma_fit_release(emma_fit *fit);

/* Manage size_bytes at memory as well, of any alignment. *handle names it for remove_pool; handle may be NULL.
 * Errors: INVALID_LOCATION iff memory is NULL, leaves the address space or overlaps another pool; INVALID_CONFIG iff it
 * is too small for one block (8 words at a multiple of two words are enough, 9 anywhere) or has 2^39 bytes or more
 * (2^30 where words have 32 bits). Cost: O(pools). */
emma_bare_error emma_fit_add_pool(emma_fit *fit, void *memory, size_t size_bytes, emma_fit_pool **handle);

/* The memory is the caller's again. Errors: BUSY iff it has live blocks; FOREIGN iff it is not a pool of fit, or the
 * one that release gives back. Cost: O(pools). */
emma_bare_error emma_fit_remove_pool(emma_fit *fit, emma_fit_pool *pool);

/* Returns: memory aligned to the granule (two words) or to align_bytes, whichever is more. NULL iff the size is 0, the
 * alignment no power of two, or no list of blocks that are all large enough has one, nor the first block of the list of
 * the size itself will do. Cost: O(1), no loop. */
void *emma_fit_allocate(emma_fit *fit, size_t size_bytes, size_t align_bytes);

/* Errors: FOREIGN iff memory is misaligned or outside the span from the lowest pool to the highest; NOT_LIVE iff its
 * header says free or contradicts its neighbours: a double free, or memory that was overwritten. A block freed again
 * after its memory was handed out anew cannot be told. Checks can be compiled out.
 * Requires: what lies between the pools is readable, if memory points there. Cost: O(1), no loop. */
emma_bare_error emma_fit_deallocate(emma_fit *fit, void *memory);

/* Change the size: in place when it shrinks or the block behind is free and large enough, and the address has the
 * alignment; else by moving, with the content. memory NULL allocates.
 * Returns: the block, perhaps elsewhere. NULL iff deallocate would refuse memory, the size is 0, or there is no room:
 * the block then lives on unchanged. Cost: in place O(1); else allocate, deallocate, and a copy of the smaller size. */
void *emma_fit_reallocate(emma_fit *fit, void *memory, size_t size_bytes, size_t align_bytes);

/* Change the size where the block lies. Returns: false iff deallocate would refuse memory, the size is 0, or what is
 * behind the block is not free or not enough: the block is then unchanged. Cost: O(1), no loop. */
bool emma_fit_resize(emma_fit *fit, void *memory, size_t size_bytes);

/* Returns: the bytes usable in a live block, at least those asked for; 0 iff deallocate would refuse it. */
size_t emma_fit_usable_size(const emma_fit *fit, const void *memory);

/* Call visit for every block in the order of addresses, pool by pool, until it returns false. memory and size_bytes are
 * the usable part. Returns: false iff visit did. Requires: visit leaves fit alone. Cost: O(blocks). */
typedef bool emma_fit_visit(void *context, void *memory, size_t size_bytes, bool live);
bool emma_fit_walk(const emma_fit *fit, emma_fit_visit *visit, void *context);

emma_bare_figures emma_fit_figures(const emma_fit *fit);

/* Requires: the first two words of each pool are intact; blocks may have been overwritten in any way.
 * Cost: O(blocks * pools + lists). */
bool emma_fit_valid(const emma_fit *fit);
emma_backing emma_fit_backing(emma_fit *fit);

#ifdef __cplusplus
}
#endif
#endif
