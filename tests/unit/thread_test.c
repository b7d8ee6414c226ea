/* thread_test.c: cache/thread.h: the thread's word: started, taken, nested, ended, forked. */
#include "cache/thread.h"

#include "../tap.h"
#include "plat/plat.h"
#include "unit.h"

static const emma_thread initial = EMMA_THREAD_INITIAL;

static emma_heap heap = EMMA_HEAP_INITIAL(&unit_directory, unit_shelves, 0);
static emma_thread thread = EMMA_THREAD_INITIAL;

static void fresh(void) {
    unit_heap_reset(&heap);
    thread = initial;
}

/* The slow path of an operation. Returns: the magazines; *cache is the word to give back. */
static emma_magazines *enter(emma_magazine_pair **cache) {
    *cache = emma__thread_take(&thread);
    OK(thread.cache == EMMA_CLOSED(EMMA_TAKEN));
    return emma__thread_enter(&thread, &heap.registry, &heap.depot, cache);
}

static void closed_magazines_are_empty_and_full(void) {
    OK(unit_is_zero((const void *)emma__closed, sizeof emma__closed));
    for (unsigned which = 0; which < EMMA_CLOSED_COUNT; which++) {
        OK(emma__thread_is_closed(EMMA_CLOSED(which)));
        for (unsigned class = 0; class < EMMA_CLASS_COUNT; class ++) {
            const emma_magazine_pair *pair = &EMMA_CLOSED(which)[class];
            OK((const char *)(pair + 1) <= (const char *)emma__closed + sizeof emma__closed);
            OK(emma__chain_is_empty(pair->loaded) && emma__chain_room(pair->loaded) == 0);
        }
    }
    OK(!emma__thread_is_closed(emma__closed + EMMA_CLOSED_COUNT));
    OK(!emma__thread_is_closed(emma__closed - 1));
}

static void the_first_operation_starts_the_thread(void) {
    fresh();
    OK(thread.cache == EMMA_CLOSED(EMMA_UNSTARTED));
    emma_magazine_pair *cache;
    emma_magazines *magazines = enter(&cache);
    OK(magazines != 0 && cache == magazines->of);
    emma__thread_give(&thread, cache);
    OK(thread.cache == magazines->of && !emma__thread_is_closed(thread.cache));
    OK(thread.records == 1 && thread.generation == 1 && thread.id == emma__plat_thread_id());
    OK(enter(&cache) == magazines); /* and later ones find what it has */
    emma__thread_give(&thread, cache);
    IS(thread.records, 1);
}

/* A handler that interrupts an operation finds the word taken: no magazines, and what it gives back is TAKEN. */
static void nested_operations_use_the_shared_cache(void) {
    fresh();
    emma_magazine_pair *outer;
    emma_magazines *magazines = enter(&outer);
    for (unsigned i = 0; i < 100; i++) {
        emma_magazine_pair *inner;
        OK(enter(&inner) == 0);
        OK(inner == EMMA_CLOSED(EMMA_TAKEN));
        emma__thread_give(&thread, inner);
    }
    emma__thread_give(&thread, outer);
    OK(thread.cache == magazines->of);
    IS(thread.nested, 100);
    enter(&outer);
    IS(thread.nested, 0); /* in a row */
    emma__thread_give(&thread, outer);
}

/* Nested also while the thread is being started. */
static void nested_before_the_start(void) {
    fresh();
    emma_magazine_pair *outer = emma__thread_take(&thread);
    void *block = unit_alloc(&heap, &thread, 100); /* a handler */
    OK(block != 0 && thread.cache == EMMA_CLOSED(EMMA_TAKEN));
    unit_free(&heap, &thread, block);
    OK(emma__shared_count(&heap.shared, emma__class_of(100)) > 0);
    OK(emma__thread_enter(&thread, &heap.registry, &heap.depot, &outer) != 0);
    emma__thread_give(&thread, outer);
    OK(unit_heap_sound(&heap, 0));
}

/* A handler left by longjmp: the word stays TAKEN; after many operations a fresh record, at most so many times. */
static void a_lost_word_is_replaced(void) {
    fresh();
    emma_magazine_pair *cache;
    emma_magazines *before = enter(&cache);
    for (unsigned life = 1; life <= EMMA_THREAD_RECORDS; life++) {
        thread.cache = EMMA_CLOSED(EMMA_TAKEN); /* never given back */
        unsigned operations = 0;
        emma_magazines *magazines = 0;
        while (magazines == 0 && operations <= EMMA_NESTED_MAX + 1) {
            magazines = enter(&cache);
            emma__thread_give(&thread, cache);
            operations++;
        }
        if (life == EMMA_THREAD_RECORDS) {
            OK(magazines == 0); /* lives on the shared cache from now on */
            break;
        }
        IS(operations, EMMA_NESTED_MAX + 1);
        OK(magazines != 0 && magazines != before);
        before = magazines;
    }
    IS(thread.records, EMMA_THREAD_RECORDS);
}

static void the_end_gives_the_record_back(void) {
    fresh();
    static void *held[100];
    for (unsigned i = 0; i < 100; i++)
        held[i] = unit_alloc(&heap, &thread, 48);
    for (unsigned i = 0; i < 100; i++)
        unit_free(&heap, &thread, held[i]);
    OK(emma__registry_count(&heap.registry, 3) > 0);
    emma__thread_end(&thread, &heap.registry, &heap.depot);
    IS(emma__registry_count(&heap.registry, 3), 0);
    OK(thread.cache == EMMA_CLOSED(EMMA_ENDED));
    OK(unit_heap_sound(&heap, 0));
    void *block = unit_alloc(&heap, &thread, 48); /* later operations still work */
    OK(block != 0 && thread.cache == EMMA_CLOSED(EMMA_ENDED));
    unit_free(&heap, &thread, block);
    OK(emma__shared_count(&heap.shared, 3) > 0);
    emma__thread_end(&thread, &heap.registry, &heap.depot); /* twice: nothing happens */
    OK(thread.cache == EMMA_CLOSED(EMMA_ENDED));
    OK(unit_heap_sound(&heap, 0));
    IS(heap.registry.threads, 1);
}

static void a_thread_that_never_began_ends(void) {
    fresh();
    emma__thread_end(&thread, &heap.registry, &heap.depot);
    OK(thread.cache == EMMA_CLOSED(EMMA_ENDED));
    OK(heap.registry.first == 0);
}

static int child(void) {
    uint32_t parent_id = thread.id;
    emma_magazine_pair *before = thread.cache;
    for (unsigned i = 0; i < 1000; i++) {
        void *block = unit_alloc(&heap, &thread, 64);
        if (block == 0)
            return 1;
    }
    if (heap.registry.wiped->generation == 0 || thread.generation == 1)
        return heap.registry.generation == 1 ? 9 : 2;
    if (thread.cache != before || thread.generation != 2 || thread.id == parent_id)
        return 3;
    return unit_heap_sound(&heap, 1000) ? 0 : 4;
}

static void fork_is_noticed(void) {
    fresh();
    unit_free(&heap, &thread, unit_alloc(&heap, &thread, 64));
    IS(thread.generation, 1);
    int result = unit_in_child(child);
    if (result == 9)
        tap_skip("pages are not wiped on fork here");
    else
        IS(result, 0);
    OK(unit_heap_sound(&heap, 0));
}

/* The thread that forks has never used the heap; another one has. */
static int child_without_records(void) {
    static emma_thread own = EMMA_THREAD_INITIAL;
    if (heap.registry.wiped->generation != 0)
        return 9;
    const emma_magazines *left = &heap.registry.first->record[0].magazines;
    if (left->granted_bytes == 0)
        return 1;
    void *block = unit_alloc(&heap, &own, 2000);
    if (block == 0 || own.generation != 2 || heap.registry.threads != 2)
        return 2;
    if (emma__registry_count(&heap.registry, emma__class_of(64)) != 0)
        return 3; /* of those that are gone */
    return unit_heap_sound(&heap, 1) ? 0 : 4;
}

static void a_fork_without_records_is_noticed(void) {
    fresh();
    unit_free(&heap, &thread, unit_alloc(&heap, &thread, 64));
    OK(emma__registry_count(&heap.registry, emma__class_of(64)) != 0);
    int result = unit_in_child(child_without_records);
    if (result == 9)
        tap_skip("pages are not wiped on fork here");
    else
        IS(result, 0);
    OK(unit_heap_sound(&heap, 0));
}

TAP_MAIN({"the closed magazines are empty and full", closed_magazines_are_empty_and_full},
         {"the first operation starts the thread", the_first_operation_starts_the_thread},
         {"nested operations use the shared cache", nested_operations_use_the_shared_cache},
         {"an operation nested in the start", nested_before_the_start},
         {"a word that is lost is replaced, a few times", a_lost_word_is_replaced},
         {"the end gives the record back, empty", the_end_gives_the_record_back},
         {"a thread that never began ends", a_thread_that_never_began_ends},
         {"a child of fork notices and goes on", fork_is_noticed},
         {"so does one whose thread had no record", a_fork_without_records_is_noticed})
