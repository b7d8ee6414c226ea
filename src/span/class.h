/* class.h: size classes. Steps of 16 bytes to 1 KiB, then 8 classes per doubling to 32 KiB.
 *
 *     class   1    2   ...   64  |    65    66  ...    72 |  73 ...       | 97 ...   104
 *     bytes  16   32   ... 1024  |  1152  1280  ...  2048 | 2304 ...      | 18432 ... 32768
 *
 * Class 0 is no class: large blocks, foreign addresses, free slices. A span of a class has as many slices as give at
 * least eight blocks. Constant data; nothing is filled at start-up. Spacing as in most allocators since jemalloc
 * (Evans, 2006); internal fragmentation is at most 1/9 above 1 KiB, 15 bytes below. */
#ifndef EMMA_SPAN_CLASS_H
#define EMMA_SPAN_CLASS_H

#include "base/bits.h"
#include "base/config.h"

enum {
    EMMA_CLASS_NONE = 0,
    EMMA_CLASS_FINE = 64, /* the last class of the 16-byte steps */
    EMMA_CLASS_LAST = 104,
    EMMA_CLASS_COUNT = 105,
    EMMA_CLASS_LARGE = 255, /* in span records only: the head of a large run */

    EMMA_FINE_BYTES = 1024,
    EMMA_SMALL_MAX_BYTES = 32768,

    EMMA_SPAN_BLOCKS_MIN = 8,
    EMMA_RECIPROCAL_LOG2 = 40,
};

typedef struct emma_class_info {
    uint64_t reciprocal; /* floor(2^40 / size) + 1: offset * reciprocal >> 40 is offset / size below 2^18 */
    uint32_t size_bytes;
    uint16_t blocks; /* in a span */
    uint16_t slices; /* of a span */
} emma_class_info;

EMMA_HIDDEN extern const emma_class_info emma__class_table[EMMA_CLASS_COUNT];

/* The class for a size. Requires: 1 <= size_bytes <= EMMA_SMALL_MAX_BYTES. */
static inline unsigned emma__class_of(size_t size_bytes) {
    if (size_bytes <= EMMA_FINE_BYTES)
        return (unsigned)((size_bytes + EMMA_BLOCK_ALIGN - 1) / EMMA_BLOCK_ALIGN);
    unsigned doubling = emma__bits_highest(size_bytes - 1); /* 2^doubling < size <= 2^(doubling + 1) */
    unsigned eighth = (unsigned)((size_bytes - 1) >> (doubling - 3)) & 7;
    return EMMA_CLASS_FINE + (doubling - 10) * 8 + eighth + 1;
}

/* Whether a class is one of small blocks: neither none nor a large run's. */
static inline bool emma__class_is_small(unsigned class) {
    return class != EMMA_CLASS_NONE && class < EMMA_CLASS_COUNT;
}

static inline size_t emma__class_size(unsigned class) {
    return emma__class_table[class].size_bytes;
}

/* The index of the block of this class at an offset in its span. Requires: offset below 2^18. */
static inline unsigned emma__class_index(unsigned class, uint32_t offset_bytes) {
    return (unsigned)(offset_bytes * emma__class_table[class].reciprocal >> EMMA_RECIPROCAL_LOG2);
}

/* Whether a block of this class starts at an offset in its span. Source: Lemire, Kaser and Kurz, Faster remainder by
 * direct computation, 2019. */
static inline bool emma__class_is_start(unsigned class, uintptr_t offset_bytes) {
    uint64_t reciprocal = emma__class_table[class].reciprocal;
    uint64_t quotient = offset_bytes * reciprocal; /* a multiple iff what is behind the point is less than that of 1 */
    return quotient >> EMMA_RECIPROCAL_LOG2 < emma__class_table[class].blocks &&
           (quotient & ((UINT64_C(1) << EMMA_RECIPROCAL_LOG2) - 1)) < reciprocal;
}

/* The smallest class of at least size bytes whose blocks are all multiples of align. Returns: EMMA_CLASS_NONE iff there
 * is none. Requires: size <= EMMA_SMALL_MAX_BYTES; align a power of two. Cost: at most 8 steps above 1 KiB. */
static inline unsigned emma__class_of_aligned(size_t size_bytes, size_t align_bytes) {
    if (align_bytes > EMMA_SMALL_MAX_BYTES || align_bytes > EMMA_SLICE_BYTES) /* spans begin at slices */
        return EMMA_CLASS_NONE;
    size_t size = emma__bits_align_up(size_bytes != 0 ? size_bytes : 1, align_bytes);
    if (size > EMMA_SMALL_MAX_BYTES)
        return EMMA_CLASS_NONE;
    unsigned class = emma__class_of(size);
    while ((emma__class_size(class) & (align_bytes - 1)) != 0)
        class ++; /* ends: the last class is a power of two */
    return class;
}

#endif
