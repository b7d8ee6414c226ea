/* load_storm.c: a library that uses emma comes and goes by dlopen and dlclose, with threads at work. The program itself
 * uses libc's malloc: both allocators live side by side. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "storm.h"

enum { THREADS = 3 };

typedef size_t load_work(uint64_t seed, size_t operations);

static char library_path[4096];
static _Atomic(bool) stop;

static load_work *find_work(void *library) {
    load_work *work = NULL;
    void *symbol = dlsym(library, "load_storm_work");
    memcpy(&work, &symbol, sizeof work);
    return work;
}

/* Opens, works and closes, as the others do: the library is often in use by some and not by others. */
static void *open_work_close(void *argument) {
    for (uint64_t seed = (uintptr_t)argument; !atomic_load(&stop); seed++) {
        void *library = dlopen(library_path, RTLD_NOW | RTLD_LOCAL);
        if (!EXPECT(library != NULL))
            return NULL;
        EXPECT(find_work(library)(seed, 200) == 200);
        EXPECT(dlclose(library) == 0);
        free(malloc(seed % 1000)); // NOLINT
    }
    return NULL;
}

static void *work_once(void *argument) {
    load_work *work = NULL;
    memcpy(&work, argument, sizeof work);
    EXPECT(work(storm_seed(), 200) == 200);
    return NULL;
}

static void rounds(size_t count) {
    for (size_t i = 0; i < count && !storm_failed(); i++) {
        void *library = dlopen(library_path, RTLD_NOW | RTLD_LOCAL);
        if (!EXPECT(library != NULL)) {
            storm_note("%s", dlerror());
            return;
        }
        load_work *work = find_work(library);
        pthread_t thread;
        EXPECT(pthread_create(&thread, NULL, work_once, &work) == 0);
        EXPECT(work(i, 100) == 100);
        pthread_join(thread, NULL);
        EXPECT(dlclose(library) == 0);
    }
}

static void alone(void) {
    rounds(300); /* records and magazines of the first threads */
    size_t before = storm_resident_bytes();
    rounds(storm_amount(1000, 10000));
    size_t after = storm_resident_bytes();
    storm_note("resident %zu -> %zu KiB", before >> 10, after >> 10);
    EXPECT(after < before + (4 << 20));
}

static void with_threads(void) {
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        EXPECT(pthread_create(&threads[i], NULL, open_work_close, (void *)(uintptr_t)(i * 1000)) == 0); // NOLINT
    rounds(storm_amount(1000, 10000));
    atomic_store(&stop, true);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

/* The plugin lies beside this program. */
int main(int argc, char **argv) {
    (void)argc;
    static const storm_case cases[] = {
        {"load: dlopen and dlclose", alone, 60},
        {"load: dlopen and dlclose beside threads that do the same", with_threads, 60},
    };
    char *path = realpath(argv[0], NULL);
    if (path == NULL)
        return 1;
    *strrchr(path, '/') = '\0';
    strncpy(library_path, path, sizeof library_path - 30);
    strcat(library_path, "/load_storm_plugin.so");
    free(path);
    return storm_main(cases, STORM_COUNT(cases));
}
