/* linux_process.c: ids, the clock, messages and the end of the process. */
#include "base/check.h"
#include "base/text.h"
#include "plat/linux/syscall.h"
#include "plat/plat.h"

enum {
    STANDARD_ERROR = 2,
    SIGNAL_ABORT = 6,
    SIGNAL_SET_BYTES = 8,
    MASK_UNBLOCK = 1,
    CLOCK_THREAD_CPUTIME = 3,
    CLOCK_MONOTONIC_COARSE_ID = 6,
    AT_WORKING_FOLDER = -100,
    OPEN_READ_CLOSE_ON_EXEC = 02000000,
};

struct timespec64 {
    int64_t seconds;
    int64_t nanoseconds;
};

uint64_t emma__plat_random_hint(void) {
    /* Where the kernel put the stack and the image: two independent draws of its address randomisation. */
    uint64_t seed = (uint64_t)(uintptr_t)&seed ^ (uint64_t)(uintptr_t)&emma__plat_random_hint << 20;
    seed ^= seed >> 33;
    seed *= UINT64_C(0xff51afd7ed558ccd); /* the mixing constants of SplitMix64's kin; any odd ones do */
    seed ^= seed >> 33;
    seed *= UINT64_C(0xc4ceb9fe1a85ec53);
    return seed ^ seed >> 33;
}

static struct timespec64 read_clock(long id) {
    struct timespec64 now = {0, 0}; /* and so it stays where the call is refused */
    emma__syscall_fallible(EMMA_SYS_clock_gettime, id, (long)&now, 0, 0, 0, 0);
    return now;
}

uint32_t emma__plat_seconds(void) {
    return (uint32_t)read_clock(CLOCK_MONOTONIC_COARSE_ID).seconds;
}

static uint64_t thread_ns(void) {
    struct timespec64 now = read_clock(CLOCK_THREAD_CPUTIME);
    return (uint64_t)now.seconds * 1000000000 + (uint64_t)now.nanoseconds;
}

uint64_t emma__plat_touch_ns(uintptr_t address) {
    uint64_t before = thread_ns();
    *(volatile unsigned char *)address = 0; // NOLINT(performance-no-int-to-ptr)
    return thread_ns() - before;
}

uint32_t emma__plat_process_id(void) {
    return (uint32_t)emma__syscall(EMMA_SYS_getpid, 0, 0, 0, 0, 0, 0);
}

uint32_t emma__plat_thread_id(void) {
    return (uint32_t)emma__syscall(EMMA_SYS_gettid, 0, 0, 0, 0, 0, 0);
}

bool emma__plat_thread_exists(uint32_t process_id, uint32_t thread_id) {
    return emma__syscall_fallible(EMMA_SYS_tgkill, (long)process_id, (long)thread_id, 0, 0, 0, 0) != -EMMA_ESRCH;
}

size_t emma__plat_read_file(const char *path, char *buffer, size_t size_bytes) {
    long file =
        emma__syscall_fallible(EMMA_SYS_openat, AT_WORKING_FOLDER, (long)path, OPEN_READ_CLOSE_ON_EXEC, 0, 0, 0);
    if (file < 0)
        return 0;
    size_t length = 0;
    while (length < size_bytes) {
        long count =
            emma__syscall_fallible(EMMA_SYS_read, file, (long)(buffer + length), (long)(size_bytes - length), 0, 0, 0);
        if (count <= 0)
            break;
        length += (size_t)count;
    }
    emma__syscall(EMMA_SYS_close, file, 0, 0, 0, 0, 0);
    return length;
}

void emma__plat_write_error(const char *bytes, size_t size_bytes) {
    emma__syscall(EMMA_SYS_write, STANDARD_ERROR, (long)bytes, (long)size_bytes, 0, 0, 0);
}

bool emma__plat_is_privileged(void) {
    return emma__syscall(EMMA_SYS_getuid, 0, 0, 0, 0, 0, 0) != emma__syscall(EMMA_SYS_geteuid, 0, 0, 0, 0, 0, 0) ||
           emma__syscall(EMMA_SYS_getgid, 0, 0, 0, 0, 0, 0) != emma__syscall(EMMA_SYS_getegid, 0, 0, 0, 0, 0, 0);
}

/* End the process as abort(3) does: SIGABRT, even where it is blocked, ignored or its handler returns. */
_Noreturn static void die(void) {
    const uint64_t abort_only = UINT64_C(1) << (SIGNAL_ABORT - 1);
    const uint64_t default_action[4] = {0, 0, 0, 0};
    long process_id = emma__plat_process_id();
    long thread_id = emma__plat_thread_id();
    emma__syscall(EMMA_SYS_rt_sigprocmask, MASK_UNBLOCK, (long)&abort_only, 0, SIGNAL_SET_BYTES, 0, 0);
    emma__syscall(EMMA_SYS_tgkill, process_id, thread_id, SIGNAL_ABORT, 0, 0, 0);
    /* Still here: it is ignored, or its handler returned. */
    emma__syscall(EMMA_SYS_rt_sigaction, SIGNAL_ABORT, (long)default_action, 0, SIGNAL_SET_BYTES, 0, 0);
    emma__syscall(EMMA_SYS_tgkill, process_id, thread_id, SIGNAL_ABORT, 0, 0, 0);
    for (;;)
        __builtin_trap();
}

_Noreturn void emma__fatal(const char *message, uintptr_t address) {
    char line[200];
    emma_text text = emma__text_in(line, sizeof line - 1);
    emma__text_str(&text, EMMA_NAME ": ");
    emma__text_str(&text, message);
    if (address != 0) {
        emma__text_str(&text, " at ");
        emma__text_hex(&text, address);
    }
    line[text.length_bytes++] = '\n';
    emma__plat_write_error(line, text.length_bytes);
    die();
}
