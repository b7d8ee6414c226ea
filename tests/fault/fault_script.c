/* fault_script.c: see fault_script.h. */
#include "fault_script.h"

#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../storm/storm.h"
#include "api/fast.h"
#include "fault_plan.h"

enum { BLOCKS = 64, EDGE_BYTES = 4096 };

typedef struct script {
    struct {
        unsigned char *at;
        size_t size_bytes;
    } block[BLOCKS];
    size_t failed;
} script;

static size_t edge(size_t size_bytes) {
    return size_bytes < EDGE_BYTES ? size_bytes : EDGE_BYTES;
}

static void fill(script *run, unsigned i) {
    unsigned char *at = run->block[i].at;
    size_t size = run->block[i].size_bytes;
    memset(at, (int)i + 1, edge(size));
    memset(at + size - edge(size), (int)i + 1, edge(size));
}

static bool holds(const unsigned char *at, unsigned i, size_t bytes) {
    for (size_t k = 0; k < edge(bytes); k++)
        if (at[k] != i + 1)
            return false;
    return true;
}

/* A new block, or NULL. */
static void keep(script *run, unsigned i, void *at, size_t size_bytes) {
    run->block[i].at = at;
    run->block[i].size_bytes = size_bytes;
    if (at == NULL) {
        run->failed++;
        return;
    }
    EXPECT(emma_usable_size(at) >= size_bytes);
    fill(run, i);
}

static void drop(script *run, unsigned i) {
    unsigned char *at = run->block[i].at;
    size_t size = run->block[i].size_bytes;
    EXPECT(at == NULL || (holds(at, i, size) && holds(at + size - edge(size), i, size)));
    emma_free(at);
    run->block[i].at = NULL;
}

static void resize(script *run, unsigned i, size_t size_bytes) {
    unsigned char *before = run->block[i].at;
    size_t old = run->block[i].size_bytes;
    unsigned char *at = emma_realloc(before, size_bytes);
    if (at == NULL) { /* the old one is as it was */
        run->failed++;
        if (before != NULL)
            EXPECT(emma_usable_size(before) >= old && holds(before, i, old) && holds(before + old - edge(old), i, old));
        return;
    }
    EXPECT(before == NULL || holds(at, i, old < size_bytes ? old : size_bytes));
    keep(run, i, at, size_bytes);
}

static void resize_in_place(script *run, unsigned i, size_t min, size_t want) {
    unsigned char *at = run->block[i].at;
    if (at == NULL)
        return;
    size_t old = run->block[i].size_bytes;
    size_t usable = emma_realloc_in_place(at, min, want);
    EXPECT(usable == 0 || usable >= min);
    EXPECT(holds(at, i, old < min ? old : min));
    EXPECT(usable == 0 ? emma_usable_size(at) >= old : emma_usable_size(at) == usable);
    if (usable != 0)
        keep(run, i, at, usable);
}

static void allocate_all_kinds(script *run) {
    static const size_t sizes[] = {1,     40,     200,    1000,    3000,    9000,     30000,
                                   32769, 100000, 500000, 2000000, 5000000, 20000000, 33000000};
    unsigned i = 0;
    for (size_t k = 0; k < STORM_COUNT(sizes); k++) {
        keep(run, i++, emma_malloc(sizes[k]), sizes[k]);
        unsigned char *zeroed = emma_calloc(1, sizes[k]);
        EXPECT(zeroed == NULL || (zeroed[0] == 0 && zeroed[sizes[k] / 2] == 0 && zeroed[sizes[k] - 1] == 0));
        keep(run, i++, zeroed, sizes[k]);
    }
    for (unsigned log2 = 5; log2 < 25; log2 += 3) {
        size_t align = (size_t)1 << log2;
        void *at = emma_aligned_alloc(align, 3 * align / 2);
        EXPECT((uintptr_t)at % align == 0);
        keep(run, i++, at, 3 * align / 2);
    }
    keep(run, i++, emma_malloc((size_t)70 << 20), (size_t)70 << 20);
    keep(run, i++, emma_aligned_alloc((size_t)64 << 20, 1000), 1000);
}

static void resize_all_kinds(script *run) {
    resize_in_place(run, 16, 150000, 200000);
    resize_in_place(run, 18, 90000, 90000);
    resize_in_place(run, 35, (size_t)80 << 20, (size_t)140 << 20);
    resize_in_place(run, 35, (size_t)30 << 20, (size_t)30 << 20);
    for (unsigned i = 0; i < 28; i += 3) {
        resize(run, i, run->block[i].size_bytes * 3 + 100);
        resize(run, i, run->block[i].size_bytes / 5 + 1);
    }
    resize(run, 20, 3000000); /* grows in steps: into the neighbours, then by moving */
    resize(run, 20, 12000000);
    resize(run, 20, 40000000);
    resize(run, 20, 140000000);
    resize(run, 20, 1000000);
    resize(run, 20, 1000);
    resize(run, 60, 5000);
}

static void *in_thread(void *argument) {
    size_t *failed = argument;
    void *blocks[100];
    for (size_t i = 0; i < 100; i++) {
        blocks[i] = emma_malloc(i * 37);
        *failed += blocks[i] == NULL;
    }
    for (size_t i = 0; i < 100; i++)
        emma_free(blocks[i]);
    emma_thread_exit();
    void *late = emma_malloc(100);
    *failed += late == NULL;
    emma_free(late);
    return NULL;
}

static void in_child(script *run) {
    pid_t child = fork();
    if (child == 0) {
        size_t failed = 0;
        in_thread(&failed);
        for (unsigned i = 0; i < BLOCKS; i++)
            drop(run, i);
        emma_collect();
        _exit(0);
    }
    EXPECT(child > 0 && storm_reap(child));
}

/* Many small blocks of several classes, most of them freed: spans come and go, memory is purged. */
static void rise_and_fall(script *run) {
    enum { MANY = 3000 };
    static void *many[MANY];
    for (size_t i = 0; i < MANY; i++) {
        many[i] = emma_malloc(i % 7 * 300 + 16);
        run->failed += many[i] == NULL;
    }
    for (size_t i = 0; i < MANY; i++)
        if (i % 50 != 0)
            emma_free(many[i]);
    emma_collect();
    for (size_t i = 0; i < MANY; i += 50)
        emma_free(many[i]);
}

size_t fault_script_run(void) {
    script run = {.failed = 0};
    allocate_all_kinds(&run);
    rise_and_fall(&run);
    pthread_t thread;
    if (EXPECT(pthread_create(&thread, NULL, in_thread, &run.failed) == 0))
        pthread_join(thread, NULL);
    resize_all_kinds(&run);
    in_child(&run);
    for (unsigned i = 0; i < BLOCKS; i++)
        drop(&run, i);
    emma_stats stats;
    emma_stats_read(&stats);
    emma_collect();
    return run.failed;
}

void fault_script_check(void) {
    emma_regions *regions = emma__heap_regions(&emma__default_heap);
    emma_collect();
    emma_stats stats;
    emma_stats_read(&stats);
    EXPECT(stats.allocated_bytes == 0 && stats.large_blocks == 0 && stats.large_bytes == 0);
    /* Where the barrier was refused, what idles in other processors' slots may stay there, and its spans; and where
     * that or the look at a thread's word was, what lies in a thread's cache. */
    EXPECT(stats.cached_bytes == 0 || fault_failed(SYS_membarrier) + fault_failed(SYS_futex) != 0);
    if (!EXPECT(stats.dirty_bytes == 0))
        storm_note("dirty: %zu", stats.dirty_bytes);
    EXPECT(emma__regions_valid(regions));
    size_t tracts = 0;
    size_t slots = 0;
    for (emma_region *region = atomic_load(&regions->first); region != NULL; region = atomic_load(&region->next)) {
        for (size_t i = 0; i < EMMA_REGION_SLOT_WORDS; i++) {
            tracts += emma__bits_count(atomic_load(&region->word[i].tract));
            slots += emma__bits_count(atomic_load(&region->word[i].slot));
        }
    }
    size_t used = atomic_load(&regions->used_slices);
    if (!EXPECT(used == tracts * EMMA_TRACT_META_SLICES || stats.cached_bytes != 0))
        storm_note("used slices: %zu, tracts: %zu", used, tracts);
    /* A huge block whose munmap is refused, or to which a move is, keeps its addresses, and so do places that are said to be
     * occupied; the script's have at most four slots. */
    EXPECT(slots >= tracts && slots - tracts <= atomic_load(&fault_kept) * 4);
}
