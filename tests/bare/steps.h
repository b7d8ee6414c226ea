/* steps.h: the most steps that an operation of buddy took, against the documented worst case.
 *
 * Steps are counted where the library was compiled with -DEMMA_BARE_COUNT_STEPS; elsewhere all counts are 0. */
#ifndef EMMA_TEST_STEPS_H
#define EMMA_TEST_STEPS_H

#include <stdbool.h>
#include <stddef.h>

typedef enum emma_steps_of { EMMA_STEPS_ALLOCATE, EMMA_STEPS_DEALLOCATE } emma_steps_of;

void emma_steps_reset(void);
void emma_steps_begin(void);
void emma_steps_end(emma_steps_of operation);

/* No operation since reset took more steps than documented for a buddy of that many levels and smallest blocks; where
 * steps are counted, some were. */
bool emma_steps_within(unsigned levels, size_t units);

/* The most since reset. */
unsigned long emma_steps_most(emma_steps_of operation);

/* The documented worst case. */
unsigned long emma_steps_bound(emma_steps_of operation, unsigned levels, size_t units);

#endif
