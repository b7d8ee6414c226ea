/* claim.c: see claim.h. */
#include "heap/claim.h"

#include "plat/plat.h"

enum { TRIES = 512, SLEEPS = 500 };

/* Another one may have said that it is stuck when it was given back already. */
static bool is_mine(emma_claim *claim) {
    ATOMIC_STORE(&claim->is_stuck, 0, relaxed);
    return true;
}

bool emma__claim_wait(emma_claim *claim) {
    for (unsigned i = 0; i < TRIES; i++)
        if (ATOMIC_LOAD(&claim->is_held, relaxed) == 0 && emma__claim_try(claim))
            return is_mine(claim);
    for (unsigned i = 0; i < SLEEPS && ATOMIC_LOAD(&claim->is_stuck, relaxed) == 0; i++) {
        emma__plat_sleep(1);
        if (emma__claim_try(claim))
            return is_mine(claim);
    }
    ATOMIC_STORE(&claim->is_stuck, 1, relaxed);
    return false;
}
