/* contains.c: whether a block is at home in its span. Interface in span.h. */
#include "span/offer.h"
#include "span/span_word.h"

bool emma__span_is_home_word(uint64_t word) {
    return word == emma__span_word_link((uint16_t)(word >> 16));
}

static bool home_chain_contains(uint16_t chain, uintptr_t start, unsigned class, const void *block) {
    while (chain != EMMA_SPAN_NO_BLOCK) {
        const void *here = emma__span_word_block(start, chain);
        if (here == block)
            return true;
        chain = emma__span_word_next(here, class);
    }
    return false;
}

bool emma__spans_contain(emma_spans *spans, unsigned class, const void *block) {
    uintptr_t address = (uintptr_t)block;
    emma_span *record = emma__span_at(address);
    emma_span *span = emma__span_first(record);
    uintptr_t start = emma__span_start(record, address);
    if (!emma__offer_claim_span(emma__tract_of(start), class, emma__tract_slice_of(start)))
        return false;
    uint16_t head = (uint16_t)ATOMIC_LOAD(&span->word, acquire); /* pairs with push: links */
    bool found =
        home_chain_contains(head, start, class, block) || home_chain_contains(span->local, start, class, block);
    emma__span_disown(spans, span, start, 0);
    return found;
}
