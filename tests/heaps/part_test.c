/* part_test.c: memory of heaps that goes back in parts: blocks freed by parts, the break of a heap, locked memory. */
#include <string.h>
#include <sys/mman.h>

#include "heap/heap.h"
#include "heap_work.h"

enum { PIECES = 200 };

typedef struct piece {
    size_t at;
    size_t size_bytes;
} piece;

/* Cut so many bytes into pieces of random lengths, and shuffle them. Returns: how many there are, at most PIECES. */
static size_t cut(size_t bytes, piece *pieces, uint64_t *random) {
    size_t most = 1 + storm_below(random, bytes);
    size_t count = 0;
    for (size_t at = 0; at < bytes; at += pieces[count++].size_bytes) {
        size_t size = 1 + storm_below(random, most);
        bool is_last = count + 1 == PIECES || size > bytes - at;
        pieces[count] = (piece){at, is_last ? bytes - at : size};
    }
    for (size_t i = count; i > 1; i--) {
        size_t other = storm_below(random, i);
        piece moved = pieces[other];
        pieces[other] = pieces[i - 1];
        pieces[i - 1] = moved;
    }
    return count;
}

/* All bytes of a block in pieces, in any order; the one at the end may reach beyond it. Returns: whether the last to be freed,
 * and only it, said that the block is gone. */
static bool free_in_parts(unsigned char *block, size_t usable, uint64_t *random) {
    piece pieces[PIECES];
    size_t count = cut(usable, pieces, random);
    for (size_t i = 0; i < count; i++) {
        size_t beyond = pieces[i].at + pieces[i].size_bytes == usable ? storm_below(random, 3) * 1000 : 0;
        if (emma_free_range(block + pieces[i].at, pieces[i].size_bytes + beyond) != (i + 1 == count))
            return false;
    }
    return true;
}

static void frees_by_parts(void) {
    uint64_t random = storm_seed();
    emma_heap *heap = emma_heap_create(NULL);
    for (size_t round = 0; round < storm_amount(3000, 100000); round++) {
        size_t size = 1 + storm_below(&random, (size_t)16 << storm_below(&random, round % 100 == 0 ? 20 : 14));
        unsigned char *block = emma_heap_malloc(heap, size);
        unsigned char *mate = emma_heap_malloc(heap, size);
        heap_work_fill(mate, size, heap);
        EXPECT(free_in_parts(block, emma_usable_size(block), &random));
        EXPECT(heap_work_is_filled(mate, size, heap));
        emma_heap_free(heap, mate);
        if (!EXPECT(heap_work_stats(heap).of.allocated_bytes == 0))
            break;
    }
    /* What is left of a block stays as it was; its other pages go back. */
    unsigned char *block = emma_heap_malloc(heap, (size_t)8 << 20);
    memset(block, 3, (size_t)8 << 20);
    size_t resident = heap_work_resident(heap);
    EXPECT(emma_free_range(block, (size_t)4 << 20) == 0);
    EXPECT(block[(4 << 20)] == 3 && block[(8 << 20) - 1] == 3);
    EXPECT(heap_work_resident(heap) <= resident - (4 << 20) + (8 << 10));
    /* A reset forgets what was freed in parts. */
    void *small = emma_heap_malloc(heap, 100);
    EXPECT(emma_free_range(small, 50) == 0);
    emma_heap_reset(heap);
    for (size_t i = 0; i < 1000; i++) {
        small = emma_heap_malloc(heap, 100);
        EXPECT(free_in_parts(small, emma_usable_size(small), &random));
    }
    EXPECT(heap_work_stats(heap).of.allocated_bytes == 0);
    emma_heap_destroy(heap);
}

/* At multiples of any number: what lies before and behind the bytes that were asked for is of the block, too. */
static void parts_of_aligned_blocks(void) {
    emma_heap *heap = emma_heap_create(NULL);
    for (size_t round = 0; round < 100; round++) {
        unsigned char *block = emma_heap_aligned_alloc(heap, 3, 63);
        emma_description found = {0};
        EXPECT((uintptr_t)block % 3 == 0 && emma_describe(block, &found) == 1 && found.size >= 63);
        unsigned char *start = found.start;
        unsigned char *end = start + found.size;
        memset(block, 9, 63);
        EXPECT(start <= block && block + 63 <= end);
        EXPECT(emma_free_range(block + 8, 55) == 0 && emma_free_range(block, 4) == 0);
        EXPECT(emma_free_range(start, (size_t)(block - start)) == 0);
        EXPECT(emma_free_range(block + 63, (size_t)(end - block) - 63) == 0);
        EXPECT(block[4] == 9 && block[7] == 9 && emma_describe(block, &found) == 1);
        EXPECT(found.state == EMMA_LIVE_BLOCK && emma_free_range(block + 4, 4) == 1);
        block = emma_heap_aligned_alloc(heap, 4, 64); /* a half, the other half */
        size_t first = round % 2 * 32;
        EXPECT((uintptr_t)block % 4 == 0 && emma_usable_size(block) == 64);
        EXPECT(emma_free_range(block + first, 32) == 0 && emma_free_range(block + 32 - first, 32) == 1);
        if (!EXPECT(heap_work_stats(heap).of.allocated_bytes == 0))
            break;
    }
    emma_heap_destroy(heap);
}

static emma_heap *parted;

static void *free_parts_in_thread(void *argument) {
    uint64_t random = (uintptr_t)argument;
    for (size_t i = 0; i < storm_amount(3000, 100000); i++) {
        unsigned char *block = emma_heap_malloc(parted, 1 + storm_below(&random, 20000));
        size_t usable = emma_usable_size(block);
        size_t gone = 0;
        for (size_t at = 0; at < usable; at += 1000)
            gone += emma_free_range(block + at, 1000) == 1;
        EXPECT(gone <= 1);
    }
    return NULL;
}

static void threads_free_by_parts(void) {
    parted = emma_heap_create(NULL);
    heap_work_in_threads(4, free_parts_in_thread);
    EXPECT(heap_work_stats(parted).of.allocated_bytes == 0);
    emma_heap_destroy(parted);
}

/* What was accepted while another thread had the claim is freed in the end, though no memory is left by then. */
static void left_parts_need_no_memory(void) {
    emma_heap *heap = emma_heap_create(&(emma_heap_config){.limit_bytes = (size_t)1 << 20});
    unsigned char *block = emma_heap_malloc(heap, 100000);
    size_t usable = emma_usable_size(block);
    heap->parts.claim.is_held = 1;
    EXPECT(emma_free_range(block + 1000, 1000) == 0 && emma_free_range(block + 5000, usable) == 0);
    heap->parts.claim.is_held = 0;
    emma_heap_set_limit(heap, 1);
    while (emma_heap_malloc(heap, 16) != NULL || emma_heap_malloc(heap, 32) != NULL)
        ;
    EXPECT(emma_free_range(block, 1000) == 0); /* beside the first */
    EXPECT(emma_free_range(block + 2000, 2999) == 0 && emma_free_range(block + 4999, 1) == 1);
    emma_description found;
    EXPECT(emma_describe(block, &found) == 0 || found.start != block);
    EXPECT(heap->parts.freed == NULL);
    emma_heap_destroy(heap);
}

static void has_a_break(void) {
    uint64_t before = heap_work_maps_hash();
    emma_heap *heap = emma_heap_create(&(emma_heap_config){.limit_bytes = (size_t)16 << 20});
    unsigned char *begin = emma_heap_sbrk(heap, 0);
    size_t own = heap_work_stats(heap).committed_bytes;
    EXPECT(begin != NULL && emma_owns(begin) == 1);
    EXPECT(emma_heap_sbrk(heap, -1) == NULL);
    EXPECT(emma_heap_sbrk(heap, 1000) == begin && heap_work_is_zero(begin, 1000));
    EXPECT(emma_heap_sbrk(heap, 3 << 20) == begin + 1000 && heap_work_is_zero(begin + 1000, 3 << 20));
    memset(begin, 5, 1000 + (3 << 20));
    EXPECT(emma_heap_sbrk(heap, (size_t)16 << 20) == NULL && emma_heap_sbrk(heap, PTRDIFF_MAX) == NULL);
    EXPECT(emma_heap_sbrk(heap, PTRDIFF_MIN) == NULL);
    void *block = emma_heap_malloc(heap, 100000);
    EXPECT(emma_heap_sbrk(heap, -(3 << 20)) == begin + 1000 + (3 << 20));
    EXPECT(begin[999] == 5 && emma_heap_sbrk(heap, 0) == begin + 1000);
    emma_heap_free(heap, block);
    emma_heap_collect(heap);
    EXPECT(heap_work_stats(heap).committed_bytes <= own + 4096);
    emma_heap_reset(heap);
    EXPECT(emma_heap_sbrk(heap, 0) == begin && emma_heap_sbrk(heap, 1 << 20) == begin);
    EXPECT(heap_work_is_zero(begin, 1 << 20));
    emma_heap_destroy(heap);
    EXPECT(heap_work_maps_hash() == before);
}

/* At the limit what the heap does not use makes room for the range, and only that. */
static void a_break_at_the_limit(void) {
    enum { LIMIT_BYTES = 4 << 20, COUNT = 3000, BYTES = 1000, STEP_BYTES = 64 << 10 };
    static void *blocks[COUNT];
    emma_heap *heap = emma_heap_create(&(emma_heap_config){.limit_bytes = LIMIT_BYTES});
    unsigned char *begin = emma_heap_sbrk(heap, 0);
    size_t own = heap_work_stats(heap).committed_bytes;
    for (size_t i = 0; i < COUNT; i++)
        EXPECT((blocks[i] = emma_heap_malloc(heap, BYTES)) != NULL);
    size_t full = heap_work_stats(heap).committed_bytes;
    EXPECT(full > LIMIT_BYTES / 2 && emma_heap_sbrk(heap, LIMIT_BYTES / 2) == NULL);
    EXPECT(emma_heap_sbrk(heap, 0) == begin && heap_work_stats(heap).committed_bytes <= full);
    for (size_t i = 0; i < COUNT; i++)
        emma_heap_free(heap, blocks[i]);
    size_t left = LIMIT_BYTES - heap_work_stats(heap).committed_bytes; /* what caches hold and what is dirty stays */
    EXPECT(left < LIMIT_BYTES - own - (64 << 10));
    EXPECT(emma_heap_sbrk(heap, (ptrdiff_t)left + (32 << 10)) == begin);
    memset(begin, 7, left + (32 << 10));
    while (emma_heap_sbrk(heap, STEP_BYTES) != NULL)
        ;
    emma_heap_stats stats = heap_work_stats(heap);
    EXPECT(stats.peak_bytes <= LIMIT_BYTES && stats.committed_bytes > LIMIT_BYTES - 2 * STEP_BYTES);
    EXPECT(emma_heap_sbrk(heap, PTRDIFF_MAX) == NULL && emma_heap_malloc(heap, 2 << 20) == NULL);
    emma_heap_destroy(heap);
}

/* However the range shrinks, what is resident stays charged. */
static void a_shrunk_break_is_gone(void) {
    size_t steps[] = {4096, 1000, 100, 65536, 5000};
    for (size_t i = 0; i < STORM_COUNT(steps); i++)
        for (size_t extra = 0; extra < 2; extra++) {
            emma_heap *heap = emma_heap_create(NULL);
            emma_heap_sbrk(heap, 0);
            size_t own = heap_work_stats(heap).committed_bytes;
            size_t resident = storm_resident_bytes();
            size_t length = (4 << 20) + extra;
            unsigned char *begin = emma_heap_sbrk(heap, (ptrdiff_t)length);
            memset(begin, 1, length);
            for (; length >= steps[i]; length -= steps[i])
                EXPECT(emma_heap_sbrk(heap, -(ptrdiff_t)steps[i]) != NULL);
            size_t committed = heap_work_stats(heap).committed_bytes - own;
            size_t kept = storm_resident_bytes() - resident;
            if (!EXPECT(committed <= steps[i] + 4096 && kept <= committed + (512 << 10)))
                storm_note("shrunk by %zu from %zu: committed %zu KiB, resident %zu KiB", steps[i], (4 << 20) + extra,
                           committed >> 10, kept >> 10);
            emma_heap_destroy(heap);
        }
}

static emma_heap *broken;

static void *move_the_break(void *argument) {
    uint64_t random = (uintptr_t)argument;
    size_t mine = 0;
    for (size_t i = 0; i < storm_amount(20000, 1000000); i++) {
        size_t bytes = 1 + storm_below(&random, 20000);
        if (mine > (1 << 20)) {
            if (!EXPECT(emma_heap_sbrk(broken, -(ptrdiff_t)mine) != NULL))
                break;
            mine = 0;
        }
        if (!EXPECT(emma_heap_sbrk(broken, (ptrdiff_t)bytes) != NULL))
            break;
        mine += bytes;
    }
    EXPECT(emma_heap_sbrk(broken, -(ptrdiff_t)mine) != NULL);
    return NULL;
}

/* Each gives up as many bytes as it asked for: nothing is lost, nothing stays. */
static void threads_move_the_break(void) {
    broken = emma_heap_create(NULL);
    void *begin = emma_heap_sbrk(broken, 0);
    size_t own = heap_work_stats(broken).committed_bytes;
    heap_work_in_threads(4, move_the_break);
    EXPECT(emma_heap_sbrk(broken, 0) == begin && heap_work_stats(broken).committed_bytes == own);
    emma_heap_destroy(broken);
}

/* Who has the claim does not come back: others are refused, not stopped; the second one at once. */
static void a_break_that_is_claimed_for_ever(void) {
    emma_heap *heap = emma_heap_create(NULL);
    void *begin = emma_heap_sbrk(heap, 1000);
    heap->brk.claim.is_held = 1;
    EXPECT(emma_heap_sbrk(heap, 1000) == NULL);
    double before = storm_seconds();
    EXPECT(emma_heap_sbrk(heap, -1000) == NULL && storm_seconds() - before < 0.2);
    heap->brk.claim.is_held = 0;
    EXPECT(emma_heap_sbrk(heap, -1000) == (char *)begin + 1000);
    emma_heap_destroy(heap);
}

/* --- memory that the program has locked: it does not go back, so it stays charged --- */

static void lock(const void *from, size_t bytes) {
    if (mlock2(from, bytes, MLOCK_ONFAULT) != 0)
        storm_skip("so much memory cannot be locked here");
}

static void locked_spans_stay_charged(void) {
    enum { COUNT = 20000, BYTES = 1000 };
    static void *blocks[COUNT];
    emma_heap *heap = emma_heap_create(NULL);
    for (size_t i = 0; i < COUNT; i++)
        memset(blocks[i] = emma_heap_malloc(heap, BYTES), 1, BYTES);
    emma_tract *tract = emma__tract_of((uintptr_t)heap);
    size_t mapped = (size_t)tract->mapped_slices << EMMA_SLICE_LOG2;
    lock(blocks[0], (uintptr_t)tract + mapped - (uintptr_t)blocks[0]);
    for (size_t i = 0; i < COUNT; i++)
        if (i % 50 != 0)
            emma_heap_free(heap, blocks[i]);
    emma_heap_collect(heap);
    size_t used = 0;
    for (size_t i = 0; i < COUNT; i += 50)
        used += ((unsigned char *)blocks[i])[BYTES - 1];
    EXPECT(used == COUNT / 50);
    size_t committed = heap_work_stats(heap).committed_bytes;
    EXPECT(heap_work_resident(heap) <= committed);
    munlock(tract, mapped);
    emma_heap_collect(heap);
    EXPECT(heap_work_stats(heap).committed_bytes < committed / 2);
    EXPECT(heap_work_resident(heap) <= heap_work_stats(heap).committed_bytes);
    emma_heap_destroy(heap);
}

static void a_locked_break_stays_charged(void) {
    enum { BYTES = 1 << 20 };
    emma_heap *heap = emma_heap_create(NULL);
    unsigned char *begin = emma_heap_sbrk(heap, 0);
    size_t own = heap_work_stats(heap).committed_bytes;
    emma_heap_sbrk(heap, BYTES);
    memset(begin, 1, BYTES);
    lock(begin, BYTES);
    EXPECT(emma_heap_sbrk(heap, -BYTES) == begin + BYTES);
    EXPECT(heap_work_stats(heap).committed_bytes == own + BYTES);
    EXPECT(emma_heap_sbrk(heap, BYTES) == begin && heap_work_is_zero(begin, BYTES));
    EXPECT(heap_work_stats(heap).committed_bytes == own + BYTES);
    emma_heap_reset(heap);
    EXPECT(heap_work_stats(heap).committed_bytes == own + BYTES);
    munlock(begin, BYTES);
    emma_heap_sbrk(heap, 1);
    EXPECT(emma_heap_sbrk(heap, -1) != NULL && heap_work_stats(heap).committed_bytes == own);
    emma_heap_destroy(heap);
}

int main(void) {
    static const storm_case cases[] = {
        {"blocks are freed by parts", frees_by_parts, 60},
        {"parts of blocks at multiples of 3 and 4", parts_of_aligned_blocks, 10},
        {"threads free by parts", threads_free_by_parts, 60},
        {"parts that were left for another thread need no memory", left_parts_need_no_memory, 10},
        {"a heap's break", has_a_break, 10},
        {"a break at the limit takes what is not in use", a_break_at_the_limit, 10},
        {"a break that shrinks leaves nothing", a_shrunk_break_is_gone, 60},
        {"threads move one break", threads_move_the_break, 60},
        {"a break that is claimed for ever", a_break_that_is_claimed_for_ever, 10},
        {"locked spans stay charged", locked_spans_stay_charged, 30},
        {"a locked break stays charged", a_locked_break_stays_charged, 10},
    };
    return storm_main(cases, STORM_COUNT(cases));
}
