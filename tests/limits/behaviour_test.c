/* behaviour_test.c: the contested cases of malloc's behaviour as docs/BEHAVIOUR.md decides them. Preloaded. */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "../storm/storm.h"

#pragma weak emma_owns
#pragma weak emma_malloc
#pragma weak emma_realloc
#pragma weak emma_free
#pragma weak emma_aligned_alloc

/* Sizes that the compiler does not know. */
static volatile size_t none = 0;
static volatile size_t above = (size_t)PTRDIFF_MAX + 1;

/* realloc, of which the compiler does not know what it does with the block. */
static void *(*volatile resize)(void *, size_t) = realloc;

static void realloc_to_0(void) {
    void *block = malloc(100);
    errno = 7;
    EXPECT(resize(block, none) == NULL && errno == 7);
    EXPECT(malloc(100) == block); /* it was freed */
    free(block);
    void *mine = emma_malloc(100);
    void *least = emma_realloc(mine, none);
    EXPECT(least != NULL && emma_owns(least) == 1);
    emma_free(least);
    void *fresh = realloc(NULL, none);
    EXPECT(fresh != NULL);
    free(fresh);
}

static void size_0(void) {
    void *block[8] = {malloc(none),
                      malloc(none),
                      calloc(none, 5),
                      calloc(5, none),
                      aligned_alloc(64, none),
                      aligned_alloc(64, none),
                      aligned_alloc(4096, none),
                      memalign(16, none)};
    for (size_t i = 0; i < STORM_COUNT(block); i++) {
        EXPECT(block[i] != NULL && emma_owns(block[i]) == 1);
        for (size_t j = 0; j < i; j++)
            EXPECT(block[i] != block[j]);
    }
    for (size_t i = 0; i < STORM_COUNT(block); i++)
        free(block[i]);
}

static void size_0_with_every_alignment(void) {
    for (unsigned log2 = 4; log2 <= 27; log2++) {
        size_t align = (size_t)1 << log2;
        char *a = aligned_alloc(align, none);
        char *b = aligned_alloc(align, none);
        if (!EXPECT(a != NULL && b != NULL && a != b))
            return;
        if (!EXPECT(emma_owns(a) == 1 && emma_owns(b) == 1 && (uintptr_t)a % align == 0))
            return;
        free(a);
        free(b);
    }
}

static void alignments(void) {
    for (size_t align = 0; align < 8192; align++) {
        bool is_power = align != 0 && (align & (align - 1)) == 0;
        size_t rounded = 1;
        while (rounded < align)
            rounded *= 2;
        char *block = memalign(align, 10);
        EXPECT(block != NULL && (uintptr_t)block % rounded == 0);
        free(block);
        errno = 0;
        block = aligned_alloc(align, 24);
        EXPECT(is_power ? block != NULL && (uintptr_t)block % align == 0 : block == NULL && errno == EINVAL);
        free(block);
    }
    for (size_t size = 1; size < 100000; size += size / 8 + 1) {
        void *block = malloc(size);
        EXPECT((uintptr_t)block % 16 == 0 && malloc_usable_size(block) >= size);
        free(block);
    }
}

static void too_large(void) {
    errno = 0;
    EXPECT(malloc(above) == NULL && errno == ENOMEM);
    errno = 0;
    EXPECT(malloc(above - 1) == NULL && errno == ENOMEM);
    errno = 0;
    EXPECT(calloc(above / 4, 8) == NULL && errno == ENOMEM);
    errno = 0;
    EXPECT(emma_malloc(above) == NULL && errno == 0); /* emma_ functions do not know errno */
}

static void free_keeps_errno(void) {
    static const size_t sizes[] = {1, 1000, 100000, 5000000, 100000000};
    for (size_t i = 0; i < STORM_COUNT(sizes); i++) {
        void *block = malloc(sizes[i]);
        EXPECT(block != NULL);
        errno = 77;
        free(block);
        EXPECT(errno == 77);
    }
    free(NULL);
    EXPECT(errno == 77);
}

/* All that malloc_usable_size says may be used reads as zero. */
static void calloc_and_slack(void) {
    for (size_t size = 1; size < 200000; size += size / 4 + 1) {
        char *dirty = malloc(size);
        size_t usable = malloc_usable_size(dirty);
        memset(dirty, 0xFF, usable);
        free(dirty);
        char *block = calloc(1, size);
        usable = malloc_usable_size(block);
        bool is_zero = true;
        for (size_t i = 0; i < usable; i++)
            is_zero &= block[i] == 0;
        if (!EXPECT(is_zero))
            storm_note("size %zu, usable %zu", size, usable);
        free(block);
    }
}

static void tuning(void) {
    errno = 77;
    EXPECT(mallopt(M_MMAP_THRESHOLD, 1 << 20) == 1 && mallopt(M_ARENA_MAX, 1) == 1 && mallopt(M_MXFAST, 64) == 1);
    EXPECT(mallopt(12345, 1) == 0 && mallopt(-100, 1) == 0 && errno == 77);
}

int main(void) {
    static const storm_case cases[] = {
        {"realloc(block, 0)", realloc_to_0, 10},
        {"size 0", size_0, 10},
        {"size 0 with every alignment", size_0_with_every_alignment, 10},
        {"alignments that are no powers of two; the least alignment", alignments, 10},
        {"sizes above PTRDIFF_MAX", too_large, 10},
        {"free keeps errno", free_keeps_errno, 10},
        {"calloc and what follows the bytes asked for", calloc_and_slack, 10},
        {"mallopt", tuning, 10},
    };
    return storm_main(cases, STORM_COUNT(cases));
}
