/* stop_storm.c: threads that stop for ever, wherever they are, while others go on: nobody waits for them.
 *
 * A signal parks its thread in the handler for good. What it had claimed stays claimed: stripes, spans, runs. The
 * others must do ten million operations at no less than a tenth of the speed that they have alone. */
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "storm_work.h"

enum { VICTIMS = 64, WORKERS = 2 };

static _Atomic(bool) started[VICTIMS];
static _Atomic(bool) parked[VICTIMS];
static _Thread_local size_t victim_number;
static bool victims_have_ended; /* they use the shared caches */

static void park(int number) {
    (void)number;
    atomic_store(&parked[victim_number], true);
    for (;;)
        pause();
}

static void *victim(void *argument) {
    victim_number = (size_t)(uintptr_t)argument;
    atomic_store(&started[victim_number], true);
    storm_work work = storm_work_new(storm_seed() + victim_number, 3000000);
    if (victims_have_ended)
        emma_thread_exit();
    for (;;)
        storm_work_run(&work, 100);
    return NULL;
}

static size_t operations_each;

static void *worker(void *argument) {
    storm_work work = storm_work_new(storm_seed() + (uintptr_t)argument, 200000);
    storm_work_run(&work, operations_each);
    storm_work_end(&work);
    return NULL;
}

static double seconds_of_work(void) {
    pthread_t threads[WORKERS];
    double start = storm_seconds();
    for (size_t i = 0; i < WORKERS; i++)
        EXPECT(pthread_create(&threads[i], NULL, worker, (void *)(uintptr_t)i) == 0); // NOLINT
    for (size_t i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    return storm_seconds() - start;
}

static void others_go_on(void) {
    operations_each = storm_amount(STORM_SANITIZER ? 100000 : 500000, 10000000 / WORKERS);
    struct sigaction action = {.sa_handler = park};
    sigaction(SIGUSR1, &action, NULL);
    double alone = seconds_of_work();
    uint64_t random = storm_seed();
    pthread_t thread;
    for (size_t i = 0; i < VICTIMS; i++) {
        EXPECT(pthread_create(&thread, NULL, victim, (void *)(uintptr_t)i) == 0); // NOLINT
        while (!atomic_load(&started[i]))
            usleep(50);
        usleep((useconds_t)(5000 + storm_below(&random, 20000)));
        pthread_kill(thread, SIGUSR1);
        while (!atomic_load(&parked[i]))
            usleep(50);
    }
    double beside = seconds_of_work();
    storm_note("alone %.2f s, beside %d stopped threads %.2f s", alone, (int)VICTIMS, beside);
    EXPECT(beside < alone * 10 + 0.5);
    emma_collect(); /* ends, too */
    storm_work_in_child(NULL, 1000, true);
}

static void with_caches(void) {
    others_go_on();
}

static void with_shared_caches(void) {
    victims_have_ended = true;
    others_go_on();
}

int main(void) {
    static const storm_case cases[] = {
        {"stop: threads stopped for ever in their own caches", with_caches, 60},
        {"stop: threads stopped for ever in the shared caches", with_shared_caches, 60},
    };
    return storm_main(cases, STORM_COUNT(cases));
}
