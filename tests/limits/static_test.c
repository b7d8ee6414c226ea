/* static_test.c: a static program of libc's and C's kind that is linked with libemma-malloc.a or libemma-malloc.o: libc's own
 * allocations, threads and children of fork are on emma. */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../storm/storm.h"

static void libc_allocates_from_emma(void) {
    char *copied = strdup("a text");
    char *printed = NULL;
    EXPECT(asprintf(&printed, "%s of %d", copied, 7) == 11);
    EXPECT(emma_owns(copied) == 1 && emma_owns(printed) == 1);
    free(copied);
    free(printed);
    FILE *file = fopen("/proc/self/status", "r");
    EXPECT(file != NULL && emma_owns(file) == 1);
    char *line = NULL;
    size_t room = 0;
    EXPECT(getline(&line, &room, file) > 0 && emma_owns(line) == 1);
    free(line);
    fclose(file);
}

static void all_functions(void) {
    void *block[9] = {malloc(1000), calloc(10, 100), aligned_alloc(64, 1000), memalign(64, 1000),
                      valloc(1000), pvalloc(1000),   realloc(NULL, 1000),     reallocarray(NULL, 10, 100)};
    EXPECT(posix_memalign(&block[8], 64, 1000) == 0);
    for (size_t i = 0; i < STORM_COUNT(block); i++) {
        EXPECT(block[i] != NULL && emma_owns(block[i]) == 1 && malloc_usable_size(block[i]) >= 1000);
        memset(block[i], 1, 1000);
    }
    EXPECT(mallinfo2().uordblks >= 9000);
    for (size_t i = 0; i < STORM_COUNT(block); i++)
        free(block[i]);
}

static void *work(void *argument) {
    void *block[500] = {0};
    uint64_t state = (uintptr_t)argument;
    for (size_t i = 0; i < 100000; i++) {
        void **slot = &block[storm_below(&state, STORM_COUNT(block))];
        free(*slot);
        *slot = malloc(storm_below(&state, 3000));
    }
    for (size_t i = 0; i < STORM_COUNT(block); i++)
        free(block[i]);
    return argument;
}

static void threads_and_forks(void) {
    for (size_t round = 0; round < 5; round++) {
        pthread_t thread[4];
        static char names[4];
        for (size_t i = 0; i < STORM_COUNT(thread); i++)
            EXPECT(pthread_create(&thread[i], NULL, work, &names[i]) == 0);
        pid_t child = fork();
        if (child == 0)
            _exit(work(names) == names ? 0 : 1);
        EXPECT(storm_reap(child));
        for (size_t i = 0; i < STORM_COUNT(thread); i++)
            pthread_join(thread[i], NULL);
    }
}

int main(void) {
    static const storm_case cases[] = {
        {"static program: libc allocates from emma", libc_allocates_from_emma, 10},
        {"static program: all functions", all_functions, 10},
        {"static program: threads and forks", threads_and_forks, 60},
    };
    return storm_main(cases, STORM_COUNT(cases));
}
