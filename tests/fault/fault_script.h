/* fault_script.h: a workload of all functions in which each call may fail: what fails changes nothing, what succeeds is
 * as it should be. */
#ifndef EMMA_FAULT_SCRIPT_H
#define EMMA_FAULT_SCRIPT_H

#include <stddef.h>

/* Run it and free everything. Returns: how many calls failed. */
size_t fault_script_run(void);

/* Everything is free: nothing lives, no slice is used but the tracts' own, no slot is claimed but those of tracts. */
void fault_script_check(void);

#endif
