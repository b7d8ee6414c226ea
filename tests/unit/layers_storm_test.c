/* layers_storm_test.c: regions, spans, depot, shared caches and heaps, used by several threads at once; afterwards
 * everything is counted. Hosted only: it needs threads. */
#include <pthread.h>

#include "../tap.h"
#include "purge/purge.h"
#include "unit.h"

enum { THREADS = 4, HELD = 200 };

static emma_heap heap = EMMA_HEAP_INITIAL(&unit_directory, unit_shelves, 0);
static _Atomic(unsigned) wrong;
static _Atomic(uint64_t) seeds = 1;

static void expect(bool condition) {
    if (!condition)
        ATOMIC_ADD(&wrong, 1, relaxed);
}

static void run(void *(*body)(void *)) {
    pthread_t threads[THREADS];
    unit_heap_reset(&heap);
    wrong = 0;
    for (unsigned i = 0; i < THREADS; i++)
        OK(pthread_create(&threads[i], 0, body, 0) == 0);
    for (unsigned i = 0; i < THREADS; i++)
        OK(pthread_join(threads[i], 0) == 0);
    IS(wrong, 0);
}

static uint64_t seed(void) {
    return ATOMIC_ADD(&seeds, 77, relaxed) * UINT64_C(0x9E3779B97F4A7C15) | 1;
}

/* Each run of slices carries its holder's mark at both ends. */
static void *claim_and_release(void *unused) {
    emma_regions *regions = emma__heap_regions(&heap);
    uintptr_t held[HELD] = {0};
    unsigned length[HELD] = {0};
    uint64_t state = seed();
    for (unsigned step = 0; step < 20000; step++) {
        unsigned i = (unsigned)(unit_random(&state) % HELD);
        if (held[i] == 0) {
            length[i] = 1 + (unsigned)(unit_random(&state) % (step % 50 == 0 ? 60 : 8));
            held[i] = emma__regions_claim(regions, length[i], 1);
            expect(held[i] != 0);
            *(uintptr_t *)unit_pointer(held[i]) = held[i] ^ state;
            *(uintptr_t *)unit_pointer(held[i] + length[i] * EMMA_SLICE_BYTES - 8) = held[i] ^ state;
        }
        uintptr_t *last = unit_pointer(held[i] + length[i] * EMMA_SLICE_BYTES - 8);
        expect(*(uintptr_t *)unit_pointer(held[i]) == *last);
        if (step % 2 != 0) {
            emma__regions_release(regions, held[i], length[i]);
            held[i] = 0;
        }
        if (step % 500 == 0)
            emma__regions_purge_chunk(regions, emma__regions_next_tract(regions, 0), step / 500 % EMMA_TRACT_CHUNKS);
    }
    for (unsigned i = 0; i < HELD; i++)
        if (held[i] != 0)
            emma__regions_release(regions, held[i], length[i]);
    return unused;
}

static void slices(void) {
    run(claim_and_release);
    emma_regions *regions = emma__heap_regions(&heap);
    OK(emma__regions_valid(regions));
    size_t free = 0;
    size_t dirty = 0;
    size_t tracts = 0;
    for (emma_tract *tract = emma__regions_next_tract(regions, 0); tract != 0;
         tract = emma__regions_next_tract(regions, tract), tracts++) {
        for (unsigned chunk = 0; chunk < EMMA_TRACT_CHUNKS; chunk++) {
            free += emma__bits_count(tract->chunk[chunk] >> 32);
            dirty += emma__bits_count(tract->chunk[chunk] >> 32 & tract->chunk[chunk]);
        }
    }
    IS(regions->used_slices, tracts);
    IS(free + tracts, regions->mapped_slices);
    IS(dirty, regions->dirty_slices);
}

/* Chains change hands through one shared place, so most blocks come home from another thread. */
static _Atomic(emma_chain) exchange[8];

static void *refill_and_return(void *unused) {
    static const unsigned classes[8] = {1, 5, 30, 64, 70, 80, 96, 104};
    emma_spans *spans = &heap.depot.spans;
    uint64_t state = seed();
    for (unsigned step = 0; step < 20000; step++) {
        unsigned which = (unsigned)(unit_random(&state) % 8);
        unsigned count = 0;
        emma_chain chain =
            emma__spans_refill(spans, classes[which], 64, 1 + (unsigned)(unit_random(&state) % 64), &count);
        expect(count != 0);
        chain = ATOMIC_EXCHANGE(&exchange[which], chain, acq_rel);
        emma__spans_take_home(spans, classes[which], chain);
        if (step % 1000 == 0) {
            emma_tract *tract = emma__regions_next_tract(&spans->regions, 0);
            for (unsigned slice = 1; slice < EMMA_TRACT_SLICES; slice++)
                emma__spans_purge(spans, tract, slice, EMMA_SPAN_PURGE);
        }
    }
    for (unsigned which = 0; which < 8; which++)
        emma__spans_take_home(spans, classes[which], ATOMIC_EXCHANGE(&exchange[which], 0, acq_rel));
    return unused;
}

static void spans(void) {
    run(refill_and_return);
    unit_census census;
    OK(unit_spans_sound(&heap.depot.spans, &census));
    size_t spans_left = census.owned;
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++)
        spans_left += census.spans[class];
    IS(spans_left, 0);
}

/* A heap as the api uses it; blocks pass from thread to thread; some users have no thread cache. */
static _Atomic(uintptr_t) mailbox[64];

static void *allocate_and_free(void *unused) {
    emma_thread thread = EMMA_THREAD_INITIAL;
    uint64_t state = seed();
    for (unsigned step = 0; step < 40000; step++) {
        emma_thread *user = unit_random(&state) % 8 == 0 ? 0 : &thread;
        size_t size = 16 + (size_t)(unit_random(&state) % (step % 400 == 0 ? 200000 : 2000));
        uintptr_t *block = unit_alloc(&heap, user, size);
        expect(block != 0);
        block[0] = (uintptr_t)block ^ size;
        block[1] = size;
        uintptr_t *other = unit_pointer(ATOMIC_EXCHANGE(&mailbox[step % 64], (uintptr_t)block, acq_rel));
        if (other != 0) {
            expect(other[0] == ((uintptr_t)other ^ other[1]));
            unit_free(&heap, user, other);
            emma__purge_tick(&heap, user);
        }
        if (step % 5000 == 0)
            emma__purge_compact(&heap, user);
    }
    emma__thread_end(&thread, &heap.registry, &heap.depot);
    return unused;
}

static void heaps(void) {
    run(allocate_and_free);
    for (unsigned i = 0; i < 64; i++)
        unit_free(&heap, 0, unit_pointer(ATOMIC_EXCHANGE(&mailbox[i], 0, acq_rel)));
    OK(unit_heap_sound(&heap, 0));
    emma__purge_all(&heap, 0);
    IS(unit_cached_blocks(&heap), 0);
    OK(unit_heap_sound(&heap, 0));
}

TAP_MAIN({"slices claimed and released by many", slices}, {"blocks refilled here and returned there", spans},
         {"a heap used by many, with thread caches and without", heaps})
