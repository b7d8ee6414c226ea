/* fault_test.c: every system call of the default heap that may fail does, one after the other: the k-th, and all from the
 * k-th on, for every k; with CPU caches, and beside a janitor, too.
 *
 * While the script runs with the fault, each call gives NULL or succeeds. Then everything is free, the figures are back
 * where they began, and the script runs again without faults and without a single NULL. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../storm/storm.h"
#include "api/fast.h"
#include "emma_heap.h"
#include "fault_plan.h"
#include "fault_script.h"
#include "purge/purge.h"

/* Everything is free: nothing lives, no slice is used but the tracts' own, no slot is claimed but those of tracts. */
static void check_nothing_lost(void) {
    emma_regions *regions = emma__heap_regions(&emma__default_heap);
    emma_collect();
    emma_stats stats;
    emma_stats_read(&stats);
    EXPECT(stats.allocated_bytes == 0 && stats.large_blocks == 0 && stats.large_bytes == 0);
    /* Where the barrier was refused, what idles in other processors' slots may stay there, and its spans. */
    EXPECT(stats.cached_bytes == 0 || fault_failed(SYS_membarrier) != 0);
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

static const fault_subject default_heap = {fault_script_run, check_nothing_lost};

static void one_fails(void) {
    fault_each_call(&default_heap, false);
}

static void all_after_fail(void) {
    fault_each_call(&default_heap, true);
}

static void one_fails_otherwise(void) {
    fault_each_error(&default_heap);
}

/* One kind of call never works: a filter, a limit, locked memory. */
static void one_kind_fails(void) {
    fault_each_kind(&default_heap);
}

static size_t run_with_cpu_caches(void) {
    EXPECT(emma_configure("cache=cpu") == NULL);
    return fault_script_run();
}

static void with_cpu_caches(void) {
    static const fault_subject heap_with_cpu_caches = {run_with_cpu_caches, check_nothing_lost};
    fault_each_error(&heap_with_cpu_caches);
    fault_each_kind(&heap_with_cpu_caches);
}

/* The system gives nothing more: what was freed by small blocks serves large ones, and the other way round. */
static void fill_refuse_refill(void *argument) {
    size_t from_bytes = ((size_t *)argument)[0];
    size_t to_bytes = ((size_t *)argument)[1];
    enum { TOTAL_BYTES = 48 << 20, MOST = 1 << 20 };
    static void *blocks[MOST];
    size_t count_from = TOTAL_BYTES / from_bytes;
    for (size_t i = 0; i < count_from; i++)
        blocks[i] = emma_malloc(from_bytes);
    for (size_t i = 0; i < count_from; i++)
        emma_free(blocks[(i * 7919) % count_from]);
    fault_begin((fault_plan){0, SIZE_MAX, SYS_mmap});
    size_t got = 0;
    while (got < MOST && (blocks[got] = emma_malloc(to_bytes)) != NULL)
        got++;
    fault_end();
    /* The rest: what does not divide evenly (spans of three slices leave two of each chunk, and an eighth of a slice each), and
     * slices that lay between others when caches gave up their last blocks. */
    if (!EXPECT(got * to_bytes >= TOTAL_BYTES / 100 * 75))
        storm_note("freed %d MiB of %zu-byte blocks; %zu-byte blocks got %zu MiB of it", TOTAL_BYTES >> 20, from_bytes,
                   to_bytes, got * to_bytes >> 20);
    for (size_t i = 0; i < got; i++)
        emma_free(blocks[i]);
    check_nothing_lost();
}

static void freed_memory_serves_all(void) {
    static size_t pairs[][2] = {{64, 1 << 20}, {1000, 1 << 20}, {1000, 64},
                                {64, 20000},   {1 << 20, 64},   {20000, 300000}};
    for (size_t i = 0; i < STORM_COUNT(pairs); i++) {
        storm_end end = storm_run_apart(fill_refuse_refill, pairs[i]);
        EXPECT(end.signal == 0 && end.status == 0 && end.text[0] == '\0');
    }
}

/* The kernel unmaps where a block is to move to, and then refuses to move it. By then somebody else may have mapped there. */
enum { HUGE_BYTES = 40 << 20, STRANGER_BYTES = 65536 };
static char *moving[2];
static char *stranger; /* mapped there, if comes */
static bool comes;

static void unmap_target(void) {
    emma_region *region = atomic_load(&emma__heap_regions(&emma__default_heap)->first);
    for (unsigned slot = 0; slot < EMMA_REGION_TRACTS && stranger == NULL; slot++) {
        char *at = (char *)emma__region_slot_address(region, slot);
        if ((atomic_load(&region->word[slot / 64].huge) >> slot % 64 & 1) == 0 || at == moving[0] || at == moving[1])
            continue;
        EXPECT(munmap(at, emma_usable_size(at)) == 0);
        stranger = at;
        if (comes)
            stranger = mmap(at, STRANGER_BYTES, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        if (EXPECT(stranger == at) && comes)
            memset(stranger, 7, STRANGER_BYTES);
    }
}

static void move_late(void *argument) {
    comes = *(const bool *)argument;
    for (size_t i = 0; i < 2; i++)
        moving[i] = emma_malloc(HUGE_BYTES);
    size_t first = moving[1] < moving[0]; /* it cannot grow in place */
    memset(moving[first], 3, HUGE_BYTES);
    fault_meanwhile = unmap_target;
    fault_begin((fault_plan){0, SIZE_MAX, SYS_mremap});
    char *grown = emma_realloc(moving[first], (size_t)3 * HUGE_BYTES);
    fault_end();
    if (!EXPECT(grown != NULL && stranger != NULL &&
                (!comes || grown + (size_t)3 * HUGE_BYTES <= stranger || grown >= stranger + STRANGER_BYTES)))
        return;
    EXPECT(grown[0] == 3 && memcmp(grown, grown + 1, HUGE_BYTES - 1) == 0);
    EXPECT(!comes || (stranger[0] == 7 && memcmp(stranger, stranger + 1, STRANGER_BYTES - 1) == 0));
    emma_free(grown);
    emma_free(moving[1 - first]);
    atomic_store(&fault_kept, comes ? 1 : 0);
    check_nothing_lost();
}

static void moves_are_refused_late(void) {
    for (size_t i = 0; i < 2; i++) {
        storm_end end = storm_run_apart(move_late, &(bool){i != 0});
        EXPECT(end.signal == 0 && end.status == 0 && end.text[0] == '\0');
    }
}

/* The janitor cannot be started. Memory goes back by bytes all the same; once it can, the next tick does. */
enum {
    LUMPS = 1024,
    LUMP_BYTES = 60000,
    BOUND_BYTES = 8 << 20,
    TICK_BYTES = 1 << 20,
    PATIENCE_MS = 12000,
    LOOK_MS = 100
};

static void rise_and_free(void) {
    static void *lump[LUMPS];
    for (size_t i = 0; i < LUMPS; i++) {
        lump[i] = emma_malloc(LUMP_BYTES);
        if (EXPECT(lump[i] != NULL))
            memset(lump[i], 1, LUMP_BYTES);
    }
    for (size_t i = 0; i < LUMPS; i++)
        emma_free(lump[i]);
}

static size_t dirty_bytes(void) {
    emma_stats stats;
    emma_stats_read(&stats);
    return stats.dirty_bytes;
}

static uint32_t janitor(void) {
    return atomic_load(&atomic_load(&emma__default_heap.registry.wiped)->janitor);
}

/* Where a purge was regretted more may stay, as far as all that is resident beyond what lives allows. */
static size_t bound_bytes(void) {
    enum { ROOM_BYTES = 14 << 20 };
    return atomic_load(&emma__default_heap.purge.patience) != 0 ? ROOM_BYTES : BOUND_BYTES;
}

static void start_refused(void *argument) {
    emma_free(emma_malloc(1));
    rise_and_free(); /* so that nothing but the janitor needs a new mapping */
    EXPECT(emma_configure("janitor=on,dirty_bytes=8M") == NULL);
    fault_begin((fault_plan){0, SIZE_MAX, *(const long *)argument});
    for (size_t round = 0; round < 3; round++) {
        size_t calls_before = fault_calls();
        rise_and_free();
        EXPECT(fault_calls() > calls_before);
        EXPECT(janitor() == EMMA_JANITOR_NONE && storm_threads() == 1);
        EXPECT(dirty_bytes() <= bound_bytes() + TICK_BYTES);
    }
    fault_end();
    rise_and_free();
    EXPECT(janitor() != EMMA_JANITOR_NONE && storm_threads() == 2);
    for (size_t waited = 0; waited < PATIENCE_MS && dirty_bytes() != 0; waited += LOOK_MS)
        usleep(LOOK_MS * 1000);
    EXPECT(dirty_bytes() == 0);
}

static void janitor_refused(void) {
    static long numbers[] = {SYS_clone, SYS_mmap /* of its stack */};
    for (size_t i = 0; i < STORM_COUNT(numbers); i++) {
        storm_end end = storm_run_apart(start_refused, &numbers[i]);
        EXPECT(end.signal == 0 && end.status == 0 && end.text[0] == '\0');
    }
}

/* What the janitor calls fails, one kind for ever, while it lives; it goes all the same. All at once: each waits for it. */
static void run_beside_janitor(long number) {
    rise_and_free();
    fault_begin((fault_plan){0, SIZE_MAX, number});
    EXPECT(emma_configure("janitor=on") == NULL);
    fault_script_run();
    for (size_t waited = 0; waited < PATIENCE_MS && storm_threads() > 1; waited += LOOK_MS)
        usleep(LOOK_MS * 1000);
    EXPECT(storm_threads() == 1);
    fault_end();
    check_nothing_lost();
}

static void janitors_calls_fail(void) {
    enum { ERRORS = 2 };
    static const long numbers[] = {SYS_madvise, SYS_clock_gettime, SYS_clock_nanosleep, SYS_capset, SYS_clone, SYS_mmap,
                                   -1};
    pid_t child[STORM_COUNT(numbers) * ERRORS];
    for (size_t i = 0; i < STORM_COUNT(child); i++) {
        fault_error = i % ERRORS;
        if ((child[i] = fork()) == 0) {
            run_beside_janitor(numbers[i / ERRORS]);
            _exit(0);
        }
    }
    for (size_t i = 0; i < STORM_COUNT(child); i++)
        if (!EXPECT(child[i] > 0 && storm_reap(child[i])))
            storm_note("number %ld, error %zu", numbers[i / ERRORS], i % ERRORS);
}

/* The control group's files cannot be opened or read: no limit is known, or one of fewer groups. */
static void files_are_refused(void) {
    static const long numbers[] = {SYS_openat, SYS_read};
    size_t known = emma_cgroup_limit();
    for (size_t i = 0; i < STORM_COUNT(numbers); i++) {
        for (size_t from = 0; from < 4; from++) {
            fault_error = from;
            fault_begin((fault_plan){from, SIZE_MAX, numbers[i]});
            size_t limit = emma_cgroup_limit();
            fault_end();
            EXPECT(limit == 0 || (from != 0 && limit >= known));
        }
    }
    EXPECT(emma_cgroup_limit() == known);
}

int main(void) {
    static const storm_case cases[] = {
        {"fault: the k-th system call fails, for every k", one_fails, 60},
        {"fault: all system calls from the k-th on fail, for every k", all_after_fail, 60},
        {"fault: the k-th fails with other errors", one_fails_otherwise, 60},
        {"fault: one kind of system call never works", one_kind_fails, 60},
        {"fault: the k-th fails, and one kind never works, with CPU caches", with_cpu_caches, 60},
        {"fault: freed memory serves every size when there is no more", freed_memory_serves_all, 60},
        {"fault: moves are refused when their target is unmapped already", moves_are_refused_late, 10},
        {"fault: the janitor cannot be started, and later it can", janitor_refused, 60},
        {"fault: one kind of what the janitor calls never works", janitors_calls_fail, 60},
        {"fault: the control group's files cannot be read", files_are_refused, 10},
    };
    return storm_main(cases, STORM_COUNT(cases));
}
