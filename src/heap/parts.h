/* parts.h: blocks that are freed part by part.
 *
 * What was freed of blocks that are not free yet is a list of parts, in the order of addresses; neighbours of one block
 * are one part. A block is free when a part of it is the whole. Parts are for one thread at a time: who finds them
 * claimed leaves its own on another list instead, and goes on; who has the claim works that off before giving the claim
 * back, and looks again afterwards. So nobody waits, and nothing that was accepted needs memory any more: what was left
 * on the list becomes a part as it is.
 *
 *     free_range:   claim? -- yes --> own part, then the list, unclaim, list not empty? claim again ...
 *                      \--- no ----> push the part on the list; claimed no more? work it off
 *
 * A thread that stops for ever with the claim leaves the heap without freeing by parts: they gather on the list.
 * Threads, signals: any. fork: in a child whose parent's other thread had the claim, the same. */
#ifndef EMMA_HEAP_PARTS_H
#define EMMA_HEAP_PARTS_H

#include "heap/claim.h"

struct emma_heap;

typedef struct emma_part {
    struct emma_part *next;
    uintptr_t from;
    uintptr_t end;
} emma_part;

typedef struct emma_parts {
    emma_claim claim;
    _Atomic(emma_part *) left; /* by who found them claimed */
    emma_part *freed;          /* the claim's */
} emma_parts;

/* Free the bytes [from, from + size) of the block that holds from. Ends the process with a message if they are not of a
 * live block, or freed already. Returns: 1 iff the block is gone now, 0 if not (yet), -1 iff memory is refused. */
int emma__heap_free_range(struct emma_heap *heap, uintptr_t from, size_t size_bytes);

#endif
