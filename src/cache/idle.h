/* idle.h: what lies in the caches of threads goes home without a word from them: a thread that sleeps cannot be asked.
 *
 *     visitor                                             owner
 *     ---------------------------------------------------+------------------------------------------------
 *     1  visitor = generation                             takes its word (thread.h); on a slow path looks
 *        barrier; the owner's word names the record?      at visitor, and keeps out if there is one: it
 *     2  each loaded chain: set aside, closed by CAS      uses the shared cache. On the hit path it meets
 *        barrier; the word names the record?              a closed chain, empty and full at once, and
 *     3  barrier; all chains are closed still?            goes to the slow path.
 *     4  everything goes home; visitor = 0
 *
 * The owner stores TAKEN before it looks at anything, without a barrier of its own: the visitor's (membarrier) stands
 * for it. After the first one, an operation that did not see the visitor has TAKEN in the word, or is over: the visitor
 * goes away. From then on the owner changes nothing but loaded chains, on the hit path. After the second one, an
 * operation that read a chain before it was closed has TAKEN in the word, or is over, and then its store is seen after
 * the third: the chain is not closed any more. Wherever the visitor does not go on it opens what it closed (CAS), and
 * leaves; the owner of a chain that was read before stores the rest of it over that, as if nobody had been there.
 *
 * What the owner saw on the hit path counts no more on the slow path: it looks at visitor first, and then again at the
 * chains, as a visit may have ended meanwhile; none that begins after TAKEN goes far.
 *
 * Nobody waits. A visitor that is stopped for ever leaves one thread with the shared cache, and no further visits. In a
 * child of fork it does not exist: the sweep (registry.h) opens what it had closed, at most one chain is lost; where
 * the system does not tell of forks there are no visits. The owner's word lies in thread-local storage, which may be
 * gone: the system compares it. Where it has no barrier there are no visits either.
 *
 * A visit costs its owner what a thread's start costs: caches that are empty. */
#ifndef EMMA_CACHE_IDLE_H
#define EMMA_CACHE_IDLE_H

#include "cache/registry.h"

/* Send home what is cached by threads that are in no operation at this instant: all of them, or those whose caches have
 * not changed since the last call. One visitor at a time; others return 0 at once. Returns: how many had something.
 * Cost: a look at each record; four system calls and a visit home for each one that is emptied. */
size_t emma__idle_collect(emma_registry *registry, emma_depot *depot, bool all);

/* Whether the system has what visits need. Cost: two system calls. */
bool emma__idle_may_collect(const emma_registry *registry);

/* In a child of fork: end a visit by a thread that does not exist here. All goes home, as counts may be wrong.
 * Requires: the caller's is the only thread that was there before the fork. */
void emma__idle_end(emma_magazines *magazines, emma_depot *depot, _Atomic(emma_chain) *aside, uint32_t generation);

#endif
