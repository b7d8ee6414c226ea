/* bitset.h: a set of small numbers with "give me the lowest", in memory that the caller gives.
 *
 * Tiers of words: bit i of the lowest tier says that i is in the set; bit w of the next tier says that word w of the
 * tier below is not zero; and so on up to one word. The tiers lie one behind the other, the lowest first:
 *
 *     capacity 8192 (64-bit words):   | 128 words | 2 words | 1 word |      depth 3
 *
 * All zero is the empty set. Invariant: a bit of an upper tier is set iff its word below is not zero.
 * Threads: one owner. Cost: every change and search touches at most one word per tier: depth steps. */
#ifndef EMMA_BARE_BITSET_H
#define EMMA_BARE_BITSET_H

#include "bare/bare_word.h"

enum { EMMA__BITSET_DEPTH_MAX = (EMMA__BARE_WORD_BITS - 1) / EMMA__BARE_WORD_LOG2 + 1 };

/* Words in the lowest tier. */
static inline size_t emma__bitset_tier(size_t bits) {
    return (bits >> EMMA__BARE_WORD_LOG2) + ((bits & (EMMA__BARE_WORD_BITS - 1)) != 0);
}

static inline bool emma__bitset_has(const size_t *set, size_t i) {
    EMMA_BARE_STEP();
    return set[i >> EMMA__BARE_WORD_LOG2] >> (i & (EMMA__BARE_WORD_BITS - 1)) & 1;
}

/* Returns: the words that a set of this capacity needs. Requires: capacity != 0. */
size_t emma__bitset_words(size_t capacity);

/* Requires, here and below: i < capacity, the same capacity always. */
void emma__bitset_insert(size_t *set, size_t capacity, size_t i);

/* Returns: the set is now empty. */
bool emma__bitset_remove(size_t *set, size_t capacity, size_t i);

/* Returns: the least member. Requires: the set is not empty. */
size_t emma__bitset_lowest(const size_t *set, size_t capacity);

/* Returns: how many members are at least begin and less than end. Requires: begin <= end. Cost: O(end -
 * begin) in words, plus the members found. */
size_t emma__bitset_count(const size_t *set, size_t begin, size_t end);

bool emma__bitset_valid(const size_t *set, size_t capacity);

#endif
