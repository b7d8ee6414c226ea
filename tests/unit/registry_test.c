/* registry_test.c: cache/registry.h: records, their owners, the dead, and fork. */
#include "cache/registry.h"

#include "../tap.h"
#include "plat/plat.h"
#include "unit.h"

enum { DEAD = 0x3FFFF0, TAKES = 1 << (32 - EMMA_OWNER_ID_BITS) }; /* ids that no thread of this process has */

static emma_heap heap = EMMA_HEAP_INITIAL(&unit_directory, unit_shelves, 0);

#define REGISTRY (&heap.registry)

static uint64_t owner_of(const emma_record *record) {
    for (emma_record_block *block = REGISTRY->first; block != 0; block = block->next)
        for (unsigned i = 0; i < EMMA_RECORDS_PER_BLOCK; i++)
            if (&block->record[i] == record)
                return block->owner[i];
    return UINT64_MAX;
}

static uint32_t id_of(const emma_record *record) {
    return (uint32_t)owner_of(record) & ((1U << EMMA_OWNER_ID_BITS) - 1);
}

static bool is_owned(const emma_record *record, uint32_t generation, uint32_t thread_id) {
    return owner_of(record) >> 32 == generation && id_of(record) == thread_id;
}

static emma_record *take(uint32_t thread_id) {
    uint32_t generation = emma__registry_generation(REGISTRY);
    emma_record *record = emma__registry_take(REGISTRY, generation, thread_id);
    OK(record != 0);
    OK(is_owned(record, generation, thread_id));
    IS((uintptr_t)record % 64, 0);
    return record;
}

static void *alloc(emma_record *record, unsigned class) {
    return emma__magazines_alloc(&record->magazines, &heap.depot, class);
}

static void generation_begins_at_one(void) {
    unit_heap_reset(&heap);
    OK(REGISTRY->wiped == 0);
    IS(emma__registry_generation(REGISTRY), 1);
    IS(emma__registry_generation(REGISTRY), 1);
    IS(REGISTRY->process_id, emma__plat_process_id());
    OK(REGISTRY->wiped != 0 && REGISTRY->wiped->generation == 1 && REGISTRY->wiped->janitor == 0);
    IS(REGISTRY->threads, 0);
}

static void records_are_given_back_and_taken_again(void) {
    unit_heap_reset(&heap);
    uint32_t me = emma__plat_thread_id();
    emma_record *a = take(me);
    emma_record *b = take(me);
    OK(a != b);
    emma__registry_give(REGISTRY, a);
    IS(id_of(a), 0);
    OK(take(me) == a);
    emma__registry_give(REGISTRY, a);
    emma__registry_give(REGISTRY, b);
    IS(REGISTRY->threads, 3); /* taken, ever */
}

/* More than a block of records, all live: all different, none taken from its owner. */
static void live_owners_keep_theirs(void) {
    static emma_record *record[3 * EMMA_RECORDS_PER_BLOCK];
    unit_heap_reset(&heap);
    uint32_t me = emma__plat_thread_id();
    for (unsigned i = 0; i < 3 * EMMA_RECORDS_PER_BLOCK; i++) {
        record[i] = take(me);
        for (unsigned j = 0; j < i; j++)
            if (!OK(record[i] != record[j]))
                return;
        OK(unit_is_zero((const void *)&record[i]->magazines.of, sizeof record[i]->magazines.of));
    }
}

/* The record of a thread that is gone is taken before any other, with what it holds; no more are made. */
static void the_dead_are_found(void) {
    unit_heap_reset(&heap);
    emma_record *dead = take(DEAD);
    emma__magazines_free(&dead->magazines, &heap.depot, 5, alloc(dead, 5));
    size_t count = emma__registry_count(REGISTRY, 5);
    OK(count != 0);
    for (unsigned i = 0; i < 2 * EMMA_RECORDS_PER_BLOCK; i++)
        OK(take(DEAD + 1 + i % 7) == dead);
    IS(emma__registry_count(REGISTRY, 5), count);
    OK(unit_heap_sound(&heap, 0));
    OK(take(emma__plat_thread_id()) == dead);
    OK(take(emma__plat_thread_id()) != dead); /* its owner lives now */
    OK(REGISTRY->first->next == 0);
}

/* A thread's id comes again, and its thread takes the very record: not by a word that was judged before. */
static void an_owner_word_comes_once(void) {
    static uint64_t word[TAKES];
    unit_heap_reset(&heap);
    for (unsigned i = 0; i < TAKES; i++) {
        emma_record *record = take(DEAD);
        OK(record == &REGISTRY->first->record[0]);
        if (i % 3 == 0) { /* also through nobody's hands */
            emma__registry_give(REGISTRY, record);
            take(DEAD);
        }
        word[i] = owner_of(record);
        for (unsigned j = i > TAKES / 2 ? i - TAKES / 2 : 0; j < i; j++)
            if (!OK(word[i] != word[j]))
                return;
    }
    OK(emma__registry_take(REGISTRY, 1, 1U << EMMA_OWNER_ID_BITS) == 0); /* an id that would not fit */
    IS(REGISTRY->first->owner[0], word[TAKES - 1]);
}

static void counts_all_records(void) {
    unit_heap_reset(&heap);
    uint32_t me = emma__plat_thread_id();
    emma_record *a = take(me);
    emma_record *b = take(me);
    IS(emma__registry_count(REGISTRY, 3), 0);
    emma__magazines_free(&a->magazines, &heap.depot, 3, alloc(b, 3));
    size_t expected = emma__magazines_count(&a->magazines, 3) + emma__magazines_count(&b->magazines, 3);
    IS(emma__registry_count(REGISTRY, 3), expected);
    OK(unit_heap_sound(&heap, 0));
    emma__magazines_flush(&a->magazines, &heap.depot, true);
    emma__registry_give(REGISTRY, a);
    OK(unit_heap_sound(&heap, 0));
}

/* In a child of fork: a new generation; the thread that called fork keeps its record, all others are emptied. */
static int child(void) {
    uint32_t before = REGISTRY->generation;
    if (REGISTRY->wiped->generation != 0)
        return 9; /* the kernel did not wipe the page */
    uint32_t generation = emma__registry_generation(REGISTRY);
    if (generation != before + 1 || emma__registry_generation(REGISTRY) != generation)
        return 1;
    if (REGISTRY->process_id != emma__plat_process_id())
        return 2;
    emma_record *own = &REGISTRY->first->record[0];
    emma_record *other = &REGISTRY->first->record[1];
    size_t own_count = emma__magazines_count(&own->magazines, 4);
    uint32_t old_id = id_of(own);
    uint32_t new_id = emma__plat_thread_id();
    emma__registry_sweep(REGISTRY, &heap.depot, old_id, generation, new_id);
    if (!is_owned(own, generation, new_id))
        return 3;
    if (id_of(other) != 0 || emma__magazines_count(&other->magazines, 4) != 0)
        return 4;
    if (emma__magazines_count(&own->magazines, 4) != own_count || own_count == 0)
        return 5;
    if (!unit_heap_sound(&heap, 0))
        return 6;
    emma__registry_sweep(REGISTRY, &heap.depot, old_id, generation, new_id); /* once more: nothing is left to do */
    return is_owned(own, generation, new_id) ? 0 : 8;
}

static void fork_begins_a_generation(void) {
    unit_heap_reset(&heap);
    emma_record *own = take(emma__plat_thread_id());
    emma_record *other = take(DEAD);
    OK(own == &REGISTRY->first->record[0] && other == &REGISTRY->first->record[1]);
    emma__magazines_free(&own->magazines, &heap.depot, 4, alloc(own, 4));
    emma__magazines_free(&other->magazines, &heap.depot, 4, alloc(other, 4));
    int result = unit_in_child(child);
    if (result == 9) {
        IS(REGISTRY->wiped->generation, 1);
        tap_skip("pages are not wiped on fork here");
        return;
    }
    IS(result, 0);
    IS(emma__registry_generation(REGISTRY), 1); /* the parent's own is as it was */
}

/* A process id that is not the generation's, the page not wiped: vfork or its like takes no record. */
static void vfork_takes_nothing(void) {
    unit_heap_reset(&heap);
    uint32_t generation = emma__registry_generation(REGISTRY);
    REGISTRY->process_id++;
    OK(emma__registry_take(REGISTRY, generation, emma__plat_thread_id()) == 0);
    IS(REGISTRY->threads, 0);
    OK(REGISTRY->first == 0);
}

TAP_MAIN({"the first generation is 1", generation_begins_at_one},
         {"records are given back and taken again", records_are_given_back_and_taken_again},
         {"live owners keep theirs, over several blocks", live_owners_keep_theirs},
         {"the records of the dead are taken over, full as they are", the_dead_are_found},
         {"an owner word does not come again soon", an_owner_word_comes_once},
         {"blocks in all records are counted", counts_all_records},
         {"fork begins a generation; others' records are emptied", fork_begins_a_generation},
         {"another process that shares the memory takes no record", vfork_takes_nothing})
