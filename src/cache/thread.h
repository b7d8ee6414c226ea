/* thread.h: the thread cache: one thread-local word names the cache, and an operation takes that word.
 *
 *     cache is                set by                           an operation that takes it
 *     ----------------------+---------------------------------+-------------------------------------------------
 *     a record's magazines  | the start, every give-back      | works with them, and puts the word back
 *     &closed[UNSTARTED]    | the thread's initial image      | finds nothing, and starts the thread
 *     &closed[TAKEN]        | the operation that has the word | finds nothing: it is nested (a signal handler)
 *     &closed[ENDED]        | emma__thread_end                | finds nothing, for ever
 *
 * closed is constant zero: every magazine of it is empty and full at once. So the fast path tests nothing: neither
 * "started?", nor "nested?", nor "ended?"; all these find their way into the slow path by themselves. There, nested and
 * ended operations use the shared cache (shared.h).
 *
 * A handler that arrives between the load of the word and the store of TAKEN uses the record and puts it back: the
 * interrupted operation has read nothing else yet. The compiler may not move chain accesses out of the span between
 * take and give: hence the fences. A handler that leaves by longjmp leaves the word TAKEN: after EMMA_NESTED_MAX nested
 * operations in a row the thread takes a fresh record (if the old frame lives after all, it overwrites the word when it
 * gives back, and the fresh record is an orphan, never shared); after EMMA_THREAD_RECORDS it lives on the shared cache.
 *
 * Coroutines that switch stacks within a handler that interrupted an operation break the nesting; see
 * docs/TUNING.md. */
#ifndef EMMA_CACHE_THREAD_H
#define EMMA_CACHE_THREAD_H

#include "cache/registry.h"
#include "cache/shared.h"

enum { EMMA_NESTED_MAX = 65536, EMMA_THREAD_RECORDS = 4 };

typedef enum emma_closed { EMMA_TAKEN, EMMA_UNSTARTED, EMMA_ENDED, EMMA_CLOSED_COUNT } emma_closed;

/* All zero, and from each of its first entries as long as magazines are. */
enum { EMMA_CLOSED_PAIRS = EMMA_CLASS_COUNT + EMMA_CLASS_COUNT / 2 + EMMA_CLOSED_COUNT };
EMMA_STATIC_ASSERT((EMMA_CLOSED_PAIRS - EMMA_CLOSED_COUNT) * sizeof(emma_magazine_pair) >= sizeof(emma_magazines),
                   "the closed magazines can be looked at as others are");
EMMA_HIDDEN extern const emma_magazine_pair emma__closed[EMMA_CLOSED_PAIRS];

/* What emma keeps in thread-local storage. Initial image: EMMA_THREAD_INITIAL. */
typedef struct emma_thread {
    emma_magazine_pair *cache;
    uint32_t nested;     /* nested operations in a row */
    uint32_t records;    /* records taken by this thread */
    uint32_t generation; /* of the process, when this thread last looked; 0: not started */
    uint32_t id;
} emma_thread;

/* closed is never written: its magazines take nothing and give nothing. */
#define EMMA_CLOSED(which) ((emma_magazine_pair *)(uintptr_t)&emma__closed[which])
#define EMMA_THREAD_INITIAL                                                                                            \
    { EMMA_CLOSED(EMMA_UNSTARTED), 0, 0, 0, 0 }

static EMMA_ALWAYS_INLINE emma_magazine_pair *emma__thread_take(emma_thread *thread) {
    emma_magazine_pair *cache = thread->cache;
    thread->cache = EMMA_CLOSED(EMMA_TAKEN);
    EMMA_SIGNAL_FENCE();
    return cache;
}

static EMMA_ALWAYS_INLINE void emma__thread_give(emma_thread *thread, emma_magazine_pair *cache) {
    EMMA_SIGNAL_FENCE();
    thread->cache = cache;
}

static inline bool emma__thread_is_closed(const emma_magazine_pair *cache) {
    return cache >= emma__closed && cache < emma__closed + EMMA_CLOSED_COUNT;
}

/* Slow path, with the word that was taken: the magazines to work with. Starts the thread; notices a fork; counts nested
 * operations. Returns: NULL iff the shared cache is to be used. In any case *cache becomes the word to give back.
 * Cost: two loads; more at a thread's start and after a fork. */
emma_magazines *emma__thread_enter(emma_thread *thread, emma_registry *registry, emma_depot *depot,
                                   emma_magazine_pair **cache);

/* Slow path, with the word that was taken: the thread shall have no cache of its own any more. *cache becomes the word
 * to give back. */
void emma__thread_retire(emma_thread *thread, emma_registry *registry, emma_depot *depot, emma_magazine_pair **cache);

/* The calling thread ends: its records go back, empty. Later operations use the shared cache. Where somebody is just
 * emptying its cache from outside (idle.h) it stays: it is then found out that the thread is gone.
 * Requires: not in a signal handler that interrupted an operation. */
void emma__thread_end(emma_thread *thread, emma_registry *registry, emma_depot *depot);

#endif
