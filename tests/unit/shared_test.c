/* shared_test.c: cache/shared.h: stripes for everybody, held ones passed by, lost ones replaced. */
#include "cache/shared.h"

#include "../tap.h"
#include "plat/plat.h"
#include "unit.h"

static emma_heap heap = EMMA_HEAP_INITIAL(&unit_directory, unit_shelves, 0);

static void *alloc(unsigned class) {
    void *block = emma__shared_alloc(&heap.shared, &heap.depot, class);
    OK(block != 0 && !emma__chain_looks_free(block));
    IS(emma__span_class_fast(&heap.depot.spans.regions, (uintptr_t)block), class);
    return block;
}

static void give(unsigned class, void *block) {
    emma__shared_free(&heap.shared, &heap.depot, class, block);
}

static void hold_all(uint32_t claimed) {
    for (unsigned i = 0; i < EMMA_STRIPES; i++)
        if (heap.shared.entry[i] != 0)
            heap.shared.entry[i]->claimed = claimed;
}

/* A stripe is made when those before it are held. */
static void make_all(void) {
    unit_heap_reset(&heap);
    for (unsigned i = 0; i < EMMA_STRIPES; i++) {
        give(1, alloc(1));
        hold_all(1);
    }
    IS(heap.shared.made, EMMA_STRIPES);
    for (unsigned i = 0; i < EMMA_STRIPES; i++)
        OK(heap.shared.entry[i] != 0);
    hold_all(0);
}

static void one_user_needs_one_stripe(void) {
    unit_heap_reset(&heap);
    IS(emma__shared_count(&heap.shared, 3), 0);
    static void *held[100];
    for (unsigned i = 0; i < 100; i++)
        held[i] = alloc(3);
    for (unsigned i = 0; i < 100; i++)
        give(3, held[i]);
    IS(heap.shared.made, 1);
    OK(emma__shared_count(&heap.shared, 3) > 0);
    OK(unit_heap_sound(&heap, 0));
    emma__shared_flush(&heap.shared, &heap.depot);
    IS(emma__shared_count(&heap.shared, 3), 0);
    OK(unit_heap_sound(&heap, 0));
}

/* All stripes held: a block comes straight from depot or spans, and goes straight home. */
static void held_stripes_are_passed_by(void) {
    make_all();
    hold_all(1);
    size_t in_stripes = emma__shared_count(&heap.shared, 1);
    void *block[50];
    for (unsigned i = 0; i < 50; i++)
        block[i] = alloc(1 + i % 3);
    IS(emma__shared_count(&heap.shared, 1), in_stripes);
    OK(unit_heap_sound(&heap, 50));
    for (unsigned i = 0; i < 50; i++)
        give(1 + i % 3, block[i]);
    OK(unit_heap_sound(&heap, 0));
    IS(emma__shared_count(&heap.shared, 1), in_stripes);
    emma__shared_flush(&heap.shared, &heap.depot); /* what is held cannot be flushed */
    IS(emma__shared_count(&heap.shared, 1), in_stripes);
    hold_all(0);
    emma__shared_flush(&heap.shared, &heap.depot);
    IS(emma__shared_count(&heap.shared, 1), 0);
    OK(unit_heap_sound(&heap, 0));
}

/* A magazine of the depot serves those who find every stripe held, block by block. */
static void passers_by_use_the_depot(void) {
    make_all();
    emma__shared_flush(&heap.shared, &heap.depot);
    unsigned count = 0;
    emma_chain chain = emma__spans_refill(&heap.depot.spans, 6, 16, 16, &count);
    emma__depot_put(&heap.depot, 6, chain, count);
    hold_all(1);
    for (unsigned i = 0; i < count; i++) {
        IS(emma__depot_count(&heap.depot, 6), count - i);
        alloc(6);
        OK(unit_heap_sound(&heap, i + 1));
    }
    IS(emma__depot_count(&heap.depot, 6), 0);
    hold_all(0);
}

static size_t held_places(emma_stripe *const *before) {
    size_t same = 0;
    for (unsigned i = 0; i < EMMA_STRIPES; i++)
        same += heap.shared.entry[i] == before[i];
    return same;
}

/* A stripe that is never given back is replaced, not taken: its holder finds it as it left it. */
static void a_lost_stripe_is_replaced(void) {
    make_all();
    emma_stripe *before[EMMA_STRIPES];
    for (unsigned i = 0; i < EMMA_STRIPES; i++)
        before[i] = heap.shared.entry[i];
    hold_all(1);
    unsigned operations = 0;
    while (held_places(before) == EMMA_STRIPES && operations < 2 * EMMA_STRIPE_PATIENCE) {
        give(2, alloc(2));
        operations += 2;
    }
    OK(operations + 4 * EMMA_STRIPES >= EMMA_STRIPE_PATIENCE); /* make_all has missed a few times */
    OK(operations <= EMMA_STRIPE_PATIENCE + 4);
    for (unsigned i = 0; i < EMMA_STRIPES; i++)
        IS(before[i]->claimed, 1);
    OK(unit_spans_sound(&heap.depot.spans, &(unit_census){{0}, {0}, 0, 0}));
    for (unsigned i = 0; i < EMMA_STRIPES; i++) {
        before[i]->claimed = 0;
        if (heap.shared.entry[i] != before[i])
            emma__plat_unmap((uintptr_t)before[i], emma__bits_align_up(sizeof(emma_stripe), emma__plat_page_bytes()));
    }
}

/* For ever lost, again and again: so many lives, then the heap goes on without. */
static void lives_are_bounded(void) {
    make_all();
    heap.shared.made = EMMA_STRIPES + EMMA_STRIPE_LIVES;
    hold_all(1);
    for (unsigned i = 0; i < EMMA_STRIPES; i++)
        heap.shared.entry[i]->misses = EMMA_STRIPE_PATIENCE;
    emma_stripe *before[EMMA_STRIPES];
    for (unsigned i = 0; i < EMMA_STRIPES; i++)
        before[i] = heap.shared.entry[i];
    for (unsigned i = 0; i < 10; i++)
        give(2, alloc(2));
    IS(held_places(before), EMMA_STRIPES);
    IS(heap.shared.made, EMMA_STRIPES + EMMA_STRIPE_LIVES);
    hold_all(0);
    OK(unit_heap_sound(&heap, 0));
}

/* The misses of a stripe count in a row: a claim that succeeds ends them. */
static void misses_count_in_a_row(void) {
    make_all();
    for (unsigned i = 0; i < EMMA_STRIPES; i++)
        heap.shared.entry[i]->misses = EMMA_STRIPE_PATIENCE - 1;
    emma_stripe *claimed = emma__shared_claim(&heap.shared, &heap.depot);
    OK(claimed != 0);
    IS(claimed->misses, 0);
    emma__shared_unclaim(&heap.shared, &heap.depot, claimed);
    unsigned zero = 0;
    for (unsigned i = 0; i < EMMA_STRIPES; i++)
        zero += heap.shared.entry[i]->misses == 0;
    IS(zero, 1);
}

TAP_MAIN({"one user needs one stripe", one_user_needs_one_stripe},
         {"held stripes are passed by", held_stripes_are_passed_by},
         {"those who pass by use the depot", passers_by_use_the_depot},
         {"a stripe that is lost is replaced and left to its holder", a_lost_stripe_is_replaced},
         {"replacements are bounded", lives_are_bounded}, {"misses count in a row", misses_count_in_a_row})
