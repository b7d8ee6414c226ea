/* syscall_riscv64.h: system calls of Linux on 64-bit RISC-V. Source: syscall(2). */
#ifndef EMMA_PLAT_SYSCALL_RISCV64_H
#define EMMA_PLAT_SYSCALL_RISCV64_H

#include "base/compiler.h"
#include "plat/linux/syscall_generic64.h"

/* Asked at run time: the architecture fixes 4 KiB, kernels may not. */
#define EMMA_FIXED_PAGE_BYTES 0

static inline long emma__syscall(long number, long a, long b, long c, long d, long e, long f) {
    register long a7 __asm__("a7") = number;
    register long a0 __asm__("a0") = a;
    register long a1 __asm__("a1") = b;
    register long a2 __asm__("a2") = c;
    register long a3 __asm__("a3") = d;
    register long a4 __asm__("a4") = e;
    register long a5 __asm__("a5") = f;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5) : "memory");
    return a0;
}

/* clone(2) with a new stack: the child finds entry and argument on its stack, calls, and exits. */
static inline long emma__clone_raw(unsigned long flags, const uintptr_t *stack_top, _Atomic(uint32_t) *parent_word,
                                   _Atomic(uint32_t) *child_word, uintptr_t thread_pointer) {
    register long a7 __asm__("a7") = EMMA_SYS_clone;
    register long a0 __asm__("a0") = (long)flags;
    register long a1 __asm__("a1") = (long)stack_top;
    register long a2 __asm__("a2") = (long)parent_word;
    register long a3 __asm__("a3") = (long)thread_pointer;
    register long a4 __asm__("a4") = (long)child_word;
    __asm__ volatile("ecall\n\t"
                     "bnez a0, 1f\n\t"
                     "mv s0, zero\n\t"
                     "ld a1, 0(sp)\n\t"
                     "ld a0, 8(sp)\n\t"
                     "addi sp, sp, 16\n\t"
                     "jalr a1\n\t"
                     "mv a0, zero\n\t"
                     "li a7, %[exit]\n\t"
                     "ecall\n\t"
                     "1:"
                     : "+r"(a0)
                     : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4), [exit] "i"(EMMA_SYS_exit)
                     : "memory");
    return a0;
}

#endif
