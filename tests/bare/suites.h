/* suites.h: the test suites of the bare allocators, and the backing they share. */
#ifndef EMMA_TEST_SUITES_H
#define EMMA_TEST_SUITES_H

#include "bare/bare_word.h"
#include "bare_tap.h"

extern const emma_tap_suite emma_bump_suite;
extern const emma_tap_suite emma_slab_suite;
extern const emma_tap_suite emma_buddy_suite;
extern const emma_tap_suite emma_gaps_suite;
extern const emma_tap_suite emma_fit_suite;
extern const emma_tap_suite emma_pools_suite;
extern const emma_tap_suite emma_sharing_suite;
extern const emma_tap_suite emma_property_suite;
extern const emma_tap_suite emma_steps_suite;
extern const emma_tap_suite emma_exhaustive_suite;

/* Blocks of any layout from a small arena of its own. */
extern const emma_backing emma_test_backing;
extern size_t emma_test_backing_live;       /* bytes */
extern unsigned emma_test_backing_calls;    /* of allocate, since reset */
extern unsigned emma_test_backing_fails_at; /* this call, counted from 1, gets NULL; 0 for none */
extern emma_layout emma_test_backing_last;  /* asked for */
void emma_test_backing_reset(void);

#endif
