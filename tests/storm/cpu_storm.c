/* cpu_storm.c: CPU caches (cache/cpu.h) under all that interrupts a sequence: more threads than processors, each moved to
 * another processor all the time, handlers that allocate and free through the same caches, forks, single steps. Every block
 * carries the mark of its holder; afterwards a census proves that each is in exactly one place. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../unit/unit.h"
#include "cache/cpu.h"
#include "plat/plat.h"
#include "storm.h"

enum { THREADS = 6, BLOCKS = 200, CLASSES = 24, CHILD_OPERATIONS = 3000, MOVE_NANOSECONDS = 10000 };

static emma_heap heap = EMMA_HEAP_INITIAL(&unit_directory, unit_shelves, 0);
static emma_cpu cpu;
static _Atomic(bool) is_over;
static _Atomic(size_t) from_cpu;
static _Atomic(size_t) from_shared;
static _Atomic(size_t) handled;
static _Atomic(size_t) moved;

typedef struct table {
    uint64_t random;
    struct {
        uint64_t *block;
        unsigned class;
    } held[BLOCKS];
} table;

static void *alloc(unsigned class) {
    bool available = true;
    void *block = emma__cpu_pop(&cpu, class);
    block = block != 0 ? block : emma__cpu_alloc(&cpu, &heap.depot, class, &available);
    atomic_fetch_add_explicit(available ? &from_cpu : &from_shared, 1, memory_order_relaxed);
    return available ? block : emma__shared_alloc(&heap.shared, &heap.depot, class);
}

static void give(unsigned class, void *block) {
    if (!emma__cpu_push(&cpu, class, block) && !emma__cpu_free(&cpu, &heap.depot, class, block))
        emma__shared_free(&heap.shared, &heap.depot, class, block);
}

/* A block bears the address of its place in the table. */
static void toggle(table *mine, size_t at) {
    uint64_t *block = mine->held[at].block;
    uint64_t mark = (uint64_t)(uintptr_t)&mine->held[at];
    if (block != NULL) {
        EXPECT(block[0] == mark && block[1] == ~mark);
        mine->held[at].block = NULL;
        give(mine->held[at].class, block);
        return;
    }
    unsigned class = 1 + (unsigned)storm_below(&mine->random, CLASSES);
    block = alloc(class);
    if (!EXPECT(block != NULL))
        return;
    block[0] = mark;
    block[1] = ~mark;
    mine->held[at].class = class;
    mine->held[at].block = block;
}

static void work(table *mine, size_t operations) {
    for (size_t i = 0; i < operations; i++)
        toggle(mine, storm_below(&mine->random, BLOCKS));
}

static void end(table *mine) {
    for (size_t at = 0; at < BLOCKS; at++)
        if (mine->held[at].block != NULL)
            toggle(mine, at);
}

static table tables[THREADS];
static pthread_t threads[THREADS];

static void handle(int number) {
    (void)number;
    uint64_t random = atomic_fetch_add(&handled, 1) + 1;
    void *blocks[8];
    unsigned classes[8];
    for (size_t i = 0; i < 8; i++) {
        classes[i] = 1 + (unsigned)storm_below(&random, CLASSES);
        blocks[i] = alloc(classes[i]);
    }
    for (size_t i = 0; i < 8; i++)
        if (EXPECT(blocks[i] != NULL))
            give(classes[i], blocks[i]);
}

/* A signal every ms to the calling thread. */
static void start_timer(void) {
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
    event._sigev_un._tid = gettid();
    timer_t timer;
    if (EXPECT(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0))
        timer_settime(timer, 0, &(struct itimerspec){{0, 1000000}, {0, 1000000}}, NULL);
}

static void *churn(void *argument) {
    table *mine = argument;
    start_timer();
    while (!atomic_load(&is_over) && !storm_failed())
        work(mine, 1000);
    return NULL;
}

/* Another processor for one of the threads every 10 us, as far as the system lets this thread run. */
static void *disturb(void *argument) {
    uint64_t random = storm_seed();
    long processors = sysconf(_SC_NPROCESSORS_CONF);
    pthread_setschedparam(pthread_self(), SCHED_FIFO, &(struct sched_param){.sched_priority = 1}); /* if it may */
    for (; !atomic_load(&is_over); atomic_fetch_add(&moved, 1)) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(storm_below(&random, (size_t)processors), &set);
        pthread_setaffinity_np(threads[storm_below(&random, THREADS)], sizeof set, &set);
        nanosleep(&(struct timespec){0, MOVE_NANOSECONDS}, NULL);
    }
    return argument;
}

static void fork_once(uint64_t seed) {
    pid_t child = _Fork();
    if (child == 0) {
        static table fresh;
        fresh.random = seed;
        work(&fresh, CHILD_OPERATIONS);
        end(&fresh);
        for (size_t i = 0; i < THREADS; i++) /* what the others held as the child began: their marks are there */
            for (size_t at = 0; at < BLOCKS; at++)
                EXPECT(tables[i].held[at].class <= CLASSES);
        _exit(storm_failed());
    }
    EXPECT(child > 0 && storm_reap(child));
}

/* Exact, unless a stripe of the shared cache was replaced: what that one held may be lost (cache/shared.h). */
static bool sound(size_t live) {
    unit_census census;
    if (heap.shared.made > EMMA_STRIPES)
        return unit_spans_sound(&heap.depot.spans, &census);
    return emma__cpu_valid(&cpu) && unit_heap_sound(&heap, live + unit_cpu_blocks(&cpu));
}

static void begin(void) {
    size_t bytes = emma__cpu_bytes();
    uintptr_t memory = bytes != 0 ? emma__plat_map(bytes) : 0;
    if (memory != 0)
        emma__cpu_init(&cpu, memory, 0);
}

static void storm_of(bool with_forks) {
    begin();
    signal(SIGUSR1, handle);
    pthread_t disturber;
    for (size_t i = 0; i < THREADS; i++) {
        tables[i].random = storm_seed() + i;
        EXPECT(pthread_create(&threads[i], NULL, churn, &tables[i]) == 0);
    }
    pthread_create(&disturber, NULL, disturb, NULL);
    double until = storm_seconds() + (double)storm_amount(3, 30);
    for (uint64_t i = 1; storm_seconds() < until && !storm_failed(); i++) {
        nanosleep(&(struct timespec){0, 20000000}, NULL);
        if (with_forks)
            fork_once(storm_seed() + i);
    }
    atomic_store(&is_over, true);
    pthread_join(disturber, NULL);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    size_t live = 0;
    for (size_t i = 0; i < THREADS; i++)
        for (size_t at = 0; at < BLOCKS; at++)
            live += tables[i].held[at].block != NULL;
    EXPECT(sound(live));
    EXPECT(!emma__cpu_is_on(&cpu) || heap.shared.made <= EMMA_STRIPES);
    for (size_t i = 0; i < THREADS; i++)
        end(&tables[i]);
    EXPECT(sound(0));
    emma__cpu_empty(&cpu, &heap.depot);
    EXPECT(unit_cpu_blocks(&cpu) == 0 && sound(0));
    storm_note("%u stripes", (unsigned)heap.shared.made);
    storm_note("%zu blocks from CPU caches, %zu not, %zu moves, %zu signals", atomic_load(&from_cpu),
               atomic_load(&from_shared), atomic_load(&moved), atomic_load(&handled));
    EXPECT(atomic_load(&moved) > 100 && atomic_load(&handled) > 100);
    EXPECT(emma__cpu_is_on(&cpu) == (atomic_load(&from_cpu) > atomic_load(&from_shared)));
}

static void moved_and_signalled(void) {
    storm_of(false);
}

static void forks(void) {
    storm_of(true);
}

/* libc told not to register: the same storm on the shared cache. */
static void not_registered(void) {
    pid_t child = fork();
    if (child == 0) {
        setenv("GLIBC_TUNABLES", "glibc.pthread.rseq=0", 1);
        setenv("EMMA_TEST_CASE", "1", 1);
        int to_error = dup2(STDERR_FILENO, STDOUT_FILENO); /* its TAP is not ours */
        execl("/proc/self/exe", "cpu_storm", (char *)NULL);
        _exit(to_error >= 0 ? 126 : 127);
    }
    EXPECT(child > 0 && storm_reap(child));
}

static _Atomic(size_t) steps;

static void step(int number) {
    (void)number;
    atomic_fetch_add(&steps, 1);
}

#if defined(__x86_64__)
static void set_trap_flag(bool on) {
    if (on)
        __asm__ volatile("leaq -128(%%rsp), %%rsp; pushfq; orl $0x100, (%%rsp); popfq; leaq 128(%%rsp), %%rsp" ::
                             : "memory", "cc");
    else
        __asm__ volatile("leaq -128(%%rsp), %%rsp; pushfq; andl $~0x100, (%%rsp); popfq; leaq 128(%%rsp), %%rsp" ::
                             : "memory", "cc");
}
enum { CAN_STEP = 1 };
#else
static void set_trap_flag(bool on) {
    (void)on;
}
enum { CAN_STEP = 0 };
#endif

/* A signal after each instruction: no sequence ever ends; every operation does, by the shared cache. */
static void single_steps(void) {
    begin();
    if (!CAN_STEP || !emma__cpu_is_on(&cpu))
        storm_skip("no trap flag or no sequences");
    signal(SIGTRAP, step);
    table *mine = &tables[0];
    mine->random = storm_seed();
    work(mine, 1000);
    size_t shared = atomic_load(&from_shared);
    size_t before = unit_cpu_blocks(&cpu);
    set_trap_flag(true);
    work(mine, 60);
    set_trap_flag(false);
    EXPECT(atomic_load(&from_shared) - shared > 10);
    EXPECT(unit_cpu_blocks(&cpu) == before);
    EXPECT(emma__cpu_valid(&cpu));
    storm_note("%zu steps", atomic_load(&steps));
    end(mine);
    EXPECT(sound(0));
}

int main(void) {
    static const storm_case cases[] = {
        {"cpu: threads are moved and get signals", moved_and_signalled, 60},
        {"cpu: the process forks meanwhile", forks, 90},
        {"cpu: nothing is registered", not_registered, 90},
        {"cpu: single steps", single_steps, 60},
    };
    return storm_main(cases, STORM_COUNT(cases));
}
