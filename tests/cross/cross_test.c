/* cross_test.c: the shipped configuration on another machine: a static program on the drop-in, with thread-local storage
 * and threads. It looks at nothing within emma; what the modules do is for the unit tests that are run beside it. Under
 * an emulator, so amounts are small, and nothing is measured. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "../storm/storm_work.h"
#include "emma_heap.h"

enum { THREADS = 4, MESH = 256, MESH_STEPS = 20000, STEP_BYTES_MAX = 3000 };

/* Blocks that wander: each thread puts a new one into a place of the mesh, checks what was there, and frees it. */
typedef struct letter {
    size_t size_bytes;
    unsigned char text[];
} letter;

static _Atomic(letter *) mesh[MESH];

static letter *write_letter(letter *one, size_t size_bytes) {
    if (!EXPECT(one != NULL))
        return NULL;
    one->size_bytes = size_bytes;
    memset(one->text, (int)(size_bytes & 0xFF), size_bytes - sizeof *one);
    return one;
}

static void read_letter(const letter *one) {
    size_t length = one->size_bytes - sizeof *one;
    unsigned char byte = (unsigned char)one->size_bytes;
    EXPECT(length == 0 || (one->text[0] == byte && memcmp(one->text, one->text + 1, length - 1) == 0));
}

static size_t letter_bytes(uint64_t *random) {
    size_t most = storm_below(random, 100) == 0 ? 100 * STEP_BYTES_MAX : STEP_BYTES_MAX;
    return sizeof(letter) + storm_below(random, most);
}

static emma_heap *mesh_heap; /* NULL: malloc */

static void *wander(void *argument) {
    uint64_t random = storm_seed() + (uintptr_t)argument;
    for (size_t i = 0; i < MESH_STEPS && !storm_failed(); i++) {
        size_t bytes = letter_bytes(&random);
        letter *one = write_letter(mesh_heap != NULL ? emma_heap_malloc(mesh_heap, bytes) : malloc(bytes), bytes);
        letter *other = atomic_exchange(&mesh[storm_below(&random, MESH)], one);
        if (other == NULL)
            continue;
        read_letter(other);
        free(other); /* of any heap */
    }
    return NULL;
}

static void wander_in_threads(void) {
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        EXPECT(pthread_create(&threads[i], NULL, wander, (void *)(uintptr_t)i) == 0); // NOLINT
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < MESH; i++)
        free(atomic_exchange(&mesh[i], NULL));
}

static emma_stats stats_now(void) {
    emma_stats stats;
    emma_stats_read(&stats);
    return stats;
}

static void blocks_wander(void) {
    wander_in_threads();
    size_t live = stats_now().allocated_bytes;
    wander_in_threads();
    EXPECT(stats_now().allocated_bytes <= live);
}

/* A thread's blocks stay its own: what it frees is what it gets next, without anybody else's help. */
static void *alone(void *argument) {
    void *first = malloc(100);
    free(first);
    void *second = malloc(100);
    EXPECT(first != NULL && second == first);
    *(void **)argument = second;
    return NULL;
}

static void threads_have_caches(void) {
    void *block[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        pthread_t thread;
        EXPECT(pthread_create(&thread, NULL, alone, &block[i]) == 0);
        pthread_join(thread, NULL);
    }
    for (size_t i = 0; i < THREADS; i++)
        free(block[i]);
}

static _Atomic(bool) stop;

static void *churn(void *argument) {
    storm_work work = storm_work_new(storm_seed() + (uintptr_t)argument, 200000);
    while (!atomic_load(&stop))
        storm_work_run(&work, 100);
    storm_work_end(&work);
    return NULL;
}

static void forks(bool raw) {
    enum { FORKS = 30, OPERATIONS = 100 };
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        EXPECT(pthread_create(&threads[i], NULL, churn, (void *)(uintptr_t)i) == 0); // NOLINT
    storm_work work = storm_work_new(storm_seed(), 200000);
    for (size_t i = 0; i < FORKS && !storm_failed(); i++) {
        storm_work_run(&work, OPERATIONS);
        pid_t child = storm_fork(0, raw);
        if (child == 0) {
            storm_work_in_child(&work, OPERATIONS, false);
            _exit(0);
        }
        EXPECT(child > 0 && storm_reap(child));
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    storm_work_end(&work);
}

static void plain_forks(void) {
    forks(false);
}

static void raw_forks(void) {
    forks(true);
}

/* A child of a process with threads makes one. qemu 7.2 cannot: it counts the threads that the child has not. */
static void *work_in_thread(void *argument) {
    storm_work *work = argument;
    storm_work_run(work, 1000);
    storm_work_end(work);
    return NULL;
}

static void make_thread(void *argument) {
    pthread_t thread;
    dup2(STDERR_FILENO, STDOUT_FILENO); /* the emulator writes "Bail out!" there */
    EXPECT(pthread_create(&thread, NULL, work_in_thread, argument) == 0);
    pthread_join(thread, NULL);
}

static void threads_in_children(void) {
    storm_work work = storm_work_new(storm_seed(), 200000);
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, churn, NULL) == 0);
    storm_end end = storm_run_apart(make_thread, &work);
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    if (strstr(end.text, "qemu") != NULL || strstr(end.text, "accel/tcg") != NULL)
        storm_skip("the emulator cannot make a thread in a child of fork");
    EXPECT(end.signal == 0 && end.status == 0 && end.text[0] == '\0');
}

/* A timer's handler allocates and frees within whatever it interrupts. */
static storm_work of_handler;
static _Atomic(size_t) handled;

static void work_in_handler(int number) {
    (void)number;
    storm_work_run(&of_handler, 10);
    atomic_fetch_add(&handled, 1);
}

static void handlers_allocate(void) {
    enum { HANDLED = 200, INTERVAL_US = 1000, SECONDS_MAX = 20 };
    of_handler = storm_work_new(storm_seed(), 20000);
    struct sigaction action = {.sa_handler = work_in_handler, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval often = {{0, INTERVAL_US}, {0, INTERVAL_US}};
    setitimer(ITIMER_REAL, &often, NULL);
    storm_work work = storm_work_new(storm_seed() + 1, 200000);
    double until = storm_seconds() + SECONDS_MAX;
    while (atomic_load(&handled) < HANDLED && storm_seconds() < until)
        storm_work_run(&work, 100);
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    EXPECT(atomic_load(&handled) >= HANDLED);
    storm_work_end(&work);
    storm_work_end(&of_handler);
}

/* A heap that all use, with a limit; frees find it by the address. */
static void heaps_are_made(void) {
    enum { LIMIT_BYTES = 64 << 20, SMALL_LIMIT_BYTES = 4 << 20, BYTES = 1000 };
    mesh_heap = emma_heap_create(&(emma_heap_config){.limit_bytes = LIMIT_BYTES});
    if (!EXPECT(mesh_heap != NULL))
        return;
    wander_in_threads();
    emma_heap_stats stats = {0};
    emma_heap_stats_read(mesh_heap, &stats);
    EXPECT(stats.of.allocated_bytes == 0 && stats.committed_bytes <= LIMIT_BYTES);
    emma_heap_destroy(mesh_heap);

    emma_heap *small = emma_heap_create(&(emma_heap_config){.limit_bytes = SMALL_LIMIT_BYTES});
    for (size_t round = 0; round < 3; round++) {
        size_t got = 0;
        for (char *block; (block = emma_heap_malloc(small, BYTES)) != NULL; got += BYTES)
            EXPECT(emma_heap_of(block) == small && memset(block, 1, BYTES) == block);
        EXPECT(got > SMALL_LIMIT_BYTES / 2 && got <= SMALL_LIMIT_BYTES);
        emma_heap_reset(small);
    }
    emma_heap_destroy(small);
}

/* Restartable sequences are the kernel's work. Where libc has registered none, heaps go on without. */
extern const unsigned int __rseq_size __attribute__((weak)); // NOLINT(bugprone-reserved-identifier)

static void cpu_caches(void) {
    EXPECT(emma_configure("cache=cpu") == NULL);
    wander_in_threads();
    if (&__rseq_size == NULL || __rseq_size == 0)
        storm_skip("there are no restartable sequences here: the blocks went by the shared caches");
}

int main(void) {
    static const storm_case cases[] = {
        {"cross: blocks wander between threads", blocks_wander, 30},
        {"cross: threads have caches", threads_have_caches, 30},
        {"cross: forks under threads that allocate", plain_forks, 30},
        {"cross: the same without libc", raw_forks, 30},
        {"cross: a thread in a child of fork", threads_in_children, 30},
        {"cross: signal handlers allocate", handlers_allocate, 30},
        {"cross: made heaps", heaps_are_made, 30},
        {"cross: CPU caches", cpu_caches, 30},
    };
    return storm_main(cases, STORM_COUNT(cases));
}
