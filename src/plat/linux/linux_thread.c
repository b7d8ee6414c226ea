/* linux_thread.c: a thread without libc. It has its own thread pointer, so that code compiled with a stack protector or
 * an accidental use of thread-local storage meets memory of its own and not another thread's. */
#include "base/atomic.h"
#include "base/compiler.h"
#include "plat/linux/syscall.h"
#include "plat/plat.h"

enum {
    CLONE_AS_PTHREAD = 0x100 /* VM */ | 0x200 /* FS */ | 0x400 /* FILES */ | 0x800 /* SIGHAND */ |
                       0x10000 /* THREAD */ | 0x40000 /* SYSVSEM */ | 0x80000 /* SETTLS */ |
                       0x100000 /* PARENT_SETTID */ | 0x200000 /* CHILD_CLEARTID */,
    MASK_SET = 2,
    SIGNAL_SET_BYTES = 8,
    CLOCK_MONOTONIC_ID = 1,
    THREAD_POINTER_BYTES = 4096, /* half below the thread pointer, half above: both psABI variants find zeroes */
    CAPABILITY_VERSION_3 = 0x20080522,
    BARRIER = 1 << 3, /* private, expedited */
    REGISTER_BARRIER = 1 << 4,
    REQUEUE_PRIVATE = 4 | 128,
};

struct start {
    void (*entry)(void *);
    void *argument;
};

/* The thread keeps the credentials that it was made with while the others change theirs: it drops what it has. */
static void drop_capabilities(void) {
    uint32_t header[2] = {CAPABILITY_VERSION_3, 0};
    uint32_t none[6] = {0, 0, 0, 0, 0, 0};
    emma__syscall_fallible(EMMA_SYS_capset, (long)header, (long)none, 0, 0, 0, 0);
}

static void run(void *argument) {
    struct start start = *(struct start *)argument;
    drop_capabilities();
    start.entry(start.argument);
}

uint64_t emma__plat_block_signals(void) {
    const uint64_t all = ~UINT64_C(0);
    uint64_t before = 0;
    emma__syscall(EMMA_SYS_rt_sigprocmask, MASK_SET, (long)&all, (long)&before, SIGNAL_SET_BYTES, 0, 0);
    return before;
}

void emma__plat_set_signals(uint64_t blocked) {
    emma__syscall(EMMA_SYS_rt_sigprocmask, MASK_SET, (long)&blocked, 0, SIGNAL_SET_BYTES, 0, 0);
}

bool emma__plat_thread_start(void (*entry)(void *), void *argument, uintptr_t stack, size_t stack_bytes,
                             _Atomic(uint32_t) *word) {
    /* From the top: room for the thread pointer, what run() needs, then two words that the child pops. */
    uintptr_t thread_pointer = stack + stack_bytes - THREAD_POINTER_BYTES / 2;
    struct start *start = (struct start *)(stack + stack_bytes - THREAD_POINTER_BYTES - sizeof(struct start));
    uintptr_t *top = (uintptr_t *)start - 2;
    *start = (struct start){entry, argument};
    top[0] = (uintptr_t)run;
    top[1] = (uintptr_t)start;
    *(uintptr_t *)thread_pointer = thread_pointer; /* x86-64: the word at the thread pointer is its own address */

    uint64_t before = emma__plat_block_signals();
    long result = emma__syscall_refusal(EMMA_SYS_clone);
    if (result == 0)
        result = emma__clone_raw(CLONE_AS_PTHREAD, top, word, word, thread_pointer);
    emma__plat_set_signals(before);
    return !emma__syscall_failed(result);
}

void emma__plat_sleep(uint32_t milliseconds) {
    struct {
        int64_t seconds;
        int64_t nanoseconds;
    } time = {milliseconds / 1000, (int64_t)(milliseconds % 1000) * 1000000};
    emma__syscall_fallible(EMMA_SYS_clock_nanosleep, CLOCK_MONOTONIC_ID, 0, (long)&time, 0, 0, 0);
}

bool emma__plat_barrier(void) {
    long result = emma__syscall_fallible(EMMA_SYS_membarrier, BARRIER, 0, 0, 0, 0, 0);
    if (result != -EMMA_EPERM)
        return result == 0;
    return emma__syscall_fallible(EMMA_SYS_membarrier, REGISTER_BARRIER, 0, 0, 0, 0, 0) == 0 &&
           emma__syscall_fallible(EMMA_SYS_membarrier, BARRIER, 0, 0, 0, 0, 0) == 0;
}

bool emma__plat_holds(uintptr_t address, uint32_t value) {
    return emma__syscall_fallible(EMMA_SYS_futex, (long)address, REQUEUE_PRIVATE, 0, 0, (long)address, value) == 0;
}
