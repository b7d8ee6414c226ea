/* step_storm.c: something happens at every single instruction of malloc and free: a handler that allocates and frees,
 * one that leaves by longjmp, one that forks, another thread that forks.
 *
 * The processor's trap flag makes SIGTRAP arrive after each instruction; the kernel clears the flag in the handler and
 * the return from it sets it again. So no tracer is needed. x86-64 only. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "storm_work.h"

static _Atomic(size_t) instructions;
static storm_work handler_work;
static size_t every = 1; /* the handler does something at every so many-th instruction */

#if defined(__x86_64__)
enum { CAN_STEP = 1 };
static inline void step_on(void) {
    __asm__ volatile("leaq -128(%%rsp), %%rsp; pushfq; orl $0x100, (%%rsp); popfq; leaq 128(%%rsp), %%rsp" ::
                         : "memory", "cc"); /* 128: the red zone */
}
static inline void step_off(void) {
    __asm__ volatile("leaq -128(%%rsp), %%rsp; pushfq; andl $~0x100, (%%rsp); popfq; leaq 128(%%rsp), %%rsp" ::
                         : "memory", "cc");
}
/* When the handler with this context returns, nothing steps any more. */
static void step_off_in(void *context) {
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~0x100LL;
}
#else
enum { CAN_STEP = 0 };
static void step_off_in(void *context) {
    (void)context;
}
static inline void step_on(void) {
}
static inline void step_off(void) {
}
#endif

static void on_each_instruction(void (*handler)(int)) {
    if (!CAN_STEP)
        storm_skip("the trap flag is known for x86-64 only");
    storm_without_cpu(); /* each sequence is tried 64 times; cpu_storm.c has single steps of these */
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_NODEFER};
    sigaction(SIGTRAP, &action, NULL);
    atomic_store(&instructions, 0);
}

/* Every path, in parts: hits, refills, full magazines, the depot, large and huge blocks, realloc. No long copies. */
enum { PARTS = 6 };

static void part_of_workload(size_t part) {
    enum { SMALL = STORM_MADE ? 12 : 40 }; /* a made heap takes many more instructions for each */
    static const size_t sizes[PARTS - 1] = {16, 83, 418, 2093, 10468};
    if (part < PARTS - 1) {
        void *small[SMALL];
        for (size_t i = 0; i < SMALL; i++)
            small[i] = storm_malloc(sizes[part]);
        for (size_t i = 0; i < SMALL; i++)
            storm_free(small[i]);
        return;
    }
    void *large = storm_malloc(300000);
    void *other = storm_malloc(100000);
    large = storm_realloc(large, 90000);
    void *huge = storm_aligned_alloc(4096, (size_t)70 << 20);
    storm_free(large);
    storm_free(huge);
    storm_free(other);
}

static void workload(void) {
    for (size_t part = 0; part < PARTS; part++)
        part_of_workload(part);
}

static void work_in_handler(int number) {
    (void)number;
    if (atomic_fetch_add(&instructions, 1) % every == 0)
        storm_work_run(&handler_work, 2);
}

static void handler_allocates(void) {
    handler_work = storm_work_new(storm_seed(), 50000);
    every = STORM_MADE ? 3 : 1;
    storm_work outer = storm_work_new(storm_seed() + 1, 50000);
    on_each_instruction(work_in_handler);
    for (size_t i = 0; i < storm_amount(2, 20) && !storm_failed(); i++) {
        step_on();
        workload();
        step_off();
        step_on();
        storm_work_run(&outer, 20);
        step_off();
    }
    storm_work_end(&outer);
    storm_work_end(&handler_work);
    EXPECT(atomic_load(&instructions) > 10000);
    storm_note("%zu instructions", atomic_load(&instructions));
}

static sigjmp_buf away;
static size_t leave_at;

static void leave(int number) {
    (void)number;
    if (atomic_fetch_add(&instructions, 1) == leave_at)
        siglongjmp(away, 1);
}

static size_t count_instructions(void (*handler)(int), size_t part) {
    leave_at = SIZE_MAX;
    on_each_instruction(handler);
    step_on();
    if (part < PARTS)
        part_of_workload(part);
    else
        workload();
    step_off();
    return atomic_load(&instructions);
}

/* In a process of its own for each instruction: leave there, and go on working. */
static void leave_once(size_t part, size_t at) {
    pid_t child = fork();
    if (child != 0) {
        EXPECT(child > 0 && storm_reap(child));
        return;
    }
    storm_work work = storm_work_new(storm_seed() + at, 50000);
    storm_work_run(&work, 200);
    leave_at = at;
    on_each_instruction(leave);
    if (sigsetjmp(away, 1) == 0) {
        step_on();
        part_of_workload(part);
        step_off();
    }
    storm_work_run(&work, 200);
    storm_work_end(&work);
    _exit(0);
}

static void handler_leaves(void) {
    size_t left = 0;
    for (size_t part = 0; part < PARTS; part++) {
        size_t total = count_instructions(leave, part);
        size_t stride = 1 + total / storm_amount(12, 300);
        for (size_t at = storm_seed() % stride; at < total && !storm_failed(); at += stride, left++)
            leave_once(part, at);
    }
    storm_note("left at %zu instructions", left);
}

static void fork_in_handler(int number) {
    (void)number;
    if (atomic_fetch_add(&instructions, 1) % every != 0)
        return;
    pid_t child = _Fork();
    if (child == 0) {
        storm_work_in_child(NULL, 100, false);
        _exit(0);
    }
    EXPECT(child > 0 && storm_reap(child));
}

static void handler_forks(void) {
    every = 1 + count_instructions(leave, PARTS) / storm_amount(1500, 20000);
    on_each_instruction(fork_in_handler);
    step_on();
    workload();
    step_off();
    EXPECT(atomic_load(&instructions) > 10000);
}

/* A child is born in a handler, works there for so long that the thread gets a second cache, and returns to the frame
 * that was interrupted, which gives the first one back. Then the child forks, and its child uses threads. */
static bool in_long_handler;

static void fork_and_stay(int number, siginfo_t *information, void *context) {
    (void)number;
    (void)information;
    if (in_long_handler || atomic_fetch_add(&instructions, 1) % every != 0)
        return;
    pid_t child = _Fork();
    if (child != 0) {
        EXPECT(child > 0 && storm_reap(child));
        return;
    }
    in_long_handler = true;
    step_off_in(context);
    for (size_t i = 0; i < 40000; i++) {
        void *pair[2] = {storm_malloc(i % 500), storm_malloc(100)};
        storm_free(pair[0]);
        storm_free(pair[1]);
    }
}

static void child_stays_in_handler(void) {
    every = 1 + count_instructions(leave, 0) / storm_amount(60, 600);
    on_each_instruction(leave);
    struct sigaction action = {.sa_sigaction = fork_and_stay, .sa_flags = SA_SIGINFO};
    sigaction(SIGTRAP, &action, NULL);
    storm_work work = storm_work_new(storm_seed(), 2000);
    storm_work_run(&work, 500);
    step_on();
    part_of_workload(0);
    step_off();
    if (!in_long_handler) {
        storm_work_end(&work);
        return;
    }
    storm_work_run(&work, 500);
    pid_t child = fork();
    if (child == 0) {
        storm_work_run(&work, 500);
        storm_work_in_child(&work, 20000, true);
        _exit(0);
    }
    EXPECT(child > 0 && storm_reap(child));
    _exit(0);
}

/* A thread stops at each instruction until the main thread has forked: in the child it has vanished just there. */
static _Atomic(size_t) asked;
static _Atomic(size_t) answered;

static void ask_for_fork(int number) {
    (void)number;
    if (atomic_fetch_add(&instructions, 1) % every != 0)
        return;
    size_t ticket = atomic_fetch_add(&asked, 1) + 1;
    while (atomic_load(&answered) < ticket)
        usleep(5);
}

static _Atomic(bool) thread_done;

static void *stepped_thread(void *argument) {
    /* Magazines of different capacities: the first of each class is small. */
    step_on();
    workload();
    step_off();
    atomic_store(&thread_done, true);
    return argument;
}

static void check_child(storm_work *inherited) {
    storm_work_in_child(inherited, 400, true);
    emma_stats stats;
    storm_stats(&stats);
    EXPECT(stats.allocated_bytes < (size_t)512 << 20); /* counts that went wrong would be astronomical */
    storm_collect();
    storm_work_in_child(NULL, 100, false);
    _exit(0);
}

static void other_thread_forks(void) {
    every = 1 + count_instructions(leave, PARTS) / storm_amount(1500, 20000);
    storm_work work = storm_work_new(storm_seed(), 50000);
    storm_work_run(&work, 1000);
    on_each_instruction(ask_for_fork);
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, stepped_thread, NULL) == 0);
    while (!atomic_load(&thread_done)) {
        if (atomic_load(&asked) == atomic_load(&answered)) {
            usleep(5);
            continue;
        }
        pid_t child = fork();
        if (child == 0)
            check_child(&work);
        EXPECT(child > 0 && storm_reap(child));
        atomic_fetch_add(&answered, 1);
    }
    pthread_join(thread, NULL);
    storm_work_end(&work);
    storm_note("%zu forks at %zu instructions", atomic_load(&answered), atomic_load(&instructions));
}

/* A handler that interrupts malloc at any instruction may have a small stack of its own: how deep does emma go? Most
 * operations stay below 1 KiB; the deepest path, a purge at a tick, comes when the clock says so. */
enum { ALT_BYTES = 65536, DEEPEST_BYTES = 2048 + 128 /* the handler's own */ };
static unsigned char alternate[ALT_BYTES] __attribute__((aligned(64)));
static unsigned char *handler_frame;

static void pair_in_handler(int number) {
    (void)number;
    unsigned char here;
    handler_frame = &here;
    if (atomic_fetch_add(&instructions, 1) % 4 != 0)
        return;
    uint64_t *random = &handler_work.random;
    void *blocks[3];
    for (size_t i = 0; i < 3; i++)
        blocks[i] = storm_malloc(storm_below(random, i == 2 ? 200000 : 3000));
    for (size_t i = 0; i < 3; i++)
        storm_free(blocks[i]);
}

static void handler_stack(void) {
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
    sigaltstack(&stack, NULL);
    memset(alternate, 0xA5, sizeof alternate);
    handler_work.random = storm_seed();
    on_each_instruction(pair_in_handler);
    struct sigaction action = {.sa_handler = pair_in_handler, .sa_flags = SA_ONSTACK};
    sigaction(SIGTRAP, &action, NULL);
    for (size_t i = 0; i < 4; i++) {
        step_on();
        workload();
        step_off();
    }
    size_t untouched = 0;
    while (untouched < sizeof alternate && alternate[untouched] == 0xA5)
        untouched++;
    size_t deep = (size_t)(handler_frame - (alternate + untouched));
    storm_note("operations in a handler used %zu bytes of stack", deep);
    EXPECT(deep <= DEEPEST_BYTES);
}

int main(void) {
    static const storm_case cases[] = {
        {"step: a handler allocates and frees at every instruction", handler_allocates, 60},
        {"step: a handler leaves by longjmp at any instruction", handler_leaves, 60},
        {"step: a handler forks at any instruction", handler_forks, 60},
        {"step: a child stays in its handler, returns, and forks", child_stays_in_handler, 60},
        {"step: another thread forks at any instruction", other_thread_forks, 90},
        {"step: a handler's operations need little stack", handler_stack, 60},
    };
    return storm_main(cases, STORM_COUNT(cases));
}
