/* heap_cpu_storm_test.c: heaps on CPU caches under all that moves and interrupts a thread: more threads than processors, each
 * moved by others and by itself, timers whose handlers use the same heap, one that drains all slots, children of every kind;
 * and where there are no restartable sequences, for some threads or for all. By the public functions; tests/storm/cpu_storm.c
 * has the caches alone.
 *
 * Every block bears the stamp of who holds it (stamped.h): a place in a thread's table, or in the board, by which blocks go
 * from thread to thread. A block that nobody holds is missed by the heap's figures and by the census. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../unit/unit.h"
#include "heap_work.h"
#include "stamped.h"

#ifndef sigev_notify_thread_id /* glibc has no name for it */
#define sigev_notify_thread_id _sigev_un._tid
#endif

enum {
    THREADS_MAX = 64,
    PLACES = 100,
    IN_HANDLERS = 12,
    BOARD = 64,
    CHILD_OPERATIONS = 2000,
    MOVE_NANOSECONDS = 20000,
    DRAIN_NANOSECONDS = 400000
};

#if defined(__x86_64__)
#define RSEQ_SIGNATURE 0x53053053
#elif defined(__aarch64__)
#define RSEQ_SIGNATURE 0xd428bc00
#else
#define RSEQ_SIGNATURE 0xf1401073
#endif

typedef struct table {
    uint64_t random;
    stamped_holder place[PLACES];
} table;

static emma_heap *heap;
static emma_heap *beside;             /* without CPU caches: for children that share the memory */
static table tables[THREADS_MAX + 1]; /* the last is the main thread's */
static pthread_t threads[THREADS_MAX];
static size_t thread_count;
static _Atomic(uint64_t *) board[BOARD];
static size_t unregistered_every; /* every so many threads one; 0: none */
static _Atomic(bool) is_over;
static _Atomic(size_t) moved;
static _Atomic(size_t) drained;
static _Atomic(size_t) handled;

/* A block goes to the board; what lay there comes. */
static void swap(stamped_holder *mine, _Atomic(uint64_t *) *there) {
    stamped_check(mine->block, mine->size_bytes, mine);
    stamped_write(mine->block, mine->size_bytes, there);
    uint64_t *block = atomic_exchange(there, mine->block);
    mine->block = block;
    if (block == NULL)
        return;
    mine->size_bytes = block[0];
    if (stamped_check(block, mine->size_bytes, there))
        stamped_write(block, mine->size_bytes, mine);
}

static void work(emma_heap *in, table *mine, size_t operations) {
    for (size_t i = 0; i < operations && !storm_failed(); i++) {
        stamped_holder *at = &mine->place[storm_below(&mine->random, PLACES)];
        if (at->block == NULL)
            stamped_take(in, at, &mine->random);
        else if (in == heap && storm_below(&mine->random, 8) == 0)
            swap(at, &board[storm_below(&mine->random, BOARD)]);
        else
            stamped_drop(at, &mine->random);
    }
}

static void end(table *mine) {
    for (size_t at = 0; at < PLACES; at++)
        if (mine->place[at].block != NULL)
            stamped_drop(&mine->place[at], &mine->random);
}

/* --- what disturbs --- */

static _Thread_local stamped_holder in_handler[IN_HANDLERS]; /* blocks of one signal are freed by a later one */

static void handle(int number) {
    (void)number;
    uint64_t random = (uint64_t)(uintptr_t)in_handler + atomic_fetch_add(&handled, 1);
    for (size_t i = 0; i < IN_HANDLERS; i++)
        if (in_handler[i].block == NULL)
            stamped_take(heap, &in_handler[i], &random);
        else if (storm_below(&random, 2) == 0)
            stamped_drop(&in_handler[i], &random);
}

/* A signal every ms to the calling thread. */
static timer_t start_timer(void) {
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
    event.sigev_notify_thread_id = gettid();
    timer_t timer;
    if (EXPECT(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0))
        timer_settime(timer, 0, &(struct itimerspec){{0, 1000000}, {0, 1000000}}, NULL);
    return timer;
}

static void end_handler(void) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    uint64_t random = 1;
    for (size_t i = 0; i < IN_HANDLERS; i++)
        if (in_handler[i].block != NULL)
            stamped_drop(&in_handler[i], &random);
}

/* To one processor, or free to go to any. */
static void move(pthread_t thread, uint64_t *random) {
    cpu_set_t set;
    size_t processors = (size_t)sysconf(_SC_NPROCESSORS_CONF);
    size_t to = storm_below(random, processors + 1);
    CPU_ZERO(&set);
    for (size_t i = 0; i < processors; i++)
        if (to == processors || to == i)
            CPU_SET(i, &set);
    atomic_fetch_add(&moved, pthread_setaffinity_np(thread, sizeof set, &set) == 0);
}

static void come_first(void) {
    pthread_setschedparam(pthread_self(), SCHED_FIFO, &(struct sched_param){.sched_priority = 1}); /* if it may */
}

static void *disturb(void *argument) {
    uint64_t random = storm_seed();
    come_first();
    for (; !atomic_load(&is_over); nanosleep(&(struct timespec){0, MOVE_NANOSECONDS}, NULL))
        move(threads[storm_below(&random, thread_count)], &random);
    return argument;
}

/* All slots are emptied, again and again, but not all the time. */
static void *collect(void *argument) {
    uint64_t random = storm_seed();
    come_first();
    for (; !atomic_load(&is_over); atomic_fetch_add(&drained, 1)) {
        emma_heap_collect(heap);
        nanosleep(&(struct timespec){0, (long)storm_below(&random, DRAIN_NANOSECONDS)}, NULL);
    }
    return argument;
}

/* What libc has done is undone, with its area, size and signature. */
static void unregister(void) {
    emma_rseq rseq;
    if (EXPECT(emma__rseq_find(&rseq)))
        EXPECT(syscall(SYS_rseq, (char *)__builtin_thread_pointer() + rseq.area, 32, 1, RSEQ_SIGNATURE) == 0);
}

static void *churn(void *argument) {
    table *mine = argument;
    if (unregistered_every != 0 && (size_t)(mine - tables) % unregistered_every == 0)
        unregister();
    timer_t timer = start_timer();
    while (!atomic_load(&is_over) && !storm_failed()) {
        work(heap, mine, 500);
        move(pthread_self(), &mine->random);
    }
    timer_delete(timer);
    end_handler();
    return NULL;
}

/* --- children --- */

static _Noreturn void in_child(table *inherited) {
    for (size_t i = 0; i < BOARD; i++)
        atomic_store(&board[i], NULL); /* somebody may have been at it */
    work(heap, inherited, CHILD_OPERATIONS);
    end(inherited);
    if (heap != emma_heap_default())
        emma_heap_destroy(heap);
    _exit(storm_failed());
}

/* The child shares the memory, but its processor's number is its parent's: it may use heaps without CPU caches. */
static __attribute__((noinline)) pid_t share_and_exec(table *mine) {
    pid_t child = vfork(); // NOLINT
    if (child == 0) {
        work(beside, mine, 50);
        execl("/bin/true", "true", (char *)NULL);
        _exit(1);
    }
    return child;
}

static void have_child(table *mine, table *sharing, size_t kind) {
    pid_t child = -1;
    switch (kind % 5) {
    case 0:
        child = fork();
        break;
    case 1:
        child = _Fork();
        break;
    case 2:
        child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
        break;
    case 3:
        child = share_and_exec(sharing);
        break;
    default:
        if (posix_spawn(&child, "/bin/true", NULL, NULL, (char *[]){(char[]){"true"}, NULL}, environ) != 0)
            child = -1;
    }
    if (child == 0)
        in_child(mine);
    EXPECT(child > 0 && storm_reap(child));
}

/* --- the storm --- */

static void count_live(const table *one, size_t *small, size_t *bytes) {
    for (size_t at = 0; at < PLACES; at++)
        if (one->place[at].block != NULL) {
            *bytes += emma_usable_size(one->place[at].block);
            *small += emma__heap_find(heap, one->place[at].block).kind == EMMA_BLOCK_SMALL;
        }
}

static void clear_board(void) {
    static stamped_holder hand; /* its stamp is of no more use */
    uint64_t random = 1;
    for (size_t i = 0; i < BOARD; i++) {
        hand.block = atomic_exchange(&board[i], NULL);
        if (hand.block == NULL || !stamped_check(hand.block, hand.block[0], &board[i]))
            continue;
        hand.size_bytes = hand.block[0];
        stamped_write(hand.block, hand.size_bytes, &hand);
        stamped_drop(&hand, &random);
    }
}

/* Nobody uses the heap any more: its figures are exact, and every block is in one place. */
static void take_census(size_t bytes_before) {
    size_t small = 0;
    size_t bytes = bytes_before;
    for (size_t i = 0; i <= thread_count; i++)
        count_live(&tables[i < thread_count ? i : THREADS_MAX], &small, &bytes);
    EXPECT(heap_work_stats(heap).of.allocated_bytes == bytes);
    /* What a replaced stripe of the shared cache held may be lost (cache/shared.h). */
    EXPECT(heap->shared.made > EMMA_STRIPES || bytes_before != 0 || unit_heap_sound(heap, small));
    for (size_t i = 0; i <= THREADS_MAX; i++)
        end(&tables[i]);
    EXPECT(heap_work_stats(heap).of.allocated_bytes == bytes_before);
    EXPECT(heap->shared.made > EMMA_STRIPES || bytes_before != 0 || unit_heap_sound(heap, 0));
}

static size_t cached_by_processors(void) {
    size_t count = 0;
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++)
        count += emma__cpu_count(&heap->cpu, class);
    return count;
}

static void storm_in(emma_heap *in) {
    heap = in;
    beside = emma_heap_create(&(emma_heap_config){.flags = EMMA_HEAP_NO_CPU_CACHES});
    static table sharing;
    size_t bytes_before = heap_work_stats(heap).of.allocated_bytes;
    signal(SIGUSR1, handle);
    size_t processors = (size_t)sysconf(_SC_NPROCESSORS_ONLN);
    thread_count = processors * 4 + 2 < THREADS_MAX ? processors * 4 + 2 : THREADS_MAX;
    for (size_t i = 0; i < thread_count; i++) {
        tables[i].random = storm_seed() + i;
        EXPECT(pthread_create(&threads[i], NULL, churn, &tables[i]) == 0);
    }
    pthread_t disturber;
    pthread_t collector;
    EXPECT(pthread_create(&disturber, NULL, disturb, NULL) == 0);
    EXPECT(pthread_create(&collector, NULL, collect, NULL) == 0);
    double until = storm_seconds() + (double)storm_amount(3, 60);
    size_t children = 0;
    for (; storm_seconds() < until && !storm_failed(); children++) {
        work(heap, &tables[THREADS_MAX], 200);
        have_child(&tables[THREADS_MAX], &sharing, children);
    }
    atomic_store(&is_over, true);
    pthread_join(disturber, NULL);
    pthread_join(collector, NULL);
    for (size_t i = 0; i < thread_count; i++)
        pthread_join(threads[i], NULL);
    work(heap, &tables[THREADS_MAX], PLACES);
    size_t cached = cached_by_processors();
    clear_board();
    take_census(bytes_before);
    storm_note("%zu threads, %zu moves, %zu signals, %zu drains, %zu children; CPU caches hold %zu blocks; %u stripes",
               thread_count, atomic_load(&moved), atomic_load(&handled), atomic_load(&drained), children, cached,
               (unsigned)heap->shared.made);
    EXPECT(emma__cpu_valid(&heap->cpu));
    EXPECT(emma__cpu_is_on(&heap->cpu) == (emma__cpu_bytes() != 0));
    EXPECT((cached != 0) == (emma__cpu_bytes() != 0));
    EXPECT(children >= 5 && atomic_load(&moved) != 0 && atomic_load(&handled) != 0);
    end(&sharing);
    EXPECT(heap_work_stats(beside).of.allocated_bytes == 0);
    emma_heap_destroy(beside);
}

static void made_heap(void) {
    emma_heap *made = emma_heap_create(NULL);
    storm_in(made);
    emma_heap_reset(made);
    EXPECT(cached_by_processors() == 0 && heap_work_stats(made).of.cached_bytes == 0);
    emma_heap_destroy(made);
}

static void default_heap(void) {
    EXPECT(emma_configure("cache=cpu") == NULL);
    storm_in(emma_heap_default());
}

/* --- no sequences --- */

/* From here on, programs of this process are not registered. A thread would be the end of it: libc insists on one answer. */
static void refuse_rseq(void) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rseq, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {STORM_COUNT(code), code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        storm_skip("this system has no seccomp filters");
}

static void some_are_not_registered(void) {
    if (emma__cpu_bytes() == 0)
        storm_skip("nothing is registered");
    unregistered_every = 2;
    made_heap();
}

/* This program again, for one case. EMMA_TEST_NO_RSEQ: it must find none. */
static void again(const char *only) {
    pid_t child = fork();
    if (child == 0) {
        setenv("EMMA_TEST_CASE", only, 1);
        setenv("EMMA_TEST_NO_RSEQ", "1", 1);
        int to_error = dup2(STDERR_FILENO, STDOUT_FILENO); /* its TAP is not ours */
        execl("/proc/self/exe", "heap_cpu_storm_test", (char *)NULL);
        _exit(to_error >= 0 ? 126 : 127);
    }
    EXPECT(child > 0 && storm_reap(child));
}

static void libc_told_not_to(void) {
    if (emma__cpu_bytes() == 0)
        storm_skip("nothing is registered anyhow");
    setenv("GLIBC_TUNABLES", "glibc.pthread.rseq=0", 1);
    again("1");
    again("2");
}

static void all_are_refused(void) {
    if (emma__cpu_bytes() == 0)
        storm_skip("nothing is registered anyhow");
    refuse_rseq();
    again("1");
}

int main(void) {
    static const storm_case cases[] = {
        {"CPU caches of a made heap: moves, signals, children", made_heap, 30},
        {"CPU caches of the default heap", default_heap, 30},
        {"CPU caches of a made heap: some threads are not registered", some_are_not_registered, 30},
        {"no sequences: libc told not to register", libc_told_not_to, 60},
        {"no sequences: refused by a filter", all_are_refused, 30},
    };
    if (getenv("EMMA_TEST_NO_RSEQ") != NULL && emma__cpu_bytes() != 0)
        return 1;
    return storm_main(cases, STORM_COUNT(cases));
}
