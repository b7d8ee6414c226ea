/* linux_riscv64.c: entry and system call. */
#include "linux.h"

const long EMMA_PORT_WRITE = 64, EMMA_PORT_EXIT_GROUP = 94;

__asm__(".globl _start\n_start:\n    .option push\n    .option norelax\n    la gp, __global_pointer$\n"
        "    .option pop\n    j emma_port_start\n");

long emma_port_syscall(long number, long a, long b, long c) {
    register long a7 __asm__("a7") = number;
    register long a0 __asm__("a0") = a;
    register long a1 __asm__("a1") = b;
    register long a2 __asm__("a2") = c;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a7), "r"(a1), "r"(a2) : "memory");
    return a0;
}
