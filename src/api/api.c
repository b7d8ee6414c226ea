/* api.c: the public functions for the default heap. Contracts in emma.h. */
#include "api/fast.h"
#include "base/check.h"
#include "ctl/options.h"
#include "ctl/stats.h"
#include "emma_heap.h"
#include "purge/purge.h"

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
    (void)size;
    emma_description found;
    if (EMMA_LIKELY(emma__bits_is_pow2(alignment)))
        emma__fast_free(block, emma__free_slow);
    else
        emma__free_slow(emma_describe(block, &found) ? found.start : block, 0);
}

static void *calloc_large(size_t size) {
    void *block = emma__heap_alloc_zeroed_large(&emma__default_heap, emma__thread_here(), size);
    for (unsigned round = 0; EMMA_UNLIKELY(block == 0) && emma__exhausted(&emma__default_heap, size, &round);)
        block = emma__heap_alloc_zeroed_large(&emma__default_heap, emma__thread_here(), size);
    emma__heap_tick(&emma__default_heap);
    return block;
}

void *emma_calloc(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return 0;
    if (bytes > EMMA_SMALL_MAX_BYTES)
        return calloc_large(bytes);
    return emma__fast_zeroed(bytes, emma__malloc_slow);
}

/* Refused at first. */
static EMMA_COLD void *aligned_after_all(size_t alignment, size_t size) {
    void *block = 0;
    for (unsigned round = 0; block == 0 && emma__exhausted(&emma__default_heap, size, &round);)
        block = emma__heap_alloc_aligned(&emma__default_heap, emma__thread_here(), take(), size, alignment);
    emma__heap_tick(&emma__default_heap);
    return block;
}

void *emma_aligned_alloc(size_t alignment, size_t size) {
    if (!emma__bits_is_pow2(alignment))
        return 0;
    if (alignment <= EMMA_BLOCK_ALIGN)
        return emma__fast_malloc(size, emma__malloc_slow);
    emma_magazine_pair *cache = take();
    void *block = EMMA_HAS_TLS && size <= EMMA_SMALL_MAX_BYTES
                      ? emma__pop(cache, emma__class_of_aligned(size, alignment)) /* EMMA_CLASS_NONE has nothing */
                      : 0;
    if (EMMA_LIKELY(block != 0))
        return block;
    block = emma__heap_alloc_aligned(&emma__default_heap, emma__thread_here(), cache, size, alignment);
    if (EMMA_UNLIKELY(block == 0))
        return aligned_after_all(alignment, size);
    emma__heap_tick(&emma__default_heap);
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
    emma_block found = emma__heap_find(&emma__default_heap, block);
    emma__heap_tick(found.heap); /* it may have shrunk, or passed the soft limit */
    return found.usable_bytes;
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
