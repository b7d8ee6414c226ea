/* fault_heap_test.c: the same for made heaps: every system call of a heap's whole life that may fail does, from making it
 * to destroying it.
 *
 * The script makes a heap, fills it with blocks of all kinds, lends it memory, moves its break, frees by parts, collects,
 * resets, fills it again up to its limit and destroys it. What is refused is NULL or 0 and changes nothing; all that was
 * not refused is what it should be, at each step. After destroy no more is mapped or resident than before, but where
 * unmapping itself was refused. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../storm/storm.h"
#include "emma_heap.h"
#include "fault_plan.h"

enum {
    BLOCKS = 40,
    EDGE_BYTES = 4096,
    MANY = 2000,
    PIECES = 80, /* more than a page of notes holds */
    PIECE_BYTES = 256,
    RISE_BYTES = (1 << 20) + 100,
    FULL_BYTES = 1 << 20,
    FULL_MOST = 64,
    LIMIT_BYTES = 176 << 20,
    TRACTS_BYTES = 512 << 10, /* what further tracts take for themselves */
    NOTES_BYTES = 512 << 10,  /* of huge blocks and lent memory: they stay */
    RESIDENT_BYTES = 1 << 20, /* the same, and the test's own */
};

typedef struct script {
    emma_heap *heap;
    size_t refused;
    bool is_stuck; /* a block could not be freed, for want of a note */
    struct {
        unsigned char *at;
        size_t size_bytes;
        bool is_seen;
    } block[BLOCKS];
} script;

static emma_heap_config config;
static size_t mapped_before;
static size_t resident_before;

static size_t mapped_bytes(void) {
    char text[100] = "";
    int file = open("/proc/self/statm", O_RDONLY);
    EXPECT(read(file, text, sizeof text - 1) > 0);
    close(file);
    return (size_t)strtoull(text, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

static emma_heap_stats stats_of(emma_heap *heap) {
    emma_heap_stats stats;
    emma_heap_stats_read(heap, &stats);
    return stats;
}

/* --- a table of blocks --- */

static size_t edge(size_t size_bytes) {
    return size_bytes < EDGE_BYTES ? size_bytes : EDGE_BYTES;
}

static bool all_are(const unsigned char *at, size_t bytes, unsigned value) {
    return bytes == 0 || (at[0] == (unsigned char)value && memcmp(at, at + 1, bytes - 1) == 0);
}

static bool holds(const unsigned char *at, size_t bytes, unsigned i) {
    return all_are(at, edge(bytes), i + 1);
}

static void keep(script *run, unsigned i, void *at, size_t size_bytes) {
    run->block[i].at = at;
    run->block[i].size_bytes = size_bytes;
    if (at == NULL) {
        run->refused++;
        return;
    }
    EXPECT(emma_heap_of(at) == run->heap && emma_usable_size(at) >= size_bytes);
    memset(at, (int)i + 1, edge(size_bytes));
    memset((char *)at + size_bytes - edge(size_bytes), (int)i + 1, edge(size_bytes));
}

static void drop(script *run, unsigned i) {
    unsigned char *at = run->block[i].at;
    size_t size = run->block[i].size_bytes;
    EXPECT(at == NULL || (holds(at, size, i) && holds(at + size - edge(size), size, i)));
    emma_heap_free(run->heap, at);
    run->block[i].at = NULL;
}

static void resize(script *run, unsigned i, size_t size_bytes) {
    unsigned char *before = run->block[i].at;
    size_t old = run->block[i].size_bytes;
    unsigned char *at = emma_heap_realloc(run->heap, before, size_bytes);
    if (at == NULL) {
        run->refused++;
        EXPECT(before == NULL || (emma_usable_size(before) >= old && holds(before, old, i)));
        return;
    }
    EXPECT(before == NULL || holds(at, old < size_bytes ? old : size_bytes, i));
    keep(run, i, at, size_bytes);
}

/* Each block of the table is found once. Others may be: what lies in caches that cannot be emptied. */
static int find(const emma_description *found, void *context) {
    script *run = context;
    for (unsigned i = 0; i < BLOCKS; i++)
        if (run->block[i].at == found->start) {
            EXPECT(!run->block[i].is_seen);
            run->block[i].is_seen = true;
        }
    return 0;
}

static void check_table(script *run) {
    size_t live = 0;
    emma_heap_walk(run->heap, find, run);
    for (unsigned i = 0; i < BLOCKS; i++) {
        if (run->block[i].at == NULL)
            continue;
        EXPECT(run->block[i].is_seen);
        run->block[i].is_seen = false;
        live += emma_usable_size(run->block[i].at);
        EXPECT(holds(run->block[i].at, run->block[i].size_bytes, i));
    }
    emma_heap_stats stats = stats_of(run->heap);
    EXPECT(run->is_stuck || stats.of.allocated_bytes == live);
    /* What would not go back is resident, limit or not. */
    EXPECT(config.limit_bytes == 0 || fault_failed(SYS_madvise) != 0 || stats.peak_bytes <= config.limit_bytes);
}

/* --- the script --- */

static void fill(script *run) {
    static const size_t sizes[] = {1, 40, 200, 1000, 3000, 30000, 32769, 100000, 500000, 2000000, 20000000, 33000000};
    unsigned i = 0;
    for (size_t k = 0; k < STORM_COUNT(sizes); k++) {
        keep(run, i++, emma_heap_malloc(run->heap, sizes[k]), sizes[k]);
        unsigned char *zeroed = emma_heap_calloc(run->heap, 1, sizes[k]);
        EXPECT(zeroed == NULL || (all_are(zeroed, edge(sizes[k]), 0) && zeroed[sizes[k] - 1] == 0));
        keep(run, i++, zeroed, sizes[k]);
    }
    for (unsigned log2 = 5; log2 < 24; log2 += 3, i++) {
        size_t align = (size_t)1 << log2;
        keep(run, i, emma_heap_aligned_alloc(run->heap, align, 3 * align / 2), 3 * align / 2);
        EXPECT((uintptr_t)run->block[i].at % align == 0);
    }
    emma_session session;
    emma_session_begin(run->heap, &session);
    keep(run, i++, emma_session_malloc(&session, 300), 300);
    keep(run, i++, emma_session_malloc(&session, 70000), 70000);
    emma_session_end(&session);
}

static void resize_all(script *run) {
    for (unsigned i = 0; i < 20; i += 3) {
        resize(run, i, run->block[i].size_bytes * 3 + 100);
        resize(run, i, run->block[i].size_bytes / 5 + 1);
    }
    resize(run, 20, 34000000);
    resize(run, 20, 50000000);
    resize(run, 20, 40000000);
    resize(run, 20, 1000);
    resize(run, BLOCKS - 1, 5000);
}

/* Many small blocks of several classes: spans come and go. */
static void rise_and_fall(script *run) {
    static void *many[MANY];
    for (size_t i = 0; i < MANY; i++) {
        many[i] = emma_heap_malloc(run->heap, i % 7 * 300 + 16);
        run->refused += many[i] == NULL;
        if (many[i] != NULL)
            memset(many[i], 0x5A, i % 7 * 300 + 16);
    }
    for (size_t i = 0; i < MANY; i++)
        if (i % 50 != 0)
            emma_heap_free(run->heap, many[i]);
    emma_heap_collect(run->heap);
    for (size_t i = 0; i < MANY; i += 50)
        emma_heap_free(run->heap, many[i]);
}

static unsigned char *move_break(script *run, ptrdiff_t delta) {
    unsigned char *end = emma_heap_sbrk(run->heap, delta);
    run->refused += end == NULL;
    return end;
}

static void up_and_down(script *run) {
    unsigned char *begin = move_break(run, RISE_BYTES);
    if (begin == NULL) /* as it was: the range is empty, or there is none */
        EXPECT(emma_heap_sbrk(run->heap, -1) == NULL);
    if (begin == NULL && ((begin = move_break(run, 0)) == NULL || move_break(run, RISE_BYTES) == NULL))
        return;
    EXPECT(all_are(begin, RISE_BYTES, 0));
    memset(begin, 9, RISE_BYTES);
    for (size_t less = RISE_BYTES / 2; less != 0; less /= 16)
        EXPECT(move_break(run, -(ptrdiff_t)less) != NULL);
    size_t length = (size_t)((unsigned char *)emma_heap_sbrk(run->heap, 0) - begin);
    EXPECT(length < RISE_BYTES / 2 + 1 && all_are(begin, length, 9));
    if (move_break(run, RISE_BYTES / 2) == begin + length)
        EXPECT(all_are(begin + length + EDGE_BYTES, RISE_BYTES / 2 - EDGE_BYTES, 0) && all_are(begin, length, 9));
}

/* A block in parts, every other one first: these need notes. What is refused is tried again. */
static void free_by_parts(script *run) {
    enum { STEPS = 10, STEP_BYTES = 40000 };
    char *at = emma_heap_malloc(run->heap, STEPS * STEP_BYTES);
    bool is_freed[STEPS] = {false};
    bool is_gone = at == NULL;
    run->refused += at == NULL;
    for (size_t k = 0; k < 3 * STEPS && at != NULL; k++) {
        size_t i = (2 * k + k / (STEPS / 2)) % STEPS;
        if (is_freed[i])
            continue;
        int result = emma_free_range(at + i * STEP_BYTES, i < STEPS - 1 ? STEP_BYTES : STEP_BYTES + EDGE_BYTES * 16);
        EXPECT(!is_gone);
        is_freed[i] = result >= 0;
        is_gone |= result == 1;
        run->refused += result < 0;
    }
    run->is_stuck = !EXPECT(is_gone || run->refused != 0) || !is_gone;
}

/* Blocks of a mebibyte until there is no more, or enough. */
static void fill_up(script *run) {
    static void *full[FULL_MOST];
    size_t got = 0;
    while (got < FULL_MOST && (full[got] = emma_heap_malloc(run->heap, FULL_BYTES)) != NULL)
        memset(full[got++], 1, EDGE_BYTES);
    run->refused += got < FULL_MOST && config.limit_bytes == 0;
    EXPECT(config.limit_bytes == 0 || got < FULL_MOST);
    void *small = emma_heap_malloc(run->heap, 100);
    run->refused += small == NULL;
    emma_heap_free(run->heap, small);
    while (got > 0)
        emma_heap_free(run->heap, full[--got]);
}

static void lend(script *run) {
    static char pieces[PIECES][2 * PIECE_BYTES];
    for (size_t i = 0; i < PIECES; i++)
        run->refused += emma_heap_donate(run->heap, pieces[i], PIECE_BYTES) == 0;
}

static void end(script *run) {
    unsigned char *at[BLOCKS];
    for (unsigned i = 0; i < BLOCKS; i++) {
        at[i] = run->block[i].at;
        if (i % 2 != 0)
            drop(run, i);
    }
    check_table(run);
    emma_heap_collect(run->heap);
    emma_heap_destroy(run->heap); /* with live blocks */
    for (unsigned i = 0; i < BLOCKS; i++)
        EXPECT(emma_heap_of(at[i]) == NULL);
}

static size_t script_run(void) {
    script run = {.heap = emma_heap_create(&config)};
    if (run.heap == NULL)
        return 1;
    size_t own = stats_of(run.heap).committed_bytes;
    fill(&run);
    lend(&run);
    check_table(&run);
    up_and_down(&run);
    rise_and_fall(&run);
    resize_all(&run);
    free_by_parts(&run);
    check_table(&run);
    emma_heap_reset(run.heap);
    memset(run.block, 0, sizeof run.block);
    run.is_stuck = false;
    check_table(&run);
    emma_heap_collect(run.heap);
    EXPECT(fault_failed(SYS_madvise) != 0 || stats_of(run.heap).committed_bytes <= own + TRACTS_BYTES);
    fill(&run);
    fill_up(&run);
    up_and_down(&run);
    check_table(&run);
    end(&run);
    return run.refused;
}

static void check_nothing_stays(void) {
    if (atomic_load(&fault_kept) == 0 && !EXPECT(mapped_bytes() <= mapped_before + NOTES_BYTES))
        storm_note("mapped: %zu KiB more", (mapped_bytes() - mapped_before) >> 10);
    if (fault_failed(-1) <= 1 && !EXPECT(storm_resident_bytes() <= resident_before + RESIDENT_BYTES))
        storm_note("resident: %zu KiB more", (storm_resident_bytes() - resident_before) >> 10);
}

static void each_call_of(emma_heap_config with) {
    static const fault_subject made_heap = {script_run, check_nothing_stays};
    config = with;
    mapped_before = mapped_bytes();
    resident_before = storm_resident_bytes();
    fault_each_call(&made_heap, false);
    fault_each_call(&made_heap, true);
    static const long numbers[] = {SYS_mmap, SYS_munmap, SYS_mremap, SYS_madvise, SYS_membarrier};
    for (size_t i = 0; i < STORM_COUNT(numbers); i++)
        fault_expect_survival(&made_heap, (fault_plan){0, SIZE_MAX, numbers[i]});
}

static void plain(void) {
    each_call_of((emma_heap_config){.flags = EMMA_HEAP_NO_CPU_CACHES});
}

static void limited(void) {
    each_call_of((emma_heap_config){.limit_bytes = LIMIT_BYTES, .flags = EMMA_HEAP_NO_CPU_CACHES});
}

static void with_cpu_caches(void) {
    each_call_of((emma_heap_config){.flags = 0});
}

int main(void) {
    static const storm_case cases[] = {
        {"fault: a made heap, each system call", plain, 60},
        {"fault: a made heap with a limit", limited, 60},
        {"fault: a made heap with CPU caches", with_cpu_caches, 60},
    };
    return storm_main(cases, STORM_COUNT(cases));
}
