/* stamped.c: see stamped.h. */
#include "stamped.h"

static uint64_t stamp_of(const void *owner) {
    return (uint64_t)(uintptr_t)owner * UINT64_C(0x9E3779B97F4A7C15);
}

static size_t stride(size_t words) {
    return words <= 64 ? 1 : 8;
}

void stamped_write(uint64_t *block, size_t size, const void *owner) {
    size_t words = size / sizeof *block;
    block[0] = size;
    for (size_t i = 1; i < words; i += stride(words))
        block[i] = stamp_of(owner) + i;
    block[words - 1] = stamp_of(owner) + words - 1;
}

bool stamped_check(const uint64_t *block, size_t size, const void *owner) {
    size_t words = size / sizeof *block;
    bool is_so = block[0] == size && block[words - 1] == stamp_of(owner) + words - 1;
    for (size_t i = 1; i < words; i += stride(words))
        is_so &= block[i] == stamp_of(owner) + i;
    return EXPECT(is_so);
}

void stamped_take(emma_heap *from, stamped_holder *into, uint64_t *random) {
    size_t size = 16 + storm_below(random, (size_t)16 << storm_below(random, storm_below(random, 100) == 0 ? 14 : 9));
    uint64_t *block = emma_heap_malloc(from, size);
    if (!EXPECT(block != NULL))
        return;
    stamped_write(block, size, into);
    into->size_bytes = size;
    into->block = block;
}

void stamped_drop(stamped_holder *from, uint64_t *random) {
    uint64_t *block = from->block;
    if (!stamped_check(block, from->size_bytes, from))
        return;
    from->block = NULL;
    if (storm_below(random, 2) == 0)
        emma_free(block);
    else
        emma_heap_free(emma_heap_of(block), block);
}
