/* shadow.h: what a block should be: the model's own record of it, and the pattern that fills all its usable bytes.
 *
 * Every byte up to the usable size belongs to the holder, so all of it is written (of long blocks: the ends, and a word
 * in each 256 bytes), and an overlap of two blocks shows as a wrong pattern in one of them. */
#ifndef EMMA_MODEL_SHADOW_H
#define EMMA_MODEL_SHADOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct model_block {
    unsigned char *at; /* NULL: none */
    size_t size_bytes; /* asked for */
    size_t usable_bytes;
    size_t align_bytes; /* asked for */
    uint64_t seed;      /* of the pattern */
} model_block;

/* Write the pattern to all usable bytes. */
void model_fill(const model_block *block);

/* Whether the first bytes of the block hold the pattern still. */
bool model_holds(const model_block *block, size_t bytes);

/* Whether bytes are all zero. */
bool model_is_zero(const unsigned char *at, size_t bytes);

/* Whether no two of these blocks overlap. Sorts them. */
bool model_disjoint(model_block *blocks, size_t count);

#endif
