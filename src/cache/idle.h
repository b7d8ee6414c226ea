/* idle.h: what lies in the caches of threads goes home without a word from them: a thread that sleeps cannot be asked.
 *
 *     visitor                                             owner
 *     ---------------------------------------------------+------------------------------------------------
 *     1  is_visited = true                                takes its word (thread.h); on a slow path looks
 *        barrier; the owner's word names the record?      at is_visited, and then keeps out: it uses the
 *     2  each loaded chain: set aside, closed by CAS      shared cache. On the hit path it meets a closed
 *        barrier; the word names the record?              chain, empty and full at once, and goes to the
 *     3  barrier; all chains are closed still?            slow path.
 *     4  everything goes home; is_visited = false
 *
 * The owner stores TAKEN before it looks at anything, without a barrier of its own: the visitor's (membarrier) stands
 * for it. After the first one, an operation that did not see the visitor has TAKEN in the word, or is over: the visitor
 * goes away. From then on the owner changes nothing but loaded chains, on the hit path. After the second one, an
 * operation that read a chain before it was closed has TAKEN in the word, or is over, and then its store is seen after
 * the third: the chain is not closed any more. Wherever the visitor does not go on it opens what it closed (CAS), and
 * leaves; the owner of a chain that was read before stores the rest of it over that, as if nobody had been there.
 *
 * What the owner saw on the hit path counts no more on the slow path: it looks at is_visited first, and then again at
 * the chains, as a visit may have ended meanwhile; none that begins after TAKEN goes far.
 *
 * Nobody waits. A visitor that is stopped for ever leaves one thread with the shared cache, and no further visits; no
 * handler runs in it. A child of fork visits nobody until its first thread has swept (registry.h), which ends the visit
 * that the fork has cut off: at most one chain is lost. Where the system does not tell of forks there are no visits,
 * nor in a child of vfork. The owner's word lies in thread-local storage, which may be gone: the system compares it.
 * Where it cannot, or has no barrier, there are no visits either.
 *
 * A visit costs its owner what a thread's start costs: caches that are empty. */
#ifndef EMMA_CACHE_IDLE_H
#define EMMA_CACHE_IDLE_H

#include "cache/registry.h"

/* What a round of visits has found. */
typedef struct emma_idle {
    size_t emptied; /* caches that had something */
    bool is_busy;   /* some cache had changed since the last round */
} emma_idle;

/* Send home what is cached by threads that are in no operation at this instant: all of them, or those whose caches have
 * not changed since the last call; and by threads that are gone. One visitor at a time; others find nothing, at once.
 * Cost: a look at each record; for each one that is emptied seven system calls, and a way home for its blocks. */
emma_idle emma__idle_collect(emma_registry *registry, emma_depot *depot, bool all);

/* Whether visits are made here. */
bool emma__idle_is_possible(const emma_registry *registry);

/* Try what visits need of the system; where it is refused, there will be none. Returns: as emma__idle_is_possible.
 * Cost: up to five system calls, the first time in a process with threads perhaps milliseconds. */
bool emma__idle_try(emma_registry *registry);

/* In a child of fork: end a visit that was cut off. All goes home, as counts may be wrong.
 * Requires: the caller owns the record, and has no other frame in it. */
void emma__idle_end(emma_record *record, emma_depot *depot);

#endif
