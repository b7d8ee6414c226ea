/* together_test.c: the limits of all heaps together: none passes them, each is accounted for, what one frees another may
 * have, and a destroyed heap leaves nothing behind. */
#include "heap_work.h"

enum { THREADS = 4, ROUNDS = 60, MIB = 1 << 20 };

static const size_t room = (size_t)24 * MIB;

static size_t committed(emma_heap *heap) {
    return heap_work_stats(heap).committed_bytes;
}

/* Heaps of all kinds, and the default one: what they have committed is what all have. */
static void sums_up(void) {
    size_t before = emma_committed_bytes();
    EXPECT(before == committed(emma_heap_default()));
    emma_heap *heaps[] = {emma_heap_create(NULL), emma_heap_create(&(emma_heap_config){.limit_bytes = 4 * MIB}),
                          emma_heap_create(&(emma_heap_config){.flags = EMMA_HEAP_NO_CPU_CACHES}), emma_heap_default()};
    static char lent[2 * MIB];
    emma_heap *lent_only = emma_heap_create(&(emma_heap_config){.memory = lent, .memory_bytes = sizeof lent});
    for (size_t round = 0; round < 4; round++) {
        size_t sum = 0;
        for (size_t i = 0; i < STORM_COUNT(heaps); i++) {
            heap_work work = heap_work_new(heaps[i], i + 1);
            heap_work_run(&work, 3000);
            EXPECT(emma_heap_sbrk(heaps[i], 100000) != NULL || i == 1); /* which may be at its limit */
            void *huge = emma_heap_malloc(heaps[i], (size_t)40 * MIB);
            EXPECT((huge == NULL) == (i == 1));
            huge = emma_heap_realloc(heaps[i], huge, (size_t)(i == 1 ? 1 : 70) * MIB);
            if (round % 2 == 0)
                emma_heap_free(heaps[i], huge);
            heap_work_end(&work);
            sum += committed(heaps[i]);
        }
        EXPECT(emma_heap_malloc(lent_only, 100000) != NULL);
        EXPECT(emma_committed_bytes() == sum);
        emma_heap_reset(heaps[round % 3]);
        emma_heap_collect(heaps[(round + 1) % 3]);
    }
    for (size_t i = 0; i < 3; i++)
        emma_heap_destroy(heaps[i]);
    EXPECT(emma_committed_bytes() == committed(emma_heap_default()));
}

static _Atomic(size_t) most;
static _Atomic(size_t) refused;
static _Atomic(size_t) refused_heaps;

static void look(void) {
    size_t now = emma_committed_bytes();
    size_t seen = atomic_load(&most);
    while (now > seen && !atomic_compare_exchange_weak(&most, &seen, now))
        ;
}

/* Each thread uses the default heap, and heaps that it makes and destroys. */
static void *drive(void *number) {
    uint64_t random = (uintptr_t)number;
    for (size_t round = 0; round < ROUNDS && !storm_failed(); round++) {
        emma_heap *made = emma_heap_create(NULL);
        atomic_fetch_add(&refused_heaps, made == NULL);
        heap_work works[] = {heap_work_new(emma_heap_default(), storm_random(&random)),
                             heap_work_new(made, storm_random(&random))};
        for (size_t i = 0; i < (made != NULL ? 2u : 1u); i++) {
            works[i].most_bytes = storm_below(&random, 4) == 0 ? 3 * MIB : 100000;
            for (size_t step = 0; step < 10; step++) {
                heap_work_run(&works[i], 100);
                look();
            }
            heap_work_end(&works[i]);
            atomic_fetch_add(&refused, works[i].refused);
        }
        if (made != NULL)
            emma_heap_destroy(made);
    }
    return NULL;
}

static void is_never_passed(void) {
    size_t limit = emma_committed_bytes() + room;
    emma_set_limit(limit);
    heap_work_in_threads(THREADS, drive);
    EXPECT(most <= limit && most > limit / 8 * 7 && refused != 0);
    storm_note("%zu of %zu KiB committed at most, %zu requests and %zu heaps refused", most >> 10, limit >> 10, refused,
               refused_heaps);
    emma_collect();
    EXPECT(emma_committed_bytes() == committed(emma_heap_default()));
    emma_set_limit(0);
    void *block = emma_malloc(2 * room);
    EXPECT(block != NULL);
    emma_free(block);
}

/* What the default heap keeps dirty goes to a made heap that has no room; and what was destroyed to the next one. */
static void what_is_freed_is_for_others(void) {
    emma_collect();
    emma_set_limit(emma_committed_bytes() + 8 * MIB);
    void *blocks[30];
    for (size_t i = 0; i < STORM_COUNT(blocks); i++)
        blocks[i] = emma_malloc(200000);
    for (size_t i = 0; i < STORM_COUNT(blocks); i++)
        emma_free(blocks[i]);
    for (size_t round = 0; round < 20; round++) {
        emma_heap *heap = emma_heap_create(NULL);
        if (!EXPECT(heap != NULL))
            return;
        EXPECT(emma_heap_malloc(heap, (size_t)6 * MIB) != NULL);
        EXPECT(emma_heap_malloc(heap, (size_t)6 * MIB) == NULL);
        EXPECT(emma_malloc((size_t)6 * MIB) == NULL);
        emma_heap_destroy(heap);
    }
    emma_set_limit(0);
}

/* There is no room before the default heap gives back what it keeps dirty. */
static void it_gives_back_for_new_heaps(void) {
    emma_free(emma_malloc((size_t)3 * MIB));
    emma_set_limit(emma_committed_bytes());
    emma_heap *heap = emma_heap_create(NULL);
    EXPECT(heap != NULL && emma_heap_malloc(heap, MIB) != NULL);
    emma_heap_destroy(heap);
    emma_set_limit(0);
}

/* A limit below what is committed holds for what comes, also for new heaps. */
static void no_heap_is_made_above_it(void) {
    emma_set_limit(1);
    EXPECT(emma_heap_create(NULL) == NULL);
    static char memory[100000];
    emma_heap *heap = emma_heap_create(&(emma_heap_config){.memory = memory, .memory_bytes = sizeof memory});
    EXPECT(heap != NULL && emma_heap_malloc(heap, 50000) != NULL); /* it takes nothing from the system */
    emma_set_limit(0);
    heap = emma_heap_create(NULL);
    EXPECT(heap != NULL);
    emma_heap_destroy(heap);
}

typedef struct passing {
    size_t calls;
    size_t committed;
    emma_heap *heap;
} passing;

static void pass(emma_heap *heap, size_t committed_bytes, void *context) {
    passing *self = context;
    *self = (passing){self->calls + 1, committed_bytes, heap};
    emma_free(emma_malloc(1000)); /* it may use any heap */
}

static void soft_limit_is_told_once(void) {
    passing seen = {0};
    emma_collect();
    size_t soft = emma_committed_bytes() + 4 * MIB;
    emma_set_soft_limit(soft, pass, &seen);
    emma_heap *heaps[] = {emma_heap_default(), emma_heap_create(NULL)};
    for (size_t round = 1; round < 5; round++) {
        emma_heap *heap = heaps[round % 2];
        void *blocks[40];
        for (size_t i = 0; i < STORM_COUNT(blocks); i++)
            blocks[i] = emma_heap_malloc(heap, 200000);
        EXPECT(seen.calls == round && seen.heap == heap && seen.committed > soft && seen.committed < soft + MIB);
        for (size_t i = 0; i < STORM_COUNT(blocks); i++)
            emma_heap_free(heap, blocks[i]);
        emma_heap_collect(heap);
        emma_heap_free(heap, emma_heap_malloc(heap, 200000)); /* who looks sees that it is below */
    }
    emma_set_soft_limit(soft, NULL, NULL);
    EXPECT(emma_heap_malloc(heaps[1], (size_t)8 * MIB) != NULL && seen.calls == 4);
    emma_heap_destroy(heaps[1]);
}

static size_t deep;
static size_t deepest;

/* It goes below the soft limit and passes it again. */
static void hover(emma_heap *heap, size_t committed_bytes, void *context) {
    (void)committed_bytes;
    deepest = ++deep > deepest ? deep : deepest;
    void **block = context;
    for (size_t i = 0; i < 10; i++) {
        emma_heap_free(heap, *block);
        emma_heap_collect(heap);
        emma_heap_free(heap, emma_heap_malloc(heap, 100));
        *block = emma_heap_malloc(heap, (size_t)6 * MIB);
    }
    deep--;
}

static void its_handler_is_not_called_within_itself(void) {
    emma_heap *heap = emma_heap_create(NULL);
    void *block = emma_heap_malloc(heap, 1000);
    emma_set_soft_limit(emma_committed_bytes() + 4 * MIB, hover, &block);
    void *more = emma_heap_malloc(heap, (size_t)6 * MIB);
    EXPECT(more != NULL && block != NULL && deepest == 1);
    emma_set_soft_limit(0, NULL, NULL);
    emma_heap_destroy(heap);
}

static size_t asked;

static int ask(emma_heap *heap, size_t size, void *context) {
    (void)heap;
    (void)size;
    (void)context;
    asked++;
    emma_set_limit(0);
    return 1;
}

static void handlers_are_asked(void) {
    emma_set_limit(emma_committed_bytes() + MIB);
    emma_set_out_of_memory(ask, NULL);
    void *block = emma_malloc((size_t)4 * MIB);
    EXPECT(block != NULL && asked == 1);
    emma_free(block);
    emma_set_out_of_memory(NULL, NULL);
}

int main(void) {
    static const storm_case cases[] = {
        {"what all have committed is the sum of what each has", sums_up, 60},
        {"the limit is never passed, by threads that make and destroy heaps", is_never_passed, 120},
        {"what is freed is for others", what_is_freed_is_for_others, 10},
        {"the default heap gives back for new heaps", it_gives_back_for_new_heaps, 10},
        {"no heap is made above it, but over other memory", no_heap_is_made_above_it, 10},
        {"the soft limit is told once for each passing", soft_limit_is_told_once, 10},
        {"its handler is not called within itself", its_handler_is_not_called_within_itself, 10},
        {"handlers are asked", handlers_are_asked, 10},
    };
    return storm_main(cases, STORM_COUNT(cases));
}
