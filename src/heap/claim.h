/* claim.h: a claim: what it guards is for one thread at a time, and nobody depends on the holder. Who finds it held
 * leaves its work for the holder and goes on, or tries for about half a second.
 *
 * The holder may be stopped for ever, be what this handler interrupted, or not exist in this child of fork. So who has
 * tried in vain says that the claim is stuck; until somebody gives it back, the next ones do not sleep for it.
 *
 * Threads, signals: any. */
#ifndef EMMA_HEAP_CLAIM_H
#define EMMA_HEAP_CLAIM_H

#include "base/atomic.h"
#include "base/compiler.h"

typedef struct emma_claim {
    _Atomic(uint32_t) is_held;
    _Atomic(uint32_t) is_stuck;
} emma_claim;

/* Returns: whether the claim is the caller's now. Pairs with emma__claim_give: acquires what the last holder did. Both
 * are sequentially consistent, for who leaves work on a list: the push, then the try; giving back, then a look at the
 * list: one of the two sees the other. */
static inline bool emma__claim_try(emma_claim *claim) {
    return ATOMIC_EXCHANGE(&claim->is_held, 1, seq_cst) == 0;
}

/* The same for who cannot leave its work. Cost: where it is held, 512 looks, then up to 500 sleeps of a millisecond. */
bool emma__claim_wait(emma_claim *claim);

static inline void emma__claim_give(emma_claim *claim) {
    if (ATOMIC_LOAD(&claim->is_stuck, relaxed) != 0)
        ATOMIC_STORE(&claim->is_stuck, 0, relaxed);
    ATOMIC_STORE(&claim->is_held, 0, seq_cst);
}

#endif
