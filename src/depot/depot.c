/* depot.c: see depot.h. */
#include "depot/depot.h"

enum {
    SLOTS_MIN = 2,
    SPARSE_MAX = 4, /* so often in a row blocks come home to spans that are nearly empty; then the shelf is closed */
};

/* Take a chain from a slot. Returns: 0 iff it is empty. Acquire: pairs with the release in emma__depot_put. */
static emma_chain take(_Atomic(emma_chain) *slot) {
    if (ATOMIC_LOAD(slot, relaxed) == 0)
        return 0;
    return ATOMIC_EXCHANGE(slot, 0, acquire);
}

static size_t limit_of(int32_t doublings) {
    return doublings < 0 ? (size_t)EMMA_DEPOT_BYTES >> -doublings : (size_t)EMMA_DEPOT_BYTES << doublings;
}

static uint32_t earned_by(int32_t doublings) {
    return doublings > 0 ? (uint32_t)(limit_of(doublings) - EMMA_DEPOT_BYTES) : 0;
}

/* Change the limit of a shelf, unless all have earned too much or another thread changes it. What it earns is counted
 * before the change, and what it gives up until after it: who stops in between leaves less for others, never more. */
static void set_limit(emma_depot *depot, unsigned class, int32_t before, int32_t after) {
    uint32_t more = earned_by(after);
    uint32_t less = earned_by(before);
    bool granted =
        more == 0 || ATOMIC_ADD(&depot->shelves_earned_bytes, more, relaxed) + more <= EMMA_DEPOT_EARNED_BYTES;
    if (!granted || !ATOMIC_CAS(&depot->shelf[class].doublings, &before, after, relaxed))
        less = more;
    if (less != 0)
        ATOMIC_SUB(&depot->shelves_earned_bytes, less, relaxed);
}

/* A shelf ran dry: if it was full before, it was too small. */
static void ran_dry(emma_depot *depot, unsigned class) {
    if (ATOMIC_LOAD(&depot->shelf[class].overflows, relaxed) == 0 ||
        ATOMIC_EXCHANGE(&depot->shelf[class].overflows, 0, relaxed) == 0)
        return;
    int32_t doublings = ATOMIC_LOAD(&depot->shelf[class].doublings, relaxed);
    if (doublings < EMMA_DEPOT_DOUBLINGS_MAX)
        set_limit(depot, class, doublings, doublings + 1);
}

emma_chain emma__depot_get(emma_depot *depot, unsigned class, unsigned capacity, unsigned want, unsigned *count) {
    uint64_t filled;
    while ((filled = ATOMIC_LOAD(&depot->shelf[class].filled, relaxed)) != 0) {
        unsigned at = emma__bits_highest(filled);
        emma_chain chain = take(&depot->shelf[class].slot[at]);
        ATOMIC_AND(&depot->shelf[class].filled, ~(UINT64_C(1) << at), relaxed); /* ends: each round clears a bit */
        if (chain == 0)
            continue;
        *count = emma__chain_packed_count(chain);
        return emma__chain_unpack(chain);
    }
    ran_dry(depot, class);
    return emma__spans_refill(&depot->spans, class, capacity, want, count);
}

static void close_shelf(emma_depot *depot, unsigned class) {
    set_limit(depot, class, ATOMIC_LOAD(&depot->shelf[class].doublings, relaxed), EMMA_DEPOT_DOUBLINGS_MIN);
}

/* Returns: whether there was anything. */
static bool empty_shelf(emma_depot *depot, unsigned class) {
    bool had_any = false;
    for (unsigned i = 0; i < EMMA_DEPOT_SLOTS; i++) {
        emma_chain chain = take(&depot->shelf[class].slot[i]);
        if (chain == 0)
            continue;
        ATOMIC_AND(&depot->shelf[class].filled, ~(UINT64_C(1) << i), relaxed);
        emma__spans_take_home(&depot->spans, class, emma__chain_unpack(chain));
        had_any = true;
    }
    return had_any;
}

/* How many slots of a shelf may be used for chains of this many bytes. */
static unsigned slots_for(const emma_depot *depot, unsigned class, size_t chain_bytes) {
    int32_t doublings = ATOMIC_LOAD(&depot->shelf[class].doublings, relaxed);
    if (doublings <= EMMA_DEPOT_DOUBLINGS_MIN)
        return 0; /* closed */
    size_t slots = limit_of(doublings) / chain_bytes;
    slots = slots < EMMA_DEPOT_SLOTS ? slots : EMMA_DEPOT_SLOTS;
    return slots > SLOTS_MIN ? (unsigned)slots : SLOTS_MIN;
}

/* A full shelf sent blocks home. Returns: whether the class shrinks; its shelf is then empty and closed. */
static bool took_home(emma_depot *depot, unsigned class, bool is_sparse) {
    _Atomic(uint32_t) *overflows = &depot->shelf[class].overflows;
    uint32_t before = ATOMIC_LOAD(overflows, relaxed);
    uint32_t after = is_sparse ? before + 1 : 1;
    if (after != before)
        ATOMIC_STORE(overflows, after, relaxed); /* a race loses one */
    if (after <= SPARSE_MAX)
        return false;
    close_shelf(depot, class);
    empty_shelf(depot, class);
    return true;
}

bool emma__depot_put(emma_depot *depot, unsigned class, emma_chain chain, unsigned count) {
    emma_chain packed = emma__chain_pack(chain, count);
    unsigned slots = slots_for(depot, class, count * emma__class_size(class));
    uint64_t left = ((UINT64_C(1) << slots) - 1) & ~ATOMIC_LOAD(&depot->shelf[class].filled, relaxed);
    for (; left != 0; left &= left - 1) {
        unsigned at = emma__bits_lowest(left);
        emma_chain empty = 0;
        bool done = ATOMIC_CAS(&depot->shelf[class].slot[at], &empty, packed, release); /* pairs with take */
        ATOMIC_OR(&depot->shelf[class].filled, UINT64_C(1) << at, relaxed);
        if (done)
            return false;
    }
    return took_home(depot, class, emma__spans_take_home(&depot->spans, class, chain));
}

void emma__depot_empty(emma_depot *depot) {
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++)
        if (empty_shelf(depot, class) || ATOMIC_LOAD(&depot->shelf[class].doublings, relaxed) > 0)
            close_shelf(depot, class);
}

static void forget_shelf(emma_depot *depot, unsigned class) {
    for (unsigned i = 0; i < EMMA_DEPOT_SLOTS; i++)
        take(&depot->shelf[class].slot[i]);
    if (ATOMIC_LOAD(&depot->shelf[class].filled, relaxed) != 0)
        ATOMIC_STORE(&depot->shelf[class].filled, 0, relaxed);
    if (ATOMIC_LOAD(&depot->shelf[class].doublings, relaxed) != 0)
        ATOMIC_STORE(&depot->shelf[class].doublings, 0, relaxed);
    if (ATOMIC_LOAD(&depot->shelf[class].overflows, relaxed) != 0)
        ATOMIC_STORE(&depot->shelf[class].overflows, 0, relaxed);
}

void emma__depot_forget(emma_depot *depot) {
    ATOMIC_STORE(&depot->earned, 0, relaxed);
    ATOMIC_STORE(&depot->shelves_earned_bytes, 0, relaxed);
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++)
        forget_shelf(depot, class);
}

size_t emma__depot_count(const emma_depot *depot, unsigned class) {
    size_t count = 0;
    for (uint64_t filled = ATOMIC_LOAD(&depot->shelf[class].filled, relaxed); filled != 0; filled &= filled - 1) {
        emma_chain chain = ATOMIC_LOAD(&depot->shelf[class].slot[emma__bits_lowest(filled)], relaxed);
        count += chain != 0 ? emma__chain_packed_count(chain) : 0;
    }
    return count;
}

size_t emma__depot_bytes(const emma_depot *depot) {
    size_t bytes = 0;
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++)
        bytes += emma__depot_count(depot, class) * emma__class_size(class);
    return bytes;
}
