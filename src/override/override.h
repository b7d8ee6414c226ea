/* override.h: what the files of this folder share: slow paths that know errno and the end of threads.
 *
 * This folder is the only place in emma that knows libc. It replaces malloc and its kin, and C++'s operator new and
 * delete, by the default heap of src/api. */
#ifndef EMMA_OVERRIDE_OVERRIDE_H
#define EMMA_OVERRIDE_OVERRIDE_H

#include "api/fast.h"
#include "emma.h"

#define EMMA_EXPORT __attribute__((visibility("default")))

/* As emma__malloc_slow and emma__free_slow; ENOMEM in errno where NULL is returned; the thread's end is noted. */
EMMA_NOINLINE void *emma__override_malloc_slow(size_t size, emma_magazine_pair *cache);
EMMA_NOINLINE void emma__override_free_slow(void *block, emma_magazine_pair *cache);

static EMMA_ALWAYS_INLINE void *emma__override_malloc(size_t size) {
    return emma__fast_malloc(size, emma__override_malloc_slow);
}

static EMMA_ALWAYS_INLINE void emma__override_free(void *block) {
    emma__fast_free(block, emma__override_free_slow);
}

/* A block at a multiple of align. Returns: NULL with ENOMEM in errno. Requires: align a power of two. */
void *emma__override_aligned(size_t align_bytes, size_t size_bytes);

/* If this thread has a cache and is not known to libc yet: have its end noticed. */
void emma__override_note_thread(void);

#endif
