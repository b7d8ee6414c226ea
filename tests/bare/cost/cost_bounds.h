/* cost_bounds.h: what docs/BARE.md promises in instructions, the call included. Each machine has a file here. */
#ifndef EMMA_TEST_COST_BOUNDS_H
#define EMMA_TEST_COST_BOUNDS_H

typedef struct emma_cost_bounds {
    unsigned long fit_allocate, fit_aligned, fit_deallocate, fit_resize;
    unsigned long buddy_allocate, buddy_deallocate; /* 13 levels, 16384 smallest blocks */
    unsigned long slab_allocate, slab_deallocate;
    unsigned long bump_allocate, bump_deallocate;
    unsigned plays; /* random operations that look for more */
} emma_cost_bounds;

extern const emma_cost_bounds emma_cost_bounds_here;

#endif
