/* bounds_stepped.c: x86-64, gcc 12 -O2. */
#include "cost_bounds.h"

const emma_cost_bounds emma_cost_bounds_here = {
    .fit_allocate = 210,
    .fit_aligned = 280,
    .fit_deallocate = 245,
    .fit_resize = 260,
    .buddy_allocate = 890,
    .buddy_deallocate = 1060,
    .slab_allocate = 55,
    .slab_deallocate = 50,
    .bump_allocate = 42,
    .bump_deallocate = 30,
    .plays = 1500,
};
