/* bounds_cortex_m3.c: Cortex-M3, gcc 12 -Os. */
#include "cost_bounds.h"

const emma_cost_bounds emma_cost_bounds_here = {
    .fit_allocate = 205,
    .fit_aligned = 270,
    .fit_deallocate = 250,
    .fit_resize = 250,
    .buddy_allocate = 960,
    .buddy_deallocate = 1120,
    .slab_allocate = 68,
    .slab_deallocate = 58,
    .bump_allocate = 38,
    .bump_deallocate = 35,
    .plays = 20000,
};
