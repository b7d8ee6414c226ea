/* filter_test.c: emma under a filter of system calls (seccomp) that is made from docs/SYSCALLS.md: what is not in its
 * tables, and not in the test's own list, ends the process. In the cases that are alone, emma's calls must also have the
 * arguments that the document says. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../storm/storm.h"
#include "emma_heap.h"

#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCH AUDIT_ARCH_AARCH64
#else
#define THIS_ARCH AUDIT_ARCH_RISCV64
#endif

enum { MIB = 1 << 20, ANY = -1, RULES_MAX = 64, THREADS = 3, SLOTS = 200, STEPS = 30000 };

/* A call is allowed if argument & mask == value. */
typedef struct rule {
    const char *name;
    int number;
    int argument;
    uint32_t mask;
    uint32_t value;
} rule;

#define CALL(name) #name, SYS_##name
#define WITH(name, argument, mask, value)                                                                              \
    { CALL(name), argument, mask, value }
#define ALL_BUT(bits) (UINT32_MAX & ~(uint32_t)(bits))

/* Each call of the document, with what the document says of its arguments. */
static const rule ours[] = {
    WITH(mmap, 3, ALL_BUT(0x100000), 0x02 | 0x20 | 0x4000),
    WITH(munmap, ANY, 0, 0),
    WITH(mremap, 3, UINT32_MAX, 0),
    WITH(mremap, 3, UINT32_MAX, 1 | 2),
    WITH(mremap, 3, UINT32_MAX, 1 | 2 | 4),
    WITH(madvise, 2, UINT32_MAX, 4),
    WITH(madvise, 2, UINT32_MAX, 14),
    WITH(madvise, 2, UINT32_MAX, 15),
    WITH(madvise, 2, UINT32_MAX, 18),
    WITH(madvise, 1, UINT32_MAX, 0),
    WITH(getpid, ANY, 0, 0),
    WITH(gettid, ANY, 0, 0),
    WITH(tgkill, 2, UINT32_MAX, 0),
    WITH(tgkill, 2, UINT32_MAX, SIGABRT),
    WITH(clock_gettime, 0, UINT32_MAX, 3),
    WITH(clock_gettime, 0, UINT32_MAX, 6),
    WITH(sched_getaffinity, 0, UINT32_MAX, 0),
    WITH(membarrier, 0, UINT32_MAX, 1 << 3),
    WITH(membarrier, 0, UINT32_MAX, 1 << 4),
    WITH(futex, 1, UINT32_MAX, 4 | 128),
    WITH(membarrier, 0, UINT32_MAX, 1 << 7),
    WITH(membarrier, 0, UINT32_MAX, 1 << 8),
    WITH(getuid, ANY, 0, 0),
    WITH(geteuid, ANY, 0, 0),
    WITH(getgid, ANY, 0, 0),
    WITH(getegid, ANY, 0, 0),
    WITH(rt_sigprocmask, 3, UINT32_MAX, 8),
    WITH(clone, 0, UINT32_MAX, 0x3D0F00),
    WITH(capset, ANY, 0, 0),
    WITH(clock_nanosleep, 0, UINT32_MAX, 1),
    WITH(exit, 0, UINT32_MAX, 0),
    WITH(write, 0, UINT32_MAX, 2),
    WITH(rt_sigaction, 0, UINT32_MAX, SIGABRT),
};

/* Those of the document that are made on request only, and what a test that requests needs to tell and to end. */
static const rule requested[] = {
    WITH(openat, 0, UINT32_MAX, (uint32_t)AT_FDCWD),
    WITH(read, ANY, 0, 0),
    WITH(close, ANY, 0, 0),
    WITH(rseq, 1, UINT32_MAX, 32), /* programs without libc */
    WITH(write, 0, UINT32_MAX, 1),
    WITH(exit_group, ANY, 0, 0),
};
enum { REQUESTED = 4 };

/* What the test itself needs: to tell and to end; and, with threads and children, what libc does for it. */
static const rule telling[] = {WITH(write, 0, UINT32_MAX, 1), WITH(exit_group, ANY, 0, 0)};
static const rule threading[] = {
    WITH(write, ANY, 0, 0),           WITH(exit_group, ANY, 0, 0),   WITH(clone3, ANY, 0, 0),
    WITH(clone, ANY, 0, 0),           WITH(mmap, ANY, 0, 0),         WITH(mprotect, ANY, 0, 0),
    WITH(futex, ANY, 0, 0),           WITH(rseq, ANY, 0, 0),         WITH(set_robust_list, ANY, 0, 0),
    WITH(wait4, ANY, 0, 0),           WITH(brk, ANY, 0, 0),          WITH(madvise, ANY, 0, 0),
    WITH(rt_sigprocmask, ANY, 0, 0),  WITH(exit, ANY, 0, 0),         WITH(sched_yield, ANY, 0, 0),
    WITH(set_tid_address, ANY, 0, 0), WITH(rt_sigaction, ANY, 0, 0),
};

/* --- the document --- */

static char document[32768];

/* The next name in the first column of a table: "| `name` |". Returns: where to go on; NULL at the end. */
static const char *next_name(const char *text, char *name, size_t size) {
    const char *at = strstr(text, "\n| `");
    if (at == NULL)
        return NULL;
    at += 4;
    size_t length = strcspn(at, "`");
    snprintf(name, size, "%.*s", (int)length, at);
    return at + length;
}

static bool is_in_document(const char *wanted) {
    char name[64];
    for (const char *at = document; (at = next_name(at, name, sizeof name)) != NULL;)
        if (strcmp(name, wanted) == 0)
            return true;
    return false;
}

static bool read_document(void) {
    const char *path = getenv("EMMA_SYSCALLS_MD");
    int file = open(path != NULL ? path : "docs/SYSCALLS.md", O_RDONLY | O_CLOEXEC);
    ssize_t length = read(file, document, sizeof document - 1);
    close(file);
    return length > 0 && (size_t)length < sizeof document - 1;
}

static void document_and_rules_agree(void) {
    char name[64];
    size_t names = 0;
    for (const char *at = document; (at = next_name(at, name, sizeof name)) != NULL; names++) {
        bool found = false;
        for (size_t i = 0; i < STORM_COUNT(ours); i++)
            found |= strcmp(ours[i].name, name) == 0;
        for (size_t i = 0; i < REQUESTED; i++)
            found |= strcmp(requested[i].name, name) == 0;
        if (!EXPECT(found))
            storm_note("no rule for %s", name);
    }
    EXPECT(names >= STORM_COUNT(ours) - 2);
    for (size_t i = 0; i < STORM_COUNT(ours); i++)
        if (!EXPECT(is_in_document(ours[i].name)))
            storm_note("not in the document: %s", ours[i].name);
    for (size_t i = 0; i < REQUESTED; i++)
        EXPECT(is_in_document(requested[i].name));
}

/* --- the filter --- */

static struct sock_filter code[8 * RULES_MAX];
static unsigned short code_length;

static void put(uint16_t operation, uint32_t value, uint8_t if_true, uint8_t if_false) {
    code[code_length++] = (struct sock_filter){operation, if_true, if_false, value};
}

static void put_rule(const rule *r) {
    bool looks = r->argument != ANY;
    put(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
    put(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)r->number, 0, looks ? 4 : 1);
    if (looks) {
        put(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(offsetof(struct seccomp_data, args) + 8 * (size_t)r->argument), 0, 0);
        put(BPF_ALU | BPF_AND | BPF_K, r->mask, 0, 0);
        put(BPF_JMP | BPF_JEQ | BPF_K, r->value, 0, 1);
    }
    put(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
}

/* The number of the call that is not allowed; then the end. */
static void refused(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)context;
    storm_note("not allowed: system call %d", info->si_syscall);
    _exit(99);
}

static void filter(const rule *more, size_t count) {
    struct sigaction action = {.sa_sigaction = refused, .sa_flags = SA_SIGINFO};
    sigaction(SIGSYS, &action, NULL);
    code_length = 0;
    put(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
    put(BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCH, 1, 0);
    put(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
    for (size_t i = 0; i < STORM_COUNT(ours); i++)
        if (is_in_document(ours[i].name))
            put_rule(&ours[i]);
    for (size_t i = 0; i < count; i++)
        put_rule(&more[i]);
    put(BPF_RET | BPF_K, SECCOMP_RET_TRAP, 0, 0);
    struct sock_fprog program = {code_length, code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        storm_skip("this system has no seccomp filters");
}

/* --- the work --- */

static char *block[THREADS][SLOTS];

static size_t any_size(uint64_t *state) {
    switch (storm_random(state) % 8) {
    case 0:
        return storm_below(state, 16) == 0 ? storm_below(state, 100 * MIB) : storm_below(state, 8 * MIB);
    case 1:
        return storm_below(state, 200000);
    default:
        return storm_below(state, 5000);
    }
}

static void *work(void *argument) {
    char **mine = argument;
    uint64_t state = storm_seed() ^ (uintptr_t)argument;
    for (size_t step = 0; step < STEPS; step++) {
        char **slot = &mine[storm_below(&state, SLOTS)];
        size_t size = any_size(&state) + 1;
        switch (storm_below(&state, 5)) {
        case 0:
            *slot = emma_realloc(*slot, size);
            break;
        case 1:
            emma_free(*slot);
            *slot = emma_calloc(size, 1);
            break;
        case 2:
            emma_free(*slot);
            *slot = emma_aligned_alloc((size_t)1 << storm_below(&state, 20), size);
            break;
        default:
            emma_free(*slot);
            *slot = emma_malloc(size);
        }
        if (!EXPECT(*slot != NULL))
            break;
        (*slot)[size - 1] = 1;
    }
    for (size_t i = 0; i < SLOTS; i++) {
        emma_free(mine[i]);
        mine[i] = NULL;
    }
    emma_thread_exit();
    return NULL;
}

static void alone(void) {
    filter(telling, STORM_COUNT(telling));
    work(block[0]);
    EXPECT(emma_collect() > 0);
    work(block[0]);
}

static void on_cpu_caches(void) {
    filter(telling, STORM_COUNT(telling));
    emma_heap *heap = emma_heap_create(NULL);
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < SLOTS; i++)
            block[0][i] = emma_heap_malloc(heap, 16 * i + 1);
        for (size_t i = 0; i < SLOTS; i++)
            emma_heap_free(heap, block[0][i]);
        EXPECT(block[0][SLOTS - 1] != NULL && emma_heap_collect(heap) > 0);
    }
    emma_heap_destroy(heap);
}

static void on_request(void) {
    size_t limit = emma_cgroup_limit();
    filter(requested, STORM_COUNT(requested));
    EXPECT(emma_cgroup_limit() == limit);
}

static void with_janitor(void) {
    emma_stats stats;
    filter(telling, STORM_COUNT(telling));
    EXPECT(emma_configure("janitor=on,dirty_bytes=1G") == NULL);
    for (size_t i = 0; i < SLOTS; i++)
        memset(block[0][i] = emma_malloc(MIB), 1, MIB);
    for (size_t i = 0; i < SLOTS; i++)
        emma_free(block[0][i]);
    emma_stats_read(&stats);
    EXPECT(stats.dirty_bytes > (size_t)SLOTS / 2 * MIB);
    for (size_t i = 0; i < 100 && stats.dirty_bytes != 0; i++) {
        struct timespec time = {0, 100000000};
        clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
        emma_stats_read(&stats);
    }
    EXPECT(stats.dirty_bytes == 0); /* nobody but the janitor can have done it */
}

static void double_free(void *unused) {
    (void)unused;
    void *freed = emma_malloc(50);
    filter(telling, STORM_COUNT(telling));
    signal(SIGABRT, SIG_IGN);
    emma_free(freed);
    emma_free(freed);
}

static void message_and_abort(void) {
    storm_end end = storm_run_apart(double_free, NULL);
    EXPECT(end.signal == SIGABRT && strncmp(end.text, "emma: double free at 0x", 23) == 0);
}

static void threads_and_forks(void) {
    filter(threading, STORM_COUNT(threading));
    pthread_t thread[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        EXPECT(pthread_create(&thread[i], NULL, work, block[i]) == 0);
    for (size_t i = 0; i < 5; i++) {
        pid_t child = fork();
        if (child == 0) {
            static char *childs[SLOTS];
            work(childs);
            _exit(0);
        }
        EXPECT(storm_reap(child));
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
}

/* The filter does what is said of it. */
static void forbidden(void *unused) {
    (void)unused;
    filter(telling, STORM_COUNT(telling));
    syscall(SYS_getppid);
}

static void others_are_refused(void) {
    storm_end end = storm_run_apart(forbidden, NULL);
    EXPECT(end.signal == 0 && end.status == 99);
}

int main(void) {
    static const storm_case cases[] = {
        {"docs/SYSCALLS.md and the rules of this test name the same calls", document_and_rules_agree, 10},
        {"a call that is not in the document ends the process", others_are_refused, 10},
        {"one thread, with the arguments of the document", alone, 60},
        {"a heap on CPU caches, with the arguments of the document", on_cpu_caches, 10},
        {"what is done on request, with the arguments of the document", on_request, 10},
        {"the janitor, with the arguments of the document", with_janitor, 60},
        {"message and abort, with the arguments of the document", message_and_abort, 10},
        {"threads, children of fork", threads_and_forks, 60},
    };
    if (!read_document()) {
        printf("Bail out! docs/SYSCALLS.md cannot be read\n");
        return 1;
    }
    return storm_main(cases, STORM_COUNT(cases));
}
