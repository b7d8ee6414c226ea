/* bitset.c: see bitset.h. */
#include "bare/bitset.h"

size_t emma__bitset_words(size_t capacity) {
    size_t words = 0;
    do {
        capacity = emma__bitset_tier(capacity);
        words += capacity;
    } while (capacity > 1);
    return words;
}

void emma__bitset_insert(size_t *set, size_t capacity, size_t i) {
    for (;;) {
        EMMA_BARE_STEP();
        size_t *word = &set[i >> EMMA__BARE_WORD_LOG2];
        size_t before = *word;
        *word = before | (size_t)1 << (i & (EMMA__BARE_WORD_BITS - 1));
        capacity = emma__bitset_tier(capacity);
        if (before != 0 || capacity == 1)
            return; /* the tier above knows already, or there is none */
        set += capacity;
        i >>= EMMA__BARE_WORD_LOG2;
    }
}

bool emma__bitset_remove(size_t *set, size_t capacity, size_t i) {
    for (;;) {
        EMMA_BARE_STEP();
        size_t *word = &set[i >> EMMA__BARE_WORD_LOG2];
        *word &= ~((size_t)1 << (i & (EMMA__BARE_WORD_BITS - 1)));
        capacity = emma__bitset_tier(capacity);
        if (*word != 0)
            return false;
        if (capacity == 1)
            return true;
        set += capacity;
        i >>= EMMA__BARE_WORD_LOG2;
    }
}

size_t emma__bitset_lowest(const size_t *set, size_t capacity) {
    const size_t *tiers[EMMA__BITSET_DEPTH_MAX];
    unsigned depth = 0;
    do {
        tiers[depth++] = set;
        capacity = emma__bitset_tier(capacity);
        set += capacity;
    } while (capacity > 1);
    size_t i = 0;
    while (depth-- > 0) {
        EMMA_BARE_STEP();
        i = i << EMMA__BARE_WORD_LOG2 | emma__bare_word_lowest(tiers[depth][i]);
    }
    return i;
}

size_t emma__bitset_count(const size_t *set, size_t begin, size_t end) {
    size_t count = 0;
    while (begin < end) {
        size_t shift = begin & (EMMA__BARE_WORD_BITS - 1);
        size_t taken = EMMA__BARE_WORD_BITS - shift;
        size_t word = set[begin >> EMMA__BARE_WORD_LOG2] >> shift;
        if (end - begin < taken) {
            taken = end - begin;
            word &= ((size_t)1 << taken) - 1;
        }
        for (; word != 0; word &= word - 1)
            count++;
        begin += taken;
    }
    return count;
}

bool emma__bitset_valid(const size_t *set, size_t capacity) {
    for (;;) {
        size_t words = emma__bitset_tier(capacity);
        if (emma__bitset_count(set, capacity, words << EMMA__BARE_WORD_LOG2) != 0)
            return false;
        if (words == 1)
            return true;
        for (size_t w = 0; w < words; w++) {
            if (emma__bitset_has(set + words, w) != (set[w] != 0))
                return false;
        }
        set += words;
        capacity = words;
    }
}
