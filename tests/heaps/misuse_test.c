/* misuse_test.c: errors that only made heaps know: each ends the process by SIGABRT, with one line that names the address. */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "heap_work.h"

static const char *const foreign = "free of what is not a live block (double free, or not from emma)";

typedef struct error {
    const char *name;
    void (*err)(void *block);
    size_t size;         /* of the block, live in the first heap */
    size_t offset;       /* what is wrong is so far behind its begin */
    const char *message; /* NULL: that of a foreign address */
} error;

static emma_heap *heap;
static emma_heap *other;

static void to_another(void *block) {
    emma_heap_free(other, block);
}

static void to_the_default(void *block) {
    emma_heap_free(emma_heap_default(), block);
}

static void sized_to_another(void *block) {
    emma_heap_free_sized(other, block, 10);
}

static void realloc_in_another(void *block) {
    emma_heap_realloc(other, block, 10);
}

static void in_place_in_another(void *block) {
    emma_heap_realloc_in_place(other, block, 10, 10);
}

static void by_batch_of_another(void *block) {
    void *blocks[] = {NULL, emma_heap_malloc(other, 64), block};
    emma_heap_free_batch(other, 3, blocks);
}

static void by_session_of_another(void *block) {
    emma_session session;
    emma_session_begin(other, &session);
    emma_session_free(&session, block);
    emma_session_end(&session);
}

static void twice(void *block) {
    emma_heap_free(heap, block);
    emma_heap_free(heap, block);
}

static void twice_by_free(void *block) {
    emma_free(block);
    emma_free(block);
}

static void twice_in_a_session(void *block) {
    emma_session session;
    emma_session_begin(heap, &session);
    emma_session_free(&session, block);
    emma_session_free(&session, block);
    emma_session_end(&session);
}

static void twice_in_a_batch(void *block) {
    emma_heap_free_batch(heap, 2, (void *[2]){block, block});
}

static void again_after_collect(void *block) {
    emma_heap_free(heap, block);
    emma_heap_collect(heap);
    emma_heap_free(heap, block);
}

static void after_reset(void *block) {
    emma_heap_reset(heap);
    emma_heap_free(heap, block);
}

static void after_destroy(void *block) {
    emma_heap_destroy(heap);
    emma_free(block);
}

static void once(void *block) {
    emma_heap_free(heap, block);
}

static void once_by_free(void *block) {
    emma_free(block);
}

enum { HEAD = 50 };

static void parts_overlap(void *block) {
    char *start = (char *)block - HEAD;
    emma_free_range(start, HEAD + 1);
    emma_free_range(start + HEAD, 2);
}

static void a_part_after_the_last(void *block) {
    emma_free_range(block, SIZE_MAX);
    emma_free_range(block, 1);
}

static void a_part_of_a_freed_block(void *block) {
    emma_heap_free(heap, block);
    emma_free_range(block, 1);
}

static void a_part(void *block) {
    emma_free_range(block, 1);
}

static void realloc_it(void *block) {
    emma_heap_realloc(heap, block, 100000);
}

static void free_a_local(void *block) {
    emma_heap_free(heap, block);
}

static void destroy_the_default(void *block) {
    (void)block;
    emma_heap_destroy(emma_heap_default());
}

static void reset_the_default(void *block) {
    (void)block;
    emma_heap_reset(emma_heap_default());
}

static const char another[] = "free of a block of another heap";
static const char cannot_destroy[] = "the default heap cannot be destroyed";
static const char cannot_reset[] = "the default heap cannot be reset";
static const char part_twice[] = "a part of a block was freed twice";
static const char no_part[] = "free of a part of what is not a live block";

enum { LOCAL = 0 }; /* size: not a block at all */

static error errors[] = {
    {"a small block to another heap", to_another, 64, 0, another},
    {"a large block to another heap", to_another, 100000, 0, another},
    {"a huge block to another heap", to_another, (size_t)40 << 20, 0, another},
    {"a block to the default heap", to_the_default, 64, 0, another},
    {"free_sized to another heap", sized_to_another, 64, 0, another},
    {"realloc in another heap", realloc_in_another, 64, 0, another},
    {"realloc in place in another heap", in_place_in_another, 64, 0, another},
    {"a batch with another heap's block", by_batch_of_another, 64, 0, another},
    {"a session with another heap's block", by_session_of_another, 64, 0, another},
    {"a session with another heap's large block", by_session_of_another, 100000, 0, another},
    {"a small block twice", twice, 64, 0, "double free"},
    {"a small block twice by emma_free", twice_by_free, 640, 0, "double free"},
    {"a small block twice in a session", twice_in_a_session, 64, 0, "double free"},
    {"a small block twice in a batch", twice_in_a_batch, 64, 0, "double free"},
    {"a large block twice", twice, 100000, 0, NULL},
    {"a large block twice by emma_free", twice_by_free, 100000, 0, NULL},
    {"a large block twice in a session", twice_in_a_session, 100000, 0, NULL},
    {"a huge block twice", twice, (size_t)40 << 20, 0, NULL},
    {"a small block again after a collect", again_after_collect, 64, 0, NULL},
    {"a block after a reset", after_reset, 64, 0, NULL},
    {"a large block after a reset", after_reset, 100000, 0, NULL},
    {"a block after its heap has gone", after_destroy, 64, 0, NULL},
    {"within a large block", once, 100000, 4096, NULL},
    {"within a small block", once, 64, 16, NULL},
    {"within a huge block", once_by_free, (size_t)40 << 20, 1 << 20, NULL},
    {"an address that is no block", free_a_local, LOCAL, 0, NULL},
    {"realloc within a small block", realloc_it, 64, 8, "realloc of what is not a live block"},
    {"a byte of a small block twice", parts_overlap, 640, HEAD, part_twice},
    {"a byte of a large block twice", parts_overlap, 100000, HEAD, part_twice},
    {"a part of a small block behind its last", a_part_after_the_last, 64, 0, no_part},
    {"a part of a large block behind its last", a_part_after_the_last, 100000, 0, no_part},
    {"a part of a small block that is free", a_part_of_a_freed_block, 64, 0, no_part},
    {"a part of a huge block that is free", a_part_of_a_freed_block, (size_t)40 << 20, 0, no_part},
    {"a part of what is no block", a_part, LOCAL, 0, no_part},
    {"destroy of the default heap", destroy_the_default, 64, 0, cannot_destroy},
    {"reset of the default heap", reset_the_default, 64, 0, cannot_reset},
};

static void *wrong; /* the address that the message must show */

static void err(void *argument) {
    const error *one = argument;
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    one->err(wrong);
}

static bool is_message(const char *text, const char *message, const void *address) {
    char expected[200];
    snprintf(expected, sizeof expected, "emma: %s at 0x", message);
    size_t length = strlen(expected);
    if (strncmp(text, expected, length) != 0)
        return false;
    char *rest;
    uintptr_t shown = strtoull(text + length, &rest, 16);
    return strcmp(rest, "\n") == 0 && (address == NULL || shown == (uintptr_t)address);
}

static void each_ends_in_its_line(void) {
    for (size_t i = 0; i < STORM_COUNT(errors); i++) {
        char local[64];
        const error *one = &errors[i];
        heap = emma_heap_create(NULL);
        other = emma_heap_create(NULL);
        char *block = one->size == LOCAL ? local : emma_heap_malloc(heap, one->size);
        emma_heap_free(heap, emma_heap_malloc(heap, 3000)); /* a heap in use */
        wrong = block + one->offset;
        storm_end end = storm_run_apart(err, &errors[i]);
        bool is_default = one->message == cannot_destroy || one->message == cannot_reset;
        const void *address = is_default ? (void *)emma_heap_default() : wrong;
        const char *message = one->message != NULL ? one->message : foreign;
        if (!EXPECT(end.signal == SIGABRT && is_message(end.text, message, address)))
            storm_note("%s: signal %d, status %d: %s", one->name, end.signal, end.status, end.text);
        emma_heap_destroy(heap);
        emma_heap_destroy(other);
    }
}

/* What is not an error. */
static void what_is_right_passes(void) {
    heap = emma_heap_create(NULL);
    other = emma_heap_create(NULL);
    for (size_t size = 16; size < 200000; size += 16 + size / 3) {
        uintptr_t *block = emma_heap_malloc(heap, size);
        void *mate = emma_heap_malloc(other, size);
        memset(block, 0, size); /* as a free block of a full magazine would look */
        emma_free(block);
        block = emma_heap_malloc(heap, size);
        *block = (uintptr_t)mate; /* as a link to another heap's block */
        emma_heap_free(heap, block);
        block = emma_heap_malloc(heap, size);
        *block = (uintptr_t)heap;
        emma_heap_free(heap, block);
        emma_free(mate);
    }
    EXPECT(heap_work_stats(heap).of.allocated_bytes == 0 && heap_work_stats(other).of.allocated_bytes == 0);
    emma_heap_destroy(heap);
    emma_heap_destroy(other);
}

/* A block that was freed twice is looked for in the cache of the processor: the thread stays on one. */
static void stay_here(void) {
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET((size_t)sched_getcpu(), &here);
    sched_setaffinity(0, sizeof here, &here); /* refused: the test may then fail */
}

int main(void) {
    stay_here();
    static const storm_case cases[] = {
        {"each error ends in its line", each_ends_in_its_line, 60},
        {"what only looks like an error passes", what_is_right_passes, 20},
    };
    return storm_main(cases, STORM_COUNT(cases));
}
