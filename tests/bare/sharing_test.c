/* sharing_test.c: allocators on each other, and one allocator for several processors behind a lock. */
#include "base/atomic.h"
#include "port/port.h"
#include "suites.h"

static _Alignas(4096) unsigned char memory[65536];

static void one_on_the_other(void) {
    static emma_fit fit; /* large: not for a small stack */
    emma_buddy buddy;
    emma_slab slab;
    emma_bump bump;
    emma_fit_init(&fit);
    EXPECT(emma_fit_add_pool(&fit, memory, sizeof memory, NULL) == EMMA_BARE_OK);
    emma_backing on_fit = emma_fit_backing(&fit);
    emma_buddy_config config = {4096, 8, 6};
    EXPECT(emma_buddy_init_in(&buddy, &config, &on_fit, (emma_buddy_gaps){NULL, 0}, NULL) == EMMA_BARE_OK);
    emma_backing on_buddy = emma_buddy_backing(&buddy);
    EXPECT(emma_slab_init_in(&slab, 512, 16, &on_buddy, NULL) == EMMA_BARE_ALLOC_FAILED); /* 8192: no such block */
    EXPECT(emma_slab_init_in(&slab, 512, 8, &on_buddy, NULL) == EMMA_BARE_OK);
    emma_backing on_slab = emma_slab_backing(&slab);
    EXPECT(emma_bump_init_in(&bump, 512, 512, &on_slab) == EMMA_BARE_OK);
    emma_backing on_bump = emma_bump_backing(&bump);
    emma_slab small;
    EXPECT(emma_slab_init_in(&small, 32, 8, &on_bump, NULL) == EMMA_BARE_OK);
    for (unsigned i = 0; i < 8; i++)
        EXPECT(emma_slab_contains(&slab, emma_slab_allocate_block(&small)));
    EXPECT(emma_fit_valid(&fit) && emma_buddy_valid(&buddy) && emma_slab_valid(&slab) && emma_bump_valid(&bump));
    emma_slab_release(&small);
    EXPECT(emma_bump_figures(&bump).outstanding == 0);
    emma_bump_release(&bump);
    EXPECT(emma_slab_outstanding(&slab) == 0);
    emma_slab_release(&slab);
    EXPECT(emma_buddy_figures(&buddy).outstanding == 0);
    emma_buddy_release(&buddy);
    EXPECT(emma_fit_figures(&fit).outstanding == 0 && emma_fit_valid(&fit));
}

/* The way to share: one lock around every call. As an emma_backing, so that whatever takes one can sit on it. */
typedef struct locked_fit {
    atomic_uint lock;
    emma_fit fit;
} locked_fit;

static void acquire(locked_fit *shared) {
    while (ATOMIC_EXCHANGE(&shared->lock, 1, acquire) != 0) { /* pairs with release's store */
    }
}

static void release(locked_fit *shared) {
    ATOMIC_STORE(&shared->lock, 0, release); /* pairs with acquire's exchange */
}

static void *locked_allocate(void *context, emma_layout layout) {
    locked_fit *shared = context;
    acquire(shared);
    void *block = emma_fit_allocate(&shared->fit, layout.size_bytes, layout.align_bytes);
    release(shared);
    return block;
}

static void locked_deallocate(void *context, void *block, emma_layout layout) {
    (void)layout;
    locked_fit *shared = context;
    acquire(shared);
    emma_bare_error error = emma_fit_deallocate(&shared->fit, block);
    release(shared);
    if (error != EMMA_BARE_OK)
        __builtin_trap();
}

static locked_fit shared;
static const emma_backing on_shared = {locked_allocate, locked_deallocate, &shared};
static atomic_uint rounds_done, blocks_spoilt, workers_seen;

enum { ROUNDS = 300 };

/* Each worker builds slabs of its own on the shared fit, and finds its blocks as it left them. */
static void work(unsigned worker) {
    ATOMIC_ADD(&workers_seen, 1, relaxed); /* read after the workers are joined */
    for (unsigned round = 0; round < ROUNDS; round++) {
        emma_slab slab;
        size_t blocks = 1 + (round + worker) % 20;
        if (emma_slab_init_in(&slab, 64, blocks, &on_shared, NULL) != EMMA_BARE_OK)
            continue;
        unsigned char stamp = (unsigned char)(worker * 61 + round);
        unsigned char *first = emma_slab_allocate_block(&slab);
        for (size_t i = 1; i < blocks; i++)
            emma_slab_allocate_block(&slab);
        for (size_t i = 0; i < blocks * 64; i++)
            first[i] = stamp;
        for (size_t i = 0; i < blocks * 64; i++) {
            if (((volatile unsigned char *)first)[i] != stamp)
                ATOMIC_ADD(&blocks_spoilt, 1, relaxed);
        }
        emma_slab_release(&slab);
        ATOMIC_ADD(&rounds_done, 1, relaxed);
    }
}

static void shared_behind_a_lock(void) {
    unsigned workers = emma_port_workers();
    if (workers == 1) {
        emma_tap_skip("one processor here; the hosted and the four-hart runs have more");
        return;
    }
    emma_fit_init(&shared.fit);
    EXPECT(emma_fit_add_pool(&shared.fit, memory, sizeof memory, NULL) == EMMA_BARE_OK);
    emma_port_parallel(work);
    EXPECT(ATOMIC_LOAD(&workers_seen, relaxed) == workers);
    EXPECT(ATOMIC_LOAD(&rounds_done, relaxed) == workers * ROUNDS);
    EXPECT(ATOMIC_LOAD(&blocks_spoilt, relaxed) == 0);
    EXPECT(emma_fit_figures(&shared.fit).outstanding == 0 && emma_fit_valid(&shared.fit));
}

static const emma_tap_case cases[] = {
    {"slab on bump on slab on buddy on fit", one_on_the_other},
    {"one fit for all processors behind a lock", shared_behind_a_lock},
};

const emma_tap_suite emma_sharing_suite = EMMA_TAP_SUITE("sharing", cases);
