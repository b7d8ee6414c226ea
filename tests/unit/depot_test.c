/* depot_test.c: depot/depot.h: whole magazines change hands; what overflows goes home, what is missing comes from spans. */
#include "depot/depot.h"

#include "../tap.h"
#include "unit.h"

static emma_depot depot = {.spans.regions = EMMA_REGIONS_INITIAL(&unit_directory), .shelf = unit_shelves};
static unit_census census;

static void fresh(void) {
    emma__depot_empty(&depot);
    unit_regions_reset(&depot.spans.regions);
    __builtin_memset((void *)unit_shelves, 0, sizeof unit_shelves);
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

enum { CHAIN = 16 };

/* Blocks that stay out of the same spans, so that these are not nearly empty and the shelf is not closed. */
static emma_chain staying[1000];
static unsigned staying_count;

/* Put so many chains of a class, or as many as stay. Returns: how many blocks are in the depot then. */
static size_t put_many(unsigned class, unsigned chains) {
    for (unsigned i = 0; i < chains; i++) {
        emma_chain chain = make(class, CHAIN, CHAIN);
        staying[staying_count++] = make(class, CHAIN / 2, CHAIN);
        emma__depot_put(&depot, class, chain, CHAIN);
    }
    return emma__depot_count(&depot, class);
}

static void let_go(unsigned class) {
    while (staying_count != 0)
        emma__spans_take_home(&depot.spans, class, staying[--staying_count]);
}

/* Take all out, and one chain more, from the spans; what is taken goes home. */
static void run_dry(unsigned class) {
    for (bool more = true; more;) {
        more = emma__depot_count(&depot, class) != 0;
        unsigned count = 0;
        emma_chain chain = emma__depot_get(&depot, class, CHAIN, CHAIN, &count);
        OK(count > 0);
        emma__spans_take_home(&depot.spans, class, chain);
    }
}

static unsigned class_of_chains(size_t chain_bytes) {
    return emma__class_of(chain_bytes / CHAIN);
}

/* A shelf that was full and then ran dry holds more the next time, up to a bound; one that only ran dry does not. */
static void limits_are_earned(void) {
    fresh();
    depot.shelves_earned_bytes = 0;
    unsigned class = class_of_chains(16384);
    size_t block = emma__class_size(class);
    for (unsigned i = 0; i < 8; i++) {
        put_many(class, 2);
        run_dry(class);
    }
    IS(depot.shelf[class].doublings, 0);
    size_t held = put_many(class, 80);
    IS(held * block, EMMA_DEPOT_BYTES);
    for (unsigned i = 0; i < 4; i++) {
        run_dry(class);
        size_t more = put_many(class, 80);
        OK(more * block <= (size_t)EMMA_DEPOT_BYTES << EMMA_DEPOT_DOUBLINGS_MAX);
        OK(more >= held && (i > 0 || more == 2 * held));
        held = more;
    }
    IS(depot.shelf[class].doublings, EMMA_DEPOT_DOUBLINGS_MAX);
    IS(depot.shelves_earned_bytes, (EMMA_DEPOT_BYTES << EMMA_DEPOT_DOUBLINGS_MAX) - EMMA_DEPOT_BYTES);
    emma__depot_empty(&depot);
    OK(emma__depot_has_shrunk(&depot, class));
    IS(depot.shelves_earned_bytes, 0);
    IS(put_many(class, 4), 0); /* closed: it takes nothing, */
    run_dry(class);
    OK(put_many(class, 4) > 0); /* until it was asked in vain */
    let_go(class);
    OK(sound(class, 0));
}

/* Shelves of all classes want more: together they earn no more than they may. */
static void earnings_are_bounded(void) {
    fresh();
    depot.shelves_earned_bytes = 0;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned class = 1; class < EMMA_CLASS_COUNT; class += 2) {
            depot.shelf[class].overflows = 1; /* as if it had been */
            run_dry(class);
        }
        size_t sum = 0;
        for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++)
            sum += depot.shelf[class].doublings > 0
                       ? ((size_t)EMMA_DEPOT_BYTES << depot.shelf[class].doublings) - EMMA_DEPOT_BYTES
                       : 0;
        IS(depot.shelves_earned_bytes, sum);
        OK(sum > 0 && sum <= EMMA_DEPOT_EARNED_BYTES);
    }
}

/* Blocks come home to spans of which nothing else is out: the shelf is emptied, keeps little, and opens again by use. */
static void a_shrinking_class_closes(void) {
    fresh();
    depot.shelves_earned_bytes = 0;
    unsigned class = class_of_chains(EMMA_TORTURE ? 256 : 1024); /* 64 chains in a span */
    emma_chain all[200];
    for (unsigned i = 0; i < 200; i++)
        all[i] = make(class, CHAIN, CHAIN);
    bool closed = false;
    for (unsigned i = 0; i < 200; i++)
        closed |= emma__depot_put(&depot, class, all[i], CHAIN);
    OK(closed);
    OK(emma__depot_has_shrunk(&depot, class));
    OK(emma__depot_count(&depot, class) * emma__class_size(class) <= EMMA_DEPOT_BYTES / 8);
    for (unsigned i = 0; i < 6; i++) {
        depot.shelf[class].overflows = 1;
        run_dry(class);
    }
    OK(!emma__depot_has_shrunk(&depot, class));
    emma__depot_empty(&depot);
    OK(sound(class, 0));
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
         {"limits are earned by use, and given up", limits_are_earned},
         {"all shelves together earn no more than they may", earnings_are_bounded},
         {"the shelf of a class that shrinks is closed", a_shrinking_class_closes},
         {"emptying sends everything home", emptied}, {"random steps, all blocks counted", random_steps})
