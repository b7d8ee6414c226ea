/* bits.h: arithmetic on words, powers of two and runs of bits. No state, no memory. */
#ifndef EMMA_BASE_BITS_H
#define EMMA_BASE_BITS_H

#include "base/compiler.h"

/* Index of the lowest set bit. Requires: x != 0. */
static inline unsigned emma__bits_lowest(uint64_t x) {
    return (unsigned)__builtin_ctzll(x);
}

/* Index of the highest set bit, that is floor(log2(x)). Requires: x != 0. */
static inline unsigned emma__bits_highest(uint64_t x) {
    return 63u - (unsigned)__builtin_clzll(x);
}

/* How many bits are set. Plain arithmetic (Hacker's Delight, 5-1): the builtin may need a library. */
static inline unsigned emma__bits_count(uint64_t x) {
    x -= x >> 1 & UINT64_C(0x5555555555555555);
    x = (x & UINT64_C(0x3333333333333333)) + (x >> 2 & UINT64_C(0x3333333333333333));
    x = (x + (x >> 4)) & UINT64_C(0x0F0F0F0F0F0F0F0F);
    return (unsigned)(x * UINT64_C(0x0101010101010101) >> 56);
}

static inline bool emma__bits_is_pow2(size_t x) {
    return x != 0 && (x & (x - 1)) == 0;
}

/* x rounded up to a multiple of align. Requires: align a power of two; x + align - 1 does not overflow. */
static inline size_t emma__bits_align_up(size_t x, size_t align) {
    return (x + align - 1) & ~(align - 1);
}

static inline size_t emma__bits_div_up(size_t x, size_t y) {
    return x / y + (x % y != 0);
}

/* The n lowest bits set. Requires: n <= 32. */
static inline uint32_t emma__bits_low_mask(unsigned n) {
    return (uint32_t)((UINT64_C(1) << n) - 1);
}

/* Position of the lowest run of n set bits in x that starts at a multiple of align, or 32 when there is none.
 * Requires: 1 <= n <= 32; align a power of two <= 32. Cost: O(log n). */
static inline unsigned emma__bits_find_run(uint32_t x, unsigned n, unsigned align) {
    /* After the loop, bit i of x says that the bits i .. i+n-1 were all set: doubling the length seen so far. */
    unsigned seen = 1;
    while (seen < n) {
        unsigned step = n - seen < seen ? n - seen : seen;
        x &= x >> step;
        seen += step;
    }
    static const uint32_t aligned[6] = {0xFFFFFFFF, 0x55555555, 0x11111111, 0x01010101, 0x00010001, 0x00000001};
    x &= aligned[emma__bits_highest(align)];
    return x != 0 ? emma__bits_lowest(x) : 32;
}

/* floor(log2(length of the longest run of set bits)) + 1; 0 when no bit is set. Cost: at most 6 steps. */
static inline unsigned emma__bits_run_rank(uint32_t x) {
    unsigned rank = 0;
    for (unsigned step = 1; x != 0; step *= 2) {
        rank++;
        if (step == 32)
            break;
        x &= x >> step;
    }
    return rank;
}

#endif
