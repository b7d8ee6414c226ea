/* janitor_test.c: the janitor on another machine, started by EMMA_CONF=janitor=on: it comes when much is freed, gives back
 * what is, and goes; then once more, on the same stack.
 *
 * In the program's first process: qemu 7.2 says that it wipes pages in children of fork, and does not, so a janitor is
 * never started in one (docs/SYSCALLS.md, MADV_WIPEONFORK). */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../storm/storm.h"

enum { LUMPS = 512, LUMP_BYTES = 60000, PATIENCE_MS = 15000, LOOK_MS = 50 };

static void rise_and_free(void) {
    static void *lump[LUMPS];
    for (size_t i = 0; i < LUMPS; i++)
        if (EXPECT((lump[i] = malloc(LUMP_BYTES)) != NULL))
            memset(lump[i], 1, LUMP_BYTES);
    for (size_t i = 0; i < LUMPS; i++)
        free(lump[i]);
}

static emma_stats stats_now(void) {
    emma_stats stats;
    emma_stats_read(&stats);
    return stats;
}

static void janitor_cleans_up(void) {
    size_t threads = storm_threads(); /* the emulator's own among them */
    size_t resident = storm_resident_bytes();
    EXPECT(emma_configure("dirty_bytes=1G") == NULL); /* nobody but the janitor purges */
    for (size_t round = 0; round < 2; round++) {
        rise_and_free();
        size_t full = storm_resident_bytes();
        EXPECT(storm_threads() == threads + 1 && full > resident + (size_t)LUMPS * LUMP_BYTES / 2);
        for (size_t ms = 0; ms < PATIENCE_MS && (stats_now().dirty_bytes != 0 || storm_threads() > threads);
             ms += LOOK_MS)
            usleep(LOOK_MS * 1000);
        size_t after = storm_resident_bytes();
        storm_note("resident %zu KiB, full %zu KiB, after the janitor %zu KiB", resident >> 10, full >> 10,
                   after >> 10);
        EXPECT(stats_now().dirty_bytes == 0 && storm_threads() == threads);
        EXPECT(after < full - (size_t)LUMPS * LUMP_BYTES / 4 * 3);
    }
}

int main(void) {
    enum { SECONDS_MAX = 60 };
    static const storm_case cases[] = {{"cross: the janitor gives memory back and goes", janitor_cleans_up, 40}};
    setenv("EMMA_TEST_NO_FORK", "1", 1);
    alarm(SECONDS_MAX);
    return storm_main(cases, STORM_COUNT(cases));
}
