/* sizes.c: misuses of large and huge blocks, of realloc, and of alignments and sizes. */
#include <errno.h>
#include <string.h>

#include "misuse.h"

#define NOT_LIVE      "free of what is not a live block (double free, or not from emma)"
#define REALLOC_OF_NO "realloc of what is not a live block"

enum { LARGE = 1 << 20, HUGE_BYTES = 100 << 20 };

static void free_twice(size_t size) {
    void *block = mark(storm_malloc(size));
    storm_free(block);
    storm_free(block);
}

static void large_twice(void) {
    free_twice(LARGE);
}

static void huge_twice(void) {
    free_twice(HUGE_BYTES);
}

static void large_twice_with_others_between(void) {
    void *block = mark(storm_malloc(LARGE));
    void *other = storm_malloc(LARGE);
    storm_free(block);
    storm_free(other);
    storm_free(block);
}

static void free_inside(size_t size, size_t offset) {
    char *block = storm_malloc(size);
    storm_free(mark(block + offset));
}

static void inside_large(void) {
    free_inside(LARGE, 4096);
}

static void inside_large_slice(void) {
    free_inside(LARGE, 65536);
}

static void inside_large_end(void) {
    free_inside(LARGE, LARGE - 16);
}

static void inside_huge(void) {
    free_inside(HUGE_BYTES, 4096);
}

static void inside_huge_far(void) {
    free_inside(HUGE_BYTES, 70 << 20);
}

static void before_huge(void) {
    char *block = storm_malloc(HUGE_BYTES);
    storm_free(mark(block - 4096));
}

static void in_a_free_slice(void) {
    char *block = storm_malloc(LARGE);
    storm_free(block);
    storm_free(mark(block + 128 * 1024 + 64));
}

static void in_a_freed_huge_block(void) {
    char *block = storm_malloc(HUGE_BYTES);
    storm_free(block);
    storm_free(mark(block + 8192));
}

static void *grow(void *block, size_t size) {
    void *grown = storm_realloc(block, size);
    MUST(grown != NULL);
    return grown;
}

static void realloc_of_the_stack(void) {
    int here = 0;
    grow(mark(&here), 100);
}

static void realloc_of_a_freed_small_block(void) {
    void *block = mark(storm_malloc(64));
    storm_free(block);
    grow(block, 1000);
}

static void realloc_of_a_freed_large_block(void) {
    void *block = mark(storm_malloc(LARGE));
    storm_free(block);
    grow(block, 2 * LARGE);
}

static void realloc_of_a_freed_huge_block(void) {
    void *block = mark(storm_malloc(HUGE_BYTES));
    storm_free(block);
    grow(block, 2 * HUGE_BYTES);
}

static void realloc_inside_large(void) {
    char *block = storm_malloc(LARGE);
    grow(mark(block + 65536), LARGE);
}

static void realloc_inside_huge(void) {
    char *block = storm_malloc(HUGE_BYTES);
    grow(mark(block + 4096), LARGE);
}

/* What realloc moved away is freed by its old name. */
static void free_of_what_realloc_moved(void) {
    void *block = mark(storm_malloc(64));
    void *moved = grow(block, 5000);
    MUST(moved != block);
    storm_free(block);
}

/* Wrong sizes are not looked at: the span knows better. */
static void sizes_are_not_believed(void) {
    emma_free_sized(emma_malloc(10), 999);
    emma_free_aligned_sized(emma_aligned_alloc(64, 10), 4096, 1);
    char *block = emma_malloc(10);
    MUST(block != NULL);
    memset(block, 1, emma_usable_size(block));
    emma_free(block);
}

static void questions_about_strangers(void) {
    int here = 0;
    MUST(emma_usable_size(&here) == 0 && emma_owns(&here) == 0);
    MUST(emma_owns(NULL) == 0 && emma_usable_size(NULL) == 0);
    MUST(emma_owns((void *)UINTPTR_MAX) == 0 && emma_usable_size((void *)UINT64_C(0xDEADBEEFDEADBEE0)) == 0);
    char *block = emma_malloc(LARGE);
    MUST(emma_owns(block) == 1 && emma_owns(block + 65537) == 1); /* anywhere in emma's memory */
    MUST(emma_usable_size(block + 1) == 0 && emma_usable_size(block + 65536) == 0);
    MUST(emma_realloc_in_place(&here, 1, 1) == 0);
    emma_free(block);
    MUST(emma_usable_size(block) == 0 && emma_realloc_in_place(block, 1, 1) == 0);
}

static void alignments_of_emma(void) {
    volatile size_t most = SIZE_MAX;
    errno = 0;
    MUST(emma_aligned_alloc(0, 16) == NULL && emma_aligned_alloc(3, 16) == NULL);
    MUST(emma_aligned_alloc(most, 16) == NULL && emma_aligned_alloc(most / 2 + 1, 16) == NULL);
    MUST(emma_aligned_alloc(4097, 4097) == NULL && emma_aligned_alloc(16, most) == NULL);
    MUST(errno == 0);
}

static void sizes_of_emma(void) {
    void *block = emma_malloc(100);
    errno = 0;
    volatile size_t above = (size_t)PTRDIFF_MAX + 1;
    volatile size_t most = SIZE_MAX;
    MUST(emma_malloc(above) == NULL && emma_malloc(most) == NULL);
    MUST(emma_calloc(above, 2) == NULL && emma_calloc(most / 2, 3) == NULL);
    MUST(emma_realloc(block, above) == NULL && emma_good_size(above) == 0);
    MUST(emma_realloc_in_place(block, above, above) == 0);
    MUST(errno == 0);
    emma_free(block);
}

#if STORM_DROP_IN
static void alignments_of_the_drop_in(void) {
    void *place = &place;
    volatile size_t most = SIZE_MAX;
    volatile size_t zero = 0;
    volatile size_t three = 3;
    errno = 0;
    MUST(aligned_alloc(three, 16) == NULL && errno == EINVAL);
    errno = 0;
    MUST(aligned_alloc(zero, 16) == NULL && errno == EINVAL);
    errno = 0;
    MUST(aligned_alloc(most / 2 + 1, 16) == NULL && errno == ENOMEM);
    errno = 7;
    MUST(posix_memalign(&place, three, 16) == EINVAL && posix_memalign(&place, zero, 16) == EINVAL);
    MUST(posix_memalign(&place, 4, 16) == EINVAL && posix_memalign(&place, 24, 16) == EINVAL);
    MUST(errno == 7);
    MUST(posix_memalign(&place, 64, most - 64) == ENOMEM && errno == ENOMEM); /* as glibc */
    MUST(place == &place);
    errno = 0;
    MUST(memalign(most, 16) == NULL && errno == EINVAL);
    void *rounded = memalign(48, 16);
    MUST(rounded != NULL && (uintptr_t)rounded % 64 == 0);
    free(rounded);
}

static void sizes_of_the_drop_in(void) {
    volatile size_t above = (size_t)PTRDIFF_MAX + 1;
    void *block = malloc(100);
    errno = 0;
    MUST(malloc(above) == NULL && errno == ENOMEM);
    errno = 0;
    MUST(calloc(above, 2) == NULL && errno == ENOMEM);
    errno = 0;
    MUST(realloc(block, above) == NULL && errno == ENOMEM);
    errno = 0;
    MUST(reallocarray(NULL, above, 2) == NULL && errno == ENOMEM);
    errno = 0;
    MUST(pvalloc(above - 1) == NULL && errno == ENOMEM);
    free(block);
}
#endif

const misuse misuse_sizes[] = {
    {"double free of a large block", large_twice, DIES, NOT_LIVE},
    {"double free of a large block, others between", large_twice_with_others_between, DIES, NOT_LIVE},
    {"double free of a huge block", huge_twice, DIES, NOT_LIVE},
    {"free inside a large block", inside_large, DIES, NOT_LIVE},
    {"free inside a large block, at a slice", inside_large_slice, DIES, NOT_LIVE},
    {"free at the end of a large block", inside_large_end, DIES, NOT_LIVE},
    {"free inside a huge block", inside_huge, DIES, NOT_LIVE},
    {"free inside a huge block, far from its start", inside_huge_far, DIES, NOT_LIVE},
    {"free before a huge block", before_huge, DIES, NOT_LIVE},
    {"free in a free slice", in_a_free_slice, DIES, NOT_LIVE},
    {"free in a huge block that is gone", in_a_freed_huge_block, DIES, NOT_LIVE},
    {"realloc of the stack", realloc_of_the_stack, DIES, REALLOC_OF_NO},
    {"realloc of a freed small block", realloc_of_a_freed_small_block, DIES, "double free"},
    {"realloc of a freed large block", realloc_of_a_freed_large_block, DIES, REALLOC_OF_NO},
    {"realloc of a freed huge block", realloc_of_a_freed_huge_block, DIES, REALLOC_OF_NO},
    {"realloc inside a large block", realloc_inside_large, DIES, REALLOC_OF_NO},
    {"realloc inside a huge block", realloc_inside_huge, DIES, REALLOC_OF_NO},
    {"free of what realloc moved away", free_of_what_realloc_moved, DIES, "double free"},
    {"sizes given to free are not believed", sizes_are_not_believed, PASSES, ""},
    {"questions about strangers are answered", questions_about_strangers, PASSES, ""},
    {"bad alignments, emma_", alignments_of_emma, PASSES, ""},
    {"bad sizes, emma_", sizes_of_emma, PASSES, ""},
#if STORM_DROP_IN
    {"bad alignments, drop-in", alignments_of_the_drop_in, PASSES, ""},
    {"bad sizes, drop-in", sizes_of_the_drop_in, PASSES, ""},
#endif
};
const size_t misuse_sizes_count = STORM_COUNT(misuse_sizes);
