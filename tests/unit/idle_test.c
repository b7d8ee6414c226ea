/* idle_test.c: cache/idle.h: caches are emptied from outside, and not where their owners are at it. Owners that work
 * meanwhile: tests/storm/visit_storm.c. */
#include "cache/idle.h"

#include "../tap.h"
#include "cache/thread.h"
#include "plat/plat.h"
#include "unit.h"

enum { BLOCKS = 100, SIZE = 48, CLASS = 3, DEAD = 0x3FFFF0 }; /* an id that no thread of this process has */

static const emma_thread initial = EMMA_THREAD_INITIAL;
static emma_heap heap = EMMA_HEAP_INITIAL(&unit_directory, unit_shelves, 0);
static emma_thread thread = EMMA_THREAD_INITIAL;
static void *held[BLOCKS];

#define REGISTRY (&heap.registry)
#define DEPOT    (&heap.depot)

/* A thread with blocks in two of its classes, in both magazines of one of them. */
static void fresh(void) {
    unit_heap_reset(&heap);
    thread = initial;
    for (unsigned i = 0; i < BLOCKS; i++)
        held[i] = unit_alloc(&heap, &thread, SIZE);
    for (unsigned i = 0; i < BLOCKS; i++)
        unit_free(&heap, &thread, held[i]);
    unit_free(&heap, &thread, unit_alloc(&heap, &thread, 500));
    OK(emma__registry_count(REGISTRY, CLASS) > 0);
}

/* The same. Returns: whether others' caches can be emptied here. */
static bool fresh_for_visits(void) {
    fresh();
    if (!emma__idle_try(REGISTRY))
        tap_skip("no barrier for all threads here");
    return emma__idle_try(REGISTRY);
}

static emma_magazines *magazines_of(const emma_thread *owner) {
    return (emma_magazines *)(void *)owner->cache;
}

static bool is_owned(void) {
    return (REGISTRY->first->owner[0] & ((1U << EMMA_OWNER_ID_BITS) - 1)) != 0;
}

static size_t cached(void) {
    size_t count = 0;
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++)
        count += emma__registry_count(REGISTRY, class);
    return count;
}

static void what_is_cached_goes_home(void) {
    if (!fresh_for_visits())
        return;
    emma_magazines *magazines = magazines_of(&thread);
    magazines->earned_bytes = 1 << 20;
    DEPOT->earned = 1 << 20;
    IS(emma__idle_collect(REGISTRY, DEPOT, true).emptied, 1);
    IS(cached(), 0);
    IS(DEPOT->earned, 0);
    OK(unit_is_zero((const void *)magazines->of, sizeof magazines->of));
    OK(magazines->is_visited == false && REGISTRY->visiting == 0);
    OK(thread.cache == magazines->of);
    OK(unit_heap_sound(&heap, 0));
    IS(emma__idle_collect(REGISTRY, DEPOT, true).emptied, 0); /* there is nothing left */
    held[0] = unit_alloc(&heap, &thread, SIZE);               /* and it goes on */
    OK(held[0] != 0 && cached() > 0);
    unit_free(&heap, &thread, held[0]);
    OK(unit_heap_sound(&heap, 0));
}

static void who_is_in_an_operation_is_left_alone(void) {
    if (!fresh_for_visits())
        return;
    size_t before = cached();
    emma_magazine_pair *cache = emma__thread_take(&thread);
    IS(emma__idle_collect(REGISTRY, DEPOT, true).emptied, 0);
    emma__thread_give(&thread, cache);
    IS(cached(), before);
    IS(magazines_of(&thread)->is_visited, false);
    OK(unit_heap_sound(&heap, 0));
}

static void only_what_has_not_changed_is_due(void) {
    if (!fresh_for_visits())
        return;
    IS(emma__idle_collect(REGISTRY, DEPOT, false).emptied, 0); /* it is seen for the first time */
    held[0] = unit_alloc(&heap, &thread, SIZE);
    IS(emma__idle_collect(REGISTRY, DEPOT, false).emptied, 0);
    IS(emma__idle_collect(REGISTRY, DEPOT, false).emptied, 1);
    IS(cached(), 0);
    unit_free(&heap, &thread, held[0]);
    OK(unit_heap_sound(&heap, 0));
}

static void one_visitor_at_a_time(void) {
    if (!fresh_for_visits())
        return;
    REGISTRY->visiting = REGISTRY->generation;
    IS(emma__idle_collect(REGISTRY, DEPOT, true).emptied, 0);
    REGISTRY->visiting = REGISTRY->generation + 1; /* of before a fork */
    IS(emma__idle_collect(REGISTRY, DEPOT, true).emptied, 1);
    IS(REGISTRY->visiting, 0);
}

/* The slow path of an owner that is visited finds no magazines, and does not move any. */
static void the_owner_keeps_out(void) {
    fresh();
    emma_magazines *magazines = magazines_of(&thread);
    magazines->is_visited = true;
    emma_chain loaded = magazines->of[CLASS].loaded;
    magazines->of[CLASS].loaded = EMMA_CHAIN_CLOSED;
    OK(magazines->of[CLASS].spare != 0 && !emma__magazines_load_spare(magazines, CLASS));
    void *block = unit_alloc(&heap, &thread, SIZE); /* from the shared cache, and back to it */
    OK(block != 0 && emma__shared_count(&heap.shared, CLASS) > 0);
    unit_free(&heap, &thread, block);
    OK(magazines->of[CLASS].loaded == EMMA_CHAIN_CLOSED);
    magazines->is_visited = false;
    magazines->of[CLASS].loaded = loaded;
    OK(unit_heap_sound(&heap, 0));
}

/* The visitor may have gone between the owner's look at the loaded magazine and that at the spare. */
static void a_spare_replaces_an_empty_magazine_only(void) {
    fresh();
    emma_magazines *magazines = magazines_of(&thread);
    OK(magazines->of[CLASS].spare != 0 && !emma__chain_is_empty(magazines->of[CLASS].loaded));
    OK(!emma__magazines_load_spare(magazines, CLASS));
    OK(unit_heap_sound(&heap, 0));
}

/* A thread that ends while it is visited leaves its record to whoever finds that it is gone. */
static void the_end_of_a_thread_that_is_visited(void) {
    if (!fresh_for_visits())
        return;
    emma_magazines *magazines = magazines_of(&thread);
    magazines->is_visited = true;
    emma__thread_end(&thread, REGISTRY, DEPOT);
    OK(thread.cache == magazines->of && cached() > 0);
    OK(is_owned());
    magazines->is_visited = false;
    thread.cache = EMMA_CLOSED(EMMA_TAKEN);
    IS(emma__idle_collect(REGISTRY, DEPOT, true).emptied, 0); /* its owner exists: it is the thread of this test */
    REGISTRY->first->owner[0] = (uint64_t)REGISTRY->generation << 32 | DEAD;
    IS(emma__idle_collect(REGISTRY, DEPOT, true).emptied, 1);
    OK(!is_owned() && cached() == 0);
    OK(unit_heap_sound(&heap, 0));
}

static void a_record_that_is_visited_is_not_taken(void) {
    fresh();
    emma_magazines *magazines = magazines_of(&thread);
    emma__thread_end(&thread, REGISTRY, DEPOT);
    magazines->is_visited = true;
    thread = initial;
    held[0] = unit_alloc(&heap, &thread, SIZE); /* it takes another */
    OK(held[0] != 0 && !emma__thread_is_closed(thread.cache) && magazines_of(&thread) != magazines);
    OK(!is_owned());
    unit_free(&heap, &thread, held[0]);
    magazines->is_visited = false;
    OK(unit_heap_sound(&heap, 0));
}

/* The owner's thread-local storage is gone: the record is not visited, and its thread is found out to be gone. */
static void a_word_that_is_gone(void) {
    if (!fresh_for_visits())
        return;
    size_t page = emma__plat_page_bytes();
    uintptr_t address = emma__plat_map(page);
    OK(emma__plat_unmap(address, page));
    REGISTRY->first->record[0].word = address;
    IS(emma__idle_collect(REGISTRY, DEPOT, true).emptied, 0);
    OK(cached() > 0);
    REGISTRY->first->owner[0] = (uint64_t)REGISTRY->generation << 32 | DEAD;
    IS(emma__idle_collect(REGISTRY, DEPOT, true).emptied, 1);
    IS(cached(), 0);
    OK(unit_heap_sound(&heap, 0));
}

/* A visit that a fork has cut off, when two chains were set aside and one of them was closed. */
static void cut_off(emma_record *record) {
    record->magazines.is_visited = true;
    record->aside[CLASS] = record->magazines.of[CLASS].loaded;
    record->aside[32] = record->magazines.of[32].loaded;
    record->magazines.of[CLASS].loaded = EMMA_CHAIN_CLOSED;
    REGISTRY->visiting = REGISTRY->generation;
    DEPOT->earned_most = 1;
    REGISTRY->wiped->generation = 0; /* as the system leaves it in a child */
}

static bool is_over(const emma_record *record) {
    for (unsigned class = 0; class < EMMA_CLASS_COUNT; class ++)
        if (record->aside[class] != 0)
            return false;
    return !record->magazines.is_visited && DEPOT->earned_most == 0;
}

/* The thread that forked ends the visit of its own record at its first slow path, and goes on with it. */
static void a_child_ends_the_visit_of_its_own(void) {
    fresh();
    emma_record *record = &REGISTRY->first->record[0];
    cut_off(record);
    held[0] = unit_alloc(&heap, &thread, SIZE);
    IS(thread.generation, 2);
    OK(is_over(record) && (void *)thread.cache == (void *)record);
    OK(unit_heap_sound(&heap, 1));
    unit_free(&heap, &thread, held[0]);
    OK(unit_heap_sound(&heap, 0));
}

/* The sweep ends that of another's record, also if it was nobody's; before that nobody visits, or what was set aside
 * would be lost. */
static void the_sweep_ends_a_visit(void) {
    for (unsigned nobodys = 0; nobodys < 2; nobodys++) {
        fresh();
        emma_record *record = &REGISTRY->first->record[0];
        REGISTRY->first->owner[0] =
            (uint64_t)REGISTRY->generation << 32 | 1 << EMMA_OWNER_ID_BITS | (nobodys ? 0 : DEAD);
        cut_off(record);
        IS(emma__registry_generation(REGISTRY), 2);
        IS(emma__idle_collect(REGISTRY, DEPOT, true).emptied, 0);
        OK(record->magazines.is_visited && record->aside[CLASS] != 0);
        thread = initial; /* a thread that had no record when it forked */
        emma__registry_sweep(REGISTRY, DEPOT, 0, 2, emma__plat_thread_id());
        OK(is_over(record) && cached() == 0 && !is_owned());
        OK(unit_heap_sound(&heap, 0));
        IS(REGISTRY->swept, 2);
    }
}

static void what_is_nobodys_goes_home(void) {
    if (!fresh_for_visits())
        return;
    thread.cache = EMMA_CLOSED(EMMA_ENDED);
    REGISTRY->first->owner[0] = (uint64_t)REGISTRY->generation << 32 | 1 << EMMA_OWNER_ID_BITS;
    IS(emma__idle_collect(REGISTRY, DEPOT, true).emptied, 1);
    OK(cached() == 0 && !is_owned());
    OK(unit_heap_sound(&heap, 0));
}

TAP_MAIN({"what is cached goes home", what_is_cached_goes_home},
         {"who is in an operation is left alone", who_is_in_an_operation_is_left_alone},
         {"only what has not changed is due", only_what_has_not_changed_is_due},
         {"one visitor at a time", one_visitor_at_a_time}, {"the owner keeps out", the_owner_keeps_out},
         {"a spare replaces an empty magazine only", a_spare_replaces_an_empty_magazine_only},
         {"the end of a thread that is visited", the_end_of_a_thread_that_is_visited},
         {"a record that is visited is not taken", a_record_that_is_visited_is_not_taken},
         {"a word that is gone", a_word_that_is_gone}, {"what is nobody's goes home", what_is_nobodys_goes_home},
         {"a child ends the visit of its own record", a_child_ends_the_visit_of_its_own},
         {"the sweep ends a visit", the_sweep_ends_a_visit})
