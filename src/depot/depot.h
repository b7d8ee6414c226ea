/* depot.h: the exchange of full magazines between caches: per class a shelf of slots, each of which holds one chain.
 *
 *     slot:   [chain] [chain] [chain] [  0  ] [  0  ] ...        put: lowest empty one, CAS 0 -> chain      (release)
 *     filled:    1       1       1       0       0               get: highest filled one, exchange with 0   (acquire)
 *
 * So the depot is roughly last in, first out, which keeps memory warm. A full shelf sends the chain home to the spans;
 * an empty one is answered from the spans. Nothing in a slot is looked at before it is in hand, and words move whole:
 * there is no ABA problem (law 1). The bits only lead to slots: who finds one wrong sets it right. A filled slot whose
 * bit is clear, because somebody stopped between the two, is found by the next put there.
 *
 * A shelf may hold EMMA_DEPOT_BYTES at first. One that runs dry after it was full was too small: its limit doubles,
 * beyond EMMA_DEPOT_BYTES as far as all shelves together have not earned too much. Blocks in it keep their spans from
 * being given back: where a full shelf sends blocks home to spans that are nearly empty, again and again, it is emptied
 * and closed, that is, it takes nothing until it has refused something and then is asked in vain; so it is when memory
 * is wanted back. So a program that makes and frees batches finds them in the depot, and one that shrinks does not
 * leave its memory there.
 *
 * The depot contains the layers below it, as each layer does.
 * Bound: EMMA_DEPOT_SLOTS chains and about EMMA_DEPOT_BYTES for each class, and EMMA_DEPOT_EARNED_BYTES for all.
 * Threads, signals, fork: any, lock-free; each word is consistent at every instant. */
#ifndef EMMA_DEPOT_DEPOT_H
#define EMMA_DEPOT_DEPOT_H

#include "span/span.h"

enum {
    EMMA_DEPOT_SLOTS = 62,
    EMMA_DEPOT_BYTES = 256 * 1024,
    EMMA_DEPOT_DOUBLINGS_MAX = 2,
    EMMA_DEPOT_DOUBLINGS_MIN = -5,     /* closed */
    EMMA_DEPOT_EARNED_BYTES = 4 << 20, /* what the limits of all shelves may be above EMMA_DEPOT_BYTES, together */
};

typedef struct emma_shelf {
    _Alignas(64) _Atomic(uint64_t) filled;
    _Atomic(int32_t) doublings;                 /* of its limit; negative: halvings */
    _Atomic(uint32_t) overflows;                /* 0: none since it ran dry; else 1 + those in a row to sparse spans */
    _Atomic(emma_chain) slot[EMMA_DEPOT_SLOTS]; /* packed with their counts; 0: empty */
} emma_shelf;

typedef struct emma_depot {
    emma_spans spans;
    _Atomic(uint64_t) earned;          /* by all caches (cache/magazines.h): how often it was halved:32 | bytes:32 */
    _Atomic(uint32_t) earned_refusals; /* how often somebody wanted more */
    _Atomic(uint32_t) earned_most;     /* what it may come to; 0: EMMA_CACHE_EARNED_BYTES */
    _Atomic(uint32_t) shelves_earned_bytes; /* what all shelves have */
    emma_shelf *shelf; /* EMMA_CLASS_COUNT of them, zero at first: apart, as most are never touched */
} emma_depot;

/* A chain of free blocks of a class: a magazine from the depot as it was put, or else up to want blocks from the spans,
 * with room for capacity in all. Returns: an empty chain iff no memory can be had; *count says how many blocks.
 * Cost: one exchange; or a refill (span.h). */
emma_chain emma__depot_get(emma_depot *depot, unsigned class, unsigned capacity, unsigned want, unsigned *count);

/* Hand over a chain of count blocks. Returns: whether the caller had better send home what else it has of this class:
 * the shelf is full, and blocks come home to spans that are nearly empty; the shelf is then emptied too.
 * Cost: one CAS; if the shelf is full, emma__spans_take_home. */
bool emma__depot_put(emma_depot *depot, unsigned class, emma_chain chain, unsigned count);

/* Send everything home, and close the shelves that had something or had grown. Others may go on putting and getting. */
void emma__depot_empty(emma_depot *depot);

/* Forget everything. Requires: nobody uses it. */
void emma__depot_forget(emma_depot *depot);

/* Whether the shelf of a class is closed, or smaller than at first since it was. */
static inline bool emma__depot_has_shrunk(const emma_depot *depot, unsigned class) {
    return ATOMIC_LOAD(&depot->shelf[class].doublings, relaxed) < 0;
}

/* Whether it is larger than at first, since it was too small for how the class is used. */
static inline bool emma__depot_has_grown(const emma_depot *depot, unsigned class) {
    return ATOMIC_LOAD(&depot->shelf[class].doublings, relaxed) > 0;
}

/* How many blocks of a class are in the depot, and the bytes of all. Exact when nobody else puts or gets. */
size_t emma__depot_count(const emma_depot *depot, unsigned class);
size_t emma__depot_bytes(const emma_depot *depot);

#endif
