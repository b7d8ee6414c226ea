/* fault_error_test.c: calls of the default heap that fail with other errors than for want of memory, or for ever: a filter, a
 * limit, locked memory, an old kernel; with CPU caches, too; and what the janitor calls. */
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../storm/storm.h"
#include "api/fast.h"
#include "emma_heap.h"
#include "fault_plan.h"
#include "fault_script.h"
#include "purge/purge.h"

static const fault_subject default_heap = {fault_script_run, fault_script_check};

static void one_fails_otherwise(void) {
    fault_each_error(&default_heap);
}

static void one_kind_fails(void) {
    fault_each_kind(&default_heap);
}

static size_t run_with_cpu_caches(void) {
    EXPECT(emma_configure("cache=cpu") == NULL);
    return fault_script_run();
}

static void with_cpu_caches(void) {
    static const fault_subject heap_with_cpu_caches = {run_with_cpu_caches, fault_script_check};
    fault_each_error(&heap_with_cpu_caches);
    fault_each_kind(&heap_with_cpu_caches);
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
    fault_script_check();
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
        {"fault: the k-th fails with other errors", one_fails_otherwise, 60},
        {"fault: one kind of system call never works", one_kind_fails, 60},
        {"fault: the same with CPU caches", with_cpu_caches, 60},
        {"fault: the janitor cannot be started, and later it can", janitor_refused, 60},
        {"fault: one kind of what the janitor calls never works", janitors_calls_fail, 60},
        {"fault: the control group's files cannot be read", files_are_refused, 10},
    };
    return storm_main(cases, STORM_COUNT(cases));
}
