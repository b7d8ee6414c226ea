/* shared.h: caches that any thread may use: a few stripes, each claimed by a try.
 *
 * The only cache where there is no thread-local storage, and the refuge of thread caches: of signal handlers that
 * interrupted an operation, of threads that have ended or could not start. A try that fails goes to the next stripe;
 * when all fail the stripes are passed by: a block comes straight from the depot or the spans, and goes straight home.
 * So nobody depends on the holder of a stripe.
 *
 * A stripe that is never given back (its holder was stopped for ever, vanished in a fork, or left by longjmp) is
 * replaced after EMMA_STRIPE_PATIENCE failed tries by a fresh one, at most EMMA_STRIPE_LIVES times; the old one is
 * never taken from its holder, and who comes back finds its place gone but its stripe sound (law 4). What such a stripe
 * holds is lost.
 *
 * Threads, signals, fork: any, lock-free. Cost: two atomic accesses beside the cache's own. */
#ifndef EMMA_CACHE_SHARED_H
#define EMMA_CACHE_SHARED_H

#include "cache/magazines.h"

enum { EMMA_STRIPES = 4, EMMA_STRIPE_PATIENCE = 1 << 18, EMMA_STRIPE_LIVES = 64 };

typedef struct emma_stripe {
    _Atomic(uint32_t) claimed;
    _Atomic(uint32_t) misses; /* failed tries in a row */
    uint32_t at;              /* its place in the table */
    emma_magazines magazines;
} emma_stripe;

typedef struct emma_shared {
    _Atomic(emma_stripe *) entry[EMMA_STRIPES];
    _Atomic(uint32_t) made; /* stripes ever made */
    emma_stripe *stock;     /* zeroed memory for EMMA_STRIPES of them, and no more are made; 0: each is mapped */
} emma_shared;

/* Claim a stripe for as long as one likes. Returns: 0 iff all are held. Who keeps it long enough loses its place, not
 * the stripe. */
emma_stripe *emma__shared_claim(emma_shared *shared, emma_depot *depot);
void emma__shared_unclaim(emma_shared *shared, emma_depot *depot, emma_stripe *stripe);

void *emma__shared_alloc(emma_shared *shared, emma_depot *depot, unsigned class);
void emma__shared_free(emma_shared *shared, emma_depot *depot, unsigned class, void *block);

/* Forget what is in the stripes, and who holds them. Requires: nobody uses them. */
void emma__shared_reset(emma_shared *shared);

/* Send everything home that is in stripes which can be claimed now. */
void emma__shared_flush(emma_shared *shared, emma_depot *depot);

/* Whether a block is in a stripe that can be claimed now. */
bool emma__shared_contain(emma_shared *shared, emma_depot *depot, unsigned class, const void *block);

size_t emma__shared_count(const emma_shared *shared, unsigned class);

#endif
