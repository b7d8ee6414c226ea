/* shared.c: see shared.h. */
#include "cache/shared.h"

#include "plat/plat.h"

static emma_stripe *make_stripe(emma_shared *shared) {
    uint32_t number = ATOMIC_ADD(&shared->made, 1, relaxed);
    if (number >= EMMA_STRIPES + (shared->stock != 0 ? 0 : EMMA_STRIPE_LIVES)) {
        ATOMIC_SUB(&shared->made, 1, relaxed);
        return 0;
    }
    if (shared->stock != 0)
        return &shared->stock[number];
    uintptr_t address = emma__plat_map(emma__bits_align_up(sizeof(emma_stripe), emma__plat_page_bytes()));
    if (address == 0)
        ATOMIC_SUB(&shared->made, 1, relaxed);
    return (emma_stripe *)address; // NOLINT(performance-no-int-to-ptr)
}

static bool try_claim(emma_stripe *stripe) {
    /* Acquire: the magazines as the last holder left them. Pairs with the release in unclaim. */
    return ATOMIC_EXCHANGE(&stripe->claimed, 1, seq_cst) == 0;
}

/* Put a fresh stripe in the place of this one (0: of none). The loser of a race keeps nothing: its stripe is unmapped;
 * one of the stock is never used. */
static void replace(emma_shared *shared, emma_depot *depot, unsigned i, emma_stripe *old) {
    emma_stripe *fresh = make_stripe(shared);
    if (fresh != 0)
        fresh->at = i;
    emma_stripe *present = old;
    if (fresh != 0 && ATOMIC_CAS(&shared->entry[i], &present, fresh, seq_cst)) { /* pairs with emma__shared_claim */
        /* Its holder may have given it back a moment ago, before it could see this: then it is emptied here. */
        if (old != 0 && try_claim(old))
            emma__magazines_end(&old->magazines, depot, false);
        return;
    }
    if (fresh == 0 || shared->stock != 0)
        return;
    emma__plat_unmap((uintptr_t)fresh, emma__bits_align_up(sizeof *fresh, emma__plat_page_bytes()));
    ATOMIC_SUB(&shared->made, 1, relaxed);
}

/* Be done with a stripe. If it was replaced meanwhile, nobody comes to it any more: send home what it holds (law 4). */
void emma__shared_unclaim(emma_shared *shared, emma_depot *depot, emma_stripe *stripe) {
    /* Given back, then looked at; a replacer changes the entry, then tries the claim: one of the two sees the other. */
    ATOMIC_STORE(&stripe->claimed, 0, seq_cst);
    if (EMMA_LIKELY(ATOMIC_LOAD(&shared->entry[stripe->at], seq_cst) == stripe) || !try_claim(stripe))
        return;
    emma__magazines_end(&stripe->magazines, depot, false);
}

/* Claim one of the stripes, beginning with one that other threads probably do not; one more is made only when all that
   there are, are held. Returns: 0 iff all are held and there is no more to be had. */
emma_stripe *emma__shared_claim(emma_shared *shared, emma_depot *depot) {
    unsigned here;
    unsigned start = (unsigned)((uintptr_t)&here >> 12); /* threads have different stacks */
    unsigned empty = EMMA_STRIPES;
    for (unsigned i = 0; i < EMMA_STRIPES; i++) {
        unsigned at = (start + i) % EMMA_STRIPES;
        emma_stripe *stripe = ATOMIC_LOAD(&shared->entry[at], acquire);
        if (stripe == 0) {
            empty = empty == EMMA_STRIPES ? at : empty;
            continue;
        }
        if (try_claim(stripe)) {
            ATOMIC_STORE(&stripe->misses, 0, relaxed);
            return stripe;
        }
        if (ATOMIC_ADD(&stripe->misses, 1, relaxed) % EMMA_STRIPE_PATIENCE == EMMA_STRIPE_PATIENCE - 1)
            replace(shared, depot, at, stripe);
    }
    if (empty == EMMA_STRIPES)
        return 0;
    replace(shared, depot, empty, 0);
    emma_stripe *stripe = ATOMIC_LOAD(&shared->entry[empty], acquire);
    return stripe != 0 && try_claim(stripe) ? stripe : 0;
}

/* Without any stripe: a block of a magazine from the depot, the rest of which goes back. */
static void *alloc_past(emma_depot *depot, unsigned class) {
    unsigned count = 0;
    emma_chain chain = emma__depot_get(depot, class, 1, 1, &count);
    if (count == 0)
        return 0;
    void *block = emma__chain_pop(&chain);
    if (count > 1)
        emma__depot_put(depot, class, chain, count - 1);
    return block;
}

void *emma__shared_alloc(emma_shared *shared, emma_depot *depot, unsigned class) {
    emma_stripe *stripe = emma__shared_claim(shared, depot);
    if (stripe == 0)
        return alloc_past(depot, class);
    void *block = emma__magazines_alloc(&stripe->magazines, depot, class);
    emma__shared_unclaim(shared, depot, stripe);
    return block;
}

void emma__shared_free(emma_shared *shared, emma_depot *depot, unsigned class, void *block) {
    emma_stripe *stripe = emma__shared_claim(shared, depot);
    if (stripe == 0) {
        emma__spans_take_home(&depot->spans, class, emma__chain_push(emma__chain_empty(1), block));
        return;
    }
    emma__magazines_free(&stripe->magazines, depot, class, block);
    emma__shared_unclaim(shared, depot, stripe);
}

void emma__shared_reset(emma_shared *shared) {
    for (unsigned i = 0; i < EMMA_STRIPES; i++) {
        emma_stripe *stripe = ATOMIC_LOAD(&shared->entry[i], relaxed);
        if (stripe != 0)
            __builtin_memset(stripe, 0, sizeof *stripe);
        if (stripe != 0)
            stripe->at = i;
    }
}

void emma__shared_flush(emma_shared *shared, emma_depot *depot) {
    for (unsigned i = 0; i < EMMA_STRIPES; i++) {
        emma_stripe *stripe = ATOMIC_LOAD(&shared->entry[i], acquire);
        if (stripe == 0 || !try_claim(stripe))
            continue;
        emma__magazines_flush(&stripe->magazines, depot, false);
        emma__shared_unclaim(shared, depot, stripe);
    }
}

bool emma__shared_contain(emma_shared *shared, emma_depot *depot, unsigned class, const void *block) {
    bool found = false;
    for (unsigned i = 0; i < EMMA_STRIPES && !found; i++) {
        emma_stripe *stripe = ATOMIC_LOAD(&shared->entry[i], acquire);
        if (stripe == 0 || !try_claim(stripe))
            continue;
        found = emma__magazines_contain(&stripe->magazines, class, block);
        emma__shared_unclaim(shared, depot, stripe);
    }
    return found;
}

size_t emma__shared_count(const emma_shared *shared, unsigned class) {
    size_t count = 0;
    for (unsigned i = 0; i < EMMA_STRIPES; i++) {
        const emma_stripe *stripe = ATOMIC_LOAD(&shared->entry[i], acquire);
        count += stripe != 0 ? emma__magazines_count(&stripe->magazines, class) : 0;
    }
    return count;
}
