/* hosted.c: a system with libc and threads. */
#include "port.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

void emma_port_write(const char *text, size_t bytes) {
    fwrite(text, 1, bytes, stdout);
}

void emma_port_exit(int status) {
    exit(status);
}

enum { WORKERS = 4 };

static void (*work_of_all)(unsigned worker);
static unsigned numbers[WORKERS];

unsigned emma_port_workers(void) {
    return WORKERS;
}

static void *start(void *number) {
    work_of_all(*(unsigned *)number);
    return NULL;
}

void emma_port_parallel(void (*work)(unsigned worker)) {
    pthread_t threads[WORKERS];
    work_of_all = work;
    for (unsigned i = 0; i < WORKERS; i++) {
        numbers[i] = i;
        if (pthread_create(&threads[i], NULL, start, &numbers[i]) != 0)
            abort();
    }
    for (unsigned i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
}

unsigned long emma_port_instructions(void) {
    return 0;
}

int main(void) {
    emma_port_exit(emma_port_main());
}
