/* load_storm_plugin.c: the library that load_storm.c opens and closes. It is linked with libemma.so. */
#include <string.h>

#include "emma.h"

__attribute__((visibility("default"))) size_t load_storm_work(unsigned long seed, size_t operations);

/* Allocate and free in a window of 32 blocks. Returns: how many blocks were as they should be. */
size_t load_storm_work(unsigned long seed, size_t operations) {
    enum { WINDOW = 32 };
    unsigned char *block[WINDOW] = {0};
    size_t size[WINDOW] = {0};
    size_t sound = 0;
    for (size_t i = 0; i < operations + WINDOW; i++) {
        size_t at = i % WINDOW;
        if (block[at] != 0) {
            sound += block[at][0] == (unsigned char)at && block[at][size[at] - 1] == (unsigned char)at;
            emma_free(block[at]);
            block[at] = 0;
        }
        if (i >= operations)
            continue;
        seed = seed * 6364136223846793005ul + 1442695040888963407ul;
        size[at] = 1 + (seed >> 33) % (i % 50 == 0 ? 100000 : 2000);
        block[at] = emma_malloc(size[at]);
        if (block[at] != 0)
            memset(block[at], (int)at, size[at]);
    }
    return sound;
}
