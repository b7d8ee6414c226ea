/* idle.c: see idle.h. */
#include "cache/idle.h"

#include "cache/thread.h"
#include "plat/plat.h"

/* Whether the owner's word names this record. Half of it tells: the closed caches' addresses have other halves, or are
 * not told apart, which ends the visit. */
static bool is_outside(const emma_record *record) {
    uint32_t half = (uint32_t)(uintptr_t)record;
    for (unsigned which = 0; which < EMMA_CLOSED_COUNT; which++)
        if ((uint32_t)(uintptr_t)EMMA_CLOSED(which) == half)
            return false;
    uintptr_t word = ATOMIC_LOAD(&record->word, acquire); /* pairs with the start of a thread (thread.c) */
    return word != 0 && emma__plat_holds(word, half);
}

static bool close_all(emma_magazines *magazines, _Atomic(emma_chain) *aside) {
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++) {
        emma_chain chain = ATOMIC_LOAD(&magazines->of[class].loaded, acquire);
        if (chain == 0)
            continue;                                /* closed by itself */
        ATOMIC_STORE(&aside[class], chain, relaxed); /* before the CAS, for a child of fork */
        if (!ATOMIC_CAS(&magazines->of[class].loaded, &chain, EMMA_CHAIN_CLOSED, acq_rel))
            return false;
    }
    return true;
}

static bool are_all_closed(const emma_magazines *magazines) {
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++) {
        emma_chain chain = ATOMIC_LOAD(&magazines->of[class].loaded, acquire);
        if (chain != 0 && chain != EMMA_CHAIN_CLOSED)
            return false;
    }
    return true;
}

/* Put back what was set aside. */
static void open_all(emma_magazines *magazines, _Atomic(emma_chain) *aside) {
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++) {
        emma_chain closed = EMMA_CHAIN_CLOSED;
        ATOMIC_CAS(&magazines->of[class].loaded, &closed, ATOMIC_EXCHANGE(&aside[class], 0, relaxed), acq_rel);
    }
}

static void send_home(emma_magazines *magazines, emma_depot *depot, _Atomic(emma_chain) *aside) {
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++) {
        emma_chain chain = ATOMIC_EXCHANGE(&aside[class], 0, relaxed);
        if (!emma__chain_is_empty(chain))
            emma__spans_take_home(&depot->spans, class, chain);
    }
    emma__magazines_end(magazines, depot, false); /* the spares, and what is told of them all */
}

/* Returns: whether what was in the record has gone home. */
static bool visit(emma_record *record, emma_depot *depot, _Atomic(emma_chain) *aside, uint32_t generation) {
    emma_magazines *magazines = &record->magazines;
    ATOMIC_STORE(&magazines->visitor, generation, relaxed); /* the barrier orders it */
    bool is_shut = emma__plat_barrier() && is_outside(record);
    bool is_alone = is_shut && close_all(magazines, aside) && emma__plat_barrier() && is_outside(record) &&
                    emma__plat_barrier() && are_all_closed(magazines);
    if (is_alone)
        send_home(magazines, depot, aside);
    else if (is_shut)
        open_all(magazines, aside);
    ATOMIC_STORE(&magazines->visitor, 0, release); /* pairs with emma__magazines_are_visited */
    return is_alone;
}

void emma__idle_end(emma_magazines *magazines, emma_depot *depot, _Atomic(emma_chain) *aside, uint32_t generation) {
    uint32_t visitor = ATOMIC_LOAD(&magazines->visitor, relaxed);
    if (visitor == 0 || visitor == generation)
        return;
    open_all(magazines, aside);
    emma__magazines_end(magazines, depot, false);
    ATOMIC_STORE(&magazines->visitor, 0, release);
}

/* Whether there is something in a record; and if others than all are wanted, whether it is as it was. */
static bool is_due(emma_record *record, bool all) {
    uint64_t sum = 0;
    bool holds = false;
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++) {
        emma_chain loaded = ATOMIC_LOAD(&record->magazines.of[class].loaded, relaxed);
        emma_chain spare = ATOMIC_LOAD(&record->magazines.of[class].spare, relaxed);
        holds = holds || !emma__chain_is_empty(loaded) || !emma__chain_is_empty(spare);
        sum = sum * 31 + loaded + spare;
    }
    bool is_same = sum == record->seen;
    record->seen = sum;
    return holds && (all || is_same);
}

/* ThreadSanitizer does not know the barrier. */
static bool can_visit(const emma_registry *registry) {
    return EMMA_HAS_TLS && !EMMA_THREAD_SANITIZER && ATOMIC_LOAD(&registry->sees_forks, relaxed);
}

bool emma__idle_may_collect(const emma_registry *registry) {
    return can_visit(registry) && emma__plat_barrier() && !emma__plat_holds((uintptr_t)registry, ~UINT32_C(0));
}

size_t emma__idle_collect(emma_registry *registry, emma_depot *depot, bool all) {
    uint32_t generation = emma__registry_generation(registry);
    uint32_t holder = ATOMIC_LOAD(&registry->visiting, relaxed);
    if (!can_visit(registry) || generation == 0 || holder == generation ||
        !ATOMIC_CAS(&registry->visiting, &holder, generation, acquire)) /* pairs with the store below */
        return 0;
    size_t emptied = 0;
    emma_record_block *block = ATOMIC_LOAD(&registry->first, acquire);
    for (; block != 0; block = ATOMIC_LOAD(&block->next, acquire)) {
        for (unsigned i = 0; i < EMMA_RECORDS_PER_BLOCK; i++) {
            emma_record *record = &block->record[i];
            if (!emma__registry_is_owned(block, i) || !is_due(record, all))
                continue;
            emptied += is_outside(record) ? visit(record, depot, block->aside, generation)
                                          : emma__registry_bury(registry, depot, block, i, generation);
        }
    }
    ATOMIC_STORE(&registry->visiting, 0, release);
    return emptied;
}
