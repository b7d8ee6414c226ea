/* break.h: a range of a heap's that grows and shrinks at its end, as sbrk(2).
 *
 * It has a mapping of its own, made at the first use: as many slots as can be had, up to EMMA_BREAK_SLOTS. Its pages
 * cost nothing before they are touched. The length is one word: who changes it by a CAS owns what it adds. Who shortens
 * it gives the pages back while they are still its own.
 *
 * Threads, signals, fork: any; lock-free. */
#ifndef EMMA_HEAP_BREAK_H
#define EMMA_HEAP_BREAK_H

#include "base/atomic.h"
#include "base/compiler.h"

struct emma_heap;

enum { EMMA_BREAK_SLOTS = 64 };

typedef struct emma_break {
    _Atomic(uintptr_t) base; /* 0: not made yet; its slots are in the low bits */
    _Atomic(size_t) length_bytes;
} emma_break;

/* As emma_heap_sbrk says. Returns: 0 iff refused. */
uintptr_t emma__heap_break(struct emma_heap *heap, ptrdiff_t delta_bytes);

/* The range is empty. end: and its mapping goes back. Requires: nobody uses it. */
void emma__heap_break_reset(struct emma_heap *heap, bool end);

#endif
