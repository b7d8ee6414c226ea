/* maps_test.c: the number of mappings: how many emma makes, and what it does when the process may have no more. malloc and
 * free of the drop-in, preloaded. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../storm/storm.h"
#include "limits.h"

#pragma weak emma_owns
#pragma weak emma_stats_read
#pragma weak emma_configure

enum {
    MIB = 1 << 20,
    TRACT = 64 * MIB,
    PAGE = 4096,
    THREADS = 3,
    SLOTS = 400,
    STEPS = 60000,
    OF_OWN = 64,  /* regions' headers, caches' records, stripes, the janitor's stack, threads' stacks */
    OF_TRACT = 6, /* where parts of it have huge pages; else 1 */
    HUGE = 32 * MIB,
    LARGE = 32768, /* above it a block can become a huge one by moving */
    MOST = 300000, /* mappings that this test is ready to make */
};

static void runs_on_emma(void) {
    void *block = calloc(1, 1);
    EXPECT(emma_owns != NULL && emma_owns(block) == 1);
    free(block);
}

/* --- max_map_count --- */

/* Make mappings until there can be no more. Returns: where they are; NULL: the machine allows too many. */
static char *exhaust_mappings(void) {
    char *pages = mmap(NULL, (size_t)2 * MOST * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    EXPECT(pages != MAP_FAILED);
    for (size_t i = 1; i < MOST; i++)
        if (mprotect(pages + 2 * i * PAGE, PAGE, PROT_READ) != 0)
            break;
    /* What is left does not allow two more; now none: a page read-only at the end of the last one. */
    for (size_t i = 0; i < 4; i++)
        if (mmap(NULL, PAGE, i % 2 == 0 ? PROT_READ : PROT_EXEC, MAP_SHARED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
            return pages;
    return NULL;
}

static void free_without_mappings(void) {
    /* Three whole slots: neighbours, one mapping for the kernel. Giving back the one in the middle needs one more. */
    enum { BYTES = TRACT };
    char *block[3];
    for (size_t i = 0; i < 3; i++) {
        block[i] = malloc(BYTES);
        EXPECT(block[i] != NULL);
        memset(block[i], (int)i + 1, BYTES);
    }
    EXPECT(block[1] == block[0] + TRACT && block[2] == block[1] + TRACT);
    void *small[1000];
    for (size_t i = 0; i < 1000; i++)
        small[i] = malloc(i * 50);
    size_t before = storm_resident_bytes();

    char *pages = exhaust_mappings();
    if (pages == NULL)
        storm_skip("this machine allows more mappings than the test makes");
    errno = 123;
    free(block[1]);
    EXPECT(errno == 123);
    EXPECT(before - storm_resident_bytes() > TRACT / 2); /* the memory went back, mapping or not */
    for (size_t i = 0; i < BYTES; i += PAGE)
        if (!EXPECT(block[0][i] == 1 && block[2][i] == 3))
            break;
    errno = 0;
    EXPECT(malloc(3 * (size_t)TRACT) == NULL && errno == ENOMEM);
    for (size_t i = 0; i < 1000; i++)
        EXPECT((small[i] = realloc(small[i], i * 50 + 100)) != NULL);
    errno = 123;
    for (size_t i = 0; i < 1000; i++)
        free(small[i]);
    free(block[0]);
    free(block[2]);
    malloc_trim(0);
    EXPECT(errno == 123);

    munmap(pages, (size_t)2 * MOST * PAGE);
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < 3; i++)
            EXPECT((block[i] = malloc(BYTES)) != NULL);
        for (size_t i = 0; i < 3; i++)
            free(block[i]);
    }
    EXPECT(limits_mappings() < 200);
}

/* --- how many --- */

typedef struct slot {
    void *block;
    bool was_resized;
} slot;

static slot live[THREADS][SLOTS];
static _Atomic(uint64_t) runs;

static void *work(void *argument) {
    slot *mine = argument;
    uint64_t state = storm_seed() ^ (uintptr_t)argument ^ (uint64_t)atomic_fetch_add(&runs, 1) << 48;
    for (size_t step = 0; step < storm_amount(STEPS, 20 * STEPS); step++) {
        slot *one = &mine[storm_below(&state, SLOTS)];
        size_t size = limits_any_size(&state);
        if (storm_below(&state, 3) == 0) {
            void *other = realloc(one->block, size + 1);
            one->block = other != NULL ? other : one->block;
            one->was_resized = true;
        } else {
            free(one->block);
            *one = (slot){malloc(size), false};
        }
        if (one->block != NULL)
            *(char *)one->block = 1;
    }
    return NULL;
}

/* docs/SYSCALLS.md: the most that there may be beside what there was before emma had any. A block with a mapping of its
 * own is a huge one, or one that may have become so by moving. */
static size_t bound(size_t of_tract) {
    size_t with_own = 0;
    size_t own_bytes = 0;
    for (size_t i = 0; i < THREADS * SLOTS; i++) {
        const slot *one = &live[i / SLOTS][i % SLOTS];
        size_t bytes = malloc_usable_size(one->block);
        with_own += bytes > HUGE || (bytes > LARGE && one->was_resized);
        own_bytes += bytes > HUGE ? bytes : 0;
    }
    emma_stats stats;
    emma_stats_read(&stats);
    size_t tracts = (stats.mapped_bytes - own_bytes) / TRACT + 1;
    storm_note("%zu large blocks, %zu that may have own mappings, %zu tracts", stats.large_blocks, with_own, tracts);
    return OF_OWN + of_tract * tracts + with_own;
}

static void long_run(size_t of_tract) {
    size_t before = limits_mappings();
    size_t most = 0;
    for (size_t round = 0; round < 4; round++) {
        pthread_t thread[THREADS];
        for (size_t i = 0; i < THREADS; i++)
            EXPECT(pthread_create(&thread[i], NULL, work, live[i]) == 0);
        for (size_t i = 0; i < THREADS; i++)
            pthread_join(thread[i], NULL);
        size_t now = limits_mappings();
        size_t may = before + bound(of_tract);
        storm_note("%zu mappings, bound %zu", now, may);
        EXPECT(now <= may);
        most = now > most ? now : most;
    }
    for (size_t i = 0; i < THREADS * SLOTS; i++) {
        free(live[i / SLOTS][i % SLOTS].block);
        live[i / SLOTS][i % SLOTS] = (slot){NULL, false};
    }
    EXPECT(most > before);
    size_t after = limits_mappings();
    storm_note("%zu mappings at the start, at most %zu, %zu when all is freed", before, most, after);
    EXPECT(after <= before + bound(of_tract));
}

static void bounded_mappings(void) {
    long_run(OF_TRACT);
}

static void bounded_with_small_pages(void) {
    EXPECT(emma_configure("huge_pages=0") == NULL);
    long_run(1);
}

/* A chunk goes back as a whole, is used again and goes back in parts: its pages are huge, then small again. */
static void change_pages(char *block[3]) {
    for (size_t i = 0; i < 3; i++)
        free(block[i]);
    malloc_trim(0);
    for (size_t i = 0; i < 3; i++)
        *(block[i] = malloc(MIB)) = 1;
    for (size_t i = 0; i < 2; i++) {
        free(block[i]);
        malloc_trim(0);
        *(block[i] = malloc(MIB)) = 1;
    }
}

static void bounded_where_pages_change(void) {
    enum { BLOCKS = 600 };
    static char *block[BLOCKS];
    size_t before = limits_mappings();
    size_t most = 0;
    for (size_t i = 0; i < BLOCKS; i++)
        *(block[i] = malloc(MIB)) = 1;
    for (size_t from = 2; from < 4; from++)
        for (size_t i = from; i + 3 <= BLOCKS; i += 4) {
            change_pages(&block[i]);
            size_t now = limits_mappings();
            most = now > most ? now : most;
        }
    size_t tracts = BLOCKS * (size_t)MIB / TRACT + 1;
    storm_note("%zu mappings at the start, at most %zu", before, most);
    EXPECT(most <= before + OF_OWN + OF_TRACT * tracts);
    for (size_t i = 0; i < BLOCKS; i++)
        free(block[i]);
}

/* Blocks that grow are moved, and each has a mapping of its own then; but not without bound. */
static void bounded_by_moving(void) {
    enum { BLOCKS = 4000 };
    static void *block[BLOCKS];
    size_t before = limits_mappings();
    for (size_t i = 0; i < BLOCKS; i++)
        block[i] = malloc(300000);
    for (size_t i = 0; i < BLOCKS; i++)
        EXPECT((block[i] = realloc(block[i], 1500000)) != NULL);
    size_t most = limits_mappings();
    storm_note("%zu mappings at the start, %zu after %d blocks were moved", before, most, BLOCKS);
    size_t tracts = (size_t)BLOCKS * 1500000 / TRACT + 1;
    EXPECT(most <= before + OF_OWN + OF_TRACT * tracts + 1024);
    for (size_t i = 0; i < BLOCKS; i++)
        free(block[i]);
    EXPECT(limits_mappings() <= before + OF_OWN + OF_TRACT * tracts);
}

int main(void) {
    static const storm_case cases[] = {
        {"runs on emma", runs_on_emma, 10},
        {"free when there can be no more mappings", free_without_mappings, 60},
        {"mappings of a long random run", bounded_mappings, 120},
        {"mappings of a long random run, huge_pages=0", bounded_with_small_pages, 120},
        {"mappings where pages become huge and small again", bounded_where_pages_change, 30},
        {"mappings of blocks that were moved", bounded_by_moving, 60},
    };
    return storm_main(cases, STORM_COUNT(cases));
}
