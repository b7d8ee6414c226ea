/* floor.h: what the kernel alone takes for the mapping that a heap is. For one thread. */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include <stdint.h>

/* Notes the mapping in which an address lies, and which of its pages are resident (the first 64). */
void floor_look(uintptr_t address);

/* Maps as much at the same place, touches the same pages, and unmaps it. Requires: what was looked at is gone. */
void floor_once(void);

#endif
