/* pages_test.c: a system with pages of 64 KiB. The platform functions are wrapped when the program is linked (ld --wrap):
 * the page size reads as 64 KiB, addresses that the system chooses are multiples of it, and every address and size that
 * emma hands to the platform is looked at. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../storm/storm.h"
#include "limits.h"
#include "plat/plat.h"

enum { PAGE = 65536, MIB = 1 << 20, THREADS = 3, SLOTS = 300, STEPS = 40000 };

typedef enum call { MAP_AT, MAP, UNMAP, PURGE, WIPE, RESIZE, MOVE, CALLS } call;

static const char *const call_names[CALLS] = {"map_at",       "map",    "unmap",     "purge",
                                              "wipe_on_fork", "resize", "move_pages"};
static _Atomic(size_t) calls[CALLS];
static _Atomic(size_t) odd_calls[CALLS];
static _Atomic(uintptr_t) odd_value[CALLS]; /* an address or size of the first bad call */

/* ld's names for what is wrapped. */
// NOLINTBEGIN(bugprone-reserved-identifier)
size_t __wrap_emma__plat_page_bytes(void);
emma_map_result __wrap_emma__plat_map_at(uintptr_t address, size_t size_bytes);
uintptr_t __wrap_emma__plat_map(size_t size_bytes);
bool __wrap_emma__plat_unmap(uintptr_t address, size_t size_bytes);
bool __wrap_emma__plat_purge(uintptr_t address, size_t size_bytes);
bool __wrap_emma__plat_wipe_on_fork(uintptr_t address, size_t size_bytes);
bool __wrap_emma__plat_resize(uintptr_t address, size_t old_bytes, size_t new_bytes);
emma_move_result __wrap_emma__plat_move_pages(uintptr_t from, uintptr_t to, size_t size_bytes);
emma_map_result __real_emma__plat_map_at(uintptr_t address, size_t size_bytes);
uintptr_t __real_emma__plat_map(size_t size_bytes);
bool __real_emma__plat_unmap(uintptr_t address, size_t size_bytes);
bool __real_emma__plat_purge(uintptr_t address, size_t size_bytes);
bool __real_emma__plat_wipe_on_fork(uintptr_t address, size_t size_bytes);
bool __real_emma__plat_resize(uintptr_t address, size_t old_bytes, size_t new_bytes);
emma_move_result __real_emma__plat_move_pages(uintptr_t from, uintptr_t to, size_t size_bytes);

static void look(call which, uintptr_t address, size_t size_bytes) {
    atomic_fetch_add(&calls[which], 1);
    if (address % PAGE == 0 && size_bytes % PAGE == 0 && size_bytes != 0)
        return;
    if (atomic_fetch_add(&odd_calls[which], 1) == 0)
        atomic_store(&odd_value[which], address % PAGE != 0 ? address : size_bytes);
}

size_t __wrap_emma__plat_page_bytes(void) {
    return PAGE;
}

emma_map_result __wrap_emma__plat_map_at(uintptr_t address, size_t size_bytes) {
    look(MAP_AT, address, size_bytes);
    return __real_emma__plat_map_at(address, size_bytes);
}

uintptr_t __wrap_emma__plat_map(size_t size_bytes) {
    look(MAP, 0, size_bytes);
    size_bytes = (size_bytes + PAGE - 1) & ~(size_t)(PAGE - 1);
    uintptr_t got = __real_emma__plat_map(size_bytes + PAGE);
    if (got == 0)
        return 0;
    uintptr_t start = (got + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
    if (start > got)
        __real_emma__plat_unmap(got, start - got);
    if (got + PAGE > start)
        __real_emma__plat_unmap(start + size_bytes, got + PAGE - start);
    return start;
}

bool __wrap_emma__plat_unmap(uintptr_t address, size_t size_bytes) {
    look(UNMAP, address, size_bytes);
    return __real_emma__plat_unmap(address, size_bytes);
}

bool __wrap_emma__plat_purge(uintptr_t address, size_t size_bytes) {
    look(PURGE, address, size_bytes);
    return __real_emma__plat_purge(address, size_bytes);
}

bool __wrap_emma__plat_wipe_on_fork(uintptr_t address, size_t size_bytes) {
    look(WIPE, address, size_bytes);
    return __real_emma__plat_wipe_on_fork(address, size_bytes);
}

bool __wrap_emma__plat_resize(uintptr_t address, size_t old_bytes, size_t new_bytes) {
    look(RESIZE, address, old_bytes);
    look(RESIZE, address, new_bytes);
    return __real_emma__plat_resize(address, old_bytes, new_bytes);
}

emma_move_result __wrap_emma__plat_move_pages(uintptr_t from, uintptr_t to, size_t size_bytes) {
    look(MOVE, from, size_bytes);
    look(MOVE, to, size_bytes);
    return __real_emma__plat_move_pages(from, to, size_bytes);
}
// NOLINTEND(bugprone-reserved-identifier)

static void fill(char *block, size_t size) {
    if (block == NULL)
        return;
    memset(block, (int)(size % 251), size < 64 ? size : 64);
    block[size - 1] = (char)(size % 251);
}

static bool is_filled(const char *block, size_t kept, size_t size) {
    for (size_t i = 0; i < 64 && i < kept; i++)
        if ((unsigned char)block[i] != size % 251)
            return false;
    return kept < size || (unsigned char)block[size - 1] == size % 251;
}

static void *work(void *argument) {
    uint64_t state = storm_seed() ^ (uintptr_t)argument;
    char *block[SLOTS] = {0};
    size_t size[SLOTS] = {0};
    for (size_t step = 0; step < STEPS; step++) {
        size_t i = storm_below(&state, SLOTS);
        size_t next = limits_any_size(&state) + 1;
        if (block[i] != NULL && storm_below(&state, 3) == 0) {
            char *moved = emma_realloc(block[i], next);
            if (!EXPECT(moved != NULL) || !EXPECT(is_filled(moved, next < size[i] ? next : size[i], size[i])))
                break;
            block[i] = moved;
        } else {
            if (block[i] != NULL && !EXPECT(is_filled(block[i], size[i], size[i])))
                break;
            emma_free(block[i]);
            size_t align = (size_t)1 << storm_below(&state, 22);
            block[i] = storm_below(&state, 4) == 0 ? emma_aligned_alloc(align, next) : emma_malloc(next);
            if (!EXPECT(block[i] != NULL))
                break;
        }
        size[i] = next;
        fill(block[i], next);
    }
    for (size_t i = 0; i < SLOTS; i++)
        emma_free(block[i]);
    emma_thread_exit();
    return NULL;
}

static void all_calls_fit(void) {
    for (int which = 0; which < CALLS; which++) {
        size_t odd = atomic_load(&odd_calls[which]);
        storm_note("%s: %zu calls", call_names[which], atomic_load(&calls[which]));
        if (!EXPECT(odd == 0))
            storm_note("%s: %zu calls with 0x%zx", call_names[which], odd, (size_t)atomic_load(&odd_value[which]));
    }
}

static void everything(void) {
    pthread_t thread[THREADS];
    static char names[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        EXPECT(pthread_create(&thread[i], NULL, work, &names[i]) == 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    emma_collect();
    EXPECT(atomic_load(&calls[MAP_AT]) != 0 && atomic_load(&calls[MAP]) != 0 && atomic_load(&calls[UNMAP]) != 0);
    EXPECT(atomic_load(&calls[PURGE]) != 0);
    all_calls_fit();
}

static void growing_blocks(void) {
    void *stays = NULL;
    size_t before = 1;
    char *block = emma_malloc(before);
    fill(block, before);
    for (size_t size = 1000; size < 400 * (size_t)MIB; size += size / 2) {
        block = emma_realloc(block, size);
        if (!EXPECT(block != NULL) || !EXPECT(is_filled(block, before, before)))
            return;
        fill(block, size);
        before = size;
        emma_free(stays);
        stays = emma_malloc(size / 3);
    }
    emma_free(block);
    emma_free(stays);
    EXPECT(atomic_load(&calls[RESIZE]) != 0 || atomic_load(&calls[MOVE]) != 0);
    all_calls_fit();
}

static void purge_of_half_used_spans(void) {
    enum { BLOCKS = 20000 };
    static char *block[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++)
        fill(block[i] = emma_malloc(500), 500);
    for (size_t i = 0; i < BLOCKS; i++)
        if (i % 1000 != 0)
            emma_free(block[i]);
    EXPECT(emma_collect() > 0);
    for (size_t i = 0; i < BLOCKS; i += 1000) {
        EXPECT(is_filled(block[i], 500, 500));
        emma_free(block[i]);
    }
    all_calls_fit();
}

static void janitor(void) {
    EXPECT(emma_configure("janitor=on") == NULL);
    void *block[64];
    for (size_t i = 0; i < 64; i++)
        memset(block[i] = emma_malloc(MIB), 1, MIB);
    for (size_t i = 0; i < 64; i++)
        emma_free(block[i]);
    double until = storm_seconds() + 15;
    emma_stats stats;
    do {
        usleep(100000);
        emma_stats_read(&stats);
    } while (stats.dirty_bytes != 0 && storm_seconds() < until);
    EXPECT(stats.dirty_bytes == 0);
    all_calls_fit();
}

/* Two mappings side by side; for the second there is no room where they are to go. */
static void a_move_refused_half_way(void) {
    uintptr_t from = __real_emma__plat_map(3 * (size_t)MIB);
    uintptr_t to = __real_emma__plat_map(2 * (size_t)MIB);
    char *bytes = (char *)from; // NOLINT(performance-no-int-to-ptr)
    memset(bytes, 7, 2 * (size_t)MIB);
    emma__plat_huge_pages(from + MIB, 2 * (size_t)MIB, false);
    __real_emma__plat_unmap(to + MIB, MIB);
    struct rlimit before;
    getrlimit(RLIMIT_AS, &before);
    setrlimit(RLIMIT_AS, &(struct rlimit){limits_used_bytes(RLIMIT_AS), before.rlim_max});
    EXPECT(__real_emma__plat_move_pages(from, to, 2 * (size_t)MIB) != EMMA_MOVE_DONE);
    setrlimit(RLIMIT_AS, &before);
    size_t kept = 0;
    while (kept < 2 * (size_t)MIB && bytes[kept] == 7)
        kept++;
    EXPECT(kept == 2 * (size_t)MIB);
}

int main(void) {
    static const storm_case cases[] = {
        {"pages of 64 KiB: all kinds of blocks", everything, 60},
        {"pages of 64 KiB: growing blocks", growing_blocks, 60},
        {"pages of 64 KiB: spans partly used", purge_of_half_used_spans, 60},
        {"pages of 64 KiB: the janitor", janitor, 60},
        {"a move that is refused half way", a_move_refused_half_way, 60},
    };
    return storm_main(cases, STORM_COUNT(cases));
}
