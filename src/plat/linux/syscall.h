/* syscall.h: raw system calls of Linux, as in the architecture's header, and the switch by which tests make them fail.
 *
 * A result between -4095 and -1 is a negated errno value; errno itself is never touched. */
#ifndef EMMA_PLAT_SYSCALL_H
#define EMMA_PLAT_SYSCALL_H

#include "base/compiler.h"

#if defined(__x86_64__)
#include "plat/linux/syscall_x86_64.h"
#elif defined(__aarch64__)
#include "plat/linux/syscall_aarch64.h"
#elif defined(__riscv) && __riscv_xlen == 64
#include "plat/linux/syscall_riscv64.h"
#else
#error "emma has no system calls for this architecture; see docs/PORTING.md"
#endif

enum {
    EMMA_EPERM = 1,
    EMMA_ESRCH = 3,
    EMMA_EAGAIN = 11,
    EMMA_ENOMEM = 12,
    EMMA_EFAULT = 14,
    EMMA_EBUSY = 16,
    EMMA_EEXIST = 17,
};

/* Fault injection, in builds for tests only (-DEMMA_FAULT=1): emma__fault_plan is asked before each call that may fail.
 * It returns the errno value with which the call is to fail without having been made, or 0. */
#ifndef EMMA_FAULT
#define EMMA_FAULT 0
#endif
#if EMMA_FAULT
long emma__fault_plan(long number);
#endif

/* What a call is to fail with, by a test's plan: a negated errno value, or 0. */
static inline long emma__syscall_refusal(long number) {
#if EMMA_FAULT
    return -emma__fault_plan(number);
#else
    return number < 0 ? number : 0;
#endif
}

/* The same for calls that may fail: every caller can live with the failure. */
static inline long emma__syscall_fallible(long number, long a, long b, long c, long d, long e, long f) {
    long refusal = emma__syscall_refusal(number);
    return refusal != 0 ? refusal : emma__syscall(number, a, b, c, d, e, f);
}

static inline bool emma__syscall_failed(long result) {
    return (unsigned long)result > -4096UL;
}

#endif
