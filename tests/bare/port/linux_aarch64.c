/* linux_aarch64.c: entry and system call. */
#include "linux.h"

const long EMMA_PORT_WRITE = 64, EMMA_PORT_EXIT_GROUP = 94;

__asm__(".globl _start\n_start:\n    mov x29, #0\n    mov x30, #0\n    b emma_port_start\n");

long emma_port_syscall(long number, long a, long b, long c) {
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
    return x0;
}
