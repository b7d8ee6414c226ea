/* visit_storm.c: the caches of threads are emptied from outside (cache/idle.h), again and again, while their owners
 * work, are interrupted, fork, begin and end. The blocks' contents tell whether two had the same one, the census at the
 * end whether one is lost. */
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "api/fast.h"
#include "cache/idle.h"
#include "emma_heap.h"
#include "storm_work.h"

enum { OWNERS = 4, MAX_BYTES = 3000, SLEEPERS = 32 };

static _Atomic(bool) stop;
static _Atomic(size_t) visits;
static pthread_t owners[OWNERS];
static storm_work main_work;

static size_t visit(void) {
    size_t emptied = emma__idle_collect(&emma__default_heap.registry, &emma__default_heap.depot, true).emptied;
    atomic_fetch_add(&visits, emptied);
    return emptied;
}

static void *visit_all(void *argument) {
    while (!atomic_load(&stop))
        visit();
    return argument;
}

static void *work(void *argument) {
    storm_work work = storm_work_new((uint64_t)(uintptr_t)argument, MAX_BYTES);
    while (!atomic_load(&stop))
        storm_work_run(&work, 100);
    storm_work_end(&work);
    return NULL;
}

/* Owners that come and go: told (a record is given back) or not (its owner is found out to be gone). */
static void *work_a_little(void *argument) {
    storm_work work = storm_work_new((uint64_t)(uintptr_t)argument, MAX_BYTES);
    storm_work_run(&work, 300);
    storm_work_end(&work);
    if ((uintptr_t)argument % 2 == 0)
        emma_thread_exit();
    return NULL;
}

static pthread_t start_thread(void *(*run)(void *), uintptr_t argument) {
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, run, (void *)argument) == 0); // NOLINT
    return thread;
}

static void start_owners(void) {
    atomic_store(&stop, false);
    for (size_t i = 0; i < OWNERS; i++)
        owners[i] = start_thread(work, storm_seed() + i);
}

static void stop_owners(void) {
    atomic_store(&stop, true);
    for (size_t i = 0; i < OWNERS; i++)
        pthread_join(owners[i], NULL);
}

/* Everything that was allocated is free, and everything that is free goes home. */
static void expect_all_home(void) {
    emma_collect();
    emma_stats stats;
    emma_stats_read(&stats);
    storm_note("%zu visits; live %zu, cached %zu", (size_t)atomic_load(&visits), stats.allocated_bytes,
               stats.cached_bytes);
    EXPECT(stats.allocated_bytes == 0);
    EXPECT(atomic_load(&visits) != 0);
}

static void owners_at_work(void) {
    start_owners();
    pthread_t visitor = start_thread(visit_all, 0);
    usleep((useconds_t)storm_amount(2000000, 60000000));
    stop_owners();
    pthread_join(visitor, NULL);
    expect_all_home();
}

static void owners_that_come_and_go(void) {
    atomic_store(&stop, false);
    pthread_t visitor = start_thread(visit_all, 0);
    size_t rounds = storm_amount(1500, 50000);
    for (size_t i = 0; i < rounds; i++) {
        for (size_t k = 0; k < OWNERS; k++)
            owners[k] = start_thread(work_a_little, i * OWNERS + k);
        for (size_t k = 0; k < OWNERS; k++)
            pthread_join(owners[k], NULL);
    }
    atomic_store(&stop, true);
    pthread_join(visitor, NULL);
    for (size_t i = 0; i < 4 * OWNERS; i++) /* each finds two of those that are gone */
        pthread_join(start_thread(work_a_little, 0), NULL);
    expect_all_home();
}

static void interrupt(int number) {
    (void)number;
    void *block = emma_malloc(100);
    emma_free(block);
    visit(); /* of others, and of the thread's own where no operation was interrupted */
}

static void owners_with_handlers(void) {
    struct sigaction action = {.sa_handler = interrupt, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval often = {{0, 300}, {0, 300}};
    setitimer(ITIMER_REAL, &often, NULL);
    start_owners();
    double end = storm_seconds() + (double)storm_amount(2, 60);
    while (storm_seconds() < end)
        usleep(100000); /* or until the next handler */
    stop_owners();
    struct itimerval never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &never, NULL);
    expect_all_home();
}

/* A child in which the visitor and the owners do not exist. What a stripe of the shared caches held is lost there. */
static void expect_records_empty(void) {
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++)
        EXPECT(emma__registry_count(&emma__default_heap.registry, class) == 0);
}

static void child(uint64_t random) {
    if (random % 2 == 0) { /* before anything else */
        emma_collect();
        expect_records_empty();
    }
    storm_work_in_child(&main_work, 300, true);
    emma_collect();
    expect_records_empty();
    _exit(0);
}

static void forks_meanwhile(void) {
    main_work = storm_work_new(storm_seed(), MAX_BYTES);
    start_owners();
    pthread_t visitor = start_thread(visit_all, 0);
    size_t forks = storm_amount(400, 20000);
    uint64_t random = storm_seed();
    for (size_t i = 0; i < forks && !storm_failed(); i++) {
        storm_work_run(&main_work, 50);
        pid_t process = storm_fork(storm_random(&random), false);
        if (process == 0)
            child(random);
        EXPECT(process > 0 && storm_reap(process));
    }
    stop_owners();
    pthread_join(visitor, NULL);
    storm_work_end(&main_work);
    expect_all_home();
}

static pthread_barrier_t asleep;

static void *work_and_sleep(void *argument) {
    storm_work work = storm_work_new((uint64_t)(uintptr_t)argument, MAX_BYTES);
    storm_work_run(&work, 3000);
    storm_work_end(&work);
    pthread_barrier_wait(&asleep);
    pthread_barrier_wait(&asleep);
    storm_work_run(&work, 3000);
    storm_work_end(&work);
    return NULL;
}

static size_t cached_bytes(void) {
    emma_stats stats;
    emma_stats_read(&stats);
    return stats.cached_bytes;
}

static int count_block(const emma_description *block, void *count) {
    (void)block;
    ++*(size_t *)count;
    return 0;
}

/* What they have cached is not live, and goes home when it is asked for; after that they go on. */
static void sleep_and_go_on(bool walk) {
    pthread_barrier_init(&asleep, NULL, SLEEPERS + 1);
    pthread_t thread[SLEEPERS];
    for (size_t i = 0; i < SLEEPERS; i++)
        thread[i] = start_thread(work_and_sleep, storm_seed() + i);
    pthread_barrier_wait(&asleep);
    usleep(100000); /* until they sleep */
    size_t before = cached_bytes();
    size_t live = 0;
    if (walk)
        emma_heap_walk(emma_heap_default(), count_block, &live);
    else
        emma_collect();
    EXPECT(live == 0);
    storm_note("cached before %zu, after %zu", before, cached_bytes());
    EXPECT(before > 0 && cached_bytes() == 0);
    pthread_barrier_wait(&asleep);
    for (size_t i = 0; i < SLEEPERS; i++)
        pthread_join(thread[i], NULL);
}

static void sleepers(void) {
    sleep_and_go_on(false);
}

static void sleepers_beside_a_walk(void) {
    sleep_and_go_on(true);
}

int main(void) {
    static const storm_case cases[] = {
        {"visit: caches of threads that work", owners_at_work, 30},
        {"visit: owners that come and go", owners_that_come_and_go, 60},
        {"visit: owners with handlers, handlers that visit", owners_with_handlers, 30},
        {"visit: forks meanwhile", forks_meanwhile, 60},
        {"visit: what sleepers have cached", sleepers, 30},
        {"visit: what sleepers have cached is not live", sleepers_beside_a_walk, 30},
    };
    return storm_main(cases, STORM_COUNT(cases));
}
