/* race_storm.c: two threads free the same block at the same time, or one after the other. Large and huge blocks: the
 * second free ends in the message, always. Small ones: in the message, or, where the two meet within an instruction or
 * the block lies in another thread's cache, as if nothing had happened; never in a crash. */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "storm_work.h"

typedef struct race {
    size_t size_bytes;
    bool at_once;
    void *block;
    pthread_barrier_t barrier;
} race;

static void *free_it(void *argument) {
    race *one = argument;
    storm_free(storm_malloc(one->size_bytes)); /* the thread has a cache */
    pthread_barrier_wait(&one->barrier);
    if (one->at_once)
        storm_free(one->block);
    pthread_barrier_wait(&one->barrier);
    if (!one->at_once)
        storm_free(one->block);
    return NULL;
}

/* Runs in a process of its own. */
static void free_twice(void *argument) {
    race *one = argument;
    pthread_t thread;
    pthread_barrier_init(&one->barrier, NULL, 2);
    one->block = storm_malloc(one->size_bytes);
    memset(one->block, 1, one->size_bytes < 4096 ? one->size_bytes : 4096);
    pthread_create(&thread, NULL, free_it, one);
    pthread_barrier_wait(&one->barrier);
    storm_free(one->block);
    pthread_barrier_wait(&one->barrier);
    pthread_join(thread, NULL);
}

static bool has_message(const storm_end *end) {
    return end->signal == SIGABRT && strncmp(end->text, "emma: ", 6) == 0;
}

static void races(size_t size_bytes, bool at_once, bool always) {
    size_t messages = 0;
    size_t silent = 0;
    size_t count = storm_amount(100, 2000);
    for (size_t i = 0; i < count; i++) {
        race one = {.size_bytes = size_bytes, .at_once = at_once};
        storm_end end = storm_run_apart(free_twice, &one);
        messages += has_message(&end);
        silent += end.signal == 0;
        if (!EXPECT(has_message(&end) || (!always && end.signal == 0))) {
            storm_note("signal %d, %s", end.signal, end.text);
            break;
        }
    }
    storm_note("%zu bytes, %s: %zu messages, %zu not seen", size_bytes, at_once ? "at once" : "one after the other",
               messages, silent);
}

static void small_blocks(void) {
    races(100, true, false);
    races(100, false, false);
    races(20000, true, false);
    races(20000, false, false);
}

static void large_blocks(void) {
    races(100000, true, true);
    races(100000, false, true);
}

static void huge_blocks(void) {
    races((size_t)80 << 20, true, true);
    races((size_t)80 << 20, false, true);
}

/* emma_owns may be asked for any address, also while the block there goes. */
static _Atomic(bool) stop;
static _Atomic(uintptr_t) suspect;

static void *ask(void *argument) {
    size_t yes = 0;
    while (!atomic_load(&stop))
        yes += (size_t)emma_owns((void *)atomic_load(&suspect)); // NOLINT
    EXPECT(yes != 0);
    return argument;
}

static void owns_beside_frees(void) {
    pthread_t thread;
    atomic_store(&suspect, (uintptr_t)storm_malloc(1));
    pthread_create(&thread, NULL, ask, NULL);
    usleep(1000);
    for (size_t i = 0; i < storm_amount(20000, 200000); i++) {
        void *block = storm_malloc((size_t)70 << 20);
        atomic_store(&suspect, (uintptr_t)block);
        storm_free(block);
    }
    void *last = storm_malloc(10);
    atomic_store(&suspect, (uintptr_t)last);
    usleep(1000);
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    storm_free(last);
}

int main(void) {
    static const storm_case cases[] = {
        {"race: a small block freed by two threads", small_blocks, 60},
        {"race: a large block freed by two threads", large_blocks, 60},
        {"race: a huge block freed by two threads", huge_blocks, 60},
        {"race: emma_owns beside frees", owns_beside_frees, 60},
    };
    return storm_main(cases, STORM_COUNT(cases));
}
