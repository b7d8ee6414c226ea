/* break.h: a range of a heap's that grows and shrinks at its end, as sbrk(2).
 *
 *     base             length          charged                                reserved
 *      | the caller's   | zero, or what | not touched                          |
 *      |                | was there     |                                      |
 *
 * It has a mapping of its own, made at the first use: as many slots as can be had, up to EMMA_BREAK_SLOTS. Its pages
 * cost nothing before they are touched. What was touched is below charged, which is length to the end of its page, but
 * where pages would not go back (locked memory): these are cleared, and stay charged for the next growth.
 *
 * The range is for one thread at a time, for a system call at most. Who finds it claimed tries for some time (claim.h),
 * and is then refused. */
#ifndef EMMA_HEAP_BREAK_H
#define EMMA_HEAP_BREAK_H

#include "heap/claim.h"

struct emma_heap;

enum { EMMA_BREAK_SLOTS = 64 };

typedef struct emma_break {
    emma_claim claim; /* the rest is the claim's */
    unsigned slots;
    uintptr_t base; /* 0: not made yet */
    size_t length_bytes;
    size_t charged_bytes;
} emma_break;

/* As emma_heap_sbrk says, but nothing is given back at the limit. Returns: 0 iff refused; *at_limit: by the limit. */
uintptr_t emma__heap_break(struct emma_heap *heap, ptrdiff_t delta_bytes, bool *at_limit);

/* The range is empty. end: and its mapping goes back. Requires: nobody uses it. */
void emma__heap_break_reset(struct emma_heap *heap, bool end);

#endif
