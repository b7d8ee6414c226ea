/* stamped.h: blocks that bear the stamp of who holds them, in every word: the holder's address. Two holders of one block, or
 * of overlapping ones, cannot both find their stamp. Nothing here allocates but from the heap under test; all of it may run
 * in a signal handler. */
#ifndef EMMA_TESTS_STAMPED_H
#define EMMA_TESTS_STAMPED_H

#include "../storm/storm.h"
#include "emma_heap.h"

typedef struct stamped_holder {
    uint64_t *block; /* its first word is its size */
    size_t size_bytes;
} stamped_holder;

/* Requires: size is at least 16. Blocks above 512 bytes bear the stamp in each eighth word and in the last. */
void stamped_write(uint64_t *block, size_t size, const void *owner);

/* Returns: whether the block is the owner's; if not, the case has failed. */
bool stamped_check(const uint64_t *block, size_t size, const void *owner);

/* Allocate a block of a random size, 16 to 4000 bytes, a few up to 128 KiB. */
void stamped_take(emma_heap *from, stamped_holder *into, uint64_t *random);

/* Check and free. A block that is not the holder's is left alone. */
void stamped_drop(stamped_holder *from, uint64_t *random);

#endif
