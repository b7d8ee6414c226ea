/* source_test.c: src/heap/source.*: heaps whose memory comes from the caller's functions. */
#include "heap/source.h"

#include "../tap.h"
#include "heap/lent_claim.h"
#include "plat/plat.h"
#include "unit.h"

enum { MANY = 4096, PIECES = 64 };

/* A source over the platform, that keeps books. */
typedef struct books {
    unsigned reserved;
    unsigned committed;
    unsigned decommitted;
    unsigned released;
    size_t bytes; /* out at present */
    size_t most_bytes;
    unsigned refuse_from; /* the reserve with this number and all after it; 0: none */
    bool refuse_commit;
    bool soil;  /* what is reserved is not zeroed, and is not said to be */
    void *lies; /* what the next reserve returns, and the release of it is expected; 0: something of its own */
    unsigned wrong;
    struct {
        void *memory;
        size_t bytes;
    } piece[PIECES];
} books;

static void *reserve(size_t bytes, size_t align, int *zeroed, void *context) {
    books *own = context;
    own->wrong += *zeroed != 0;
    if (own->refuse_from != 0 && own->reserved + 1 >= own->refuse_from)
        return 0;
    if (own->lies != 0)
        return own->lies;
    void *memory = unit_pointer(emma__plat_map(bytes));
    own->wrong += (uintptr_t)memory % align != 0;
    if (own->soil)
        __builtin_memset(memory, 0xa5, bytes);
    *zeroed = !own->soil;
    for (unsigned i = 0; i < PIECES; i++) {
        if (own->piece[i].memory != 0)
            continue;
        own->piece[i].memory = memory;
        own->piece[i].bytes = bytes;
        own->reserved++;
        own->bytes += bytes;
        own->most_bytes = own->bytes > own->most_bytes ? own->bytes : own->most_bytes;
        return memory;
    }
    own->wrong++;
    return 0;
}

static int commit(void *memory, size_t bytes, void *context) {
    books *own = context;
    own->wrong += memory == 0 || bytes == 0;
    own->committed += !own->refuse_commit;
    return !own->refuse_commit;
}

static int decommit(void *memory, size_t bytes, void *context) {
    books *own = context;
    own->wrong += memory == 0 || bytes == 0;
    own->decommitted++;
    return 1;
}

static int release(void *memory, size_t bytes, void *context) {
    books *own = context;
    if (own->lies != 0 && memory == own->lies)
        return 1;
    for (unsigned i = 0; i < PIECES; i++) {
        if (own->piece[i].memory != memory || own->piece[i].bytes != bytes)
            continue;
        own->piece[i].memory = 0;
        own->released++;
        own->bytes -= bytes;
        emma__plat_unmap((uintptr_t)memory, bytes);
        return 1;
    }
    own->wrong++;
    return 0;
}

static emma_heap *over(books *own, size_t limit_bytes) {
    emma_source source = {sizeof source, reserve, commit, decommit, release, own};
    return emma_heap_create(&(emma_heap_config){.source = &source, .limit_bytes = limit_bytes});
}

static void *held[MANY];

static void all_that_is_reserved_is_released(void) {
    books own = {0};
    emma_heap *heap = over(&own, 0);
    if (!OK(heap != 0))
        return;
    IS(own.reserved, 1);
    for (unsigned i = 0; i < MANY; i++) {
        held[i] = emma_heap_malloc(heap, 4000);
        if (!OK(held[i] != 0))
            return;
        unit_fill(held[i], 100, i);
    }
    OK(own.reserved >= 4 && own.reserved <= 6); /* 1, 1, 2, 4, 8 MiB */
    void *large = emma_heap_malloc(heap, 100 << 20);
    OK(large != 0 && emma_heap_of(large) == heap);
    emma_heap_stats stats;
    emma_heap_stats_read(heap, &stats);
    IS(stats.committed_bytes, own.bytes);
    for (unsigned i = 0; i < MANY; i++) {
        OK(unit_is_filled(held[i], 100, i));
        emma_free(held[i]);
    }
    emma_free(large);
    OK(own.released > 0);
    size_t before = own.bytes;
    size_t collected = emma_heap_collect(heap);
    OK(own.reserved == own.released + 1 && collected == before - own.bytes);
    IS(emma_heap_collect(heap), 0);
    OK(emma_heap_sbrk(heap, 10) == 0);
    void *again = emma_heap_malloc(heap, 5 << 20);
    OK(again != 0);
    emma_heap_destroy(heap); /* with a live block */
    IS(own.released, own.reserved);
    IS(own.committed, own.reserved);
    IS(own.decommitted, own.reserved);
    IS(own.bytes + own.wrong, 0);
    OK(!emma_owns(again));
}

/* A block that comes and goes does not cost a piece each time. */
static void an_empty_piece_stays(void) {
    books own = {0};
    emma_heap *heap = over(&own, 0);
    for (unsigned i = 0; i < 100; i++) {
        void *block = emma_heap_malloc(heap, 3 << 20);
        OK(block != 0);
        emma_free(block);
    }
    IS(own.reserved, 2);
    emma_heap_destroy(heap);
    IS(own.released, 2);
}

/* A source that only hands out, and never hears of it again. */
static void reserve_is_enough(void) {
    books own = {0};
    emma_source source = {.reserve = reserve, .context = &own};
    emma_heap *heap = emma_heap_create(&(emma_heap_config){.source = &source});
    if (!OK(heap != 0))
        return;
    for (unsigned i = 0; i < 1000; i++) {
        held[i] = emma_heap_calloc(heap, 1, 4000);
        OK(held[i] != 0 && unit_is_zero(held[i], 4000));
    }
    for (unsigned i = 0; i < 1000; i++)
        emma_free(held[i]);
    for (unsigned i = 0; i < 50; i++) { /* what was reserved is all that is needed, however often */
        void *small = emma_heap_malloc(heap, 3 << 20);
        void *large = emma_heap_malloc(heap, 5 << 20);
        OK(small != 0 && large != 0);
        emma_free(small);
        emma_free(large);
        IS(emma_heap_collect(heap), 0);
    }
    OK(own.reserved <= 8);
    emma_heap_stats stats;
    emma_heap_stats_read(heap, &stats);
    IS(stats.committed_bytes, own.bytes);
    IS(stats.of.allocated_bytes, 0);
    emma_heap_destroy(heap);
    IS(own.committed + own.decommitted + own.released + own.wrong, 0);
    for (unsigned i = 0; i < PIECES; i++)
        if (own.piece[i].memory != 0)
            emma__plat_unmap((uintptr_t)own.piece[i].memory, own.piece[i].bytes);
}

/* Blocks of all kinds come and go, each soiled before it goes; what calloc gives is zero. */
static void step(emma_heap *heap, unsigned i, uint64_t *state) {
    void **at = &held[unit_random(state) % 64];
    if (*at != 0) {
        if (i % 4 == 0) {
            *at = emma_realloc(*at, 1 + (size_t)(unit_random(state) % 60000));
            unit_fill(*at, emma_usable_size(*at), i);
        }
        emma_free(*at);
        *at = 0;
        return;
    }
    size_t size = 1 + (size_t)(unit_random(state) % (i % 16 == 0 ? 300000 : 3000));
    *at = i % 5 == 0 ? emma_heap_aligned_alloc(heap, 256, size) : emma_heap_calloc(heap, 1, size);
    size_t usable = emma_usable_size(*at);
    OK(*at != 0 && (i % 5 == 0 || unit_is_zero(*at, usable)));
    unit_fill(*at, usable, i);
}

static void play(bool soil) {
    books own = {.soil = soil};
    emma_heap *heap = over(&own, 0);
    uint64_t state = 1;
    __builtin_memset(held, 0, sizeof held);
    for (unsigned i = 0; i < 20000; i++)
        step(heap, i, &state);
    for (unsigned i = 0; i < 64; i++)
        emma_free(held[i]);
    OK(emma__lent_claim(&heap->lent) && emma_fit_valid(heap->lent.fit));
    emma__lent_unclaim(&heap->lent);
    emma_heap_destroy(heap);
    IS(own.reserved - own.released + own.wrong, 0);
}

static void zeroed_is_believed(void) {
    play(false);
    play(true);
    books own = {0};
    emma_heap *heap = over(&own, 0);
    void *large = emma_heap_calloc(heap, 1, 32 << 20);
    OK(large != 0 && unit_resident_pages((uintptr_t)large & ~(uintptr_t)4095, 32 << 20) < 16);
    emma_heap_destroy(heap);
}

static void limits_hold(void) {
    books own = {0};
    enum { LIMIT = 3 << 20 };
    emma_heap *heap = over(&own, LIMIT);
    unsigned count = 0;
    while (count < MANY && (held[count] = emma_heap_malloc(heap, 10000)) != 0)
        count++;
    OK(count > 250 && own.most_bytes <= LIMIT);
    emma_heap_set_limit(heap, 0);
    OK(emma_heap_malloc(heap, 10 << 20) != 0);
    emma_heap_destroy(heap);
    IS(own.reserved - own.released + own.wrong, 0);
    heap = over(&own, 8 << 20); /* an empty piece makes room */
    emma_heap_free(heap, emma_heap_malloc(heap, 3 << 20));
    OK(emma_heap_malloc(heap, 5 << 20) != 0);
    emma_heap_destroy(heap);
    heap = over(&own, EMMA_HEAP_LEAST_BYTES);
    OK(heap != 0 && emma_heap_malloc(heap, 100000) != 0 && emma_heap_malloc(heap, 200000) == 0);
    emma_heap_destroy(heap);
}

static void refusals_change_nothing(void) {
    books own = {.refuse_from = 1};
    OK(over(&own, 0) == 0);
    own = (books){.refuse_commit = true};
    OK(over(&own, 0) == 0);
    IS(own.reserved, own.released);
    own = (books){.refuse_from = 3};
    emma_heap *heap = over(&own, 0);
    void *a = emma_heap_malloc(heap, 1 << 20);
    OK(a != 0);
    OK(emma_heap_malloc(heap, 2 << 20) == 0 && emma_heap_malloc(heap, PTRDIFF_MAX) == 0);
    unit_fill(a, 1 << 20, 1);
    OK(emma_realloc(a, 4 << 20) == 0 && unit_is_filled(a, 1 << 20, 1));
    emma_heap_reset(heap);
    OK(emma_heap_malloc(heap, 1 << 20) != 0);
    emma_heap_destroy(heap);
    IS(own.released, 2);
    OK(emma_heap_create(&(emma_heap_config){.source = &(emma_source){0}}) == 0);
}

/* A source that hands out what is lent already is refused, and nothing is written to that. */
static void what_is_lent_is_not_taken_twice(void) {
    books own = {0};
    emma_heap *heap = over(&own, 0);
    void *block = emma_heap_malloc(heap, 500000);
    unit_fill(block, 500000, 1);
    emma_heap_stats before;
    emma_heap_stats_read(heap, &before);
    void *others[] = {own.piece[0].memory, (char *)own.piece[0].memory + 65536, unit_pointer(emma__plat_map(1 << 20))};
    unit_fill(others[2], 4096, 2);
    emma_heap *other = emma_heap_create(0);
    OK(emma_heap_donate(other, (char *)others[2] + 4096, (1 << 20) - 4096) == 1);
    for (unsigned i = 0; i < 3; i++) {
        own.lies = others[i];
        OK(emma_heap_malloc(heap, 3 << 20) == 0);
        own.lies = 0;
        emma_heap_stats now;
        emma_heap_stats_read(heap, &now);
        OK(now.committed_bytes == before.committed_bytes && now.lent_bytes == before.lent_bytes);
        OK(unit_is_filled(block, 500000, 1) && unit_is_filled(others[2], 4096, 2));
        OK(emma_heap_of(block) == heap && emma_usable_size(block) >= 500000);
    }
    OK(emma_heap_malloc(heap, 3 << 20) != 0);
    emma_free(block);
    emma_heap_destroy(heap);
    emma_heap_destroy(other);
    IS(own.reserved - own.released + own.wrong, 0);
}

/* A source of a later version: what this one does not know must not be asked for. */
static void a_larger_source(void) {
    books own = {0};
    struct {
        emma_source known;
        uint64_t more;
    } later = {{sizeof later, reserve, commit, decommit, release, &own}, 0};
    emma_heap *heap = emma_heap_create(&(emma_heap_config){.source = &later.known});
    if (OK(heap != 0))
        emma_heap_destroy(heap);
    later.more = 1;
    OK(emma_heap_create(&(emma_heap_config){.source = &later.known}) == 0);
    IS(own.bytes, 0);
}

TAP_MAIN({"everything reserved is released once, at the latest with the heap", all_that_is_reserved_is_released},
         {"an empty piece stays until there is another", an_empty_piece_stays},
         {"a source that takes nothing back", reserve_is_enough},
         {"zeroed is believed, and nothing else", zeroed_is_believed},
         {"limits hold for what is reserved", limits_hold}, {"refusals change nothing", refusals_change_nothing},
         {"what is lent already is not taken from a source", what_is_lent_is_not_taken_twice},
         {"a source of a later version", a_larger_source})
