/* collect_test.c: what is collected is all that idles, in the slot of whichever processor: an empty heap at a limit gives
 * what it gave at first. And where the system refuses the barrier for that, or who had the slots has vanished, a heap is
 * slower but serves, and loses nothing. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../unit/unit.h"
#include "heap_work.h"
#include "plat/plat.h"

enum { LARGE_BYTES = 100000, STACK_BYTES = 65536, HELD = 64 };
static const size_t limit = 1 << 20;

/* To the i-th of the processors that this process has. Returns: false iff they are fewer. */
static bool be_on(size_t i) {
    static cpu_set_t all;
    cpu_set_t one;
    if (CPU_COUNT(&all) == 0)
        sched_getaffinity(0, sizeof all, &all);
    size_t at = 0;
    for (; at < CPU_SETSIZE; at++)
        if (CPU_ISSET(at, &all) && i-- == 0)
            break;
    if (at == CPU_SETSIZE)
        return false;
    CPU_ZERO(&one);
    CPU_SET(at, &one);
    return sched_setaffinity(0, sizeof one, &one) == 0;
}

static void two_processors(void) {
    if (emma__cpu_bytes() == 0)
        storm_skip("no restartable sequences");
    if (!be_on(1) || !be_on(0))
        storm_skip("one processor");
}

static void barrier(void) {
    long known = syscall(SYS_membarrier, 0, 0, 0);
    if (known < 0 || (known & 1 << 7) == 0)
        storm_skip("this kernel has no barrier for restartable sequences");
}

/* How many large blocks the heap can have at present. */
static size_t capacity(emma_heap *heap) {
    void *blocks[HELD];
    size_t count = emma_heap_malloc_batch(heap, LARGE_BYTES, HELD, blocks);
    emma_heap_free_batch(heap, count, blocks);
    return count;
}

/* A block of each size or so, in the slot of the processor that the caller is on. */
static void leave_some(emma_heap *heap) {
    for (size_t size = 16; size <= 4096; size += size < 1024 ? 16 : size / 8)
        emma_heap_free(heap, emma_heap_malloc(heap, size));
}

static size_t in_slots(const emma_heap *heap) {
    return unit_cpu_blocks(&heap->cpu);
}

static _Atomic(bool) idles;

static _Noreturn void *leave_and_idle(void *heap) {
    EXPECT(be_on(1));
    leave_some(heap);
    atomic_store(&idles, true);
    for (;;)
        pause();
}

static void leave_in_thread(emma_heap *heap) {
    pthread_t thread;
    if (EXPECT(pthread_create(&thread, NULL, leave_and_idle, heap) == 0))
        while (!atomic_load(&idles))
            sched_yield();
}

static void leave_from_afar(emma_heap *heap) {
    EXPECT(be_on(1));
    leave_some(heap);
    EXPECT(be_on(0));
}

/* Whose slot it was does nothing meanwhile. */
static void collected_from_afar(void) {
    two_processors();
    barrier();
    static void (*const leave[])(emma_heap *) = {leave_from_afar, leave_in_thread};
    for (size_t i = 0; i < STORM_COUNT(leave); i++) {
        emma_heap *heap = emma_heap_create(&(emma_heap_config){.limit_bytes = limit});
        size_t fits = capacity(heap);
        leave[i](heap);
        EXPECT(in_slots(heap) != 0);
        emma_heap_collect(heap);
        EXPECT(in_slots(heap) == 0 && heap_work_stats(heap).of.cached_bytes == 0);
        EXPECT(heap_work_stats(heap).committed_bytes <= EMMA_HEAP_LEAST_BYTES);
        EXPECT(capacity(heap) == fits);
        leave_some(heap);
        EXPECT(in_slots(heap) != 0); /* the slots are there again */
        EXPECT(emma__cpu_valid(&heap->cpu) && unit_heap_sound(heap, 0));
    }
}

/* Who asks for more than there is collects by that. */
static void at_the_limit(void) {
    two_processors();
    barrier();
    emma_heap *heap = emma_heap_create(&(emma_heap_config){.limit_bytes = limit});
    size_t fits = capacity(heap);
    leave_from_afar(heap);
    EXPECT(capacity(heap) == fits);
    EXPECT(heap_work_stats(heap).peak_bytes <= limit);
    emma_heap_destroy(heap);
}

static void default_heap(void) {
    two_processors();
    barrier();
    EXPECT(emma_configure("cache=cpu") == NULL);
    emma_heap *heap = emma_heap_default();
    leave_from_afar(heap);
    EXPECT(in_slots(heap) != 0);
    emma_collect();
    EXPECT(in_slots(heap) == 0);
}

/* --- many threads that sleep --- */

enum { SLEEPERS = 200, SLEEPER_STACK_BYTES = 64 << 10 };

static pthread_barrier_t sleep_together;

static void *use_and_sleep(void *heap) {
    static _Thread_local void *blocks[100];
    for (size_t round = 0; round < 4; round++)
        for (size_t size = 16; size <= 2048; size *= 2) {
            for (size_t i = 0; i < STORM_COUNT(blocks); i++)
                *(char *)(blocks[i] = emma_heap_malloc(heap, size + round * size / 4)) = 1;
            for (size_t i = 0; i < STORM_COUNT(blocks); i++)
                emma_heap_free(heap, blocks[i]);
        }
    pthread_barrier_wait(&sleep_together); /* all have done so */
    pthread_barrier_wait(&sleep_together); /* all are awake again */
    return NULL;
}

/* Let so many threads use a heap. Returns: its figures while they sleep; *collected: those after a collection then. */
static emma_heap_stats while_asleep(size_t count, emma_heap_stats *collected) {
    pthread_t threads[SLEEPERS];
    pthread_attr_t small;
    emma_heap *heap = emma_heap_create(NULL);
    void *mapped[] = {emma_heap_malloc(heap, (size_t)24 << 20), emma_heap_malloc(heap, (size_t)24 << 20)};
    emma_heap_free_batch(heap, 2, mapped); /* so that the threads need not make room, each a tract of its own */
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, SLEEPER_STACK_BYTES);
    pthread_barrier_init(&sleep_together, NULL, (unsigned)count + 1);
    for (size_t i = 0; i < count; i++)
        if (pthread_create(&threads[i], &small, use_and_sleep, heap) != 0)
            storm_skip("so many threads cannot be had");
    pthread_barrier_wait(&sleep_together);
    emma_heap_stats stats = heap_work_stats(heap);
    emma_heap_collect(heap);
    *collected = heap_work_stats(heap);
    pthread_barrier_wait(&sleep_together);
    for (size_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    emma_heap_destroy(heap);
    return stats;
}

/* A heap with CPU caches keeps as much for two hundred threads that sleep as for a few, and all of it can be had. */
static void sleepers_hold_nothing(void) {
    if (emma__cpu_bytes() == 0)
        storm_skip("no restartable sequences");
    barrier();
    emma_heap_stats left;
    emma_heap_stats few = while_asleep(4, &left);
    EXPECT(left.of.cached_bytes == 0);
    emma_heap_stats many = while_asleep(SLEEPERS, &left);
    storm_note("cached %zu KiB for 4 threads, %zu for 200; committed %zu, %zu; collected %zu",
               few.of.cached_bytes >> 10, many.of.cached_bytes >> 10, few.committed_bytes >> 10,
               many.committed_bytes >> 10, left.committed_bytes >> 10);
    EXPECT(few.of.allocated_bytes == 0 && many.of.allocated_bytes == 0);
    EXPECT(many.of.cached_bytes <= few.of.cached_bytes + EMMA_CPU_BUDGET_BYTES + limit); /* on more processors */
    EXPECT(many.committed_bytes <= 16 * limit); /* a cache for each of them would hold some hundred KiB */
    EXPECT(left.of.cached_bytes == 0 && left.of.allocated_bytes == 0);
    EXPECT(left.committed_bytes <= EMMA_HEAP_LEAST_BYTES + limit);
}

/* --- refused --- */

/* From here on, membarrier ends thus. */
static void filter(uint32_t how) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, how),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {STORM_COUNT(code), code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        storm_skip("this system has no seccomp filters");
}

/* Then a collection is for the slot that the caller is on. The system is asked once: the second filter would be the end. */
static void refused(uint32_t how) {
    two_processors();
    filter(how);
    emma_heap *heap = emma_heap_create(NULL);
    leave_from_afar(heap);
    size_t away = in_slots(heap);
    leave_some(heap);
    EXPECT(away != 0 && in_slots(heap) > away);
    emma_heap_collect(heap);
    EXPECT(in_slots(heap) == away);
    filter(SECCOMP_RET_KILL_PROCESS);
    EXPECT(be_on(1));
    emma_heap_collect(heap);
    EXPECT(in_slots(heap) == 0);
    EXPECT(heap_work_stats(heap).committed_bytes <= EMMA_HEAP_LEAST_BYTES);
    leave_some(heap);
    EXPECT(in_slots(heap) != 0 && emma__cpu_valid(&heap->cpu) && unit_heap_sound(heap, 0));
    emma_heap_destroy(heap);
}

static void unknown(void) {
    refused(SECCOMP_RET_ERRNO | ENOSYS);
}

static void not_permitted(void) {
    refused(SECCOMP_RET_ERRNO | EPERM);
}

/* A thread as the janitor is: libc has no part in it, and nothing is registered. */
static void collect_as_janitor(void *heap) {
    for (size_t i = 0; i < 1000; i++)
        emma__heap_collect(heap, 0);
}

static void janitor_has_no_slot(void) {
    if (emma__cpu_bytes() == 0)
        storm_skip("no restartable sequences");
    EXPECT(be_on(0) && emma_configure("cache=cpu") == NULL);
    filter(SECCOMP_RET_ERRNO | ENOSYS);
    emma_heap *heap = emma_heap_default();
    leave_some(heap);
    size_t before = in_slots(heap);
    uintptr_t stack = emma__plat_map((size_t)2 * STACK_BYTES); /* and zeroes above it: the number of a processor */
    static _Atomic(uint32_t) id;
    EXPECT(stack != 0 && emma__plat_thread_start(collect_as_janitor, heap, stack, STACK_BYTES, &id));
    while (atomic_load(&id) != 0)
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    EXPECT(before != 0 && in_slots(heap) == before);
}

/* --- had by somebody who has vanished --- */

static void never_opened(void) {
    if (emma__cpu_bytes() == 0)
        storm_skip("no restartable sequences");
    barrier();
    emma_heap *heap = emma_heap_create(&(emma_heap_config){.limit_bytes = limit});
    size_t fits = capacity(heap);
    leave_some(heap);
    size_t before = in_slots(heap);
    EXPECT(before != 0 && emma__rseq_close(&heap->cpu.rseq) && !emma__rseq_close(&heap->cpu.rseq));
    static heap_work work;
    work = heap_work_new(heap, storm_seed());
    heap_work_run(&work, 20000);
    heap_work_end(&work);
    emma_heap_collect(heap);
    EXPECT(in_slots(heap) == before && heap_work_stats(heap).of.allocated_bytes == 0);
    EXPECT(emma__cpu_valid(&heap->cpu) && unit_heap_sound(heap, 0));
    emma_heap_reset(heap);
    EXPECT(in_slots(heap) == 0 && capacity(heap) == fits);
    emma_heap_destroy(heap);
}

int main(void) {
    static const storm_case cases[] = {
        {"what idles in the slot of another processor is collected", collected_from_afar, 10},
        {"and by who asks for more than there is", at_the_limit, 10},
        {"and in the default heap", default_heap, 10},
        {"two hundred threads that sleep hold nothing", sleepers_hold_nothing, 20},
        {"the barrier is unknown: the slot of this processor", unknown, 10},
        {"the barrier is not permitted", not_permitted, 10},
        {"the janitor's thread has no slot", janitor_has_no_slot, 10},
        {"who had the slots has vanished", never_opened, 10},
    };
    return storm_main(cases, STORM_COUNT(cases));
}
