/* purge.h: when memory goes back to the system.
 *
 *     what                                when                                                     by whom
 *     -----------------------------------+--------------------------------------------------------+---------------
 *     chunks that are free as a whole,    at a tick: 1 MiB is dirty, and as much was given back    who freed it
 *     above a bound                       since the last one; or 1 MiB came home to spans, or less
 *                                         where little is left of much
 *     parts of others, above the bound    at a tick; of a program that makes waves, a second later who freed it
 *     free dirty slices of some seconds   at a tick, once a second                                 who freed it
 *     the depot, what is cached           at a tick, each time half of what was out came home      who freed it
 *     free pages of spans                 at a tick: when the heap is nearly empty and most of     who freed it
 *                                         what spans have is such pages, but for waves; or two
 *                                         seconds after it shrank to half
 *     all of these                        nothing happens for two seconds                          the janitor
 *     what a thread has cached            it did nothing for one or two seconds                    the janitor
 *     huge blocks                         at their free                                            who frees
 *
 * A chunk that goes as a whole costs one call, and may get a huge page when it is touched again; parts of one and pages
 * of spans cost many calls and a fault for each page, and take its huge page apart. So these come last, and wait where
 * more may become free in a moment. A heap that is nearly empty (an eighth of what was used at the peak) may have come
 * to its end, and there may be no tick after this one: then all goes at once, but pages of spans only if they are most
 * of what spans have (it is asked again each time half of the rest went): where blocks are freed at random few pages
 * are free at first, and whole spans soon after. Where a heap is nearly empty again and again, twice in as many
 * seconds, the program makes waves, and wants it back.
 *
 * What a reset of a made heap leaves is for the next blocks: it stays until it is claimed, or old.
 *
 * While a janitor lives, dirty slices may stay up to what was used at the peak, and spans are left to it: that costs
 * no more than was resident already.
 *
 * The bound is the option dirty_bytes + 1/16 of what is live (no share where less than 2 MiB lives). A program that
 * claims again what was just purged pays for it with page faults: as long as that happens, dirty_bytes counts up to
 * three times, as far as what else is resident beyond what lives allows, the share doubles, up to four times what is
 * live, and caches are left alone for longer; it goes back by half each second in which no purge is regretted.
 * Memory is claimed from the lowest address, so it is purged from the highest: what is reused soonest stays. A purge
 * claims what it purges as if it were allocated, so nobody ever sees half of it; one chunk at a time, so a purger that
 * is stopped holds 2 MiB.
 *
 * Threads, signals, fork: any; lock-free. */
#ifndef EMMA_PURGE_PURGE_H
#define EMMA_PURGE_PURGE_H

#include "heap/heap.h"

enum {
    EMMA_TICK_SLICES = EMMA_TORTURE ? 1 : (1 << 20) / EMMA_SLICE_BYTES,
    EMMA_TICK_BYTES = EMMA_TORTURE ? 1 << 16 : 1 << 20, /* come home to spans */
};

void emma__purge_tick_due(emma_heap *heap, emma_thread *thread);

/* After any slow path that may have freed something: purge if it is time. Cost: five loads; when due, a system call for
 * each chunk purged, for about as much as was freed since the last tick. */
static inline void emma__purge_tick(emma_heap *heap, emma_thread *thread) {
    size_t freed = ATOMIC_LOAD(&heap->depot.spans.regions.freed_slices, relaxed);
    size_t home = ATOMIC_LOAD(&heap->depot.spans.home_bytes, relaxed);
    size_t dirty = ATOMIC_LOAD(&heap->depot.spans.regions.dirty_slices, relaxed);
    if (EMMA_UNLIKELY((dirty > EMMA_TICK_SLICES &&
                       freed - ATOMIC_LOAD(&heap->purge.ticked_slices, relaxed) >= EMMA_TICK_SLICES) ||
                      home - ATOMIC_LOAD(&heap->purge.ticked_bytes, relaxed) >= EMMA_TICK_BYTES))
        emma__purge_tick_due(heap, thread);
}

/* Purge up to so many slices: of chunks that are free as a whole, then of mostly free ones, that have been dirty for at
 * least so many seconds, then of others that have been for part_seconds; from the highest address each. Returns: bytes
 * purged. */
size_t emma__purge_dirty(emma_heap *heap, size_t slices, uint32_t seconds, uint32_t part_seconds);

/* Send home what is cached (of thread's own cache too, if given), then purge the free pages of spans that are in use.
 * Returns: bytes purged. One thread at a time; others return 0 at once. */
size_t emma__purge_compact(emma_heap *heap, emma_thread *thread);

/* Whether that would purge most of the memory of spans (three quarters), by a look at some of them. Cost: as much, for
 * each one looked at, but for the system calls. */
bool emma__purge_pays(emma_heap *heap);

/* Both, for everything. */
size_t emma__purge_all(emma_heap *heap, emma_thread *thread);

/* The dirty bytes that the heap may keep at present (tick.c). */
size_t emma__purge_bound(emma_heap *heap);

/* What the janitor's word says; janitor.c has the reasons. */
typedef enum emma_janitor_state { EMMA_JANITOR_NONE, EMMA_JANITOR_HERE, EMMA_JANITOR_ASKED } emma_janitor_state;

/* If there is something for the janitor to do: start it, or ask the one that is here to stay. */
void emma__janitor_start(emma_heap *heap);

/* Whether one runs in this process. */
bool emma__janitor_runs(const emma_heap *heap);

/* The janitor's: be gone, unless somebody asked since it last looked; then it is to look again. Returns: whether it may
 * go. */
bool emma__janitor_leave(emma_wiped *wiped);

#endif
