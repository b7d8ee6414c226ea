/* depot.h: the exchange of full magazines between caches: per class a shelf of slots, each of which holds one chain.
 *
 *     slot:   [chain] [chain] [chain] [  0  ] [  0  ] ...        put: lowest empty one, CAS 0 -> chain      (release)
 *     filled:    1       1       1       0       0               get: highest filled one, exchange with 0   (acquire)
 *
 * So the depot is roughly last in, first out, which keeps memory warm. A full shelf sends the chain home to the spans; an
 * empty one is answered from the spans. Nothing in a slot is looked at before it is in hand, and words move whole: there
 * is no ABA problem (law 1). The bits only lead to slots: who finds one wrong sets it right. A filled slot whose bit is
 * clear, because somebody stopped between the two, is found by the next put there.
 *
 * Blocks in the depot keep their spans from being given back. Where a full shelf sends blocks home to spans that are nearly
 * empty, it is emptied and all but two of its slots closed; each time it runs dry, half of the closed ones are opened.
 *
 * The depot contains the layers below it, as each layer does: a heap is one object without pointers to set up.
 * Bound: EMMA_DEPOT_SLOTS chains and about EMMA_DEPOT_BYTES for each class. Threads, signals, fork: any, lock-free; each
 * word is consistent at every instant. */
#ifndef EMMA_DEPOT_DEPOT_H
#define EMMA_DEPOT_DEPOT_H

#include "span/span.h"

enum { EMMA_DEPOT_SLOTS = 31, EMMA_DEPOT_BYTES = 256 * 1024 };

typedef struct emma_depot {
    emma_spans spans;
    _Atomic(uint32_t) earned_bytes; /* what all caches have earned (cache/magazines.h) */
    struct {
        _Alignas(64) _Atomic(uint32_t) filled;
        _Atomic(uint32_t) closed;                   /* slots that are not used at present */
        _Atomic(emma_chain) slot[EMMA_DEPOT_SLOTS]; /* packed with their counts; 0: empty */
    } shelf[EMMA_CLASS_COUNT];
} emma_depot;

/* A chain of free blocks of a class: a magazine from the depot as it was put, or else up to want blocks from the spans,
 * with room for capacity in all. Returns: an empty chain iff no memory can be had; *count says how many blocks.
 * Cost: one exchange; or a refill (span.h). */
emma_chain emma__depot_get(emma_depot *depot, unsigned class, unsigned capacity, unsigned want, unsigned *count);

/* Hand over a chain of count blocks. Returns: whether the caller had better send home what else it has of this class: the
 * shelf is full, and blocks come home to spans that are nearly empty; the shelf is then emptied too.
 * Cost: one CAS; if the shelf is full, emma__spans_take_home. */
bool emma__depot_put(emma_depot *depot, unsigned class, emma_chain chain, unsigned count);

/* Send everything home. Others may go on putting and getting. */
void emma__depot_empty(emma_depot *depot);

/* Forget everything. Requires: nobody uses it. */
void emma__depot_forget(emma_depot *depot);

/* How many blocks of a class are in the depot. Exact when nobody else puts or gets. */
size_t emma__depot_count(const emma_depot *depot, unsigned class);

#endif
