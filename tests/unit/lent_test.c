/* lent_test.c: heap/lent.c: heaps over memory of the caller's, and donations. Threads are in lent_storm_test.c. */
#include "../tap.h"
#include "api/fast.h"
#include "emma_heap.h"
#include "heap/lent_claim.h"
#include "unit.h"

enum { BUFFER_BYTES = 64 * 1024, MANY = 4096 };

static _Alignas(64) unsigned char buffer[BUFFER_BYTES];
static _Alignas(64) unsigned char other[3][8192];
static void *held[MANY];

static emma_heap *over(void *memory, size_t size) {
    return emma_heap_create(&(emma_heap_config){.memory = memory, .memory_bytes = size});
}

static bool is_in(const void *block, const void *memory, size_t size) {
    return (uintptr_t)block - (uintptr_t)memory < size;
}

/* Nothing is lost: when all is free, every pool is one block. */
static bool is_whole(emma_heap *heap) {
    emma_lent *lent = &heap->lent;
    if (!emma__lent_claim(lent))
        return false;
    bool whole = emma_fit_valid(lent->fit) && lent->fit->outstanding == 0 && lent->fit->used_bytes == 0;
    emma__lent_unclaim(lent);
    return whole;
}

static unsigned fill(emma_heap *heap, size_t size) {
    unsigned count = 0;
    while (count < MANY && (held[count] = emma_heap_malloc(heap, size)) != 0)
        count++;
    return count;
}

static void exhausts_64_kib_and_comes_back(void) {
    emma_heap *heap = over(buffer, sizeof buffer);
    if (!OK(heap != 0))
        return;
    static const size_t sizes[] = {1, 16, 24, 100, 256, 1000, 4096, 30000};
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned count = fill(heap, sizes[i]);
        OK(count > 0);
        OK(sizes[i] < 1000 || count * sizes[i] >= (sizes[i] == 30000 ? 30000 : 56000));
        for (unsigned j = 0; j < count; j++) {
            OK(is_in(held[j], buffer, sizeof buffer) && (uintptr_t)held[j] % 16 == 0);
            OK(emma_usable_size(held[j]) >= sizes[i]);
            unit_fill(held[j], sizes[i], j);
        }
        for (unsigned j = 0; j < count; j++)
            OK(unit_is_filled(held[j], sizes[i], j));
        for (unsigned j = 0; j < count; j++)
            emma_free(held[j * 2 % count + (count % 2 == 0 && j >= count / 2)]); /* every other one, then the rest */
        OK(is_whole(heap));
    }
    void *most = emma_heap_malloc(heap, 56 * 1024);
    OK(most != 0);
    IS(emma_heap_malloc(heap, 56 * 1024) == 0, 1);
    emma_heap_free(heap, most);
    emma_heap_destroy(heap);
    IS(emma_owns(buffer), 0);
}

static void is_a_heap_like_any_other(void) {
    emma_heap *heap = over(buffer, sizeof buffer);
    char *text = emma_heap_calloc(heap, 3, 100);
    OK(text != 0 && unit_is_zero(text, 300));
    OK(emma_owns(text) && emma_heap_of(text) == heap && emma_heap_of(buffer + 5) == heap);
    OK(emma_heap_of(held) == 0);
    unit_fill(text, 300, 1);
    text = emma_realloc(text, 5000);
    OK(text != 0 && unit_is_filled(text, 300, 1) && emma_usable_size(text) >= 5000);
    IS(emma_heap_realloc(heap, text, 1 << 20) == 0, 1);
    OK(emma_realloc(text, 0) == text && emma_usable_size(text) < 100);
    OK(emma_realloc_in_place(text, 10, 20000) >= 20000);
    OK(emma_realloc_in_place(text, 100, 1 << 20) >= 100);
    IS(emma_realloc_in_place(text, 1 << 20, 1 << 21), 0);
    for (size_t align = 16; align <= 8192; align *= 2) {
        void *block = emma_heap_aligned_alloc(heap, align, 10);
        OK(block != 0 && (uintptr_t)block % align == 0);
        emma_free(block);
    }
    void *odd = emma_heap_aligned_alloc(heap, 48, 10);
    OK(odd != 0 && (uintptr_t)odd % 48 == 0);
    emma_free_aligned_sized(odd, 48, 10);

    emma_description found;
    OK(emma_describe(text + 7, &found) && found.heap == heap && found.start == text && found.state == EMMA_LIVE_BLOCK);
    emma_heap_stats stats;
    emma_heap_stats_read(heap, &stats);
    IS(stats.lent_bytes, sizeof buffer);
    IS(stats.of.allocated_bytes, emma_usable_size(text));
    OK(stats.lent_used_bytes > stats.of.allocated_bytes && stats.of.mapped_bytes == sizeof buffer);

    emma_session session;
    emma_session_begin(heap, &session);
    void *block = emma_session_malloc(&session, 64);
    OK(block != 0);
    emma_session_free(&session, block);
    emma_session_end(&session);
    size_t usable = emma_usable_size(text);
    IS(emma_free_range(text, 9), 0);
    IS(emma_free_range(text + 9, usable), 1);
    OK(is_whole(heap));
    OK(!emma_describe(text, &found) || found.state == EMMA_FREE_BLOCK);
    OK(emma_heap_sbrk(heap, 10) == 0 && emma_heap_collect(heap) == 0);
    emma_heap_reset(heap);
    OK(fill(heap, 100) > 400);
    emma_heap_reset(heap);
    OK(is_whole(heap));
    emma_heap_destroy(heap);
}

typedef struct walk {
    unsigned count;
    uintptr_t last;
    bool ordered;
} walk;

static int count_block(const emma_description *block, void *context) {
    walk *seen = context;
    seen->ordered = seen->ordered && (uintptr_t)block->start > seen->last;
    seen->last = (uintptr_t)block->start;
    seen->count++;
    void *more = emma_heap_malloc(block->heap, 1); /* the heap may be used meanwhile */
    emma_free(more);
    return 0;
}

static void walks_all_blocks_once(void) {
    emma_heap *heap = over(buffer, sizeof buffer);
    OK(emma_heap_donate(heap, other[0], sizeof other[0]));
    unsigned count = fill(heap, 200);
    emma_free(held[--count]);
    walk seen = {0, 0, true};
    IS(emma_heap_walk(heap, count_block, &seen), 0);
    IS(seen.count, count);
    OK(seen.ordered);
    emma_heap_destroy(heap);
}

static void takes_several_ranges(void) {
    emma_heap *heap = over(other[0], sizeof other[0]);
    OK(heap != 0);
    IS(emma_heap_malloc(heap, 7000) == 0, 1);
    OK(emma_heap_donate(heap, other[1], sizeof other[1]));
    void *a = emma_heap_malloc(heap, 7000);
    OK(is_in(a, other[1], sizeof other[1]));
    OK(emma_heap_donate(heap, other[2] + 1, sizeof other[2] - 1));
    void *b = emma_heap_malloc(heap, 7000);
    OK(is_in(b, other[2], sizeof other[2]));
    IS(emma_heap_donate(heap, other[2] + 4096, 1000), 0);
    IS(over(other[1], sizeof other[1]) == 0, 1);
    emma_free(a);
    emma_free(b);
    OK(is_whole(heap));
    emma_heap_destroy(heap);
    OK(emma_heap_of(other[2] + 100) == 0);
    IS(over(buffer, 4096) == 0, 1);
    IS(over(0, 65536) == 0, 1);
    heap = over(buffer + 3, EMMA_HEAP_LEAST_MEMORY_BYTES);
    OK(heap != 0 && emma_heap_malloc(heap, 1000) != 0);
    emma_heap_destroy(heap);
}

static void donations_of_64_bytes(void) {
    enum { PARTS = BUFFER_BYTES / 64 };
    emma_heap *heap = over(other[0], sizeof other[0]);
    unsigned before = fill(heap, 16);
    for (unsigned i = 0; i < before; i++)
        emma_free(held[i]);
    for (unsigned i = 0; i < PARTS; i++)
        if (!OK(emma_heap_donate(heap, buffer + i * 64, 64)))
            break;
    IS(emma_heap_donate(heap, other[1], 63), 0);
    IS(emma_heap_donate(heap, 0, 4096), 0);
    unsigned count = fill(heap, 16);
    IS(count, before + PARTS);
    for (unsigned i = 0; i < count; i++)
        emma_free(held[i]);
    OK(is_whole(heap));
    emma_heap_destroy(heap);
    for (unsigned i = 0; i < BUFFER_BYTES; i += 500)
        OK(!emma_owns(buffer + i));
}

/* A heap of the system's memory at its limit: lent memory is used then, and only then. */
static void helps_a_heap_at_its_limit(void) {
    emma_heap *heap = emma_heap_create(&(emma_heap_config){.limit_bytes = EMMA_HEAP_LEAST_BYTES * 2});
    OK(emma_heap_donate(heap, buffer, sizeof buffer));
    void *first = emma_heap_malloc(heap, 1000);
    OK(first != 0 && !is_in(first, buffer, sizeof buffer));
    unsigned count = fill(heap, 1000);
    unsigned lent = 0;
    for (unsigned i = 0; i < count; i++) {
        lent += is_in(held[i], buffer, sizeof buffer);
        unit_fill(held[i], emma_usable_size(held[i]), i);
    }
    OK(lent * 1000 >= 56000 && count > lent);
    emma_heap_stats stats;
    emma_heap_stats_read(heap, &stats);
    OK(stats.committed_bytes <= EMMA_HEAP_LEAST_BYTES * 2);
    for (unsigned i = 0; i < count; i++) {
        OK(unit_is_filled(held[i], emma_usable_size(held[i]), i));
        if (is_in(held[i], buffer, sizeof buffer))
            emma_heap_free(heap, held[i]);
    }
    OK(is_whole(heap));
    void *block = emma_heap_calloc(heap, 1, 1000);
    OK(is_in(block, buffer, sizeof buffer) && unit_is_zero(block, emma_usable_size(block)));
    unit_fill(block, 1000, 1);
    block = emma_realloc(block, 40000);
    OK(is_in(block, buffer, sizeof buffer) && unit_is_filled(block, 1000, 1));
    emma_free(block);
    OK(is_whole(heap));
    emma_heap_reset(heap);
    OK(is_whole(heap));
    emma_heap_destroy(heap);
    OK(!emma_owns(buffer));
}

/* A block of one heap is the memory of another. */
static void lies_in_a_block_of_another_heap(void) {
    void *memory = emma_malloc(200000);
    emma_heap *heap = over(memory, 200000);
    OK(heap != 0);
    char *block = emma_heap_malloc(heap, 1000);
    OK(is_in(block, memory, 200000) && emma_heap_of(block) == heap && emma_usable_size(block) >= 1000);
    emma_description found;
    OK(emma_describe(block + 10, &found) && found.heap == heap && found.start == block);
    emma_free(block);
    OK(is_whole(heap));
    emma_heap_destroy(heap);
    OK(emma_heap_of(memory) == emma_heap_default());
    emma_free(memory);
    void *small = emma_malloc(10000);
    IS(over(small, 10000) == 0, 1);
    IS(emma_heap_donate(emma_heap_default(), small, 10000), 0);
    emma_free(small);
}

static void clears_what_is_freed(void) {
    emma_heap *heap = emma_heap_create(
        &(emma_heap_config){.flags = EMMA_HEAP_ZERO_ON_FREE, .memory = buffer, .memory_bytes = sizeof buffer});
    unsigned char *a = emma_heap_malloc(heap, 1000);
    unit_fill(a, 1000, 1);
    emma_free(a);
    OK(unit_is_zero(a + 16, 900));
    emma_heap_destroy(heap);
}

/* Somebody has the claim and does not come back. */
static void what_comes_while_claimed_is_left(void) {
    emma_heap *heap = over(buffer, sizeof buffer);
    void *a = emma_heap_malloc(heap, 100);
    void *b = emma_heap_malloc(heap, 100);
    OK(emma__lent_claim(&heap->lent));
    emma_free(a);
    OK(emma_heap_donate(heap, other[0], sizeof other[0]));
    IS(emma_heap_malloc(heap, 100) == 0, 1);
    IS(emma_heap_malloc(heap, 100) == 0, 1);
    OK(emma_usable_size(b) >= 100);
    emma_description found;
    OK(!emma_describe(b, &found) && found.heap == heap);
    emma__lent_unclaim(&heap->lent);
    emma_heap_stats stats;
    emma_heap_stats_read(heap, &stats);
    IS(stats.lent_bytes, sizeof buffer + sizeof other[0]);
    IS(stats.of.allocated_bytes, emma_usable_size(b));
    OK(emma_heap_malloc(heap, 100) == a);
    emma_heap_destroy(heap);
}

static emma_heap *doomed(void) {
    return over(buffer, sizeof buffer);
}

static void free_twice(void) {
    void *a = emma_heap_malloc(doomed(), 100);
    emma_free(a);
    emma_free(a);
}

static void free_inside(void) {
    char *a = emma_heap_malloc(doomed(), 100);
    emma_free(a + 16);
}

static void free_of_another(void) {
    emma_heap *heap = doomed();
    emma_heap *second = over(other[0], sizeof other[0]);
    emma_heap_free(second, emma_heap_malloc(heap, 10));
}

static void free_twice_while_claimed(void) {
    emma_heap *heap = doomed();
    void *a = emma_heap_malloc(heap, 100);
    void *b = emma_heap_malloc(heap, 100);
    emma__lent_claim(&heap->lent);
    emma_free(a);
    emma_free(b);
    emma_free(a);
    emma__lent_unclaim(&heap->lent);
}

static void free_after_its_heap(void) {
    emma_heap *heap = doomed();
    void *a = emma_heap_malloc(heap, 100);
    emma_heap_destroy(heap);
    emma_free(a);
}

static void realloc_of_freed(void) {
    void *a = emma_heap_malloc(doomed(), 100);
    emma_free(a);
    __asm__("" : "+r"(a));
    void *b = emma_realloc(a, 5);
    (void)b;
}

static void misuse_is_reported(void) {
    static const char message[] = "free of what is not a live block (double free, or not from emma)";
    OK(unit_dies(free_twice, message));
    OK(unit_dies(free_inside, message));
    OK(unit_dies(free_of_another, "free of a block of another heap"));
    OK(unit_dies(free_twice_while_claimed, message));
    OK(unit_dies(free_after_its_heap, message));
    OK(unit_dies(realloc_of_freed, "realloc of what is not a live block"));
}

static unsigned asked;
static int give_more(emma_heap *heap, size_t size, void *context) {
    (void)size;
    asked++;
    return asked < 3 ? emma_heap_donate(heap, other[asked], sizeof other[asked]) : context != 0;
}

static void the_handler_may_donate(void) {
    emma_heap *heap = emma_heap_create(
        &(emma_heap_config){.memory = other[0], .memory_bytes = sizeof other[0], .on_out_of_memory = give_more});
    void *a = emma_heap_malloc(heap, 6000);
    void *b = emma_heap_malloc(heap, 6000);
    OK(is_in(a, other[1], sizeof other[1]) && is_in(b, other[2], sizeof other[2]));
    OK(emma_heap_malloc(heap, 6000) == 0);
    IS(asked, 3);
    emma_heap_destroy(heap);
}

/* An earlier config ended before memory: what follows it is not read. */
static void an_earlier_config_is_understood(void) {
    emma_heap_config config = {.size = offsetof(emma_heap_config, memory), .memory = buffer, .memory_bytes = 1};
    emma_heap *heap = emma_heap_create(&config);
    OK(heap != 0 && !is_in(heap, buffer, sizeof buffer));
    emma_heap_destroy(heap);
}

TAP_MAIN({"a heap over 64 KiB: exhausted and back, at least 56 KiB of blocks", exhausts_64_kib_and_comes_back},
         {"it is a heap like any other: realloc, aligned, describe, sessions, parts, reset", is_a_heap_like_any_other},
         {"a walk sees each live block once, in order, and may use the heap", walks_all_blocks_once},
         {"several ranges, added at run time; none is lent twice", takes_several_ranges},
         {"donations of 64 bytes", donations_of_64_bytes},
         {"what was lent to a heap of the system's is used at its limit, and does not count",
          helps_a_heap_at_its_limit},
         {"a block of one heap is the memory of another", lies_in_a_block_of_another_heap},
         {"zero on free", clears_what_is_freed},
         {"while claimed: frees and donations are left, requests are refused", what_comes_while_claimed_is_left},
         {"misuse is reported", misuse_is_reported},
         {"the handler for want of memory may donate", the_handler_may_donate},
         {"a config of an earlier version", an_earlier_config_is_understood})
