/* beside_test.c: a thousand heaps of 1 MiB, driven to their limits by two threads for as long as it takes: none of them is
 * over its limit, and a heap beside them is as fast as if they were left alone.
 *
 * Its speed is the CPU time that an operation takes the thread that measures. Phases take turns, so that whatever slows the
 * machine slows all of them: the drivers rest; they look at their blocks, which takes processors and caches as driving does,
 * but nothing of emma's; they drive. What is compared are medians of many windows, and what nine in ten did not exceed. A
 * wait would take no CPU time: waits are counted, as the switches that the thread itself asked for. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "heap_work.h"

enum { DRIVERS = 2, EACH = 500, ROUNDS = 12, KINDS = 3, WINDOWS = 4000, HELD = 512 };

/* What the drivers do. */
typedef enum phase { REST, LOOK, DRIVE, PHASES } phase;

static const size_t limit = 1 << 20;

/* --- the thousand --- */

typedef struct driver {
    uint64_t random;
    heap_work *works; /* EACH of them */
    _Atomic(phase) does;
} driver;

static driver drivers[DRIVERS];
static _Atomic(phase) are_to;
static _Atomic(bool) is_over;

static bool keeps_limit(const heap_work *work, bool look_closely) {
    emma_heap_stats stats = heap_work_stats(work->heap);
    return EXPECT(stats.committed_bytes <= limit && stats.peak_bytes <= limit) &&
           EXPECT(stats.of.allocated_bytes == work->live_bytes) &&
           (!look_closely || EXPECT(heap_work_resident(work->heap) <= stats.committed_bytes));
}

static void *drive(void *argument) {
    driver *self = argument;
    for (size_t i = 0; !atomic_load(&is_over) && !storm_failed(); i++) {
        heap_work *work = &self->works[i % EACH];
        phase now = atomic_load(&are_to);
        atomic_store(&self->does, now);
        if (now == REST) {
            usleep(200);
        } else if (now == LOOK) {
            heap_work_check(work);
        } else {
            work->most_bytes = storm_below(&self->random, 4) == 0 ? 2000 : 100 << 10;
            heap_work_run(work, 30 + storm_below(&self->random, 300));
            keeps_limit(work, storm_below(&self->random, 8) == 0);
        }
    }
    return NULL;
}

static void make_drivers(void) {
    uint64_t random = storm_seed();
    size_t bytes = DRIVERS * EACH * sizeof(heap_work);
    heap_work *works = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (!EXPECT(works != MAP_FAILED))
        return;
    for (size_t i = 0; i < DRIVERS; i++) {
        drivers[i] = (driver){.random = storm_random(&random), .works = works + i * EACH};
        for (size_t j = 0; j < EACH; j++) {
            emma_heap *heap = emma_heap_create(&(emma_heap_config){.limit_bytes = limit});
            drivers[i].works[j] = heap_work_new(heap, storm_random(&random));
            drivers[i].works[j].least_bytes = 16;
            while (drivers[i].works[j].refused == 0)
                heap_work_run(&drivers[i].works[j], 10);
        }
    }
}

/* Returns: how many requests were refused, by all. Requires: the drivers rest. */
static size_t end_drivers(void) {
    size_t refused = 0;
    for (size_t i = 0; i < DRIVERS * EACH; i++) {
        heap_work *work = &drivers[0].works[i];
        refused += work->refused;
        keeps_limit(work, true);
        heap_work_end(work);
        EXPECT(heap_work_stats(work->heap).of.allocated_bytes == 0);
        emma_heap_destroy(work->heap);
    }
    return refused;
}

static void let(phase next) {
    atomic_store(&are_to, next);
    for (size_t i = 0; i < DRIVERS; i++)
        while (atomic_load(&drivers[i].does) != next && !storm_failed())
            usleep(200);
}

/* --- the one. A refusal is the end of the process --- */

static emma_heap *heap;
static void *held[HELD];
static uint64_t random_here = 1;

static void small_blocks(void) {
    for (size_t i = 0; i < 10000; i++) {
        void **slot = &held[storm_below(&random_here, HELD)];
        emma_heap_free(heap, *slot);
        *slot = emma_heap_malloc(heap, 1 + storm_below(&random_here, 1000));
        *(char *)*slot = 1;
    }
}

/* More than caches hold: through the depot and spans. */
static void bursts(void) {
    static void *many[2500];
    for (size_t i = 0; i < STORM_COUNT(many); i++)
        *(char *)(many[i] = emma_heap_malloc(heap, 200)) = 1;
    for (size_t i = 0; i < STORM_COUNT(many); i++)
        emma_heap_free(heap, many[i]);
}

static void large_blocks(void) {
    for (size_t i = 0; i < 2000; i++) {
        void **slot = &held[storm_below(&random_here, 8)];
        emma_heap_free(heap, *slot);
        *slot = emma_heap_malloc(heap, 40000 + storm_below(&random_here, 100000));
        *(char *)*slot = 1;
    }
}

typedef struct kind {
    const char *name;
    void (*run)(void);
    size_t operations;
} kind;

static const kind kinds[KINDS] = {
    {"small blocks", small_blocks, 10000}, {"bursts", bursts, 5000}, {"large blocks", large_blocks, 2000}};

/* What was seen of a kind in a phase. */
typedef struct seen {
    size_t count;
    double nanoseconds[WINDOWS]; /* for an operation */
    double wall_nanoseconds;     /* sum */
    size_t waits;
} seen;

static seen saw[KINDS][PHASES];

static double thread_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static size_t thread_waits(void) {
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return (size_t)usage.ru_nvcsw;
}

static void measure(size_t k, phase now) {
    seen *into = &saw[k][now];
    if (into->count == WINDOWS)
        return;
    size_t waits = thread_waits();
    double wall = storm_seconds();
    double start = thread_seconds();
    kinds[k].run();
    into->nanoseconds[into->count++] = (thread_seconds() - start) * 1e9 / (double)kinds[k].operations;
    into->wall_nanoseconds += (storm_seconds() - wall) * 1e9 / (double)kinds[k].operations;
    into->waits += thread_waits() - waits;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* What so many of a hundred windows did not exceed. */
static double quantile(seen *of, size_t percent) {
    qsort(of->nanoseconds, of->count, sizeof of->nanoseconds[0], compare);
    return of->nanoseconds[of->count * percent / 100];
}

static double larger(double a, double b) {
    return a > b ? a : b;
}

static void judge(size_t k) {
    double median[PHASES];
    double most[PHASES];
    for (phase p = REST; p < PHASES; p++) {
        static const char *const names[PHASES] = {"alone", "beside threads that look", "beside threads that drive"};
        seen *of = &saw[k][p];
        if (!EXPECT(of->count > 20))
            return;
        median[p] = quantile(of, 50);
        most[p] = quantile(of, 90);
        storm_note("%s, %s: CPU time %.1f ns, of nine in ten at most %.1f; wall %.1f; %zu waits in %zu windows",
                   kinds[k].name, names[p], median[p], most[p], of->wall_nanoseconds / (double)of->count, of->waits,
                   of->count);
    }
    storm_note("%s: %.2f times what it is alone", kinds[k].name, median[DRIVE] / median[REST]);
    EXPECT(median[DRIVE] <= 1.75 * larger(median[REST], median[LOOK]));
    EXPECT(most[DRIVE] <= 4 * larger(most[REST], most[LOOK]));
    EXPECT(saw[k][DRIVE].waits <= saw[k][LOOK].waits + saw[k][DRIVE].count / 20);
}

static void as_fast_as_alone(void) {
    if (STORM_SANITIZER)
        storm_skip("sanitizers have times of their own");
    pthread_t threads[DRIVERS];
    make_drivers();
    heap = emma_heap_create(NULL);
    for (size_t i = 0; i < DRIVERS; i++)
        EXPECT(pthread_create(&threads[i], NULL, drive, &drivers[i]) == 0);
    double seconds = (double)storm_amount(12, 600) / ROUNDS / PHASES;
    for (size_t i = 0; i < ROUNDS * PHASES && !storm_failed(); i++) {
        let(i % PHASES);
        double until = storm_seconds() + seconds;
        for (size_t k = 0; storm_seconds() < until; k = (k + 1) % KINDS)
            measure(k, i % PHASES);
    }
    let(REST);
    atomic_store(&is_over, true);
    for (size_t i = 0; i < DRIVERS; i++)
        pthread_join(threads[i], NULL);
    size_t refused = end_drivers();
    storm_note("%d heaps at their limits: %zu refused", DRIVERS * EACH, refused);
    EXPECT(refused > DRIVERS * EACH * 2);
    for (size_t k = 0; k < KINDS; k++)
        judge(k);
    emma_heap_destroy(heap);
}

int main(void) {
    static const storm_case cases[] = {
        {"1,000 heaps at their limits, and one that is as fast as alone", as_fast_as_alone, 60},
    };
    return storm_main(cases, STORM_COUNT(cases));
}
