/* unit.c: see unit.h. Heaps of the tests' own, patterns, pages and processes; the census is in census.c. */
#include "unit.h"

#include "plat/linux/syscall.h"
#include "plat/plat.h"

enum {
#if defined(__x86_64__)
    SYS_read = 0,
    SYS_close = 3,
    SYS_mincore = 27,
    SYS_wait4 = 61,
    SYS_prctl = 157,
    SYS_exit_group = 231,
    SYS_dup3 = 292,
    SYS_pipe2 = 293,
#else
    SYS_dup3 = 24,
    SYS_close = 57,
    SYS_pipe2 = 59,
    SYS_read = 63,
    SYS_exit_group = 94,
    SYS_prctl = 167,
    SYS_mincore = 232,
    SYS_wait4 = 260,
#endif
    SIGNAL_CHILD = 17,
    SIGNAL_ABORT = 6,
    SET_DUMPABLE = 4,
    STANDARD_ERROR = 2,
    MESSAGE_BYTES = 1024,
};

emma_directory unit_directory;
emma_shelf unit_shelves[EMMA_CLASS_COUNT];

static long call(long number, long a, long b, long c, long d) {
    return emma__syscall(number, a, b, c, d, 0, 0);
}

void unit_regions_reset(emma_regions *regions) {
    emma__regions_destroy(regions);
    *regions = (emma_regions)EMMA_REGIONS_INITIAL(&unit_directory);
}

static size_t pages(size_t size_bytes) {
    return emma__bits_align_up(size_bytes, emma__plat_page_bytes());
}

void unit_heap_reset(emma_heap *heap) {
    unit_regions_reset(&heap->depot.spans.regions);
    for (emma_record_block *block = heap->registry.first; block != 0;) {
        emma_record_block *next = block->next;
        emma__plat_unmap((uintptr_t)block, pages(sizeof *block));
        block = next;
    }
    if (heap->registry.wiped != 0)
        emma__plat_unmap((uintptr_t)heap->registry.wiped, emma__plat_page_bytes());
    for (unsigned i = 0; i < EMMA_STRIPES; i++)
        if (heap->shared.entry[i] != 0)
            emma__plat_unmap((uintptr_t)heap->shared.entry[i], pages(sizeof(emma_stripe)));
    emma_shelf *shelves = heap->depot.shelf;
    *heap = (emma_heap)EMMA_HEAP_INITIAL(&unit_directory, shelves, 0);
    __builtin_memset((void *)shelves, 0, EMMA_CLASS_COUNT * sizeof *shelves);
}

void *unit_alloc(emma_heap *heap, emma_thread *thread, size_t size_bytes) {
    emma_magazine_pair *cache = thread != 0 ? emma__thread_take(thread) : 0;
    return emma__heap_alloc(heap, thread, cache, size_bytes);
}

void *unit_alloc_aligned(emma_heap *heap, emma_thread *thread, size_t size_bytes, size_t align_bytes) {
    emma_magazine_pair *cache = thread != 0 ? emma__thread_take(thread) : 0;
    return emma__heap_alloc_aligned(heap, thread, cache, size_bytes, align_bytes);
}

void unit_free(emma_heap *heap, emma_thread *thread, void *block) {
    size_t class = emma__span_class_fast(emma__heap_regions(heap), (uintptr_t)block);
    emma_magazine_pair *cache = thread != 0 ? emma__thread_take(thread) : 0;
    emma__heap_free(heap, thread, cache, block, class);
}

/* Byte by byte over whole tracts: without ThreadSanitizer, which would take minutes. */
#define UNWATCHED __attribute__((no_sanitize("thread")))

UNWATCHED static uint8_t pattern(size_t i, uint64_t seed) {
    return (uint8_t)((i * UINT64_C(0x9E3779B97F4A7C15) + seed * UINT64_C(0xD1B54A32D192ED03)) >> 56);
}

UNWATCHED void unit_fill(void *block, size_t size_bytes, uint64_t seed) {
    for (size_t i = 0; i < size_bytes; i++)
        ((uint8_t *)block)[i] = pattern(i, seed);
}

UNWATCHED bool unit_is_filled(const void *block, size_t size_bytes, uint64_t seed) {
    for (size_t i = 0; i < size_bytes; i++)
        if (((const uint8_t *)block)[i] != pattern(i, seed))
            return false;
    return true;
}

UNWATCHED bool unit_is_zero(const void *block, size_t size_bytes) {
    for (size_t i = 0; i < size_bytes; i++)
        if (((const uint8_t *)block)[i] != 0)
            return false;
    return true;
}

uint64_t unit_random(uint64_t *state) { /* xorshift64*; Vigna, 2016 */
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717) >> 8;
}

size_t unit_resident_pages(uintptr_t address, size_t size_bytes) {
    size_t page = emma__plat_page_bytes();
    size_t resident = 0;
    uint8_t state[256];
    for (size_t done = 0; done < size_bytes;) {
        size_t part = size_bytes - done < sizeof state * page ? size_bytes - done : sizeof state * page;
        if (call(SYS_mincore, (long)(address + done), (long)part, (long)state, 0) != 0)
            return SIZE_MAX;
        for (size_t i = 0; i < (part + page - 1) / page; i++)
            resident += state[i] & 1;
        done += part;
    }
    return resident;
}

static long fork_here(void) {
    return call(EMMA_SYS_clone, SIGNAL_CHILD, 0, 0, 0);
}

static _Noreturn void leave(int status) {
    for (;;)
        call(SYS_exit_group, status, 0, 0, 0);
}

static bool contains(const char *text, long length, const char *part) {
    for (long from = 0; from < length; from++) {
        long i = 0;
        while (part[i] != '\0' && from + i < length && text[from + i] == part[i])
            i++;
        if (part[i] == '\0')
            return true;
    }
    return false;
}

bool unit_dies(void (*act)(void), const char *message) {
    int pipe[2];
    if (call(SYS_pipe2, (long)pipe, 0, 0, 0) != 0)
        return false;
    long child = fork_here();
    if (child == 0) {
        call(SYS_prctl, SET_DUMPABLE, 0, 0, 0);
        call(SYS_dup3, pipe[1], STANDARD_ERROR, 0, 0);
        act();
        leave(0);
    }
    call(SYS_close, pipe[1], 0, 0, 0);
    char text[MESSAGE_BYTES];
    long length = 0;
    for (;;) {
        long got = call(SYS_read, pipe[0], (long)(text + length), MESSAGE_BYTES - length, 0);
        if (got <= 0)
            break;
        length += got;
    }
    call(SYS_close, pipe[0], 0, 0, 0);
    int status = 0;
    return child > 0 && call(SYS_wait4, child, (long)&status, 0, 0) == child && (status & 0x7F) == SIGNAL_ABORT &&
           contains(text, length, message);
}

int unit_in_child(int (*act)(void)) {
    long child = fork_here();
    if (child == 0)
        leave(act());
    int status = 0;
    if (child < 0 || call(SYS_wait4, child, (long)&status, 0, 0) != child || (status & 0x7F) != 0)
        return -1;
    return status >> 8 & 0xFF;
}
