/* syscall_aarch64.h: system calls of Linux on 64-bit ARM. Source: syscall(2). */
#ifndef EMMA_PLAT_SYSCALL_AARCH64_H
#define EMMA_PLAT_SYSCALL_AARCH64_H

#include "base/compiler.h"
#include "plat/linux/syscall_generic64.h"

/* 4, 16 or 64 KiB: asked at run time. */
#define EMMA_FIXED_PAGE_BYTES 0

static inline long emma__syscall(long number, long a, long b, long c, long d, long e, long f) {
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory", "cc");
    return x0;
}

/* clone(2) with a new stack: the child finds entry and argument on its stack, calls, and exits. */
static inline long emma__clone_raw(unsigned long flags, const uintptr_t *stack_top, _Atomic(uint32_t) *parent_word,
                                   _Atomic(uint32_t) *child_word, uintptr_t thread_pointer) {
    register long x8 __asm__("x8") = EMMA_SYS_clone;
    register long x0 __asm__("x0") = (long)flags;
    register long x1 __asm__("x1") = (long)stack_top;
    register long x2 __asm__("x2") = (long)parent_word;
    register long x3 __asm__("x3") = (long)thread_pointer;
    register long x4 __asm__("x4") = (long)child_word;
    __asm__ volatile("svc 0\n\t"
                     "cbnz x0, 1f\n\t"
                     "mov x29, xzr\n\t"
                     "ldp x1, x0, [sp], #16\n\t"
                     "blr x1\n\t"
                     "mov x0, xzr\n\t"
                     "mov x8, %[exit]\n\t"
                     "svc 0\n\t"
                     "1:"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), [exit] "i"(EMMA_SYS_exit)
                     : "memory", "cc");
    return x0;
}

#endif
