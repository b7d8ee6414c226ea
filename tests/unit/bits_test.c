/* bits_test.c: base/bits.h against definitions that are too slow to be wrong. */
#include "base/bits.h"

#include "../tap.h"
#include "unit.h"

static void finds_lowest_and_highest(void) {
    for (unsigned i = 0; i < 64; i++) {
        uint64_t bit = UINT64_C(1) << i;
        IS(emma__bits_lowest(bit), i);
        IS(emma__bits_highest(bit), i);
        IS(emma__bits_lowest(bit | UINT64_C(1) << 63), i);
        IS(emma__bits_highest(bit | 1), i);
        IS(emma__bits_highest(bit | (bit - 1)), i);
    }
}

static unsigned slow_count(uint64_t x) {
    unsigned count = 0;
    for (; x != 0; x >>= 1)
        count += (unsigned)(x & 1);
    return count;
}

static void counts(void) {
    uint64_t state = 1;
    IS(emma__bits_count(0), 0);
    IS(emma__bits_count(~UINT64_C(0)), 64);
    for (unsigned i = 0; i < 64; i++)
        IS(emma__bits_count(UINT64_C(1) << i), 1);
    for (unsigned i = 0; i < 10000; i++) {
        uint64_t x = unit_random(&state) << 8 ^ unit_random(&state);
        if (!IS(emma__bits_count(x), slow_count(x)))
            break;
    }
}

static void knows_powers_of_two(void) {
    OK(!emma__bits_is_pow2(0));
    OK(emma__bits_is_pow2(1));
    OK(!emma__bits_is_pow2(SIZE_MAX));
    for (unsigned i = 1; i < 64; i++) {
        OK(emma__bits_is_pow2((size_t)1 << i));
        OK(i == 1 || !emma__bits_is_pow2(((size_t)1 << i) - 1));
        OK(i == 1 || !emma__bits_is_pow2(((size_t)1 << i) + 2));
    }
}

static void rounds(void) {
    for (size_t align = 1; align <= 4096; align *= 2) {
        IS(emma__bits_align_up(0, align), 0);
        IS(emma__bits_align_up(1, align), align);
        IS(emma__bits_align_up(align, align), align);
        IS(emma__bits_align_up(align + 1, align), 2 * align);
        IS(emma__bits_align_up(SIZE_MAX - align + 1, align), SIZE_MAX - align + 1); /* the largest multiple */
    }
    IS(emma__bits_div_up(0, 7), 0);
    IS(emma__bits_div_up(1, 7), 1);
    IS(emma__bits_div_up(7, 7), 1);
    IS(emma__bits_div_up(8, 7), 2);
    IS(emma__bits_div_up(SIZE_MAX, 1), SIZE_MAX);
    IS(emma__bits_div_up(SIZE_MAX, SIZE_MAX), 1);
    IS(emma__bits_div_up(SIZE_MAX, 2), SIZE_MAX / 2 + 1);
}

static void masks(void) {
    IS(emma__bits_low_mask(0), 0);
    IS(emma__bits_low_mask(1), 1);
    IS(emma__bits_low_mask(31), UINT32_MAX >> 1);
    IS(emma__bits_low_mask(32), UINT32_MAX);
}

static unsigned slow_find_run(uint32_t x, unsigned n, unsigned align) {
    for (unsigned i = 0; i + n <= 32; i += align) {
        uint32_t mask = emma__bits_low_mask(n) << i;
        if ((x & mask) == mask)
            return i;
    }
    return 32;
}

/* Words with runs of all lengths: random bits, several words or-ed or and-ed together. */
static uint32_t random_word(uint64_t *state) {
    uint32_t x = (uint32_t)unit_random(state);
    switch (unit_random(state) % 5) {
    case 0:
        return x;
    case 1:
        return x | (uint32_t)unit_random(state);
    case 2:
        return x | (uint32_t)unit_random(state) | (uint32_t)unit_random(state);
    case 3:
        return ~(UINT32_C(1) << x % 32);
    default:
        return x & (uint32_t)unit_random(state);
    }
}

static void finds_runs(void) {
    uint64_t state = 7;
    IS(emma__bits_find_run(0, 1, 1), 32);
    IS(emma__bits_find_run(UINT32_MAX, 32, 1), 0);
    IS(emma__bits_find_run(UINT32_MAX, 32, 32), 0);
    IS(emma__bits_find_run(UINT32_MAX - 1, 32, 1), 32);
    IS(emma__bits_find_run(UINT32_MAX - 1, 31, 1), 1);
    IS(emma__bits_find_run(UINT32_MAX - 1, 31, 2), 32);
    IS(emma__bits_find_run(UINT32_C(1) << 31, 1, 1), 31);
    IS(emma__bits_find_run(UINT32_C(1) << 31, 1, 2), 32);
    IS(emma__bits_find_run(UINT32_C(3) << 30, 2, 2), 30);
    for (unsigned round = 0; round < 2000; round++) {
        uint32_t x = random_word(&state);
        for (unsigned n = 1; n <= 32; n++)
            for (unsigned align = 1; align <= 32; align *= 2)
                if (!IS(emma__bits_find_run(x, n, align), slow_find_run(x, n, align)))
                    return;
    }
}

static unsigned slow_rank(uint32_t x) {
    unsigned longest = 0;
    unsigned length = 0;
    for (unsigned i = 0; i < 32; i++) {
        length = (x >> i & 1) != 0 ? length + 1 : 0;
        longest = length > longest ? length : longest;
    }
    return longest == 0 ? 0 : emma__bits_highest(longest) + 1;
}

static void ranks_runs(void) {
    uint64_t state = 11;
    IS(emma__bits_run_rank(0), 0);
    IS(emma__bits_run_rank(UINT32_MAX), 6);
    for (unsigned n = 1; n <= 32; n++)
        for (unsigned at = 0; at + n <= 32; at++)
            IS(emma__bits_run_rank(emma__bits_low_mask(n) << at), emma__bits_highest(n) + 1);
    for (unsigned round = 0; round < 20000; round++) {
        uint32_t x = random_word(&state);
        if (!IS(emma__bits_run_rank(x), slow_rank(x)))
            return;
    }
}

TAP_MAIN({"the lowest and the highest bit", finds_lowest_and_highest}, {"bits are counted", counts},
         {"powers of two are known, 0 is none", knows_powers_of_two}, {"rounding up, to the last multiple", rounds},
         {"low masks from 0 to 32 bits", masks}, {"the lowest aligned run, every length and alignment", finds_runs},
         {"the rank of the longest run", ranks_runs})
