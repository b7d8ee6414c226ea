/* syscall_generic64.h: the numbers that Linux gives to every newer 64-bit architecture (asm-generic/unistd.h). */
#ifndef EMMA_PLAT_SYSCALL_GENERIC64_H
#define EMMA_PLAT_SYSCALL_GENERIC64_H

enum {
    EMMA_SYS_openat = 56,
    EMMA_SYS_close = 57,
    EMMA_SYS_read = 63,
    EMMA_SYS_write = 64,
    EMMA_SYS_capset = 91,
    EMMA_SYS_exit = 93,
    EMMA_SYS_futex = 98,
    EMMA_SYS_clock_gettime = 113,
    EMMA_SYS_clock_nanosleep = 115,
    EMMA_SYS_sched_getaffinity = 123,
    EMMA_SYS_tgkill = 131,
    EMMA_SYS_rt_sigaction = 134,
    EMMA_SYS_rt_sigprocmask = 135,
    EMMA_SYS_getpid = 172,
    EMMA_SYS_getuid = 174,
    EMMA_SYS_geteuid = 175,
    EMMA_SYS_getgid = 176,
    EMMA_SYS_getegid = 177,
    EMMA_SYS_gettid = 178,
    EMMA_SYS_munmap = 215,
    EMMA_SYS_mremap = 216,
    EMMA_SYS_clone = 220,
    EMMA_SYS_mmap = 222,
    EMMA_SYS_madvise = 233,
    EMMA_SYS_membarrier = 283,
    EMMA_SYS_rseq = 293,
};

#endif
