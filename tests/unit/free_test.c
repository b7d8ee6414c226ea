/* free_test.c: heap/free.c and heap/find.c: what an address is, taking back, and misuse that is seen. */
#include "../tap.h"
#include "heap/heap.h"
#include "unit.h"

#define LUMP ((size_t)65536) /* whole slices, and too large for a class */

static emma_heap heap = EMMA_HEAP_INITIAL(&unit_directory, unit_shelves, 0);
static emma_thread thread = EMMA_THREAD_INITIAL;
static const emma_thread initial = EMMA_THREAD_INITIAL;

static void fresh(void) {
    unit_heap_reset(&heap);
    thread = initial;
}

static unsigned kind_of(const void *address) {
    return emma__heap_find(&heap, address).kind;
}

static void any_value_may_be_asked_for(void) {
    static char variable[64];
    fresh();
    for (unsigned started = 0; started < 2; started++) {
        IS(kind_of(0), EMMA_BLOCK_NONE);
        IS(kind_of(variable), EMMA_BLOCK_NONE);
        IS(kind_of(&started), EMMA_BLOCK_NONE);
        IS(kind_of(unit_pointer(UINTPTR_MAX)), EMMA_BLOCK_NONE);
        for (unsigned bit = 0; bit < 64; bit++)
            IS(kind_of(unit_pointer((uintptr_t)1 << bit)), EMMA_BLOCK_NONE);
        unit_free(&heap, &thread, unit_alloc(&heap, &thread, 100));
    }
    uintptr_t base = emma__heap_regions(&heap)->base;
    IS(kind_of(unit_pointer(base)), EMMA_BLOCK_NONE); /* a tract's own slice */
    IS(kind_of(unit_pointer(base + EMMA_TRACT_HEADER_BYTES)), EMMA_BLOCK_NONE);
    IS(kind_of(unit_pointer(base + EMMA_TRACT_BYTES - EMMA_SLICE_BYTES)), EMMA_BLOCK_NONE); /* not mapped */
    IS(kind_of(unit_pointer(base + 10 * (uintptr_t)EMMA_TRACT_BYTES)), EMMA_BLOCK_NONE);
}

static void blocks_are_known_by_their_start(void) {
    fresh();
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class += 3) {
        size_t size = emma__class_size(class);
        uint8_t *block = unit_alloc(&heap, &thread, size);
        emma_block found = emma__heap_find(&heap, block);
        OK(found.kind == EMMA_BLOCK_SMALL && found.class == class && found.usable_bytes == size);
        IS(kind_of(block + 1), EMMA_BLOCK_NONE);
        IS(kind_of(block + size - 1), EMMA_BLOCK_NONE);
        IS(kind_of(block + size / 2 - 1), EMMA_BLOCK_NONE);
        unit_free(&heap, &thread, block);
    }
    uint8_t *large = unit_alloc(&heap, &thread, 3 * LUMP - 1000);
    emma_block found = emma__heap_find(&heap, large);
    OK(found.kind == EMMA_BLOCK_LARGE && found.usable_bytes >= 3 * LUMP - 1000 && found.usable_bytes <= 3 * LUMP);
    IS(kind_of(large + 16), EMMA_BLOCK_NONE);
    IS(kind_of(large + LUMP), EMMA_BLOCK_NONE);
    unit_free(&heap, &thread, large);
    IS(kind_of(large), EMMA_BLOCK_NONE);
    uint8_t *huge = unit_alloc(&heap, &thread, 3 * (size_t)EMMA_TRACT_BYTES);
    IS(kind_of(huge), EMMA_BLOCK_HUGE);
    IS(kind_of(huge + EMMA_TRACT_BYTES), EMMA_BLOCK_NONE);
    IS(kind_of(huge - 16), EMMA_BLOCK_NONE);
    unit_free(&heap, &thread, huge);
    IS(kind_of(huge), EMMA_BLOCK_NONE);
}

/* A second heap beside: each knows where blocks lie, also the other's. */
static void blocks_of_another_heap_are_found(void) {
    static emma_shelf shelves[EMMA_CLASS_COUNT];
    static emma_heap other = EMMA_HEAP_INITIAL(&unit_directory, shelves, 0);
    fresh();
    void *block = unit_alloc(&other, 0, 500);
    IS(kind_of(block), EMMA_BLOCK_SMALL);
    unit_free(&other, 0, block);
    unit_heap_reset(&other);
}

static void null_is_nothing(void) {
    fresh();
    unit_free(&heap, &thread, 0);
    unit_free(&heap, 0, 0);
    OK(emma__heap_regions(&heap)->first == 0);
    unit_free(&heap, &thread, unit_alloc(&heap, &thread, 1));
    unit_free(&heap, &thread, 0);
    OK(!emma__thread_is_closed(thread.cache) && unit_heap_sound(&heap, 0));
}

/* What one user allocates, another frees; nothing is lost between thread cache, shared cache, depot and spans. */
static void freed_by_others(void) {
    static void *held[3000];
    emma_thread other = initial;
    fresh();
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i < 3000; i++)
            held[i] = unit_alloc(&heap, round % 2 == 0 ? &thread : &other, 40 + i % 5 * 300);
        OK(unit_heap_sound(&heap, 3000));
        for (unsigned i = 0; i < 3000; i++)
            unit_free(&heap, round % 3 == 0 ? 0 : round % 2 == 0 ? &other : &thread, held[i]);
        OK(unit_heap_sound(&heap, 0));
    }
}

static uint8_t *victim;

static void free_it(void) {
    unit_free(&heap, &thread, victim);
}

static void free_it_twice(void) {
    free_it();
    free_it();
}

static void free_it_again_later(void) {
    free_it();
    for (unsigned i = 0; i < 40; i++) /* it travels: to the spare magazine, to the depot */
        unit_free(&heap, &thread, unit_alloc(&heap, &thread, 200));
    free_it();
}

static void free_it_after_a_collection(void) {
    free_it();
    emma__heap_collect(&heap, &thread);
    free_it();
}

static void misuse_is_seen(void) {
    fresh();
    void *keep = unit_alloc(&heap, &thread, 200);
    victim = unit_alloc(&heap, &thread, 200);
    OK(unit_dies(free_it_twice, "double free"));
    OK(unit_dies(free_it_again_later, "double free"));
    OK(unit_dies(free_it_after_a_collection, "double free"));
    OK(unit_dies(free_it_twice, "emma: ") && !unit_dies(free_it, "emma: "));
    unit_free(&heap, &thread, victim);
    victim = unit_alloc(&heap, &thread, 5 * LUMP);
    OK(unit_dies(free_it_twice, "not a live block"));
    victim += LUMP;
    OK(unit_dies(free_it, "not a live block"));
    victim = unit_alloc(&heap, &thread, 3 * (size_t)EMMA_TRACT_BYTES);
    OK(unit_dies(free_it_twice, "not a live block"));
    victim += EMMA_TRACT_BYTES;
    OK(unit_dies(free_it, "not a live block"));
    static uint8_t variable[64];
    victim = variable;
    OK(unit_dies(free_it, "not a live block"));
    victim = (uint8_t *)&variable;
    OK(unit_dies(free_it, "not a live block"));
    victim = unit_pointer(16);
    OK(unit_dies(free_it, "not a live block"));
    victim = unit_pointer(UINTPTR_MAX - 15);
    OK(unit_dies(free_it, "not a live block"));
    OK(keep != 0);
}

/* Live blocks whose first word looks like that of a free one: no false alarm, whatever it points to. */
static void no_false_alarm(void) {
    fresh();
    uint64_t *a = unit_alloc(&heap, &thread, 64);
    uint64_t *b = unit_alloc(&heap, &thread, 64);
    uint64_t *freed = unit_alloc(&heap, &thread, 64);
    unit_free(&heap, &thread, freed);
    uint64_t words[] = {(uint64_t)(uintptr_t)b << 16 | 0xF800 | 3,
                        (uint64_t)(uintptr_t)freed << 16 | 0xF800 | 5,
                        (uint64_t)(uintptr_t)a << 16 | 0xF800 | 1,
                        0xF800,
                        0xFFFFF800,
                        UINT64_C(0x123456789ABCF8FF),
                        *freed};
    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
        *a = words[i];
        unit_free(&heap, &thread, a);
        OK(unit_alloc(&heap, &thread, 64) == (void *)a);
        *a = words[i];
        unit_free(&heap, 0, a);
        a = unit_alloc(&heap, 0, 64);
    }
    OK(unit_heap_sound(&heap, 2));
}

static void is_free_tells_where_blocks_are(void) {
    fresh();
    void *held[200];
    for (unsigned i = 0; i < 200; i++)
        held[i] = unit_alloc(&heap, &thread, 160);
    emma_magazines *own = (emma_magazines *)(void *)thread.cache;
    for (unsigned i = 100; i < 200; i++)
        unit_free(&heap, &thread, held[i]);
    for (unsigned i = 0; i < 200; i++)
        IS(emma__heap_is_free(&heap, own, 10, held[i]), i >= 100);
    emma__heap_collect(&heap, &thread);
    for (unsigned i = 0; i < 200; i++)
        OK((emma__heap_is_free(&heap, own, 10, held[i]) || kind_of(held[i]) == EMMA_BLOCK_NONE) == (i >= 100));
    OK(unit_heap_sound(&heap, 100)); /* looking changes nothing */
}

TAP_MAIN({"any value may be asked for", any_value_may_be_asked_for},
         {"blocks are known by their start only", blocks_are_known_by_their_start},
         {"blocks of another heap are found", blocks_of_another_heap_are_found},
         {"NULL is nothing to free", null_is_nothing}, {"what one allocates another frees", freed_by_others},
         {"double frees and foreign pointers end the process", misuse_is_seen},
         {"live blocks that look free raise no alarm", no_false_alarm},
         {"free blocks are found wherever they are", is_free_tells_where_blocks_are})
