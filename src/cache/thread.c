/* thread.c: the slow path of the thread cache: start, nesting, fork, end; see thread.h. */
#include "cache/thread.h"

#include "cache/idle.h"
#include "plat/plat.h"

const emma_magazine_pair emma__closed[EMMA_CLOSED_PAIRS];

EMMA_STATIC_ASSERT(offsetof(emma_magazines, of) == 0 && offsetof(emma_record, magazines) == 0,
                   "the cache word is the address of a record");

/* Whether this is the thread that called fork to make this process, and had no records before: of what the others left
 * behind nobody else knows that they are gone. */
static bool is_born_without_records(const emma_thread *thread, emma_registry *registry, uint32_t generation,
                                    uint32_t id) {
    return thread->generation == 0 && generation > 1 && id == ATOMIC_LOAD(&registry->process_id, relaxed);
}

/* Take a record. The word is TAKEN meanwhile, so handlers do not interfere. The thread's state is set before, so that a
 * child forked in a handler knows that this frame may hold a record, and after, as that child has set it anew. */
static emma_magazines *start(emma_thread *thread, emma_registry *registry, emma_depot *depot, uint32_t generation) {
    if (thread->records >= EMMA_THREAD_RECORDS)
        return 0;
    uint32_t id = emma__plat_thread_id();
    if (is_born_without_records(thread, registry, generation, id))
        emma__registry_sweep(registry, depot, 0, generation, id);
    uint32_t generation_before = thread->generation;
    uint32_t id_before = thread->id;
    thread->generation = generation;
    thread->id = id;
    emma_record *record = emma__registry_take(registry, generation, id);
    if (record != 0) {
        /* The word is TAKEN: who visits this record after that goes away; who did before that is seen. */
        ATOMIC_STORE(&record->word, (uintptr_t)&thread->cache, release);
        record->magazines.is_visitable = true;
        if (emma__magazines_are_visited(&record->magazines)) {
            emma__registry_give(registry, record);
            record = 0;
        }
    }
    if (record == 0) {
        thread->generation = generation_before;
        thread->id = id_before;
        return 0;
    }
    if (record->magazines.granted_bytes != 0) /* of a thread that is gone without a word */
        emma__magazines_end(&record->magazines, depot, false);
    thread->records++;
    thread->generation = generation;
    thread->id = id;
    return &record->magazines;
}

static void notice_fork(emma_thread *thread, emma_registry *registry, emma_depot *depot, uint32_t generation) {
    uint32_t old_id = thread->id;
    thread->generation = generation;
    thread->id = emma__plat_thread_id();
    emma__registry_sweep(registry, depot, old_id, generation, thread->id);
}

emma_magazines *emma__thread_enter(emma_thread *thread, emma_registry *registry, emma_depot *depot,
                                   emma_magazine_pair **cache) {
    if (EMMA_LIKELY(!emma__thread_is_closed(*cache))) {
        thread->nested = 0;
        uint32_t generation = emma__registry_generation(registry);
        if (EMMA_UNLIKELY(generation != thread->generation && generation != 0)) {
            notice_fork(thread, registry, depot, generation);
            emma__idle_end((emma_record *)(void *)*cache, depot);
        }
        emma_magazines *magazines = (emma_magazines *)*cache;
        return EMMA_LIKELY(!emma__magazines_are_visited(magazines)) ? magazines : 0;
    }
    bool lost = *cache == EMMA_CLOSED(EMMA_TAKEN) && ++thread->nested > EMMA_NESTED_MAX;
    if (*cache != EMMA_CLOSED(EMMA_UNSTARTED) && !lost)
        return 0;
    uint32_t generation = emma__registry_generation(registry);
    /* A frame of this thread, from before a fork, may still hold a record: it is renamed before a fresh one is taken,
     * or the next sweep would take it for a stranger's. */
    if (generation != 0 && thread->generation != 0 && generation != thread->generation)
        notice_fork(thread, registry, depot, generation);
    emma_magazines *magazines = generation != 0 ? start(thread, registry, depot, generation) : 0;
    if (lost)
        thread->nested = 0;
    if (magazines != 0)
        *cache = magazines->of;
    return magazines;
}

void emma__thread_retire(emma_thread *thread, emma_registry *registry, emma_depot *depot, emma_magazine_pair **cache) {
    if (emma__thread_is_closed(*cache))
        return;
    emma__thread_give(thread, *cache);
    emma__thread_end(thread, registry, depot);
    *cache = emma__thread_take(thread);
}

void emma__thread_end(emma_thread *thread, emma_registry *registry, emma_depot *depot) {
    emma_magazine_pair *cache = emma__thread_take(thread);
    if (!emma__thread_is_closed(cache) && emma__magazines_are_visited((emma_magazines *)(void *)cache)) {
        emma__thread_give(thread, cache); /* as if it had ended without a word */
        return;
    }
    emma__thread_give(thread, EMMA_CLOSED(EMMA_ENDED));
    if (emma__thread_is_closed(cache))
        return;
    emma_record *record = (emma_record *)(void *)cache;
    emma__magazines_end(&record->magazines, depot, true);
    emma__registry_give(registry, record);
}
