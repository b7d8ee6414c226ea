/* all.c: every suite, in this order, on whatever machine the port is for. */
#include "port/port.h"
#include "suites.h"

int emma_port_main(void) {
    static const emma_tap_suite *const suites[] = {
        &emma_bump_suite,  &emma_slab_suite,    &emma_buddy_suite, &emma_gaps_suite,     &emma_fit_suite,
        &emma_pools_suite, &emma_sharing_suite, &emma_steps_suite, &emma_property_suite, &emma_exhaustive_suite,
    };
    for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++)
        emma_tap_run(suites[i]);
    return emma_tap_end();
}
