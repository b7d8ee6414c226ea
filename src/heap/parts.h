/* parts.h: blocks that are freed part by part.
 *
 * A block in parts has a record: a bit for each of its bytes that was freed. The records of a heap are for one thread
 * at a time: who finds them claimed leaves its request on a list instead, and goes on; who has the claim works the list
 * off before giving the claim back, and looks again afterwards. So nobody waits.
 *
 *     free_range:   claim? -- yes --> own request, then the list, unclaim, list not empty? claim again ...
 *                      \--- no ----> push the request on the list; claimed no more? work it off
 *
 * A thread that stops for ever with the claim leaves the heap without freeing by parts: requests gather on the list.
 * Threads, signals: any. fork: in a child whose parent's other thread had the claim, the same. */
#ifndef EMMA_HEAP_PARTS_H
#define EMMA_HEAP_PARTS_H

#include "base/atomic.h"
#include "base/compiler.h"

struct emma_heap;

typedef struct emma_part_request {
    struct emma_part_request *next;
    uintptr_t from;
    size_t size_bytes;
} emma_part_request;

typedef struct emma_part_record {
    struct emma_part_record *next;
    uintptr_t block;
    size_t usable_bytes;
    size_t left_bytes;
    bool has_pages;   /* that can go back */
    uint64_t freed[]; /* a bit for each byte */
} emma_part_record;

typedef struct emma_parts {
    _Atomic(uint32_t) claimed;
    _Atomic(emma_part_request *) requests;
    emma_part_record *records; /* the claim's */
} emma_parts;

/* Free the bytes [from, from + size) of the block that holds from. Ends the process with a message if they are not of a
 * live block, or freed already. Returns: 1 iff the block is gone now, 0 if not (yet), -1 iff memory is refused. */
int emma__heap_free_range(struct emma_heap *heap, uintptr_t from, size_t size_bytes);

#endif
