/* depot_test.c: depot/depot.h: whole magazines change hands; what overflows goes home, what is missing comes from spans. */
#include "depot/depot.h"

#include "../tap.h"
#include "unit.h"

static emma_depot depot = {.spans.regions = EMMA_REGIONS_INITIAL(&unit_directory)};
static unit_census census;

static void fresh(void) {
    emma__depot_empty(&depot);
    unit_regions_reset(&depot.spans.regions);
    __builtin_memset((void *)depot.shelf, 0, sizeof depot.shelf);
}

static bool sound(unsigned class, size_t in_hand) {
    return unit_spans_sound(&depot.spans, &census) && census.owned == 0 &&
           census.out[class] == in_hand + emma__depot_count(&depot, class);
}

/* A chain of exactly so many blocks, from the spans. */
static emma_chain make(unsigned class, unsigned count, unsigned capacity) {
    emma_chain chain = emma__chain_empty(capacity);
    for (unsigned i = 0; i < count; i++) {
        unsigned got = 0;
        emma_chain one = emma__spans_refill(&depot.spans, class, 1, 1, &got);
        OK(got == 1);
        chain = emma__chain_push(chain, emma__chain_first(one));
    }
    return chain;
}

static void empty_depot_asks_the_spans(void) {
    fresh();
    unsigned count = 0;
    emma_chain chain = emma__depot_get(&depot, 3, 20, 7, &count);
    IS(count, 7);
    IS(emma__chain_room(chain), 13);
    OK(sound(3, 7));
    emma__spans_take_home(&depot.spans, 3, chain);
    OK(sound(3, 0));
}

/* A magazine comes back as it was put: same blocks, same order, same room, tags as in any free chain. */
static void magazines_come_back_as_they_were(void) {
    for (unsigned count = 1; count <= 64; count += 9) {
        fresh();
        emma_chain chain = make(5, count, 64);
        emma__depot_put(&depot, 5, chain, count);
        IS(emma__depot_count(&depot, 5), count);
        IS(emma__depot_count(&depot, 4), 0);
        OK(sound(5, 0));
        unsigned got = 0;
        IS(emma__depot_get(&depot, 5, 1, 1, &got), chain); /* whatever is wanted: a whole magazine */
        IS(got, count);
        OK(sound(5, count));
        IS(emma__depot_count(&depot, 5), 0);
        emma__spans_take_home(&depot.spans, 5, chain);
    }
}

static void last_in_first_out(void) {
    fresh();
    emma_chain chain[3];
    for (unsigned i = 0; i < 3; i++) {
        chain[i] = make(8, 4, 4);
        emma__depot_put(&depot, 8, chain[i], 4);
    }
    unsigned count = 0;
    for (unsigned i = 3; i-- > 0;)
        IS(emma__depot_get(&depot, 8, 4, 4, &count), chain[i]);
    for (unsigned i = 0; i < 3; i++)
        emma__spans_take_home(&depot.spans, 8, chain[i]);
}

/* Any number is put; so many stay as the bound says, the others went home; then all of them are had back. */
static void a_full_shelf_sends_home(void) {
    static const unsigned classes[] = {1, 20, 64, 80, 95, EMMA_CLASS_LAST};
    for (unsigned c = 0; c < sizeof classes / sizeof classes[0]; c++) {
        unsigned class = classes[c];
        fresh();
        unsigned blocks = 2 + (unsigned)(16384 / emma__class_size(class) % 62);
        for (unsigned i = 0; i < 40; i++) {
            emma__depot_put(&depot, class, make(class, blocks, blocks), blocks);
            OK(sound(class, 0));
        }
        size_t held = emma__depot_count(&depot, class);
        OK(held >= 2 * (size_t)blocks); /* it is of use for every class */
        OK(held <= EMMA_DEPOT_SLOTS * (size_t)blocks);
        size_t bound = EMMA_DEPOT_BYTES > 2 * blocks * emma__class_size(class) ? EMMA_DEPOT_BYTES
                                                                               : 2 * blocks * emma__class_size(class);
        OK(held * emma__class_size(class) <= bound);
        size_t in_hand = 0;
        while (emma__depot_count(&depot, class) != 0 && tap.failures == 0) {
            unsigned count = 0;
            emma_chain chain = emma__depot_get(&depot, class, blocks, blocks, &count);
            IS(count, blocks);
            in_hand += count;
            OK(sound(class, in_hand));
            emma__spans_take_home(&depot.spans, class, chain);
            in_hand -= count;
        }
    }
}

static void emptied(void) {
    fresh();
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++)
        emma__depot_put(&depot, class, make(class, 2, 2), 2);
    emma__depot_empty(&depot);
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++)
        IS(emma__depot_count(&depot, class), 0);
    OK(sound(1, 0));
    IS(depot.spans.regions.used_slices, (depot.spans.regions.mapped_slices - 1) / EMMA_TRACT_SLICES + 1);
}

static void random_steps(void) {
    static struct {
        emma_chain chain;
        unsigned count;
    } held[100];
    unsigned have = 0;
    size_t blocks = 0;
    uint64_t state = 23;
    fresh();
    for (unsigned step = 0; step < 20000 && tap.failures == 0; step++) {
        if (have < 100 && unit_random(&state) % 2 == 0) {
            unsigned want = 1 + (unsigned)(unit_random(&state) % 30);
            held[have].chain = emma__depot_get(&depot, 12, 30, want, &held[have].count);
            OK(held[have].count > 0);
            blocks += held[have++].count;
        } else if (have != 0) {
            unsigned i = (unsigned)(unit_random(&state) % have);
            emma__depot_put(&depot, 12, held[i].chain, held[i].count);
            blocks -= held[i].count;
            held[i] = held[--have];
        }
        OK(step % 64 != 0 || sound(12, blocks));
    }
    OK(sound(12, blocks));
}

TAP_MAIN({"an empty depot asks the spans", empty_depot_asks_the_spans},
         {"a magazine comes back as it was put", magazines_come_back_as_they_were},
         {"last in, first out", last_in_first_out},
         {"a full shelf sends home, within its bounds", a_full_shelf_sends_home},
         {"emptying sends everything home", emptied}, {"random steps, all blocks counted", random_steps})
