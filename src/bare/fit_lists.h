/* fit_lists.h: the free blocks of a fit, in lists by size; any size is found in two steps over bit masks.
 *
 * Sizes count in granules here. Row 0 has a list for each size below 16. Row r has the sizes from 16 << (r - 1) to
 * 16 << r, in 16 lists of equal width:
 *
 *     row 0    0  1  2  3 ... 15
 *     row 1   16 17 18 19 ... 31
 *     row 2   32 34 36 38 ... 62       each list also holds the sizes up to the next number
 *     row 3   64 68 72 76 ... 124
 *
 * Invariants: columns[r] has bit c set iff lists[r][c] is not empty; rows has bit r set iff columns[r] is not 0. A list
 * is linked both ways; its first block has no previous one. */
#ifndef EMMA_BARE_FIT_LISTS_H
#define EMMA_BARE_FIT_LISTS_H

#include "bare/fit_block.h"

typedef struct emma_fit_place {
    unsigned row;
    unsigned column;
} emma_fit_place;

enum { EMMA__FIT_LISTS_COLUMNS_LOG2 = 4 };

/* No block is as large as this. */
static const size_t emma__fit_lists_limit_bytes = (size_t)EMMA_FIT_COLUMNS * EMMA_FIT_GRANULE << (EMMA_FIT_ROWS - 1);

/* The list for blocks of that size. Requires: 0 < size_bytes < the limit, a multiple of the granule. */
emma_fit_place emma__fit_lists_place(size_t size_bytes);

/* Requires: size_bytes is the block's. */
void emma__fit_lists_insert(emma_fit *fit, emma_fit_block *block, size_t size_bytes);
void emma__fit_lists_remove(emma_fit *fit, emma_fit_block *block);

/* Returns: a free block of at least that size, out of its list: the first of the list of the size itself, if it is
 * large enough, else the first of the next list that is not empty. NULL iff there is neither. Requires: as place. */
emma_fit_block *emma__fit_lists_take(emma_fit *fit, size_t size_bytes);

#endif
