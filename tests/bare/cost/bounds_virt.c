/* bounds_virt.c: riscv64 without the Zbb extension, gcc 12 -O2. */
#include "cost_bounds.h"

const emma_cost_bounds emma_cost_bounds_here = {
    .fit_allocate = 430,
    .fit_aligned = 560,
    .fit_deallocate = 450,
    .fit_resize = 395,
    .buddy_allocate = 865,
    .buddy_deallocate = 970,
    .slab_allocate = 53,
    .slab_deallocate = 52,
    .bump_allocate = 34,
    .bump_deallocate = 30,
    .plays = 20000,
};
