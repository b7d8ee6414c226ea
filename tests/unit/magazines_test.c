/* magazines_test.c: cache/magazines.h: a cache: its two magazines, its capacities, its budget. */
#include "cache/magazines.h"

#include "../tap.h"
#include "unit.h"

enum { HELD_MAX = 4000 };

static emma_heap heap = EMMA_HEAP_INITIAL(&unit_directory, unit_shelves, 0);
static emma_magazines cache;
static void *held[HELD_MAX];
static unsigned held_count;

#define DEPOT (&heap.depot)

static void fresh(void) {
    unit_heap_reset(&heap);
    __builtin_memset((void *)&cache, 0, sizeof cache);
    held_count = 0;
}

/* out = in the test's hands + in the cache + in the depot, for every class. */
static bool sound(size_t in_hand) {
    unit_census census;
    if (!unit_spans_sound(&heap.depot.spans, &census) || census.owned != 0)
        return false;
    size_t out = 0;
    size_t cached = 0;
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++) {
        out += census.out[class];
        cached += emma__magazines_count(&cache, class) + emma__depot_count(DEPOT, class);
    }
    return out == in_hand + cached;
}

static size_t slow_count(emma_chain chain) {
    size_t count = 0;
    for (; !emma__chain_is_empty(chain); chain = emma__chain_rest(chain))
        count++;
    return count;
}

static bool counts_are_exact(void) {
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++)
        if (emma__magazines_count(&cache, class) !=
            slow_count(cache.of[class].loaded) + slow_count(cache.of[class].spare))
            return false;
    return true;
}

static size_t granted_bytes(void) {
    size_t bytes = 0;
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++)
        bytes += 2 * cache.shape[class].capacity * emma__class_size(class);
    return bytes;
}

static void *alloc(unsigned class) {
    void *block = emma__magazines_alloc(&cache, DEPOT, class);
    OK(block != 0 && !emma__chain_looks_free(block));
    return block;
}

static void alloc_to_hand(unsigned class, unsigned count) {
    for (unsigned i = 0; i < count && held_count < HELD_MAX; i++)
        held[held_count++] = alloc(class);
}

static void free_from_hand(unsigned class, unsigned count) {
    for (unsigned i = 0; i < count && held_count != 0; i++)
        emma__magazines_free(&cache, DEPOT, class, held[--held_count]);
}

static void starts_as_zero(void) {
    fresh();
    IS(emma__magazines_count(&cache, 1), 0);
    OK(!emma__magazines_contain(&cache, 1, &cache));
    emma__magazines_flush(&cache, DEPOT, true);
    OK(sound(0) && counts_are_exact());
    void *block = alloc(7);
    IS(emma__span_class_fast(&heap.depot.spans.regions, (uintptr_t)block), 7);
    OK(sound(1) && counts_are_exact());
}

/* The first operation of a cache may be a free: of a block that another cache gave out. */
static void begins_with_a_free(void) {
    fresh();
    for (unsigned class = 4; class < EMMA_CLASS_COUNT; class += 6) { /* 64 bytes: smaller ones go home, see below */
        unsigned count = 0;
        emma_chain chain = emma__spans_refill(&heap.depot.spans, class, 1, 1, &count);
        void *block = emma__chain_first(chain);
        emma__magazines_free(&cache, DEPOT, class, block);
        IS(emma__magazines_count(&cache, class), 1);
        OK(emma__magazines_contain(&cache, class, block));
        OK(sound(0) && counts_are_exact());
        OK(alloc(class) == block);
        emma__magazines_free(&cache, DEPOT, class, block);
    }
}

static void last_freed_is_first_allocated(void) {
    fresh();
    alloc_to_hand(9, 50);
    void *a = held[10];
    void *b = held[20];
    emma__magazines_free(&cache, DEPOT, 9, a);
    emma__magazines_free(&cache, DEPOT, 9, b);
    OK(emma__magazines_contain(&cache, 9, a) && emma__magazines_contain(&cache, 9, b));
    OK(!emma__magazines_contain(&cache, 9, held[30]));
    OK(!emma__magazines_contain(&cache, 8, a));
    OK(alloc(9) == b);
    OK(alloc(9) == a);
    OK(sound(50));
}

/* Allocating and freeing around the edge of a magazine does not reach the depot each time. */
static void no_thrashing_at_an_edge(void) {
    fresh();
    alloc_to_hand(4, 300);
    free_from_hand(4, 150);
    size_t cached = emma__magazines_count(&cache, 4);
    size_t in_depot = emma__depot_count(DEPOT, 4);
    unsigned moves = 0;
    for (unsigned i = 0; i < 1000; i++) {
        alloc_to_hand(4, 1);
        moves += emma__depot_count(DEPOT, 4) != in_depot;
        in_depot = emma__depot_count(DEPOT, 4);
        free_from_hand(4, 1);
    }
    OK(moves <= 1);
    OK(emma__magazines_count(&cache, 4) + in_depot >= cached);
    OK(sound(held_count) && counts_are_exact());
}

static void capacities_grow_within_bounds(void) {
    for (unsigned class = 1; class < EMMA_CLASS_COUNT && tap.failures == 0; class += 3) {
        fresh();
        unsigned before = 0;
        for (unsigned round = 0; round < 12; round++) {
            alloc_to_hand(class, 200);
            free_from_hand(class, 200);
            unsigned capacity = cache.shape[class].capacity;
            OK(capacity >= before && capacity >= EMMA_MAGAZINE_MIN_BLOCKS && capacity <= EMMA_MAGAZINE_MAX_BLOCKS);
            OK(capacity == EMMA_MAGAZINE_MIN_BLOCKS || capacity * emma__class_size(class) <= EMMA_MAGAZINE_MAX_BYTES);
            before = capacity;
            OK(emma__magazines_count(&cache, class) <= 2 * (size_t)capacity);
            IS(cache.granted_bytes, granted_bytes());
        }
        OK(sound(0) && counts_are_exact());
    }
}

/* More than 64 blocks: only where the depot has grown, and never by frees while the class shrinks. */
static void large_only_where_the_depot_has_grown(void) {
    fresh();
    for (int doublings = EMMA_DEPOT_DOUBLINGS_MIN; doublings <= 1; doublings++) {
        for (unsigned round = 0; round < 6; round++) {
            DEPOT->shelf[4].doublings = doublings;
            alloc_to_hand(4, 1500);
            unsigned capacity = cache.shape[4].capacity;
            free_from_hand(4, 1500);
            OK(doublings >= 0 || cache.shape[4].capacity <= capacity);
            OK(doublings > 0 || cache.shape[4].capacity <= EMMA_MAGAZINE_LARGE_BLOCKS);
        }
    }
    OK(EMMA_TORTURE || cache.shape[4].capacity > EMMA_MAGAZINE_LARGE_BLOCKS);
    OK(sound(0) && counts_are_exact());
}

static size_t budget_bytes(void) {
    return EMMA_CACHE_BUDGET_BYTES + cache.earned_bytes;
}

/* All classes in turn: the cache never grants more than its budget, which grows to an end. */
static void budget_is_kept(void) {
    fresh();
    for (unsigned round = 0; round < 120 && tap.failures == 0; round++) {
        for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++) {
            alloc_to_hand(class, 150);
            free_from_hand(class, 150);
            IS(cache.granted_bytes, granted_bytes());
            size_t own = 2 * cache.shape[class].capacity * emma__class_size(class); /* granted in any case */
            OK(granted_bytes() <= budget_bytes() || granted_bytes() == own);
        }
        OK(cache.earned_bytes <= EMMA_CACHE_EARNED_BYTES);
        OK(sound(0) && counts_are_exact());
    }
    OK(EMMA_TORTURE || cache.earned_bytes > 0); /* it was too little all the time */
}

/* Where the budget is full, a class that runs out again and again grows at the cost of others. */
static void who_misses_grows(void) {
    fresh();
    cache.earned_bytes = EMMA_CACHE_EARNED_BYTES; /* so that it earns no more */
    for (unsigned round = 0; round < 40; round++) {
        for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++) {
            alloc_to_hand(class, 150);
            free_from_hand(class, 150);
        }
    }
    unsigned busy = 50;
    cache.earned_bytes = 0; /* and now has far too much */
    alloc_to_hand(104, 1);
    free_from_hand(104, 1);
    unsigned before = cache.shape[busy].capacity;
    for (unsigned round = 0; round < 200; round++) {
        alloc_to_hand(busy, 40);
        free_from_hand(busy, 40);
    }
    OK(EMMA_TORTURE || cache.shape[busy].capacity > before);
    OK(EMMA_TORTURE || granted_bytes() <= budget_bytes());
    OK(sound(0) && counts_are_exact());
}

/* The next owner of a cache earns half of what this one had at its first need, if there is so much; once. */
static void half_of_what_was_earned_is_inherited(void) {
    fresh();
    cache.earned_bytes = 1 << 20;
    DEPOT->earned = 1 << 20;
    alloc_to_hand(3, 50);
    free_from_hand(3, 50);
    emma__magazines_end(&cache, DEPOT, true);
    IS(cache.earned_bytes, 0);
    IS(DEPOT->earned, 0);
    IS(cache.granted_bytes, 0);
    for (unsigned class = 1; class < EMMA_CLASS_COUNT && cache.earned_bytes == 0; class ++) {
        alloc_to_hand(class, 10);
        free_from_hand(class, 10);
    }
    IS(cache.earned_bytes, 1 << 19);
    IS(DEPOT->earned, 1 << 19);
    emma__magazines_end(&cache, DEPOT, true);
    emma__magazines_end(&cache, DEPOT, true); /* an owner who needed nothing */
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++) {
        alloc_to_hand(class, 2);
        free_from_hand(class, 2);
    }
    IS(cache.earned_bytes, 0);
    OK(sound(0) && counts_are_exact());
}

/* Where others want more than there is, who works gives up half of what it has earned, each time; what all have is what
 * the depot says. */
static void what_is_halved_is_given_up(void) {
    fresh();
    cache.earned_bytes = 1 << 20;
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++) {
        alloc_to_hand(class, 150);
        free_from_hand(class, 150);
    }
    cache.earned_bytes = 1 << 20;
    cache.too_little = 0; /* so that nothing is earned meanwhile */
    cache.halvings = 5;
    DEPOT->earned = (uint64_t)7 << 32;
    for (unsigned class = 1; class < EMMA_CLASS_COUNT && cache.earned_bytes == 1 << 20; class ++) {
        alloc_to_hand(class, 150);
        free_from_hand(class, 150);
    }
    OK(EMMA_TORTURE || cache.earned_bytes == 1 << 18);
    OK(EMMA_TORTURE || granted_bytes() <= budget_bytes());
    DEPOT->earned = (uint64_t)8 << 32 | ((1 << 17) + 100);
    emma__magazines_end(&cache, DEPOT, true); /* who gave up more meanwhile gives back no more than it has */
    OK(EMMA_TORTURE || DEPOT->earned == ((uint64_t)8 << 32 | 100));
    DEPOT->earned = 0;
    OK(sound(0) && counts_are_exact());
}

/* One that has room stays loaded, and its blocks are counted right: frees come to the slow path for other reasons, too. */
static void only_a_full_magazine_becomes_the_spare(void) {
    fresh();
    alloc_to_hand(4, 3);
    free_from_hand(4, 1);
    emma_chain loaded = cache.of[4].loaded;
    bool had_room = emma__chain_room(loaded) != 0;
    OK(!had_room || (!emma__magazines_spare_loaded(&cache, 4) && cache.of[4].loaded == loaded));
    OK((had_room && !emma__chain_is_empty(loaded)) || EMMA_TORTURE);
    OK(sound(2) && counts_are_exact());
    OK(!emma__magazines_load_spare(&cache, 5) && !emma__magazines_spare_loaded(&cache, 5)); /* never used */
}

/* Who works a little keeps a small cache. */
static void budget_is_earned(void) {
    fresh();
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++) {
        alloc_to_hand(class, 2);
        free_from_hand(class, 2);
    }
    IS(cache.earned_bytes, 0);
    OK(granted_bytes() <= EMMA_CACHE_BUDGET_BYTES || granted_bytes() == 4 * (size_t)EMMA_SMALL_MAX_BYTES);
}

/* Magazines from the depot were made by others and may be larger: what is held stays within the budget all the same. */
static void bytes_held_stay_within_the_budget(void) {
    fresh();
    static emma_magazines other;
    __builtin_memset((void *)&other, 0, sizeof other);
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++) {
        for (unsigned round = 0; round < 4; round++) {
            for (unsigned i = 0; i < 600; i++)
                held[i] = emma__magazines_alloc(&other, DEPOT, class);
            for (unsigned i = 0; i < 600; i++)
                emma__magazines_free(&other, DEPOT, class, held[i]);
        }
    }
    size_t most = 0;
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++) {
        emma__magazines_free(&cache, DEPOT, class, alloc(class));
        size_t bytes = 0;
        for (unsigned c = 1; c < EMMA_CLASS_COUNT; c++)
            bytes += emma__magazines_count(&cache, c) * emma__class_size(c);
        most = bytes > most ? bytes : most;
    }
    tap_note("most bytes held:", most);
    IS(cache.earned_bytes, 0);
    OK(most <= EMMA_CACHE_BUDGET_BYTES + 4 * EMMA_SMALL_MAX_BYTES);
}

static void flush_leaves_nothing(void) {
    for (unsigned keep = 0; keep < 2; keep++) {
        fresh();
        for (unsigned class = 1; class < EMMA_CLASS_COUNT; class += 4) {
            alloc_to_hand(class, 30);
            free_from_hand(class, 30);
        }
        size_t in_depot = unit_cached_blocks(&heap);
        emma__magazines_flush(&cache, DEPOT, keep != 0);
        for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++)
            IS(emma__magazines_count(&cache, class), 0);
        OK(keep != 0 || unit_cached_blocks(&heap) == in_depot); /* home, not to the depot */
        OK(sound(0) && counts_are_exact());
        emma__depot_empty(DEPOT);
        OK(sound(0));
        IS(heap.depot.spans.regions.used_slices, (heap.depot.spans.regions.mapped_slices - 1) / EMMA_TRACT_SLICES + 1);
        alloc_to_hand(1, 1); /* and it goes on */
        OK(sound(1) && counts_are_exact());
    }
}

/* Two caches, as two threads would have: what one frees, the other allocates; every block carries its mark. */
static void random_steps(void) {
    static emma_magazines two[2];
    static unsigned class_of[HELD_MAX];
    uint64_t state = 5;
    fresh();
    __builtin_memset((void *)two, 0, sizeof two);
    for (unsigned step = 0; step < 100000 && tap.failures == 0; step++) {
        emma_magazines *which = &two[unit_random(&state) % 2];
        bool grows = step / 1000 % 2 == 0;
        if (held_count < HELD_MAX && unit_random(&state) % 10 < (grows ? 6 : 4)) {
            unsigned class = 1 + (unsigned)(unit_random(&state) % 10) * (unsigned)(unit_random(&state) % 11);
            void *block = emma__magazines_alloc(which, DEPOT, class);
            if (!OK(block != 0))
                return;
            unit_fill(block, 16, (uintptr_t)block + class);
            class_of[held_count] = class;
            held[held_count++] = block;
        } else if (held_count != 0) {
            unsigned i = (unsigned)(unit_random(&state) % held_count);
            OK(unit_is_filled(held[i], 16, (uintptr_t)held[i] + class_of[i]));
            emma__magazines_free(which, DEPOT, class_of[i], held[i]);
            held[i] = held[--held_count];
            class_of[i] = class_of[held_count];
        }
        if (unit_random(&state) % 5000 == 0)
            emma__magazines_flush(which, DEPOT, step % 2 == 0);
    }
    emma__magazines_flush(&two[0], DEPOT, true);
    emma__magazines_flush(&two[1], DEPOT, false);
    OK(sound(held_count));
}

TAP_MAIN({"all zero is an empty cache", starts_as_zero}, {"a cache may begin with a free", begins_with_a_free},
         {"the last block freed is the first allocated", last_freed_is_first_allocated},
         {"no thrashing at the edge of a magazine", no_thrashing_at_an_edge},
         {"capacities grow, within bounds", capacities_grow_within_bounds},
         {"large magazines only where the depot has grown", large_only_where_the_depot_has_grown},
         {"what is granted stays within the budget", budget_is_kept}, {"the budget is earned", budget_is_earned},
         {"who misses grows, others pay", who_misses_grows},
         {"half of what was earned is inherited", half_of_what_was_earned_is_inherited},
         {"what is halved is given up", what_is_halved_is_given_up},
         {"only a full magazine becomes the spare", only_a_full_magazine_becomes_the_spare},
         {"what is held stays within the budget", bytes_held_stay_within_the_budget},
         {"flushing leaves nothing", flush_leaves_nothing},
         {"two caches, random steps, all blocks counted", random_steps})
