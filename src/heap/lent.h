/* lent.h: memory that was lent to a heap: ranges of the caller's, of any kind, managed by one emma_fit (emma_bare.h).
 *
 *     a heap's own memory is refused, or its limit is reached ──> lent memory ──> the handlers
 *
 *     a heap over lent memory only (emma_heap_config.memory, or donated later), all within that memory:
 *         | emma_heap up to its depot | emma_fit | pool of blocks ... |
 *
 * The fit is for one thread at a time: who has the claim. What comes while it is claimed is left on a list, through its
 * own first words; the claim's holder works the lists off when it comes and when it goes, and looks again afterwards,
 * as in parts.h. So a free and a donation never wait. A request for memory has nothing else to do: it tries for some
 * time (claim.h), and is refused then.
 *
 * A thread that stops for ever with the claim, one of a parent that forked meanwhile included, takes the lent memory
 * out of use. All state is in the heap, or in the ranges: a heap in shared memory is the same to all processes that
 * have it, and the directory, by fork. The fit never learns of an address outside the ranges: which those are,
 * region/ranges.h knows.
 *
 * Threads, signals: any. Cost: O(1), but for what is said below; looking up a range is O(ranges). */
#ifndef EMMA_HEAP_LENT_H
#define EMMA_HEAP_LENT_H

#include "emma_bare.h"
#include "emma_heap.h"
#include "heap/claim.h"
#include "region/directory.h"

/* A block that was freed, or a range that was donated, while others had the claim. */
typedef struct emma_lent_note {
    struct emma_lent_note *next;
    size_t size_bytes; /* of a range */
    size_t is_piece;   /* a range that begins behind an emma_piece; 2: and was zeroed */
} emma_lent_note;

struct emma_sourced;
struct emma_piece;

typedef struct emma_lent {
    emma_directory *directory;    /* of a heap that has lent memory only; 0 in others, whose regions know it */
    emma_fit *fit;                /* the claim's; 0: nothing can be lent to this heap */
    struct emma_sourced *sourced; /* where more comes from (source.h); 0: from nowhere */
    emma_claim claim;
    _Atomic(emma_lent_note *) freed;
    _Atomic(emma_lent_note *) added;
    _Atomic(size_t) capacity_bytes; /* these three: as at the last unclaim */
    _Atomic(size_t) used_bytes;
    _Atomic(size_t) blocks;
    _Atomic(size_t) lent_bytes; /* of all ranges */
} emma_lent;

/* Make a heap that lies in this memory and has no other. Returns: 0 iff that is too small, or lent already. */
emma_heap *emma__lent_make(emma_directory *directory, uintptr_t from, size_t size_bytes);

/* Lend it to a heap as well. Returns: false iff that is too small or lent already, or there is no memory to note it.
 * Cost: O(ranges). */
bool emma__lent_add(emma_heap *heap, uintptr_t from, size_t size_bytes);

/* The same for a piece of its source (source.h). Returns: false iff it is lent already, or that cannot be noted;
 * nothing is written to it then. */
bool emma__lent_add_piece(emma_heap *heap, struct emma_piece *piece, size_t size_bytes, bool is_zeroed);

/* Give back what is empty to where it came from. Returns: bytes. */
size_t emma__lent_collect(emma_heap *heap);

/* Nothing is lent any more; a heap that lay in lent memory is gone. Requires: nobody uses the heap. */
void emma__lent_end(emma_heap *heap);

/* Every block is free. Requires: nobody uses the heap. Cost: O(ranges^2). */
void emma__lent_reset(emma_heap *heap);

/* A block at a multiple of align. Returns: 0 iff there is none, or others had the claim all the time. */
void *emma__lent_alloc(emma_heap *heap, size_t size_bytes, size_t align_bytes);
void *emma__lent_alloc_zeroed(emma_heap *heap, size_t size_bytes);

/* Take back a block that emma__lent_find found here. Returns: false iff it is not live, as far as is seen at once. If
 * it is seen later, by who has the claim, that one ends the process with a message. */
bool emma__lent_free(emma_heap *heap, void *block);

/* Whether what lies at an address in lent memory looks like the start of a live block. Returns: its usable bytes, 0 iff
 * not; *heap is who it is lent to, 0 iff to none. Any address may be asked for. Cost: O(ranges). */
size_t emma__lent_find(const emma_directory *directory, uintptr_t address, emma_heap **heap);

/* Change the usable size of a live block where it lies. Returns: false iff that cannot be had, or others had the claim
 * all the time. */
bool emma__lent_resize(emma_heap *heap, void *block, size_t size_bytes);

/* What lies at an address that is lent to this heap: start, size and state are filled in, if it is in a block. Cost:
 * O(blocks). */
void emma__lent_describe(emma_heap *heap, uintptr_t address, emma_description *description);

/* Visit the live blocks, as emma_heap_walk; the claim is not held meanwhile. Cost: O(blocks^2 / 64). */
int emma__lent_walk(emma_heap *heap, emma_walker *walker, void *context);

/* Usable bytes of the live blocks. */
static inline size_t emma__lent_live_bytes(const emma_lent *lent) {
    size_t headers = ATOMIC_LOAD(&lent->blocks, relaxed) * sizeof(size_t);
    size_t used = ATOMIC_LOAD(&lent->used_bytes, relaxed);
    return used > headers ? used - headers : 0;
}

#endif
