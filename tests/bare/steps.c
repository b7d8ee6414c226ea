/* steps.c: see steps.h. */
#include "steps.h"

#include "bare/bare_word.h"

#ifdef EMMA_BARE_COUNT_STEPS
enum { COUNTED = 1 };
#else
enum { COUNTED = 0 };
extern unsigned long emma__bare_steps;
#endif

unsigned long emma__bare_steps;
static unsigned long begun, most[2];

void emma_steps_reset(void) {
    most[0] = most[1] = 0;
}

void emma_steps_begin(void) {
    begun = emma__bare_steps;
}

void emma_steps_end(emma_steps_of operation) {
    unsigned long steps = emma__bare_steps - begun;
    if (steps > most[operation])
        most[operation] = steps;
}

unsigned long emma_steps_most(emma_steps_of operation) {
    return most[operation];
}

unsigned long emma_steps_bound(emma_steps_of operation, unsigned levels, size_t units) {
    unsigned long depth = 1;
    for (; units > EMMA__BARE_WORD_BITS; units = (units + EMMA__BARE_WORD_BITS - 1) / EMMA__BARE_WORD_BITS)
        depth++;
    return operation == EMMA_STEPS_ALLOCATE ? depth * (levels + 1) + 2 : depth * levels + 2 * levels + 3;
}

bool emma_steps_within(unsigned levels, size_t units) {
    for (emma_steps_of operation = EMMA_STEPS_ALLOCATE; operation <= EMMA_STEPS_DEALLOCATE; operation++) {
        if (most[operation] > emma_steps_bound(operation, levels, units))
            return false;
    }
    return !COUNTED || most[EMMA_STEPS_ALLOCATE] != 0;
}
