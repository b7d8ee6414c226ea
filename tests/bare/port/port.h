/* port.h: what the tests ask of the machine they run on. One file in this folder implements it for each machine.
 *
 * Everything above it is the same objects everywhere: with libc and sanitizers, as a static program without libc, in
 * WebAssembly, and on boards without an operating system. */
#ifndef EMMA_TEST_PORT_H
#define EMMA_TEST_PORT_H

#include <stddef.h>

/* Write to standard output. Threads: any, one at a time. */
void emma_port_write(const char *text, size_t bytes);

/* End the program. status: 0 or 1. */
_Noreturn void emma_port_exit(int status);

/* How many workers run at once on this machine, at least 1; more than 1 only where they truly do. */
unsigned emma_port_workers(void);

/* Run work(0) .. work(workers - 1), all at once; return when all have returned. */
void emma_port_parallel(void (*work)(unsigned worker));

/* Instructions executed by this worker so far; 0 always where the machine cannot tell. */
unsigned long emma_port_instructions(void);

/* The tests; each port calls it once. Returns: the status for emma_port_exit. */
int emma_port_main(void);

#endif
