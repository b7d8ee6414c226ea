/* magazines.c: see magazines.h. */
#include "cache/magazines.h"

static emma_chain load(const _Atomic(emma_chain) *word) {
    return ATOMIC_LOAD(word, relaxed); /* the owner's own word */
}

static void store(_Atomic(emma_chain) *word, emma_chain chain) {
    ATOMIC_STORE(word, chain, release); /* see the banner of magazines.h: fork */
}

/* The owner's counts, which others read for statistics. */
static unsigned count_in(const _Atomic(uint8_t) *count) {
    return ATOMIC_LOAD(count, relaxed);
}

static void set_count(_Atomic(uint8_t) *count, unsigned value) {
    ATOMIC_STORE(count, (uint8_t)value, relaxed);
}

/* How many blocks of a class keep to a limit in bytes and one in blocks; the least magazine holds more than that. */
static unsigned blocks_within(unsigned class, size_t bytes, size_t most) {
    size_t blocks = bytes / emma__class_size(class);
    blocks = blocks < most ? blocks : most;
    return EMMA_TORTURE || blocks < EMMA_MAGAZINE_MIN_BLOCKS ? EMMA_MAGAZINE_MIN_BLOCKS : (unsigned)blocks;
}

static unsigned first_blocks(unsigned class) {
    return blocks_within(class, EMMA_MAGAZINE_FIRST_BYTES, EMMA_MAGAZINE_FIRST_BLOCKS);
}

static void send_away(emma_depot *depot, unsigned class, emma_chain chain, unsigned count, bool keep_depot) {
    if (keep_depot && count >= EMMA_MAGAZINE_MIN_BLOCKS && emma__chain_room(chain) <= count)
        emma__depot_put(depot, class, chain, count);
    else
        emma__spans_take_home(&depot->spans, class, chain);
}

static void give_up_spare(emma_magazines *magazines, emma_depot *depot, unsigned class, bool keep_depot) {
    emma_chain spare = load(&magazines->of[class].spare);
    store(&magazines->of[class].spare, 0);
    if (!emma__chain_is_empty(spare))
        send_away(depot, class, spare, count_in(&magazines->shape[class].spare_count), keep_depot);
    set_count(&magazines->shape[class].spare_count, 0);
}

/* Empty both magazines of a class. */
static void give_up(emma_magazines *magazines, emma_depot *depot, unsigned class, bool keep_depot) {
    emma_chain loaded = load(&magazines->of[class].loaded);
    unsigned loaded_count = count_in(&magazines->shape[class].loaded_capacity) - emma__chain_room(loaded);
    store(&magazines->of[class].loaded, 0);
    set_count(&magazines->shape[class].loaded_capacity, 0);
    if (!emma__chain_is_empty(loaded))
        send_away(depot, class, loaded, loaded_count, keep_depot);
    give_up_spare(magazines, depot, class, keep_depot);
}

/* Empty the magazines of a class, and let it begin anew. */
static void forget(emma_magazines *magazines, emma_depot *depot, unsigned class, bool keep_depot) {
    give_up(magazines, depot, class, keep_depot);
    magazines->granted_bytes -= emma__magazines_pair_bytes(class, magazines->shape[class].capacity);
    magazines->shape[class].capacity = 0;
}

static uint32_t budget_of(const emma_magazines *magazines) {
    return EMMA_CACHE_BUDGET_BYTES + magazines->earned_bytes;
}

static uint32_t halvings_of(uint64_t earned) {
    return (uint32_t)(earned >> 32);
}

/* What a cache has earned counts for half as much after each halving that it has not seen: it gives up as much. */
static void concede(emma_magazines *magazines, uint64_t earned) {
    uint32_t missed = halvings_of(earned) - magazines->halvings;
    magazines->halvings = halvings_of(earned);
    magazines->earned_bytes = missed < 32 ? magazines->earned_bytes >> missed : 0;
}

/* Double the budget, or have what the last owner's tells, if all caches together have not earned too much. */
static EMMA_COLD void earn(emma_magazines *magazines, emma_depot *depot) {
    uint32_t more = budget_of(magazines);
    more = more > magazines->heritage_bytes ? more : magazines->heritage_bytes;
    magazines->heritage_bytes = magazines->too_little = 0;
    uint64_t earned = ATOMIC_LOAD(&depot->earned, relaxed);
    uint32_t most = magazines->is_visitable ? ATOMIC_LOAD(&depot->earned_most, relaxed) : 0;
    most = most != 0 ? most : EMMA_CACHE_EARNED_BYTES;
    while ((uint32_t)earned + more <= most) {
        if (!ATOMIC_CAS(&depot->earned, &earned, earned + more, relaxed))
            continue;
        concede(magazines, earned);
        magazines->earned_bytes += more;
        return;
    }
    uint64_t halved = ((uint64_t)halvings_of(earned) + 1) << 32 | (uint32_t)earned / 2;
    if (ATOMIC_ADD(&depot->earned_refusals, 1, relaxed) % EMMA_CACHE_REFUSALS == EMMA_CACHE_REFUSALS - 1)
        ATOMIC_CAS(&depot->earned, &earned, halved, relaxed); /* another may be faster: that is as good */
}

/* What was earned is for others again. */
static void give_back(emma_magazines *magazines, emma_depot *depot) {
    uint64_t earned = ATOMIC_LOAD(&depot->earned, relaxed);
    uint64_t bytes;
    do {
        concede(magazines, earned);
        bytes = magazines->earned_bytes < (uint32_t)earned ? magazines->earned_bytes : (uint32_t)earned;
    } while (!ATOMIC_CAS(&depot->earned, &earned, earned - bytes, relaxed));
}

/* The next magazines of a class are half as large as those it has. */
static void shrink(emma_magazines *magazines, emma_depot *depot, unsigned class) {
    unsigned before = magazines->shape[class].capacity;
    unsigned after = before / 2;
    if (after < EMMA_MAGAZINE_MIN_BLOCKS) {
        forget(magazines, depot, class, true);
        return;
    }
    if (count_in(&magazines->shape[class].loaded_capacity) > before) /* it was shrunk before */
        give_up(magazines, depot, class, true);
    else
        give_up_spare(magazines, depot, class, true);
    magazines->granted_bytes -= emma__magazines_pair_bytes(class, before) - emma__magazines_pair_bytes(class, after);
    magazines->shape[class].capacity = (uint8_t)after;
}

/* Let other classes shrink, going round, until the cache as a whole holds no more than it may, or this class alone. */
static void keep_to_budget(emma_magazines *magazines, emma_depot *depot, unsigned class) {
    uint32_t own = emma__magazines_pair_bytes(class, magazines->shape[class].capacity);
    uint32_t most = budget_of(magazines) > own ? budget_of(magazines) : own;
    while (magazines->granted_bytes > most) {
        unsigned victim = magazines->hand = magazines->hand % EMMA_CLASS_LAST + 1;
        if (victim != class && magazines->shape[victim].capacity != 0)
            shrink(magazines, depot, victim);
    }
}

/* The magazines of this class may be larger from now on; others pay, if the cache may then hold too much. */
static void set_capacity(emma_magazines *magazines, emma_depot *depot, unsigned class, unsigned capacity) {
    magazines->granted_bytes += emma__magazines_pair_bytes(class, capacity) -
                                emma__magazines_pair_bytes(class, magazines->shape[class].capacity);
    magazines->shape[class].capacity = (uint8_t)capacity;
    if (magazines->granted_bytes > budget_of(magazines))
        keep_to_budget(magazines, depot, class);
}

/* Whether a class may have so much more where others must pay for it: one that has magazines only if they were too
 * small so often that it gains by it more than the others lose: where all miss equally often for each byte they have,
 * the cache as a whole misses least. */
static bool deserves(emma_magazines *magazines, emma_depot *depot, unsigned class, uint32_t more) {
    if (++magazines->too_little > EMMA_CACHE_BUDGET_PATIENCE)
        earn(magazines, depot);
    unsigned misses = ++magazines->shape[class].misses;
    if (magazines->shape[class].capacity != 0 && misses * EMMA_MAGAZINE_MISS_BYTES < more)
        return false;
    magazines->shape[class].misses = 0;
    return true;
}

/* What all have earned was halved. Apart: handlers have little stack. */
static EMMA_COLD void catch_up(emma_magazines *magazines, emma_depot *depot, unsigned class, uint64_t earned) {
    concede(magazines, earned);
    keep_to_budget(magazines, depot, class);
}

/* The next magazine of this class is twice as large. A large one grows only where the depot is too small for the class,
 * and not at the cost of other classes. */
static void grow(emma_magazines *magazines, emma_depot *depot, unsigned class) {
    uint64_t earned = ATOMIC_LOAD(&depot->earned, relaxed);
    if (EMMA_UNLIKELY(halvings_of(earned) != magazines->halvings))
        catch_up(magazines, depot, class, earned);
    unsigned before = magazines->shape[class].capacity;
    bool is_large = before >= EMMA_MAGAZINE_LARGE_BLOCKS;
    if (is_large && !emma__depot_has_grown(depot, class))
        return;
    unsigned most =
        blocks_within(class, EMMA_MAGAZINE_MAX_BYTES, is_large ? EMMA_MAGAZINE_MAX_BLOCKS : EMMA_MAGAZINE_LARGE_BLOCKS);
    unsigned after = before == 0 ? first_blocks(class) : before * 2 < most ? before * 2 : most;
    if (after <= before)
        return;
    uint32_t more = emma__magazines_pair_bytes(class, after) - emma__magazines_pair_bytes(class, before);
    bool fits = magazines->granted_bytes + more <= budget_of(magazines);
    if (fits || (!is_large && deserves(magazines, depot, class, more)))
        set_capacity(magazines, depot, class, after);
}

bool emma__magazines_load_spare(emma_magazines *magazines, unsigned class) {
    if (emma__magazines_are_visited(magazines))
        return false;
    emma_chain spare = load(&magazines->of[class].spare);
    if (emma__chain_is_empty(spare) || !emma__chain_is_empty(load(&magazines->of[class].loaded)))
        return false; /* the loaded one was closed by a visitor when the caller looked */
    unsigned spare_count = count_in(&magazines->shape[class].spare_count);
    store(&magazines->of[class].spare, 0);
    set_count(&magazines->shape[class].loaded_capacity, spare_count + emma__chain_room(spare)); /* before the chain */
    store(&magazines->of[class].loaded, spare);
    set_count(&magazines->shape[class].spare_count, 0);
    return true;
}

bool emma__magazines_spare_loaded(emma_magazines *magazines, unsigned class) {
    if (emma__magazines_are_visited(magazines))
        return false;
    emma_chain loaded = load(&magazines->of[class].loaded);
    if (emma__chain_room(loaded) != 0 || emma__chain_is_empty(loaded) || load(&magazines->of[class].spare) != 0)
        return false;
    unsigned count = count_in(&magazines->shape[class].loaded_capacity);
    unsigned capacity = magazines->shape[class].capacity;
    if (count > capacity) /* it is too large to stay */
        return false;
    store(&magazines->of[class].loaded, emma__chain_empty(capacity));
    set_count(&magazines->shape[class].spare_count, count);
    store(&magazines->of[class].spare, loaded);
    set_count(&magazines->shape[class].loaded_capacity, capacity);
    return true;
}

static bool shares_lines(unsigned class) {
    return emma__class_size(class) < EMMA_CACHE_SHARED_BYTES;
}

void *emma__magazines_alloc(emma_magazines *magazines, emma_depot *depot, unsigned class) {
    emma_magazine_pair *pair = &magazines->of[class];
    void *block = emma__magazines_pop(pair);
    if (block != 0)
        return block;
    if (emma__magazines_load_spare(magazines, class))
        return emma__magazines_pop(pair);
    bool is_first = magazines->shape[class].capacity == 0;
    grow(magazines, depot, class);
    unsigned capacity = magazines->shape[class].capacity;
    unsigned count = 0;
    emma_chain chain = 0;
    if (is_first && shares_lines(class))
        chain = emma__spans_refill_fresh(&depot->spans, class, capacity, &count);
    if (count == 0)
        chain = emma__depot_get(depot, class, capacity, capacity, &count);
    if (count == 0)
        return 0;
    set_count(&magazines->shape[class].loaded_capacity, count + emma__chain_room(chain));
    store(&pair->loaded, chain);
    if (count > capacity) /* another cache's magazine, from the depot */
        set_capacity(magazines, depot, class, count);
    return emma__magazines_pop(pair);
}

/* The loaded magazine is full: it becomes the spare, and the spare, if there is one, goes to the depot. */
static void make_room(emma_magazines *magazines, emma_depot *depot, unsigned class) {
    emma_magazine_pair *pair = &magazines->of[class];
    emma_chain loaded = load(&pair->loaded);
    emma_chain spare = load(&pair->spare);
    unsigned spare_count = count_in(&magazines->shape[class].spare_count);
    bool is_small = !emma__chain_is_empty(spare) && !emma__depot_has_shrunk(depot, class);
    if (is_small || magazines->shape[class].capacity == 0)
        grow(magazines, depot, class);
    unsigned capacity = magazines->shape[class].capacity;
    unsigned loaded_count = count_in(&magazines->shape[class].loaded_capacity);
    store(&pair->spare, 0);
    store(&pair->loaded, emma__chain_empty(capacity));
    if (loaded_count > capacity && emma__chain_is_empty(spare)) { /* the class was shrunk: it is too large to stay */
        spare = loaded;
        spare_count = loaded_count;
    } else if (!emma__chain_is_empty(loaded)) {
        set_count(&magazines->shape[class].spare_count, loaded_count);
        store(&pair->spare, loaded);
    }
    set_count(&magazines->shape[class].loaded_capacity, capacity);
    if (emma__chain_is_empty(spare) || !emma__depot_put(depot, class, spare, spare_count))
        return;
    forget(magazines, depot, class, false); /* the class shrinks: begin anew, small */
    grow(magazines, depot, class);
    store(&pair->loaded, emma__chain_empty(magazines->shape[class].capacity));
    set_count(&magazines->shape[class].loaded_capacity, magazines->shape[class].capacity);
}

void emma__magazines_free(emma_magazines *magazines, emma_depot *depot, unsigned class, void *block) {
    emma_magazine_pair *pair = &magazines->of[class];
    if (magazines->shape[class].capacity == 0 && shares_lines(class) &&
        magazines->strangers < EMMA_CACHE_STRANGERS_MAX) {
        magazines->strangers++;
        emma__spans_take_home(&depot->spans, class, emma__chain_push(emma__chain_empty(1), block));
        return;
    }
    if (emma__chain_room(load(&pair->loaded)) == 0 && !emma__magazines_spare_loaded(magazines, class))
        make_room(magazines, depot, class);
    store(&pair->loaded, emma__chain_push(load(&pair->loaded), block));
}

void emma__magazines_flush(emma_magazines *magazines, emma_depot *depot, bool keep_depot) {
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++)
        forget(magazines, depot, class, keep_depot);
}

void emma__magazines_end(emma_magazines *magazines, emma_depot *depot, bool keep_depot) {
    emma__magazines_flush(magazines, depot, keep_depot);
    give_back(magazines, depot);
    __builtin_memset(magazines->shape, 0, sizeof magazines->shape);
    magazines->heritage_bytes = magazines->earned_bytes / 2; /* threads that come and go are much alike */
    magazines->too_little = magazines->earned_bytes != 0 ? EMMA_CACHE_BUDGET_PATIENCE : 0;
    magazines->earned_bytes = magazines->granted_bytes = magazines->hand = magazines->strangers = 0;
}

size_t emma__magazines_count(const emma_magazines *magazines, unsigned class) {
    emma_chain loaded = load(&magazines->of[class].loaded);
    if (loaded == 0 || loaded == EMMA_CHAIN_CLOSED)
        return 0;
    unsigned capacity = count_in(&magazines->shape[class].loaded_capacity);
    unsigned room = emma__chain_room(loaded);
    size_t spare = count_in(&magazines->shape[class].spare_count);
    return spare + (capacity > room ? capacity - room : 0); /* both move while the owner works */
}

bool emma__magazines_contain(const emma_magazines *magazines, unsigned class, const void *block) {
    return emma__chain_contains(load(&magazines->of[class].loaded), block) ||
           emma__chain_contains(load(&magazines->of[class].spare), block);
}
