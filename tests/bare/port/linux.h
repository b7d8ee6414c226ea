/* linux.h: what linux.c needs from each architecture. */
#ifndef EMMA_TEST_PORT_LINUX_H
#define EMMA_TEST_PORT_LINUX_H

/* Returns: what the kernel returns; errors are negative. */
long emma_port_syscall(long number, long a, long b, long c);

extern const long EMMA_PORT_WRITE, EMMA_PORT_EXIT_GROUP;

/* Jumped to by _start, on an aligned stack. */
_Noreturn void emma_port_start(void);

#endif
