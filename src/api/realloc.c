/* realloc.c: another size for a block of any heap. Contract in emma.h. */
#include "api/fast.h"
#include "emma.h"

enum { LEAST_BYTES = 2 * EMMA_BLOCK_ALIGN }; /* not worth moving to anything smaller */

/* Whether a block of this usable size is the right one for a new size: it fits, and less than half of it is wasted. */
static bool suits(size_t usable_bytes, size_t size) {
    return size <= usable_bytes && (size >= usable_bytes / 2 || usable_bytes <= LEAST_BYTES);
}

static void *copy_to_new(emma_heap *heap, void *block, size_t usable_bytes, size_t size) {
    bool is_default = heap == &emma__default_heap;
    void *to = is_default ? emma__fast_malloc(size, emma__malloc_slow) : emma__heap_get(heap, size, 1);
    if (to == 0)
        return size <= usable_bytes ? block : 0; /* a block that should shrink is good enough as it is */
    __builtin_memcpy(to, block, size < usable_bytes ? size : usable_bytes);
    if (is_default)
        emma__fast_free(block, emma__free_slow);
    else
        emma__heap_put(heap, block);
    return to;
}

/* A large, huge or lent block: in place, or by moving its pages. Returns: NULL iff neither can be done. */
static void *resize_or_move(emma_heap *heap, void *block, size_t size) {
    size += size == 0;
    void *there = emma__heap_resize(heap, block, size, size) ? block : emma__heap_move(heap, block, size);
    if (there != 0)
        emma__heap_tick(heap); /* it may have shrunk, or passed the soft limit */
    return there;
}

void *emma_realloc(void *block, size_t size) {
    if (block == 0)
        return emma__fast_malloc(size, emma__malloc_slow);
    if (size > PTRDIFF_MAX)
        return 0;
    size_t class = emma__span_class_fast(&emma__default_heap.depot.spans.regions, (uintptr_t)block);
    if (EMMA_LIKELY(class != EMMA_CLASS_NONE)) {
        size_t usable_bytes = emma__class_size((unsigned)class);
        return suits(usable_bytes, size) ? block : copy_to_new(&emma__default_heap, block, usable_bytes, size);
    }
    emma_block found = emma__heap_find(&emma__default_heap, block);
    if (EMMA_UNLIKELY(found.kind == EMMA_BLOCK_NONE))
        emma__heap_misuse(emma_heap_of(block), "realloc of what is not a live block", (uintptr_t)block);
    if (found.kind == EMMA_BLOCK_SMALL && suits(found.usable_bytes, size))
        return block;
    if (found.kind == EMMA_BLOCK_LENT || (found.kind != EMMA_BLOCK_SMALL && size > EMMA_SMALL_MAX_BYTES)) {
        void *there = resize_or_move(found.heap, block, size);
        if (there != 0)
            return there;
    }
    return copy_to_new(found.heap, block, found.usable_bytes, size);
}
