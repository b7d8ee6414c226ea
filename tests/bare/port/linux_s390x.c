/* linux_s390x.c: entry and system call. Big-endian. */
#include "linux.h"

const long EMMA_PORT_WRITE = 4, EMMA_PORT_EXIT_GROUP = 248;

/* Below its stack pointer a caller leaves 160 bytes for the callee to save registers in. */
__asm__(".globl _start\n_start:\n    lghi %r11, 0\n    aghi %r15, -160\n    xc 0(8,%r15), 0(%r15)\n"
        "    brasl %r14, emma_port_start\n");

long emma_port_syscall(long number, long a, long b, long c) {
    register long r1 __asm__("r1") = number;
    register long r2 __asm__("r2") = a;
    register long r3 __asm__("r3") = b;
    register long r4 __asm__("r4") = c;
    __asm__ volatile("svc 0" : "+d"(r2) : "d"(r1), "d"(r3), "d"(r4) : "memory");
    return r2;
}
