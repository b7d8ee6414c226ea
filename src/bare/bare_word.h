/* bare_word.h: what the bare allocators ask of a machine word: its bits, roundings and checks of addresses.
 *
 * Written on size_t, not on 64 bits, so that a 32-bit target pays for 32; and without a call into the compiler's
 * runtime library where the target lacks an instruction. Also, and nowhere else, the choices of the build:
 *
 *     EMMA_BARE_CHECKS=0          compiles out the checks of what deallocate is given (slab, fit, bump; not buddy)
 *     EMMA_BUDDY_BLOCK_BYTES=n    and
 *     EMMA_BUDDY_LEVELS=n         fold every buddy for this one geometry
 *     EMMA_BARE_COUNT_STEPS       counts steps in emma__bare_steps, which a test defines */
#ifndef EMMA_BARE_BARE_WORD_H
#define EMMA_BARE_BARE_WORD_H

#include "base/compiler.h"
#include "emma_bare.h"

#ifndef EMMA_BARE_CHECKS
#define EMMA_BARE_CHECKS 1
#endif
#ifndef EMMA_BUDDY_BLOCK_BYTES
#define EMMA_BUDDY_BLOCK_BYTES 0
#endif
#ifndef EMMA_BUDDY_LEVELS
#define EMMA_BUDDY_LEVELS 0
#endif

#ifdef EMMA_BARE_COUNT_STEPS
extern unsigned long emma__bare_steps; /* defined by the test */
#define EMMA_BARE_STEP() (emma__bare_steps++)
#else
#define EMMA_BARE_STEP() ((void)0)
#endif

/* Count of leading zeros as an instruction: 0 where __builtin_clz would become a call. */
#if (defined(__riscv) && !defined(__riscv_zbb)) || (defined(__ARM_ARCH) && __ARM_ARCH < 7 && defined(__thumb__))
enum { EMMA__BARE_WORD_HAS_CLZ = 0 };
#else
enum { EMMA__BARE_WORD_HAS_CLZ = 1 };
#endif

enum { EMMA__BARE_WORD_BITS = 8 * sizeof(size_t), EMMA__BARE_WORD_LOG2 = sizeof(size_t) == 8 ? 6 : 5 };

EMMA_STATIC_ASSERT(sizeof(size_t) == sizeof(void *) && sizeof(size_t) == sizeof(unsigned long), "one kind of word");
EMMA_STATIC_ASSERT(EMMA__BARE_WORD_BITS == 1 << EMMA__BARE_WORD_LOG2, "words of 32 or 64 bits");

/* Index of the highest set bit. Requires: x != 0. Cost: one instruction, or log2 of the bits of a word. */
static inline unsigned emma__bare_word_highest(size_t x) {
    if (EMMA__BARE_WORD_HAS_CLZ)
        return EMMA__BARE_WORD_BITS - 1u - (unsigned)__builtin_clzl(x);
    unsigned index = 0;
    for (unsigned half = EMMA__BARE_WORD_BITS / 2; half != 0; half /= 2) {
        if (x >> half != 0) {
            x >>= half;
            index += half;
        }
    }
    return index;
}

/* Index of the lowest set bit. Requires: x != 0. */
static inline unsigned emma__bare_word_lowest(size_t x) {
    return emma__bare_word_highest(x & (0 - x));
}

/* False for 0, too: 0 ^ (0 - 1) is not more than 0 - 1. */
static inline bool emma__bare_word_is_pow2(size_t x) {
    return (x ^ (x - 1)) > x - 1;
}

/* x rounded up to a multiple of align. Requires: align a power of two; no overflow. */
static inline size_t emma__bare_word_align_up(size_t x, size_t align) {
    return (x + align - 1) & (0 - align);
}

/* Requires: align a power of two. */
static inline bool emma__bare_word_is_aligned(uintptr_t x, size_t align) {
    return (x & (align - 1)) == 0;
}

/* size_bytes at memory exist, as far as addresses tell: they are not beyond the last address. At NULL no byte exists.
 */
static inline bool emma__bare_word_range_exists(const void *memory, size_t size_bytes) {
    return size_bytes <= 0 - (uintptr_t)memory;
}

/* A word in memory whose type is the program's business: a link in a free block. */
typedef size_t __attribute__((may_alias)) emma__bare_word_link;

/* Clear and copy word by word. The stores are volatile: a compiler that recognised the loop would call libc for it. */
static inline void emma__bare_word_clear(void *words, size_t count) {
    for (size_t i = 0; i < count; i++)
        ((volatile emma__bare_word_link *)words)[i] = 0;
}

static inline void emma__bare_word_copy(void *to, const void *from, size_t count) {
    for (size_t i = 0; i < count; i++)
        ((volatile emma__bare_word_link *)to)[i] = ((const emma__bare_word_link *)from)[i];
}

/* Two ranges that exist share a byte. */
static inline bool emma__bare_word_ranges_overlap(const void *a, size_t a_bytes, const void *b, size_t b_bytes) {
    uintptr_t distance = (uintptr_t)b - (uintptr_t)a;
    return distance < a_bytes || 0 - distance < b_bytes;
}

#endif
