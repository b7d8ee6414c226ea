/* malloc.c: malloc and its kin, as C, POSIX and glibc define them. Contested cases are decided in docs/BEHAVIOUR.md. */
#include <errno.h>
#include <unistd.h>

#include "base/check.h"
#include "override/override.h"

/* The declarations of <stdlib.h> and <malloc.h> differ between libcs; these are ours. */
EMMA_EXPORT void *malloc(size_t size);
EMMA_EXPORT void *calloc(size_t count, size_t size);
EMMA_EXPORT void *realloc(void *block, size_t size);
EMMA_EXPORT void *reallocarray(void *block, size_t count, size_t size);
EMMA_EXPORT void free(void *block);
EMMA_EXPORT void cfree(void *block);
EMMA_EXPORT void free_sized(void *block, size_t size);
EMMA_EXPORT void free_aligned_sized(void *block, size_t alignment, size_t size);
EMMA_EXPORT void *aligned_alloc(size_t alignment, size_t size);
EMMA_EXPORT void *memalign(size_t alignment, size_t size);
EMMA_EXPORT int posix_memalign(void **result, size_t alignment, size_t size);
EMMA_EXPORT void *valloc(size_t size);
EMMA_EXPORT void *pvalloc(size_t size);
EMMA_EXPORT size_t malloc_usable_size(void *block);

static void *or_enomem(void *block) {
    if (EMMA_UNLIKELY(block == 0))
        errno = ENOMEM;
    return block;
}

void *emma__override_malloc_slow(size_t size, emma_magazine_pair *cache) {
    void *block = emma__malloc_slow(size, cache);
    emma__override_note_thread();
    return or_enomem(block);
}

void emma__override_free_slow(void *block, emma_magazine_pair *cache) {
    emma__free_slow(block, cache);
    if (EMMA_UNLIKELY(emma__this_thread.records != 0)) {
        int saved = errno; /* free keeps errno */
        emma__override_note_thread();
        errno = saved;
    }
}

void *emma__override_aligned(size_t align_bytes, size_t size_bytes) {
    void *block = emma_aligned_alloc(align_bytes, size_bytes);
    emma__override_note_thread();
    return or_enomem(block);
}

void *malloc(size_t size) {
    return emma__override_malloc(size);
}

void free(void *block) {
    emma__override_free(block);
}

void cfree(void *block) {
    emma__override_free(block);
}

void free_sized(void *block, size_t size) {
    (void)size;
    emma__override_free(block);
}

void free_aligned_sized(void *block, size_t alignment, size_t size) {
    (void)alignment;
    (void)size;
    emma__override_free(block);
}

void *calloc(size_t count, size_t size) {
    size_t bytes;
    if (EMMA_UNLIKELY(__builtin_mul_overflow(count, size, &bytes)))
        return or_enomem(0);
    if (bytes > EMMA_SMALL_MAX_BYTES)
        return or_enomem(emma_calloc(count, size));
    return emma__fast_zeroed(bytes, emma__override_malloc_slow);
}

void *realloc(void *block, size_t size) {
    if (block == 0)
        return emma__override_malloc(size);
    if (size == 0) { /* as glibc: frees; C23 leaves it undefined */
        emma__override_free(block);
        return 0;
    }
    return or_enomem(emma_realloc(block, size));
}

void *reallocarray(void *block, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return or_enomem(0);
    return realloc(block, bytes);
}

void *aligned_alloc(size_t alignment, size_t size) {
    if (!emma__bits_is_pow2(alignment)) {
        errno = EINVAL;
        return 0;
    }
    return emma__override_aligned(alignment, size);
}

void *memalign(size_t alignment, size_t size) {
    if (alignment > SIZE_MAX / 2 + 1) {
        errno = EINVAL;
        return 0;
    }
    if (!emma__bits_is_pow2(alignment)) /* as glibc: rounded up */
        alignment = alignment == 0 ? 1 : (size_t)2 << emma__bits_highest(alignment);
    return emma__override_aligned(alignment, size);
}

int posix_memalign(void **result, size_t alignment, size_t size) {
    if (!emma__bits_is_pow2(alignment) || alignment % sizeof(void *) != 0)
        return EINVAL;
    void *block = emma__override_aligned(alignment, size); /* as glibc: stores errno too */
    if (block == 0)
        return ENOMEM;
    *result = block;
    return 0;
}

static size_t page_bytes(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

void *valloc(size_t size) {
    return emma__override_aligned(page_bytes(), size);
}

void *pvalloc(size_t size) {
    size_t page = page_bytes();
    if (size > PTRDIFF_MAX - page)
        return or_enomem(0);
    return emma__override_aligned(page, emma__bits_align_up(size != 0 ? size : 1, page));
}

size_t malloc_usable_size(void *block) {
    return emma_usable_size(block);
}

/* glibc's second names for the same. Static programs need them here: where a name is missing, the linker takes libc's
 * own malloc too, and finds malloc twice. */
// NOLINTBEGIN(bugprone-reserved-identifier): these are the names
EMMA_EXPORT void *__libc_malloc(size_t size) EMMA_SAME_AS(malloc);
EMMA_EXPORT void *__libc_calloc(size_t count, size_t size) EMMA_SAME_AS(calloc);
EMMA_EXPORT void *__libc_realloc(void *block, size_t size) EMMA_SAME_AS(realloc);
EMMA_EXPORT void __libc_free(void *block) EMMA_SAME_AS(free);
EMMA_EXPORT void *__libc_memalign(size_t alignment, size_t size) EMMA_SAME_AS(memalign);
EMMA_EXPORT void *__libc_valloc(size_t size) EMMA_SAME_AS(valloc);
EMMA_EXPORT void *__libc_pvalloc(size_t size) EMMA_SAME_AS(pvalloc);
// NOLINTEND(bugprone-reserved-identifier)
