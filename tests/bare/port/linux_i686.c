/* linux_i686.c: entry and system call. */
#include "linux.h"

const long EMMA_PORT_WRITE = 4, EMMA_PORT_EXIT_GROUP = 252;

__asm__(".globl _start\n_start:\n    xor %ebp, %ebp\n    and $-16, %esp\n    call emma_port_start\n");

long emma_port_syscall(long number, long a, long b, long c) {
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
    return result;
}
