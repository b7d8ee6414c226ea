/* syscall_x86_64.h: system calls of Linux on x86-64. Source: syscall(2), the System V psABI, A.2.1. */
#ifndef EMMA_PLAT_SYSCALL_X86_64_H
#define EMMA_PLAT_SYSCALL_X86_64_H

#include "base/compiler.h"

enum {
    EMMA_SYS_read = 0,
    EMMA_SYS_write = 1,
    EMMA_SYS_close = 3,
    EMMA_SYS_mmap = 9,
    EMMA_SYS_munmap = 11,
    EMMA_SYS_rt_sigaction = 13,
    EMMA_SYS_rt_sigprocmask = 14,
    EMMA_SYS_mremap = 25,
    EMMA_SYS_madvise = 28,
    EMMA_SYS_getpid = 39,
    EMMA_SYS_clone = 56,
    EMMA_SYS_exit = 60,
    EMMA_SYS_getuid = 102,
    EMMA_SYS_getgid = 104,
    EMMA_SYS_geteuid = 107,
    EMMA_SYS_getegid = 108,
    EMMA_SYS_capset = 126,
    EMMA_SYS_gettid = 186,
    EMMA_SYS_futex = 202,
    EMMA_SYS_sched_getaffinity = 204,
    EMMA_SYS_clock_gettime = 228,
    EMMA_SYS_clock_nanosleep = 230,
    EMMA_SYS_tgkill = 234,
    EMMA_SYS_openat = 257,
    EMMA_SYS_membarrier = 324,
    EMMA_SYS_rseq = 334,
};

/* The page size is fixed by the architecture. */
#define EMMA_FIXED_PAGE_BYTES 4096

static inline long emma__syscall(long number, long a, long b, long c, long d, long e, long f) {
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

/* clone(2) with a new stack: the child finds entry and argument on its stack, calls, and exits. */
static inline long emma__clone_raw(unsigned long flags, const uintptr_t *stack_top, _Atomic(uint32_t) *parent_word,
                                   _Atomic(uint32_t) *child_word, uintptr_t thread_pointer) {
    register long r10 __asm__("r10") = (long)child_word;
    register long r8 __asm__("r8") = (long)thread_pointer;
    long result;
    __asm__ volatile("syscall\n\t"
                     "testq %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xorl %%ebp, %%ebp\n\t"
                     "popq %%rax\n\t"
                     "popq %%rdi\n\t"
                     "callq *%%rax\n\t"
                     "xorl %%edi, %%edi\n\t"
                     "movl %[exit], %%eax\n\t"
                     "syscall\n\t"
                     "1:"
                     : "=a"(result)
                     : "a"((long)EMMA_SYS_clone), "D"(flags), "S"(stack_top), "d"(parent_word), "r"(r10),
                       "r"(r8), [exit] "i"(EMMA_SYS_exit)
                     : "rcx", "r11", "memory");
    return result;
}

#endif
