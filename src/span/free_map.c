/* free_map.c: see free_map.h; and looking at a span of which one is not the owner, in span.h. */
#include "span/free_map.h"

#include "span/offer.h"
#include "span/span_word.h"

static void mark(emma_free_map *map, unsigned block) {
    map->free[block / 64] |= UINT64_C(1) << (block % 64);
}

void emma__free_map_chain(emma_free_map *map, uint16_t chain, uintptr_t start, unsigned class) {
    while (chain != EMMA_SPAN_NO_BLOCK) {
        mark(map, emma__class_index(class, (uint32_t)chain * EMMA_BLOCK_ALIGN));
        chain = emma__span_word_next(emma__span_word_block(start, chain), class);
    }
}

void emma__free_map_fresh(emma_free_map *map, uint64_t lines, unsigned class) {
    for (; lines != 0; lines &= lines - 1) {
        unsigned first;
        unsigned end;
        emma__line_blocks(class, emma__bits_lowest(lines), &first, &end);
        for (unsigned block = first; block < end; block++)
            mark(map, block);
    }
}

unsigned emma__spans_look(emma_spans *spans, uintptr_t start, emma_free_map *map) {
    emma_tract *tract = emma__tract_of(start);
    unsigned slice = emma__tract_slice_of(start);
    emma_span *span = &emma__span_table_of(tract)->record[slice];
    unsigned class = emma__span_class(span);
    __builtin_memset(map, 0, sizeof *map);
    if (!emma__class_is_small(class))
        return class;
    if (!emma__offer_claim_span(tract, class, slice)) /* all of it is out, or another thread's at the moment */
        return class;
    uint16_t head = (uint16_t)ATOMIC_LOAD(&span->word, acquire); /* pairs with push: links */
    emma__free_map_chain(map, head, start, class);
    emma__free_map_chain(map, span->local, start, class);
    emma__free_map_fresh(map, span->fresh_lines, class);
    emma__span_disown(spans, span, start, 0);
    return class;
}
