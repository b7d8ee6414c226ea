/* api.c: the public functions for the default heap. Contracts in emma.h. */
#include "api/fast.h"
#include "base/check.h"
#include "ctl/options.h"
#include "ctl/stats.h"
#include "emma.h"
#include "purge/purge.h"

enum { LEAST_BYTES = 2 * EMMA_BLOCK_ALIGN }; /* not worth moving to anything smaller */

static emma_magazine_pair *take(void) {
    return EMMA_HAS_TLS ? emma__thread_take(emma__thread_here()) : 0;
}

void *emma_malloc(size_t size) {
    return emma__fast_malloc(size, emma__malloc_slow);
}

void emma_free(void *block) {
    emma__fast_free(block, emma__free_slow);
}

void emma_free_sized(void *block, size_t size) {
    (void)size;
    emma__fast_free(block, emma__free_slow);
}

void emma_free_aligned_sized(void *block, size_t alignment, size_t size) {
    (void)alignment;
    (void)size;
    emma__fast_free(block, emma__free_slow);
}

void *emma_calloc(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return 0;
    if (bytes > EMMA_SMALL_MAX_BYTES)
        return emma__heap_alloc_zeroed_large(&emma__default_heap, emma__thread_here(), bytes);
    return emma__fast_zeroed(bytes, emma__malloc_slow);
}

void *emma_aligned_alloc(size_t alignment, size_t size) {
    if (!emma__bits_is_pow2(alignment))
        return 0;
    if (alignment <= EMMA_BLOCK_ALIGN)
        return emma__fast_malloc(size, emma__malloc_slow);
    void *block = emma__heap_alloc_aligned(&emma__default_heap, emma__thread_here(), take(), size, alignment);
    emma__tick();
    return block;
}

size_t emma_usable_size(const void *block) {
    return emma__heap_find(&emma__default_heap, block).usable_bytes;
}

size_t emma_good_size(size_t size) {
    if (size > PTRDIFF_MAX)
        return 0;
    if (size <= EMMA_SMALL_MAX_BYTES)
        return emma__class_size(emma__class_of(size != 0 ? size : 1));
    return emma__bits_align_up(size, EMMA_LINE_BYTES);
}

int emma_owns(const void *address) {
    return emma__heap_owns(&emma__default_heap, address);
}

size_t emma_realloc_in_place(void *block, size_t min, size_t want) {
    if (!emma__heap_resize(&emma__default_heap, block, min, want))
        return 0;
    emma__tick(); /* it may have shrunk */
    return emma_usable_size(block);
}

/* Whether a block of this usable size is the right one for a new size: it fits, and less than half of it is wasted. */
static bool suits(size_t usable_bytes, size_t size) {
    return size <= usable_bytes && (size >= usable_bytes / 2 || usable_bytes <= LEAST_BYTES);
}

static void *copy_to_new(void *block, size_t usable_bytes, size_t size) {
    void *to = emma__fast_malloc(size, emma__malloc_slow);
    if (to == 0)
        return size <= usable_bytes ? block : 0; /* a block that should shrink is good enough as it is */
    __builtin_memcpy(to, block, size < usable_bytes ? size : usable_bytes);
    emma__fast_free(block, emma__free_slow);
    return to;
}

void *emma_realloc(void *block, size_t size) {
    if (block == 0)
        return emma__fast_malloc(size, emma__malloc_slow);
    if (size > PTRDIFF_MAX)
        return 0;
    size_t usable_bytes = 0;
    size_t class = emma__span_class_fast(&emma__default_heap.depot.spans.regions, (uintptr_t)block);
    if (EMMA_LIKELY(class != EMMA_CLASS_NONE)) {
        usable_bytes = emma__class_size((unsigned)class);
        return suits(usable_bytes, size) ? block : copy_to_new(block, usable_bytes, size);
    }
    emma_block found = emma__heap_find(&emma__default_heap, block);
    CHECK(found.kind != EMMA_BLOCK_NONE, "realloc of what is not a live block", block);
    usable_bytes = found.usable_bytes;
    if (found.kind == EMMA_BLOCK_SMALL && suits(usable_bytes, size))
        return block;
    if (found.kind != EMMA_BLOCK_SMALL && size > EMMA_SMALL_MAX_BYTES) {
        if (emma__heap_resize(&emma__default_heap, block, size, size)) {
            emma__tick(); /* it may have shrunk */
            return block;
        }
        void *moved = emma__heap_move(&emma__default_heap, block, size);
        if (moved != 0)
            return moved;
    }
    return copy_to_new(block, usable_bytes, size);
}

size_t emma_collect(void) {
    return emma__purge_all(&emma__default_heap, emma__thread_here());
}

void emma_thread_exit(void) {
    if (EMMA_HAS_TLS)
        emma__thread_end(emma__thread_here(), &emma__default_heap.registry, &emma__default_heap.depot);
}

void emma_stats_read(emma_stats *stats) {
    emma__stats_read(&emma__default_heap, stats);
}

const char *emma_configure(const char *options) {
    return emma__options_apply(&emma__default_heap, options);
}

size_t emma_options_help(char *buffer, size_t size) {
    emma_text text = emma__text_in(buffer, size);
    emma__options_help(&emma__default_heap, &text);
    return text.length_bytes;
}
