/* copies_test.c: two copies of emma with different prefixes in one program, libemma.a and libfoo.a: neither knows the
 * other's blocks, and both work at once. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "../storm/storm.h"

/* As build/foo/include/foo.h has them (make PREFIX_SYM=foo_ BUILD=build/foo). */
void *foo_malloc(size_t size);
void *foo_calloc(size_t count, size_t size);
void *foo_realloc(void *block, size_t size);
void *foo_aligned_alloc(size_t alignment, size_t size);
void foo_free(void *block);
int foo_owns(const void *address);
size_t foo_usable_size(const void *block);
size_t foo_collect(void);
void foo_thread_exit(void);

enum { MIB = 1 << 20, THREADS = 4, SLOTS = 200, STEPS = 30000 };

static const size_t sizes[] = {1, 64, 1000, 30000, 100000, 5 * MIB, 100 * MIB};

static void neither_owns_the_others(void) {
    for (size_t i = 0; i < STORM_COUNT(sizes); i++) {
        void *mine = emma_malloc(sizes[i]);
        void *other = foo_malloc(sizes[i]);
        EXPECT(emma_owns(mine) == 1 && foo_owns(mine) == 0);
        EXPECT(emma_owns(other) == 0 && foo_owns(other) == 1);
        EXPECT(emma_usable_size(other) == 0 && foo_usable_size(mine) == 0);
        EXPECT(emma_usable_size(mine) == foo_usable_size(other));
        emma_free(mine);
        foo_free(other);
    }
}

static void free_mine_to_the_other(void *size) {
    foo_free(emma_malloc((size_t)(uintptr_t)size));
}

static void free_the_others_to_mine(void *size) {
    emma_free(foo_malloc((size_t)(uintptr_t)size));
}

/* Each copy speaks under its own name. */
static void refused(void (*function)(void *), size_t size, const char *message) {
    storm_end end = storm_run_apart(function, (void *)(uintptr_t)size);
    if (!EXPECT(end.signal == SIGABRT && strncmp(end.text, message, strlen(message)) == 0))
        storm_note("size %zu: signal %d: %s", size, end.signal, end.text);
}

static void blocks_of_the_other_are_refused(void) {
    foo_free(foo_malloc(1)); /* so that it has a heap to look into */
    emma_free(emma_malloc(1));
    for (size_t i = 0; i < STORM_COUNT(sizes); i++) {
        refused(free_mine_to_the_other, sizes[i],
                "foo: free of what is not a live block (double free, or not from foo) at 0x");
        refused(free_the_others_to_mine, sizes[i],
                "emma: free of what is not a live block (double free, or not from emma) at 0x");
    }
}

static void collect_is_for_one(void) {
    for (size_t round = 0; round < 3; round++) { /* what is freed first, before the clock runs, may go back at once */
        char *mine = emma_malloc(3 * MIB);
        char *other = foo_malloc(3 * MIB);
        memset(mine, 1, 3 * MIB);
        memset(other, 2, 3 * MIB);
        emma_free(mine);
        foo_free(other);
        size_t from_foo = foo_collect();
        size_t from_emma = emma_collect();
        EXPECT(foo_collect() == 0 && emma_collect() == 0);
        EXPECT(round == 0 || (from_foo >= 3 * MIB && from_emma >= 3 * MIB));
    }
}

typedef struct slot {
    unsigned char *block;
    size_t size;
} slot;

static bool is_filled(const slot *s) {
    return s->block == NULL || (s->block[0] == s->size % 251 && s->block[s->size - 1] == s->size % 251);
}

/* One step of either copy on its own slot. Returns: whether all was well. */
static bool step(slot *s, bool is_foo, uint64_t *state) {
    size_t size = sizes[storm_below(state, STORM_COUNT(sizes) - 1)];
    size = storm_below(state, size) + 1;
    if (!is_filled(s))
        return false;
    switch (storm_below(state, 4)) {
    case 0:
        s->block = is_foo ? foo_realloc(s->block, size) : emma_realloc(s->block, size);
        break;
    case 1:
        is_foo ? foo_free(s->block) : emma_free(s->block);
        s->block = is_foo ? foo_calloc(1, size) : emma_calloc(1, size);
        break;
    case 2:
        is_foo ? foo_free(s->block) : emma_free(s->block);
        s->block = is_foo ? foo_aligned_alloc(256, size) : emma_aligned_alloc(256, size);
        break;
    default:
        is_foo ? foo_free(s->block) : emma_free(s->block);
        s->block = is_foo ? foo_malloc(size) : emma_malloc(size);
    }
    if (s->block == NULL)
        return false;
    s->size = size;
    s->block[0] = s->block[size - 1] = (unsigned char)(size % 251);
    return true;
}

static void *work(void *argument) {
    slot slots[2][SLOTS] = {{{NULL, 0}}};
    uint64_t state = storm_seed() ^ (uintptr_t)argument;
    for (size_t i = 0; i < STEPS; i++) {
        size_t which = storm_below(&state, 2);
        if (!EXPECT(step(&slots[which][storm_below(&state, SLOTS)], which == 1, &state)))
            break;
    }
    for (size_t i = 0; i < SLOTS; i++) {
        emma_free(slots[0][i].block);
        foo_free(slots[1][i].block);
    }
    emma_thread_exit();
    foo_thread_exit();
    return NULL;
}

static void both_at_once(void) {
    pthread_t thread[THREADS];
    static char names[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        EXPECT(pthread_create(&thread[i], NULL, work, &names[i]) == 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
}

int main(void) {
    static const storm_case cases[] = {
        {"two copies: neither owns the other's blocks", neither_owns_the_others, 10},
        {"two copies: the other's blocks are refused", blocks_of_the_other_are_refused, 30},
        {"two copies: collect is for one", collect_is_for_one, 10},
        {"two copies: both at once, 4 threads", both_at_once, 60},
    };
    return storm_main(cases, STORM_COUNT(cases));
}
