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

/* Fault injection, in builds for tests only (-DEMMA_FAULT=1): the calls of emma__syscall_fallible, and clone, are
 * counted, and emma__fault_plan decides which of them fail with ENOMEM. */
#ifndef EMMA_FAULT
#define EMMA_FAULT 0
#endif
#if EMMA_FAULT
bool emma__fault_plan(long number);
#endif

/* Whether this call is to fail, by a test's plan. */
static inline bool emma__syscall_is_refused(long number) {
#if EMMA_FAULT
    return emma__fault_plan(number);
#else
    return number < 0;
#endif
}

/* The same for calls that may fail for want of something: every caller can live with the failure. */
static inline long emma__syscall_fallible(long number, long a, long b, long c, long d, long e, long f) {
    return emma__syscall_is_refused(number) ? -EMMA_ENOMEM : emma__syscall(number, a, b, c, d, e, f);
}

static inline bool emma__syscall_failed(long result) {
    return (unsigned long)result > -4096UL;
}

#endif
