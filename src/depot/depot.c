/* depot.c: see depot.h. */
#include "depot/depot.h"

enum { SLOTS_MIN = 2 };

/* Take a chain from a slot. Returns: 0 iff it is empty. Acquire: pairs with the release in emma__depot_put. */
static emma_chain take(_Atomic(emma_chain) *slot) {
    if (ATOMIC_LOAD(slot, relaxed) == 0)
        return 0;
    return ATOMIC_EXCHANGE(slot, 0, acquire);
}

emma_chain emma__depot_get(emma_depot *depot, unsigned class, unsigned capacity, unsigned want, unsigned *count) {
    uint32_t filled;
    while ((filled = ATOMIC_LOAD(&depot->shelf[class].filled, relaxed)) != 0) {
        unsigned at = emma__bits_highest(filled);
        emma_chain chain = take(&depot->shelf[class].slot[at]);
        ATOMIC_AND(&depot->shelf[class].filled, ~(UINT32_C(1) << at), relaxed); /* ends: each round clears a bit */
        if (chain == 0)
            continue;
        *count = emma__chain_packed_count(chain);
        return emma__chain_unpack(chain);
    }
    unsigned closed = ATOMIC_LOAD(&depot->shelf[class].closed, relaxed);
    if (closed != 0)
        ATOMIC_STORE(&depot->shelf[class].closed, closed / 2, relaxed);
    return emma__spans_refill(&depot->spans, class, capacity, want, count);
}

static void empty_shelf(emma_depot *depot, unsigned class) {
    for (unsigned i = 0; i < EMMA_DEPOT_SLOTS; i++) {
        emma_chain chain = take(&depot->shelf[class].slot[i]);
        if (chain == 0)
            continue;
        ATOMIC_AND(&depot->shelf[class].filled, ~(UINT32_C(1) << i), relaxed);
        emma__spans_take_home(&depot->spans, class, emma__chain_unpack(chain));
    }
}

/* How many slots of a shelf may be used for chains of this many bytes. */
static unsigned slots_for(const emma_depot *depot, unsigned class, size_t chain_bytes) {
    size_t slots = EMMA_DEPOT_BYTES / chain_bytes;
    size_t open = EMMA_DEPOT_SLOTS - ATOMIC_LOAD(&depot->shelf[class].closed, relaxed);
    slots = slots < open ? slots : open;
    return slots > SLOTS_MIN ? (unsigned)slots : SLOTS_MIN;
}

bool emma__depot_put(emma_depot *depot, unsigned class, emma_chain chain, unsigned count) {
    emma_chain packed = emma__chain_pack(chain, count);
    uint32_t slots = emma__bits_low_mask(slots_for(depot, class, count * emma__class_size(class)));
    uint32_t left = slots & ~ATOMIC_LOAD(&depot->shelf[class].filled, relaxed);
    for (; left != 0; left &= left - 1) {
        unsigned at = emma__bits_lowest(left);
        emma_chain empty = 0;
        bool done = ATOMIC_CAS(&depot->shelf[class].slot[at], &empty, packed, release); /* pairs with take */
        ATOMIC_OR(&depot->shelf[class].filled, UINT32_C(1) << at, relaxed);
        if (done)
            return false;
    }
    if (!emma__spans_take_home(&depot->spans, class, chain))
        return false;
    ATOMIC_STORE(&depot->shelf[class].closed, EMMA_DEPOT_SLOTS - SLOTS_MIN, relaxed);
    empty_shelf(depot, class);
    return true;
}

void emma__depot_empty(emma_depot *depot) {
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++)
        empty_shelf(depot, class);
}

void emma__depot_forget(emma_depot *depot) {
    ATOMIC_STORE(&depot->earned_bytes, 0, relaxed);
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++)
        for (unsigned i = 0; i < EMMA_DEPOT_SLOTS; i++)
            take(&depot->shelf[class].slot[i]);
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++)
        if (ATOMIC_LOAD(&depot->shelf[class].filled, relaxed) != 0)
            ATOMIC_STORE(&depot->shelf[class].filled, 0, relaxed);
}

size_t emma__depot_count(const emma_depot *depot, unsigned class) {
    size_t count = 0;
    for (unsigned i = 0; i < EMMA_DEPOT_SLOTS; i++) {
        emma_chain chain = ATOMIC_LOAD(&depot->shelf[class].slot[i], relaxed);
        count += chain != 0 ? emma__chain_packed_count(chain) : 0;
    }
    return count;
}
