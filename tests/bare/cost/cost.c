/* cost.c: the worst case of every operation, in instructions. Runs where the machine can count them (port.h).
 *
 * Each operation is driven into its longest path, and thousands of random operations look for a longer one. What is
 * counted includes the call. */
#include "../bare_tap.h"
#include "../port/port.h"
#include "bare/bare_word.h"
#include "cost_bounds.h"

enum { POOL_BYTES = 1 << 20, LIVE = 256, BUDDY_LEVELS = 13, BUDDY_UNIT = 64 };

static _Alignas(4096) unsigned char pool[POOL_BYTES];
static size_t metadata[8192];
static void *live[LIVE];
static unsigned long overhead; /* of counting */

static unsigned long since(unsigned long begin) {
    return emma_port_instructions() - begin - overhead;
}

#define COUNT(most, operation)                                                                                         \
    do {                                                                                                               \
        unsigned long begin = emma_port_instructions();                                                                \
        operation;                                                                                                     \
        unsigned long spent = since(begin);                                                                            \
        if (spent > (most))                                                                                            \
            (most) = spent;                                                                                            \
    } while (0)

static uint32_t state = 1;

static uint32_t dice(uint32_t below) {
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % below;
}

/* The bound of one figure, and the figure. */
static void report(const char *name, unsigned long most, unsigned long bound) {
    emma_tap_note(name, most);
    EXPECT(most != 0 && most <= bound);
}

static void fit(void) {
    static emma_fit fit;
    unsigned long allocate = 0, aligned = 0, deallocate = 0, resize = 0;
    size_t count = 0;
    emma_fit_init(&fit);
    EXPECT(emma_fit_add_pool(&fit, pool, sizeof pool, NULL) == EMMA_BARE_OK);
    for (unsigned i = 0; i < emma_cost_bounds_here.plays; i++) {
        size_t size = 1 + dice(dice(8) == 0 ? 40000 : 600), align = (size_t)64 << dice(5);
        if (count < LIVE && dice(2) == 0) {
            void *block;
            if (dice(4) != 0)
                COUNT(allocate, block = emma_fit_allocate(&fit, size, 1));
            else
                COUNT(aligned, block = emma_fit_allocate(&fit, size, align));
            if (block != NULL)
                live[count++] = block;
        } else if (count != 0) {
            size_t index = dice((uint32_t)count);
            if (dice(4) != 0) {
                COUNT(deallocate, emma_fit_deallocate(&fit, live[index]));
                live[index] = live[--count];
            } else {
                size_t smaller = 1 + dice((uint32_t)emma_fit_usable_size(&fit, live[index]));
                COUNT(resize, emma_fit_reallocate(&fit, live[index], smaller, 1));
            }
        }
    }
    while (count != 0)
        COUNT(deallocate, emma_fit_deallocate(&fit, live[--count]));
    EXPECT(emma_fit_valid(&fit) && emma_fit_figures(&fit).used_bytes == 0);
    report("fit allocate", allocate, emma_cost_bounds_here.fit_allocate);
    report("fit allocate, aligned", aligned, emma_cost_bounds_here.fit_aligned);
    report("fit deallocate", deallocate, emma_cost_bounds_here.fit_deallocate);
    report("fit reallocate in place", resize, emma_cost_bounds_here.fit_resize);
}

static void buddy(void) {
    emma_buddy buddy;
    unsigned long allocate = 0, deallocate = 0;
    size_t count = 0;
    emma_buddy_config config = {(size_t)BUDDY_UNIT << (BUDDY_LEVELS - 1), 4, BUDDY_LEVELS};
    emma_buddy_memory memory = {(void *)((uintptr_t)1 << 24), metadata};
    EXPECT(emma_buddy_init(&buddy, &config, memory) == EMMA_BARE_OK);
    void *block;
    COUNT(allocate, block = emma_buddy_allocate(&buddy, 1, 1)); /* splits at every level */
    COUNT(deallocate, emma_buddy_deallocate(&buddy, block));    /* and joins at every level */
    for (unsigned i = 0; i < emma_cost_bounds_here.plays; i++) {
        if (count < LIVE && dice(2) == 0) {
            size_t size = (size_t)1 << dice(18);
            COUNT(allocate, block = emma_buddy_allocate(&buddy, size, 1));
            if (block != NULL)
                live[count++] = block;
        } else if (count != 0) {
            size_t index = dice((uint32_t)count);
            COUNT(deallocate, emma_buddy_deallocate(&buddy, live[index]));
            live[index] = live[--count];
        }
    }
    EXPECT(emma_buddy_valid(&buddy));
    report("buddy allocate, 13 levels, 16384 smallest blocks", allocate, emma_cost_bounds_here.buddy_allocate);
    report("buddy deallocate, the same", deallocate, emma_cost_bounds_here.buddy_deallocate);
}

static void slab_and_bump(void) {
    emma_slab slab;
    emma_bump bump;
    unsigned long allocate = 0, deallocate = 0, down = 0, back = 0;
    size_t count = 0;
    EXPECT(emma_slab_init(&slab, pool, metadata, 96, LIVE) == EMMA_BARE_OK);
    for (unsigned i = 0; i < emma_cost_bounds_here.plays; i++) {
        if (count < LIVE && dice(2) == 0) {
            COUNT(allocate, live[count] = emma_slab_allocate(&slab, 96, 32));
            count++;
        } else if (count != 0) {
            size_t index = dice((uint32_t)count);
            COUNT(deallocate, emma_slab_deallocate(&slab, live[index]));
            live[index] = live[--count];
        }
    }
    EXPECT(emma_bump_init(&bump, pool, sizeof pool, 1) == EMMA_BARE_OK);
    for (unsigned i = 0; i < 1000; i++) {
        void *block;
        size_t size = 1 + dice(600), align = (size_t)1 << dice(9);
        COUNT(down, block = emma_bump_allocate(&bump, size, align));
        if (dice(4) == 0 || emma_bump_figures(&bump).outstanding == 1)
            COUNT(back, emma_bump_deallocate(&bump, block));
    }
    report("slab allocate", allocate, emma_cost_bounds_here.slab_allocate);
    report("slab deallocate", deallocate, emma_cost_bounds_here.slab_deallocate);
    report("bump allocate", down, emma_cost_bounds_here.bump_allocate);
    report("bump deallocate", back, emma_cost_bounds_here.bump_deallocate);
}

static const emma_tap_case cases[] = {
    {"fit within the documented instructions", fit},
    {"buddy within the documented instructions", buddy},
    {"slab and bump within the documented instructions", slab_and_bump},
};

int emma_port_main(void) {
    static const emma_tap_suite suite = EMMA_TAP_SUITE("cost", cases);
    unsigned long begin = emma_port_instructions();
    overhead = emma_port_instructions() - begin;
    emma_tap_note("instructions of counting itself", overhead);
    emma_tap_run(&suite);
    return emma_tap_end();
}
