/* all.c: every suite, in this order, on whatever machine the port is for. */
#include "port/port.h"
#include "suites.h"

/* As docs/BARE.md says. */
#define SIZE_OF(type, bytes_64, bytes_32)                                                                              \
    EMMA_STATIC_ASSERT(sizeof(type) == (sizeof(void *) == 8 ? (bytes_64) : (bytes_32)), #type)
SIZE_OF(emma_bump, 80, 40);
SIZE_OF(emma_slab, 88, 44);
SIZE_OF(emma_buddy, 88, 44);
SIZE_OF(emma_fit, 4280, 1644);

int emma_port_main(void) {
    static const emma_tap_suite *const suites[] = {
        &emma_bump_suite,  &emma_slab_suite,    &emma_buddy_suite, &emma_gaps_suite,     &emma_fit_suite,
        &emma_pools_suite, &emma_sharing_suite, &emma_steps_suite, &emma_property_suite, &emma_exhaustive_suite,
    };
    for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++)
        emma_tap_run(suites[i]);
    return emma_tap_end();
}
