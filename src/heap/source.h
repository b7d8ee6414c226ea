/* source.h: a heap whose memory comes from the caller's functions (emma_source of emma_heap.h), piece by piece.
 *
 *     first piece:  | emma_piece | emma_sourced | emma_heap up to its depot | emma_fit | pool of blocks ... |
 *     any other:    | emma_piece | pool of blocks ...                                                       |
 *
 * It is a heap over lent memory (lent.h) that lends itself more where a block cannot be had. A piece doubles, from 1
 * MiB to 64 MiB, or is as large as the block needs. A piece that has become empty stays until another one has, or the
 * heap is asked to collect; then it goes back, after the claim is given up. The first stays until the heap is
 * destroyed.
 *
 * Zeroes: a piece that its source calls zeroed is so from zero_from on, but for its last word, as long as it is the
 * newest: that far no block has reached, nor the header and the two links of the free block behind one.
 *
 * Threads, signals: as lent.h; the caller's functions are called without any claim held. */
#ifndef EMMA_HEAP_SOURCE_H
#define EMMA_HEAP_SOURCE_H

#include "heap/lent.h"
#include "region/commit.h"

enum {
    EMMA_SOURCE_FIRST_LOG2 = 20,
    EMMA_SOURCE_LAST_LOG2 = 26,
    EMMA_SOURCE_ALIGN = 4096,
};

typedef struct emma_piece {
    struct emma_piece *next;
    size_t size_bytes;
} emma_piece;

typedef struct emma_sourced {
    emma_source source;
    emma_commit commit; /* what is reserved */
    _Atomic(uint32_t) next_log2;
    emma_piece *pieces; /* these are the claim's; the first is the last of the list */
    emma_piece *spare;  /* was empty lately; 0: none */
    emma_piece *gone;   /* out of the fit, to be given back after the claim */
    emma_piece *newest; /* if it was zeroed, else 0 */
    uintptr_t zero_from;
} emma_sourced;

/* Make a heap over such a source. Returns: 0 iff the source or the limit refuses it the first piece. */
emma_heap *emma__source_make(emma_directory *directory, const emma_source *source, size_t limit_bytes);

/* One more piece, in which a block of this size and alignment has room. Returns: whether. */
bool emma__source_grow(emma_heap *heap, size_t size_bytes, size_t align_bytes);

/* Claimed: a piece came in; or a block was allocated or grown; or is now being freed. */
void emma__source_add(emma_sourced *sourced, emma_piece *piece, bool is_zeroed);
void emma__source_touch(emma_sourced *sourced, const void *block, size_t usable_bytes);
emma_bare_error emma__source_free(emma_sourced *sourced, emma_fit *fit, void *block);

/* Claimed: take all empty pieces out of the fit. */
void emma__source_drop_empty(emma_sourced *sourced, emma_fit *fit);

/* Claimed: how many bytes of a block just allocated are not known to be zero, from its start; the last word is not
 * known. */
size_t emma__source_dirty_bytes(const emma_sourced *sourced, const void *block, size_t usable_bytes);

/* Give back the pieces of this list. Not claimed. Returns: bytes. */
size_t emma__source_release(emma_heap *heap, emma_piece *gone);

/* Give back everything, the heap too. Requires: nobody uses it. */
void emma__source_end(emma_heap *heap);

#endif
