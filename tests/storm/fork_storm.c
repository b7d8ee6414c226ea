/* fork_storm.c: forks at any instant, while four threads allocate. The child uses the heap at once: it checks and frees
 * what it inherited, allocates in old and new threads, forks again. */
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storm_work.h"

enum { THREADS = 4, CHAIN = 80, CHILDREN = 6, NICE = 15 };

static _Atomic(bool) stop;
static pthread_t threads[THREADS];
static storm_work main_work;

static void *churn(void *argument) {
    storm_work work = storm_work_new((uint64_t)(uintptr_t)argument, SIZE_MAX);
    while (!atomic_load(&stop))
        storm_work_run(&work, 100);
    storm_work_end(&work);
    return NULL;
}

/* Behind all others: children are waited for, and must not wait themselves. */
static void *churn_behind(void *argument) {
    setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
    return churn(argument);
}

static void start_threads(void *(*run)(void *)) {
    atomic_store(&stop, false);
    for (size_t i = 0; i < THREADS; i++)
        EXPECT(pthread_create(&threads[i], NULL, run, (void *)(uintptr_t)(storm_seed() + i)) == 0); // NOLINT
}

static void stop_threads(void) {
    atomic_store(&stop, true);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

/* Fork; the child works and, at times, forks itself. Returns: the child. */
static pid_t fork_once(uint64_t random, bool raw, unsigned depth) {
    pid_t child = storm_fork(random >> 8, raw);
    if (!EXPECT(child >= 0) || child > 0)
        return child;
    if (depth > 0 && random % 8 == 0)
        EXPECT(storm_reap(fork_once(random >> 1, raw, depth - 1)));
    storm_work_in_child(&main_work, 60, !raw);
    if (random % 64 == 0)
        storm_collect();
    _exit(0);
}

static void forks(bool raw) {
    main_work = storm_work_new(storm_seed(), SIZE_MAX);
    start_threads(churn_behind);
    size_t count = storm_amount(5000, 50000);
    pid_t children[CHILDREN] = {0}; /* so many at once, so that nobody waits for the scheduler */
    uint64_t random = storm_seed();
    for (size_t i = 0; i < count && !storm_failed(); i++) {
        storm_work_run(&main_work, 50);
        pid_t *oldest = &children[i % CHILDREN];
        EXPECT(*oldest == 0 || storm_reap(*oldest));
        *oldest = fork_once(storm_random(&random), raw, 2);
    }
    for (size_t i = 0; i < CHILDREN; i++)
        EXPECT(children[i] == 0 || storm_reap(children[i]));
    stop_threads();
    storm_work_end(&main_work);
}

static void plain_forks(void) {
    forks(false);
}

static void raw_forks(void) {
    forks(true);
}

/* Forks from signal handlers that interrupt allocation, in any thread. */
static _Atomic(size_t) handler_forks;

static void fork_in_handler(int number) {
    (void)number;
    size_t count = atomic_fetch_add(&handler_forks, 1);
    pid_t child = storm_fork(count, true);
    if (child == 0) {
        storm_work_in_child(NULL, 200, false);
        _exit(0);
    }
    EXPECT(child > 0 && storm_reap(child));
}

/* The interrupted thread itself goes on in the child for a while. */
static void fork_and_return(int number) {
    (void)number;
    if (atomic_load(&stop))
        return;
    pid_t child = _Fork();
    if (child == 0) {
        atomic_store(&stop, true); /* the interrupted frame ends its work, and the child with it */
        return;
    }
    atomic_fetch_add(&handler_forks, 1);
    EXPECT(child > 0 && storm_reap(child));
}

static void forks_in_handlers(void (*handler)(int), size_t count) {
    pid_t self = getpid();
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    main_work = storm_work_new(storm_seed(), SIZE_MAX);
    atomic_store(&handler_forks, 0);
    start_threads(churn);
    uint64_t random = storm_seed();
    for (size_t i = 0; i < count && !storm_failed(); i++) {
        size_t before = atomic_load(&handler_forks);
        pthread_kill(threads[i % THREADS], SIGUSR1);
        while (atomic_load(&handler_forks) == before)
            usleep((useconds_t)storm_below(&random, 50));
    }
    if (getpid() == self)
        stop_threads();
    EXPECT(atomic_load(&handler_forks) >= count);
}

static void handlers_fork(void) {
    forks_in_handlers(fork_in_handler, storm_amount(400, 4000));
}

/* In the child only the interrupted thread exists; it finds stop set, checks and frees its blocks, and leaves. */
static void *churn_or_leave(void *argument) {
    pid_t self = getpid();
    churn(argument);
    if (getpid() != self)
        _exit(0);
    return NULL;
}

static void handlers_fork_and_return(void) {
    struct sigaction action = {.sa_handler = fork_and_return, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    size_t count = storm_amount(400, 4000);
    atomic_store(&handler_forks, 0);
    start_threads(churn_or_leave);
    for (size_t i = 0; i < count && !storm_failed(); i++) {
        size_t before = atomic_load(&handler_forks);
        pthread_kill(threads[i % THREADS], SIGUSR1);
        while (atomic_load(&handler_forks) == before)
            usleep(20);
    }
    stop_threads();
    EXPECT(atomic_load(&handler_forks) >= count);
}

/* vfork: the child shares the memory; it allocates and frees, then becomes another program. */
static void vforks(void) {
    storm_without_cpu(); /* as the child must */
    start_threads(churn);
    main_work = storm_work_new(storm_seed(), 100000);
    static volatile size_t in_child;
    for (size_t i = 0; i < storm_amount(200, 2000) && !storm_failed(); i++) {
        pid_t child = vfork(); // NOLINT
        if (child == 0) {
            storm_work_run(&main_work, 50);
            in_child++;
            execl("/bin/true", "true", (char *)NULL);
            _exit(1);
        }
        EXPECT(child > 0 && storm_reap(child));
        storm_work_run(&main_work, 50);
    }
    EXPECT(in_child != 0);
    stop_threads();
    storm_work_end(&main_work);
}

/* posix_spawn: the child shares the memory until it has become another program; its actions are lists of libc's on the heap. */
static void spawns(void) {
    start_threads(churn);
    main_work = storm_work_new(storm_seed(), 100000);
    for (size_t i = 0; i < storm_amount(200, 2000) && !storm_failed(); i++) {
        pid_t child = -1;
        posix_spawn_file_actions_t actions;
        EXPECT(posix_spawn_file_actions_init(&actions) == 0);
        for (int file = 100; file < 120; file++)
            EXPECT(posix_spawn_file_actions_addclose(&actions, file) == 0);
        EXPECT(posix_spawnp(&child, "true", &actions, NULL, (char *[]){(char[]){"true"}, NULL}, environ) == 0);
        posix_spawn_file_actions_destroy(&actions);
        storm_work_run(&main_work, 50);
        EXPECT(child > 0 && storm_reap(child));
    }
    stop_threads();
    storm_work_end(&main_work);
}

/* A child of a child of a child ..., each born while threads allocate: what each birth loses is bounded. */
static void chain_of_forks(void) {
    main_work = storm_work_new(storm_seed(), 100000);
    size_t depth = 0;
    emma_stats before;
    emma_stats after;
    storm_stats(&before);
    for (pid_t child = 0; child == 0 && depth < CHAIN; depth++) {
        start_threads(churn);
        storm_work_run(&main_work, 3000);
        child = fork();
        if (child != 0) {
            stop_threads();
            EXPECT(storm_reap(child));
            return;
        }
    }
    storm_work_end(&main_work);
    storm_collect();
    storm_stats(&after);
    storm_note("after %zu generations: mapped %zu MiB, lost %zu MiB", depth, after.mapped_bytes >> 20,
               (after.allocated_bytes - before.allocated_bytes) >> 20);
    /* What a vanished thread may have held: its blocks, and per birth a run of slices and some magazines. */
    EXPECT(after.mapped_bytes - before.mapped_bytes < CHAIN * (size_t)THREADS * (16 << 20));
    _exit(0);
}

/* Another thread gives memory back all the time; a child born meanwhile can do so, too. */
static void *collect(void *argument) {
    while (!atomic_load(&stop))
        storm_collect();
    return argument;
}

static void give_back_in_child(void) {
    enum { BLOCKS = 20000, BYTES = 512 };
    static void *block[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++)
        memset(block[i] = storm_malloc(BYTES), 1, BYTES);
    size_t full = storm_resident_bytes();
    for (size_t i = 0; i < BLOCKS; i++)
        if (i % 100 != 0) /* so that the spans stay */
            storm_free(block[i]);
    for (size_t i = 0; i < 3; i++)
        storm_collect();
    size_t after = storm_resident_bytes();
    if (!EXPECT(after + (size_t)BLOCKS * BYTES / 8 * 5 < full)) /* of made heaps: of both */
        storm_note("resident: %zu KiB, after free and emma_collect %zu KiB", full >> 10, after >> 10);
    _exit(0);
}

static void collect_after_fork(void) {
    start_threads(collect);
    for (size_t i = 0; i < storm_amount(50, 500) && !storm_failed(); i++) {
        pid_t child = fork();
        if (child == 0)
            give_back_in_child();
        EXPECT(child > 0 && storm_reap(child));
    }
    stop_threads();
}

int main(void) {
    static const storm_case cases[] = {
        {"fork: under four allocating threads, two levels deep", plain_forks, 60},
        {"fork: _Fork and clone without libc", raw_forks, 60},
        {"fork: in signal handlers", handlers_fork, 60},
        {"fork: in signal handlers, the interrupted frame goes on", handlers_fork_and_return, 60},
        {"fork: vfork, allocation, exec", vforks, 60},
        {"fork: posix_spawn", spawns, 60},
        {"fork: a chain of generations", chain_of_forks, 60},
        {"fork: memory goes back in a child of a process that was giving back", collect_after_fork, 60},
    };
    return storm_main(cases, STORM_COUNT(cases));
}
