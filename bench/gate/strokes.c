/* strokes.c: single operations of an allocator, to be counted by callgrind.
 *
 *   strokes OPERATION COUNT
 *
 * Only what happens inside stroke_*() is counted; each of them makes one call and nothing else, so that the count less
 * that of the same call to an empty function (stroke "null") is the allocator's own. The allocator is called through
 * pointers, as its library is called by any program, but without the linker's stub.
 *
 * Made heaps have CPU caches where the C library has registered restartable sequences, which it cannot under valgrind.
 * So this program says, in the C library's place, where its area lies: one in which the processor is number 0 for ever.
 * With one thread and no signals no sequence would be restarted, so the instructions are those that are always done.
 */
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emma_heap.h"

#define BATCH 1000
#define LIVE  512

/* What is weak may be replaced by another definition, so no compiler inlines or clones it. */
#define STROKE __attribute__((weak))

static void *(*volatile call_malloc)(size_t);
static void (*volatile call_free)(void *);
static void *(*volatile call_calloc)(size_t, size_t);
static void *(*volatile call_realloc)(void *, size_t);
static int (*volatile call_align)(void **, size_t, size_t);
static void *(*volatile call_null)(size_t);
static void *(*volatile call_heap_malloc)(emma_heap *, size_t);
static void (*volatile call_heap_free)(emma_heap *, void *);
static void *(*volatile call_session_malloc)(emma_session *, size_t);
static void (*volatile call_session_free)(emma_session *, void *);

/* An asm after the call keeps it from becoming a jump. */
#define RETURN(type, call)                                                                                             \
    do {                                                                                                               \
        type result = (call);                                                                                          \
        __asm__ volatile("" : "+r"(result));                                                                           \
        return result;                                                                                                 \
    } while (0)

STROKE void *stroke_malloc(size_t size);
STROKE void stroke_free(void *block);
STROKE void *stroke_calloc(size_t size);
STROKE void *stroke_realloc(void *block, size_t size);
STROKE int stroke_align(void **block, size_t align, size_t size);
STROKE void *stroke_null(size_t size);
STROKE void *stroke_heap_malloc(emma_heap *heap, size_t size);
STROKE void stroke_heap_free(emma_heap *heap, void *block);
STROKE void *stroke_session_malloc(emma_session *session, size_t size);
STROKE void stroke_session_free(emma_session *session, void *block);

STROKE void *stroke_malloc(size_t size) {
    RETURN(void *, call_malloc(size));
}

STROKE void stroke_free(void *block) {
    call_free(block);
    __asm__ volatile("");
}

STROKE void *stroke_calloc(size_t size) {
    RETURN(void *, call_calloc(1, size));
}

STROKE void *stroke_realloc(void *block, size_t size) {
    RETURN(void *, call_realloc(block, size));
}

STROKE int stroke_align(void **block, size_t align, size_t size) {
    RETURN(int, call_align(block, align, size));
}

STROKE void *stroke_null(size_t size) {
    RETURN(void *, call_null(size));
}

STROKE void *stroke_heap_malloc(emma_heap *heap, size_t size) {
    RETURN(void *, call_heap_malloc(heap, size));
}

STROKE void stroke_heap_free(emma_heap *heap, void *block) {
    call_heap_free(heap, block);
    __asm__ volatile("");
}

STROKE void *stroke_session_malloc(emma_session *session, size_t size) {
    RETURN(void *, call_session_malloc(session, size));
}

STROKE void stroke_session_free(emma_session *session, void *block) {
    call_session_free(session, block);
    __asm__ volatile("");
}

static void *empty(size_t size) {
    (void)size;
    return NULL;
}

static uint64_t state = 1;

static size_t next_below(size_t bound) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (size_t)((state >> 33) % bound);
}

/* The operations: each does `count` of what it is named after. */

static void null(size_t count) {
    for (size_t i = 0; i < count; i++)
        stroke_null(64);
}

/* A few blocks of the size stay alive, so that a page that empties is not what is counted. */
static void pair(size_t count, size_t size) {
    for (size_t i = 0; i < 4; i++)
        memset(call_malloc(size), 1, 1);
    for (size_t i = 0; i < count; i++)
        stroke_free(stroke_malloc(size));
}

static void pair_small(size_t count) {
    pair(count, 64);
}

static void pair_mixed(size_t count) {
    for (size_t i = 0; i < count; i++)
        stroke_free(stroke_malloc(16 + i * 40 % 1000));
}

static void pair_4k(size_t count) {
    pair(count, 4096);
}

static void pair_16k(size_t count) {
    pair(count, 16384);
}

static void pair_64k(size_t count) {
    pair(count, 65536);
}

static void pair_1m(size_t count) {
    pair(count, 1 << 20);
}

static void batch(size_t count) {
    static void *blocks[BATCH];
    for (size_t made = 0; made < count; made += BATCH) {
        for (size_t i = 0; i < BATCH; i++)
            blocks[i] = stroke_malloc(64);
        for (size_t i = 0; i < BATCH; i++)
            stroke_free(blocks[i]);
    }
}

static void replace(size_t count, size_t high, void *(*get)(size_t), void (*put)(void *)) {
    static void *blocks[LIVE];
    for (size_t i = 0; i < count; i++) {
        void **block = blocks + next_below(LIVE);
        put(*block);
        *block = get(16 + next_below(high));
    }
}

static void replace_small(size_t count) {
    replace(count, 1000, stroke_malloc, stroke_free);
}

static void replace_wide(size_t count) {
    replace(count, 32000, stroke_malloc, stroke_free);
}

static void zeroed(size_t count) {
    for (size_t i = 0; i < count; i++)
        stroke_free(stroke_calloc(64));
}

static void resize_same(size_t count) {
    void *block = stroke_malloc(100);
    for (size_t i = 0; i < count; i++)
        block = stroke_realloc(block, 97 + i % 8);
    stroke_free(block);
}

static void resize_grow(size_t count) {
    for (size_t i = 0; i < count; i += 64) {
        void *block = NULL;
        for (size_t k = 1; k <= 64; k++)
            block = stroke_realloc(block, k * 48);
        stroke_free(block);
    }
}

static void aligned(size_t count) {
    void *block = NULL;
    for (size_t i = 0; i < count; i++) {
        stroke_align(&block, 64, 100);
        stroke_free(block);
    }
}

/* Of made heaps, and of CPU caches. */

static emma_heap *made;
static emma_session session;

/* What the C library would say of its area. An allocator that has CPU caches of its own may have asked before. */
ptrdiff_t __rseq_offset;
unsigned int __rseq_size;

/* struct rseq of the kernel's include/uapi/linux/rseq.h. */
static __thread struct {
    uint32_t cpu_id_start, cpu_id;
    uint64_t rseq_cs;
    uint32_t flags;
} area __attribute__((aligned(32)));

static uintptr_t thread_pointer(void) {
#ifdef __x86_64__
    uintptr_t pointer;
    __asm__("movq %%fs:0, %0" : "=r"(pointer));
    return pointer;
#else
    return (uintptr_t)__builtin_thread_pointer();
#endif
}

typedef void function(void);

/* Returns: any function, to be cast to what it is. */
static function *find(const char *name) {
    void *found = dlsym(RTLD_DEFAULT, name);
    function *result;
    if (found == NULL) {
        (void)fprintf(stderr, "strokes: not preloaded: no %s\n", name);
        exit(1);
    }
    memcpy(&result, &found, sizeof result); /* which ISO C cannot convert */
    return result;
}

static void register_area(void) {
    __rseq_offset = (ptrdiff_t)((uintptr_t)&area - thread_pointer());
    __rseq_size = 20;
}

static void make_heap(unsigned flags) {
    register_area();
    call_heap_malloc = (void *(*)(emma_heap *, size_t))find("emma_heap_malloc");
    call_heap_free = (void (*)(emma_heap *, void *))find("emma_heap_free");
    made = ((emma_heap * (*)(const emma_heap_config *)) find("emma_heap_create"))(&(emma_heap_config){.flags = flags});
}

static void *heap_get(size_t size) {
    return stroke_heap_malloc(made, size);
}

static void heap_put(void *block) {
    stroke_heap_free(made, block);
}

static void pair_in_heap(size_t count) {
    for (size_t i = 0; i < 4; i++)
        memset(heap_get(64), 1, 1);
    for (size_t i = 0; i < count; i++)
        heap_put(heap_get(64));
}

static void heap_pair(size_t count) {
    make_heap(0);
    pair_in_heap(count);
}

static void heap_pair_shared(size_t count) {
    make_heap(EMMA_HEAP_NO_CPU_CACHES);
    pair_in_heap(count);
}

static void heap_replace(size_t count) {
    make_heap(0);
    replace(count, 1000, heap_get, heap_put);
}

static void heap_replace_by_free(size_t count) {
    make_heap(0);
    call_free = (void (*)(void *))find("emma_free");
    replace(count, 1000, heap_get, stroke_free);
}

static void session_pair(size_t count) {
    make_heap(0);
    call_session_malloc = (void *(*)(emma_session *, size_t))find("emma_session_malloc");
    call_session_free = (void (*)(emma_session *, void *))find("emma_session_free");
    ((void (*)(emma_heap *, emma_session *))find("emma_session_begin"))(made, &session);
    for (size_t i = 0; i < 4; i++)
        memset(stroke_session_malloc(&session, 64), 1, 1);
    for (size_t i = 0; i < count; i++)
        stroke_session_free(&session, stroke_session_malloc(&session, 64));
}

static void begin_cpu_caches(void) {
    register_area();
    if (((const char *(*)(const char *))find("emma_configure"))("cache=cpu") != NULL)
        exit(1);
}

static void pair_by_cpu(size_t count) {
    begin_cpu_caches();
    pair_small(count);
}

static void replace_by_cpu(size_t count) {
    begin_cpu_caches();
    replace_small(count);
}

static const struct {
    const char *name;
    void (*run)(size_t count);
} operations[] = {
    {"null", null},
    {"pair", pair_small},
    {"pair-mixed", pair_mixed},
    {"pair-4k", pair_4k},
    {"pair-16k", pair_16k},
    {"pair-64k", pair_64k},
    {"pair-1m", pair_1m},
    {"batch", batch},
    {"replace", replace_small},
    {"replace-wide", replace_wide},
    {"calloc", zeroed},
    {"realloc-same", resize_same},
    {"realloc-grow", resize_grow},
    {"aligned", aligned},
    {"pair-by-cpu", pair_by_cpu},
    {"replace-by-cpu", replace_by_cpu},
    {"heap-pair", heap_pair},
    {"heap-pair-shared", heap_pair_shared},
    {"heap-replace", heap_replace},
    {"heap-replace-by-free", heap_replace_by_free},
    {"session-pair", session_pair},
};

int main(int argc, char **argv) {
    call_malloc = malloc;
    call_free = free;
    call_calloc = calloc;
    call_realloc = realloc;
    call_align = posix_memalign;
    call_null = empty;
    char *end = NULL;
    size_t count = argc == 3 ? (size_t)strtoull(argv[2], &end, 10) : 0;
    for (size_t i = 0; count != 0 && *end == '\0' && i < sizeof operations / sizeof operations[0]; i++) {
        if (strcmp(argv[1], operations[i].name) == 0) {
            operations[i].run(count);
            return 0;
        }
    }
    fprintf(stderr, "usage: strokes OPERATION COUNT\n");
    return 2;
}
