/* commit.h: how much memory of a heap, and of all heaps together, may be resident, and its limit.
 *
 * Charged before memory may be touched, refunded after it was given back; so what is resident never exceeds what is
 * charged, and that never exceeds the limit:
 *
 *     the heap's own        a fixed sum when it is founded; a slice for each further tract
 *     spans                 the blocks of each line when it is carved, and a page for the edge; or whole slices, where
 *                           these were dirty when the span was made
 *     large runs            whole slices
 *     free dirty slices     whole slices
 *     huge blocks           their mappings
 *
 * Threads, signals, fork: any; lock-free. Cost: one CAS. */
#ifndef EMMA_REGION_COMMIT_H
#define EMMA_REGION_COMMIT_H

#include "base/atomic.h"
#include "base/compiler.h"

typedef struct emma_commit {
    _Atomic(size_t) bytes;
    _Atomic(size_t) peak_bytes;  /* most, but for what is charged now */
    _Atomic(size_t) limit_bytes; /* 0: none */
} emma_commit;

static inline bool emma__commit_is_within(size_t limit, size_t before, size_t bytes) {
    return limit == 0 || (before <= limit && bytes <= limit - before);
}

/* Whether so much could be charged at this moment. */
static inline bool emma__commit_fits(const emma_commit *commit, size_t bytes) {
    return emma__commit_is_within(ATOMIC_LOAD(&commit->limit_bytes, relaxed), ATOMIC_LOAD(&commit->bytes, relaxed),
                                  bytes);
}

/* Returns: false iff the limit would be exceeded; nothing is charged then. */
static inline bool emma__commit_charge(emma_commit *commit, size_t bytes) {
    size_t limit = ATOMIC_LOAD(&commit->limit_bytes, relaxed);
    size_t before = ATOMIC_LOAD(&commit->bytes, relaxed);
    do {
        if (EMMA_UNLIKELY(!emma__commit_is_within(limit, before, bytes)))
            return false;
    } while (!ATOMIC_CAS(&commit->bytes, &before, before + bytes, relaxed));
    return true;
}

/* What is resident already, limit or not. */
static inline void emma__commit_charge_anyway(emma_commit *commit, size_t bytes) {
    ATOMIC_ADD(&commit->bytes, bytes, relaxed);
}

/* What was charged could not be had. */
static inline void emma__commit_cancel(emma_commit *commit, size_t bytes) {
    ATOMIC_SUB(&commit->bytes, bytes, relaxed);
}

/* What was charged was given back. */
static inline void emma__commit_refund(emma_commit *commit, size_t bytes) {
    size_t before = ATOMIC_SUB(&commit->bytes, bytes, relaxed);
    size_t peak = ATOMIC_LOAD(&commit->peak_bytes, relaxed);
    while (before > peak && !ATOMIC_CAS(&commit->peak_bytes, &peak, before, relaxed))
        ; /* ends: the peak only grows */
}

#endif
