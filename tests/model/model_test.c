/* model_test.c: random operations of several threads against a shadow map, blocks handed from thread to thread; at rest
 * the whole heap is compared with the map.
 *
 * Each round runs the threads, lets them stand still once in the middle, and ends them; some say that they end
 * (emma_thread_exit), some just do. At rest: no two blocks overlap, all contents are there, the structures of the heap
 * are sound, and its figures equal the sum of the map. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../storm/storm.h"
#include "api/fast.h"
#include "shadow.h"

enum { THREADS = 4, SLOTS = 6000, MAILBOXES = 256, ROUNDS = 20, LIVE_MAX_BYTES = 96 << 20 };

typedef struct worker {
    pthread_t thread;
    uint64_t random;
    size_t operations;
    size_t live_bytes;
    bool says_end;
    model_block slot[SLOTS];
} worker;

/* Where a block may be left for another thread. Claimed by a try. */
typedef struct mailbox {
    _Atomic(int) claimed;
    model_block block;
} mailbox;

static worker workers[THREADS];
static mailbox mailboxes[MAILBOXES];
static pthread_barrier_t barrier;
static model_block all[THREADS * SLOTS + MAILBOXES];

/* Large blocks are rare, as filling them costs most of the time; there are thousands of them all the same. */
static size_t random_size(uint64_t *random) {
    size_t kind = storm_below(random, 10000);
    if (kind < 200)
        return 0;
    if (kind < 6100)
        return 1 + storm_below(random, 256);
    if (kind < 8000)
        return 1 + storm_below(random, 1100);
    if (kind < 9000) /* around powers of two */
        return ((size_t)1 << (4 + storm_below(random, 14))) + storm_below(random, 5) - 2;
    if (kind < 9900)
        return 1 + storm_below(random, 34000);
    if (kind < 9990)
        return 30000 + storm_below(random, 300000);
    if (kind < 9999)
        return storm_below(random, 4 << 20);
    return storm_below(random, 48 << 20);
}

static void check_new(worker *me, model_block *block) {
    EXPECT((uintptr_t)block->at % (block->align_bytes > 16 ? block->align_bytes : 16) == 0);
    EXPECT(emma_owns(block->at));
    block->usable_bytes = emma_usable_size(block->at);
    EXPECT(block->usable_bytes >= block->size_bytes && block->usable_bytes % 16 == 0);
    block->seed = storm_random(&me->random);
    me->live_bytes += block->usable_bytes;
    model_fill(block);
}

static void check_old(const model_block *block) {
    EXPECT(emma_usable_size(block->at) == block->usable_bytes);
    EXPECT(model_holds(block, block->usable_bytes));
}

static void allocate(worker *me, model_block *block) {
    *block = (model_block){NULL, random_size(&me->random), 0, 1, 0};
    size_t kind = storm_below(&me->random, 16);
    if (kind < 2) {
        size_t count = 1 + storm_below(&me->random, 3);
        block->at = emma_calloc(count, block->size_bytes);
        block->size_bytes *= count;
        if (EXPECT(block->at != NULL))
            EXPECT(model_is_zero(block->at, block->size_bytes));
    } else if (kind < 4) {
        block->align_bytes = (size_t)1 << storm_below(&me->random, storm_below(&me->random, 8) == 0 ? 23 : 13);
        block->at = emma_aligned_alloc(block->align_bytes, block->size_bytes);
    } else {
        block->at = emma_malloc(block->size_bytes);
        if (block->at != NULL)
            EXPECT(emma_usable_size(block->at) == emma_good_size(block->size_bytes));
    }
    if (EXPECT(block->at != NULL))
        check_new(me, block);
}

static void release(worker *me, model_block *block) {
    check_old(block);
    me->live_bytes -= block->usable_bytes;
    switch (storm_below(&me->random, 4)) {
    case 0:
        emma_free_sized(block->at, block->size_bytes);
        break;
    case 1:
        emma_free_aligned_sized(block->at, block->align_bytes, block->size_bytes);
        break;
    default:
        emma_free(block->at);
    }
    block->at = NULL;
}

static void reallocate(worker *me, model_block *block) {
    check_old(block);
    model_block old = *block;
    size_t size = random_size(&me->random);
    if (storm_below(&me->random, 2) == 0) /* a little more, as growing buffers do */
        size = old.size_bytes + old.size_bytes / 2;
    unsigned char *at = emma_realloc(block->at, size);
    if (!EXPECT(at != NULL))
        return;
    me->live_bytes -= old.usable_bytes;
    block->at = at;
    EXPECT(model_holds(block, size < old.size_bytes ? size : old.size_bytes));
    block->size_bytes = size;
    block->align_bytes = 1;
    check_new(me, block);
}

static void resize_in_place(worker *me, model_block *block) {
    check_old(block);
    size_t min = 1 + storm_below(&me->random, block->size_bytes * 2 + 1);
    size_t want = min + storm_below(&me->random, block->size_bytes + 1);
    size_t usable = emma_realloc_in_place(block->at, min, want);
    if (usable == 0) {
        EXPECT(min > block->usable_bytes);
        check_old(block);
        return;
    }
    EXPECT(usable >= min && usable == emma_usable_size(block->at));
    EXPECT(model_holds(block, usable < block->usable_bytes ? usable : block->usable_bytes));
    me->live_bytes -= block->usable_bytes;
    block->size_bytes = min;
    check_new(me, block);
}

static void exchange(worker *me, model_block *block) {
    mailbox *box = &mailboxes[storm_below(&me->random, MAILBOXES)];
    if (atomic_exchange_explicit(&box->claimed, 1, memory_order_acquire) != 0)
        return;
    model_block mine = *block;
    *block = box->block;
    box->block = mine;
    atomic_store_explicit(&box->claimed, 0, memory_order_release);
    me->live_bytes += block->at != NULL ? block->usable_bytes : 0;
    me->live_bytes -= mine.at != NULL ? mine.usable_bytes : 0;
}

static void step(worker *me) {
    model_block *block = &me->slot[storm_below(&me->random, SLOTS)];
    size_t kind = storm_below(&me->random, 100000);
    if (kind < 4)
        emma_collect();
    else if (kind < 20000)
        exchange(me, block);
    else if (block->at == NULL && me->live_bytes < LIVE_MAX_BYTES)
        allocate(me, block);
    else if (block->at == NULL)
        exchange(me, block);
    else if (kind < 30000 && me->live_bytes < LIVE_MAX_BYTES)
        reallocate(me, block);
    else if (kind < 35000 && me->live_bytes < LIVE_MAX_BYTES)
        resize_in_place(me, block);
    else
        release(me, block);
}

static void *work(void *argument) {
    worker *me = argument;
    for (size_t i = 0; i < me->operations / 2 && !storm_failed(); i++)
        step(me);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier); /* between the two nobody moves */
    for (size_t i = 0; i < me->operations / 2 && !storm_failed(); i++)
        step(me);
    if (me->says_end)
        emma_thread_exit();
    return NULL;
}

/* Nobody moves: compare the heap with the map. */
static void check_at_rest(void) {
    size_t count = 0;
    size_t bytes = 0;
    for (size_t i = 0; i < THREADS * SLOTS + MAILBOXES; i++) {
        const model_block *block =
            i < THREADS * SLOTS ? &workers[i / SLOTS].slot[i % SLOTS] : &mailboxes[i - THREADS * SLOTS].block;
        if (block->at == NULL)
            continue;
        all[count++] = *block;
        bytes += block->usable_bytes;
        check_old(block);
    }
    EXPECT(model_disjoint(all, count));
    EXPECT(emma__regions_valid(emma__heap_regions(&emma__default_heap)));
    emma_stats stats;
    emma_stats_read(&stats);
    if (!EXPECT(stats.allocated_bytes == bytes))
        storm_note("live %zu bytes in %zu blocks, the figures say %zu", bytes, count, stats.allocated_bytes);
}

static void rounds(size_t operations) {
    pthread_barrier_init(&barrier, NULL, THREADS + 1);
    for (size_t round = 0; round < ROUNDS && !storm_failed(); round++) {
        for (size_t i = 0; i < THREADS; i++) {
            workers[i].random = storm_seed() + round * THREADS + i;
            workers[i].operations = operations / ROUNDS / THREADS;
            workers[i].says_end = (round + i) % 2 == 0;
            pthread_create(&workers[i].thread, NULL, work, &workers[i]);
        }
        pthread_barrier_wait(&barrier);
        check_at_rest();
        pthread_barrier_wait(&barrier);
        for (size_t i = 0; i < THREADS; i++)
            pthread_join(workers[i].thread, NULL);
        check_at_rest();
    }
}

static void random_operations(void) {
    size_t operations = STORM_SANITIZER ? 200000 : EMMA_TORTURE ? 1500000 : 10000000;
    rounds(storm_amount(operations, 10 * operations));
}

/* After everything is free, nothing is allocated, and almost nothing is left in spans. */
static void nothing_left(void) {
    rounds(100000);
    for (size_t i = 0; i < THREADS * SLOTS + MAILBOXES; i++) {
        model_block *block =
            i < THREADS * SLOTS ? &workers[i / SLOTS].slot[i % SLOTS] : &mailboxes[i - THREADS * SLOTS].block;
        if (block->at != NULL)
            release(&workers[0], block);
    }
    emma_collect();
    emma_stats stats;
    emma_stats_read(&stats);
    EXPECT(stats.allocated_bytes == 0 && stats.large_blocks == 0 && stats.large_bytes == 0);
    if (!EXPECT(stats.dirty_bytes == 0))
        storm_note("dirty after emma_collect: %zu", stats.dirty_bytes);
}

int main(void) {
    static const storm_case cases[] = {
        {"model: random operations of four threads", random_operations, 120},
        {"model: everything freed is free", nothing_left, 60},
    };
    return storm_main(cases, STORM_COUNT(cases));
}
