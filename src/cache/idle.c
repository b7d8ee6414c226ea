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

static bool close_all(emma_record *record) {
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++) {
        emma_chain chain = ATOMIC_LOAD(&record->magazines.of[class].loaded, acquire);
        if (chain == 0)
            continue;                                        /* closed by itself */
        ATOMIC_STORE(&record->aside[class], chain, relaxed); /* before the CAS, for a child of fork */
        if (!ATOMIC_CAS(&record->magazines.of[class].loaded, &chain, EMMA_CHAIN_CLOSED, acq_rel))
            return false;
    }
    return true;
}

/* A late 0 of the owner's over a closed chain is not closed. */
static bool are_all_closed(const emma_record *record) {
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++) {
        bool is_aside = ATOMIC_LOAD(&record->aside[class], relaxed) != 0;
        if (ATOMIC_LOAD(&record->magazines.of[class].loaded, acquire) != (is_aside ? EMMA_CHAIN_CLOSED : 0))
            return false;
    }
    return true;
}

/* Put back what was set aside. */
static void open_all(emma_record *record) {
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++) {
        emma_chain closed = EMMA_CHAIN_CLOSED;
        ATOMIC_CAS(&record->magazines.of[class].loaded, &closed, ATOMIC_EXCHANGE(&record->aside[class], 0, relaxed),
                   acq_rel);
    }
}

static void send_home(emma_record *record, emma_depot *depot) {
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++) {
        emma_chain chain = ATOMIC_EXCHANGE(&record->aside[class], 0, relaxed);
        if (!emma__chain_is_empty(chain))
            emma__spans_take_home(&depot->spans, class, chain);
    }
    emma__magazines_end(&record->magazines, depot, false); /* the spares, and what is told of them all */
}

/* Where it is refused there will be no more visits. */
static bool barrier(emma_registry *registry) {
    if (emma__plat_barrier())
        return true;
    ATOMIC_STORE(&registry->visits, false, relaxed);
    return false;
}

/* Returns: whether what was in the record has gone home. */
static bool visit(emma_registry *registry, emma_record *record, emma_depot *depot) {
    ATOMIC_STORE(&record->magazines.is_visited, true, relaxed); /* the barrier orders it */
    bool is_shut = barrier(registry) && is_outside(record);
    bool is_alone = is_shut && close_all(record) && barrier(registry) && is_outside(record) && barrier(registry) &&
                    are_all_closed(record);
    if (is_alone)
        send_home(record, depot);
    else if (is_shut)
        open_all(record);
    ATOMIC_STORE(&record->magazines.is_visited, false, release); /* pairs with emma__magazines_are_visited */
    return is_alone;
}

void emma__idle_end(emma_record *record, emma_depot *depot) {
    if (!emma__magazines_are_visited(&record->magazines))
        return;
    open_all(record);
    emma__magazines_end(&record->magazines, depot, false);
    ATOMIC_STORE(&record->magazines.is_visited, false, release);
}

/* Whether there is something in a record, and if others than all are wanted, whether it is as it was. */
static bool is_due(emma_record *record, bool all, emma_idle *idle) {
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
    idle->is_busy = idle->is_busy || !is_same;
    return holds && (all || is_same);
}

/* ThreadSanitizer does not know the barrier. */
bool emma__idle_is_possible(const emma_registry *registry) {
    uint32_t generation = ATOMIC_LOAD(&registry->generation, relaxed);
    return EMMA_HAS_TLS && !EMMA_THREAD_SANITIZER && ATOMIC_LOAD(&registry->visits, relaxed) &&
           (generation == 1 || ATOMIC_LOAD(&registry->swept, acquire) == generation) &&
           ATOMIC_LOAD(&registry->process_id, relaxed) == emma__plat_process_id();
}

bool emma__idle_try(emma_registry *registry) {
    const uint32_t one = 1;
    if (!emma__idle_is_possible(registry))
        return false;
    if (barrier(registry) && emma__plat_holds((uintptr_t)&one, 1) && !emma__plat_holds((uintptr_t)&one, 2))
        return true;
    ATOMIC_STORE(&registry->visits, false, relaxed);
    return false;
}

static emma_idle visit_all(emma_registry *registry, emma_depot *depot, uint32_t generation, bool all) {
    emma_idle idle = {0, false};
    emma_record_block *block = ATOMIC_LOAD(&registry->first, acquire);
    for (; block != 0; block = ATOMIC_LOAD(&block->next, acquire)) {
        for (unsigned i = 0; i < EMMA_RECORDS_PER_BLOCK; i++) {
            emma_record *record = &block->record[i];
            if (emma__registry_was_used(block, i) && is_due(record, all, &idle))
                idle.emptied += is_outside(record) ? visit(registry, record, depot)
                                                   : emma__registry_bury(registry, depot, block, i, generation);
        }
    }
    return idle;
}

emma_idle emma__idle_collect(emma_registry *registry, emma_depot *depot, bool all) {
    emma_idle idle = {0, false};
    uint32_t generation = emma__registry_generation(registry);
    uint32_t holder = ATOMIC_LOAD(&registry->visiting, relaxed);
    if (generation == 0 || holder == generation || !emma__idle_is_possible(registry))
        return idle;
    uint64_t blocked = emma__plat_block_signals();                       /* a handler might fork, or leave */
    if (ATOMIC_CAS(&registry->visiting, &holder, generation, acquire)) { /* pairs with the store below */
        idle = visit_all(registry, depot, generation, all);
        ATOMIC_STORE(&registry->visiting, 0, release);
    }
    emma__plat_set_signals(blocked);
    return idle;
}
