/* beside_test.c: a program that embeds emma (libemma.a, its names exported: -rdynamic) and runs with the drop-in preloaded.
 * malloc and its kin are the drop-in's and only its; emma_ functions are the program's. */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "../storm/storm.h"

enum { MIB = 1 << 20 };

/* A block of malloc's, whatever function made it, is none of the program's copy. */
static void check(char *block, size_t size) {
    if (!EXPECT(block != NULL))
        return;
    EXPECT(emma_owns(block) == 0);
    EXPECT(malloc_usable_size(block) >= size);
    memset(block, 1, size);
    free(block);
}

static void functions(void) {
    static const size_t sizes[] = {10, 5000, 100000, 70 * MIB};
    for (size_t i = 0; i < STORM_COUNT(sizes); i++) {
        size_t size = sizes[i];
        check(malloc(size), size);
        check(calloc(1, size), size);
        check(aligned_alloc(64, size), size);
        check(memalign(4096, size), size);
        check(valloc(size), size);
        check(realloc(malloc(10), size), size);
        check(realloc(malloc(size), 2 * size), 2 * size);
        void *block = NULL;
        EXPECT(posix_memalign(&block, 128, size) == 0);
        check(block, size);
        char *mine = emma_malloc(size);
        EXPECT(emma_owns(mine) == 1 && malloc_usable_size(mine) == 0);
        emma_free(mine);
    }
}

/* Figures and collecting, too: what malloc holds is not seen by the program's copy. */
static void figures(void) {
    emma_stats before;
    emma_stats after;
    check(malloc(MIB), MIB);
    emma_stats_read(&before);
    size_t in_use = mallinfo2().uordblks;
    char *block = malloc(3 * MIB);
    emma_stats_read(&after);
    EXPECT(before.allocated_bytes == after.allocated_bytes);
    EXPECT(mallinfo2().uordblks >= in_use + 3 * MIB);
    memset(block, 1, 3 * MIB);
    free(block);
    emma_stats_read(&before);
    EXPECT(before.dirty_bytes == 0); /* of the program's copy, which has nothing to give back */
}

int main(void) {
    static const storm_case cases[] = {
        {"embedded beside the drop-in: blocks", functions, 10},
        {"embedded beside the drop-in: figures", figures, 10},
    };
    return storm_main(cases, STORM_COUNT(cases));
}
