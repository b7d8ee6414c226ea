/* fault_test.c: every system call of the default heap that may fail does, one after the other: the k-th, and all from the
 * k-th on, for every k.
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
#include "fault_plan.h"
#include "fault_script.h"

static const fault_subject default_heap = {fault_script_run, fault_script_check};

static void one_fails(void) {
    fault_each_call(&default_heap, false);
}

static void all_after_fail(void) {
    fault_each_call(&default_heap, true);
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
    fault_script_check();
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
    fault_script_check();
}

static void moves_are_refused_late(void) {
    for (size_t i = 0; i < 2; i++) {
        storm_end end = storm_run_apart(move_late, &(bool){i != 0});
        EXPECT(end.signal == 0 && end.status == 0 && end.text[0] == '\0');
    }
}

int main(void) {
    static const storm_case cases[] = {
        {"fault: the k-th system call fails, for every k", one_fails, 60},
        {"fault: all system calls from the k-th on fail, for every k", all_after_fail, 60},
        {"fault: freed memory serves every size when there is no more", freed_memory_serves_all, 60},
        {"fault: moves are refused when their target is unmapped already", moves_are_refused_late, 10},
    };
    return storm_main(cases, STORM_COUNT(cases));
}
