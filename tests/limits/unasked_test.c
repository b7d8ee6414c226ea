/* unasked_test.c: when there is a thread more than the program made, by default: in the drop-in (preloaded) once a second
 * thread has used it and much was freed, never before; in libemma (linked) only where the program asks for it. */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "../storm/storm.h"

#pragma weak emma_owns
#pragma weak emma_configure

enum { BLOCKS = 40000, LARGE_BLOCKS = 60, LARGE_BYTES = 1 << 20, BURSTS = 4 };

static void *block[BLOCKS];

/* Much is freed, small blocks and large ones. Returns: the most threads that were seen. */
static size_t burst(void) {
    size_t most = 0;
    uint64_t random = storm_seed();
    for (size_t i = 0; i < BLOCKS; i++) {
        size_t size = i % (BLOCKS / LARGE_BLOCKS) == 0 ? LARGE_BYTES : 16 + storm_below(&random, 4000);
        if (EXPECT((block[i] = storm_malloc(size)) != NULL))
            memset(block[i], 1, size);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        storm_free(block[i]);
        size_t now = i % 1000 == 0 || i == BLOCKS - 1 ? storm_threads() : 0;
        most = now > most ? now : most;
    }
    return most;
}

/* The same again and again, for longer than a second: what is decided each second is decided too. */
static size_t bursts(void) {
    size_t most = 0;
    for (size_t i = 0; i < BURSTS; i++) {
        size_t now = burst();
        most = now > most ? now : most;
        usleep(300000);
    }
    return most;
}

static void *use(void *unused) {
    (void)unused;
    void *mine = storm_malloc(100);
    EXPECT(emma_owns != NULL && emma_owns(mine) == 1);
    storm_free(mine);
    return NULL;
}

static void use_in_a_thread(void) {
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, use, NULL) == 0);
    pthread_join(thread, NULL);
}

static void one_thread(void) {
    use(NULL);
    EXPECT(bursts() == 1);
    pid_t child = fork(); /* alone as well */
    if (child == 0)
        _exit(bursts() == 1 ? 0 : 1);
    EXPECT(storm_reap(child));
}

/* Also when that thread is gone. */
static void second_thread(void) {
    use_in_a_thread();
    size_t most = bursts();
    EXPECT(most == (STORM_DROP_IN ? 2 : 1));
}

static void asked_for(void) {
    EXPECT(emma_configure("janitor=on") == NULL);
    EXPECT(bursts() == 2);
}

static void refused(void) {
    EXPECT(emma_configure("janitor=off") == NULL);
    use_in_a_thread();
    EXPECT(bursts() == 1);
}

int main(void) {
    static const storm_case cases[] = {
        {"janitor: none in a process with one thread, nor in its child", one_thread, 20},
        {STORM_DROP_IN ? "janitor: one when a second thread has used the drop-in"
                       : "janitor: libemma starts none unasked",
         second_thread, 20},
        {"janitor: one where it is asked for", asked_for, 20},
        {"janitor: none where it is refused", refused, 20},
    };
    return storm_main(cases, STORM_COUNT(cases));
}
