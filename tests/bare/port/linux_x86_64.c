/* linux_x86_64.c: entry and system call. */
#include "linux.h"

const long EMMA_PORT_WRITE = 1, EMMA_PORT_EXIT_GROUP = 231;

__asm__(".globl _start\n_start:\n    xor %ebp, %ebp\n    and $-16, %rsp\n    call emma_port_start\n");

long emma_port_syscall(long number, long a, long b, long c) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}
