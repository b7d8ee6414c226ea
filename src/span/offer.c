/* offer.c: see offer.h. */
#include "span/offer.h"

#include "span/span_word.h"

static emma_span_index *index_of(const emma_region *region) {
    return (emma_span_index *)((uintptr_t)region + EMMA_REGION_OWN_BYTES); // NOLINT(performance-no-int-to-ptr)
}

static void set_bit(_Atomic(uint64_t) *word, unsigned bit) {
    if ((ATOMIC_LOAD(word, seq_cst) >> bit & 1) == 0)
        ATOMIC_OR(word, UINT64_C(1) << bit, seq_cst);
}

/* The two upper levels. Looked at even where the lowest bit is set: who set that one may have stopped. */
static void set_upper(emma_tract *tract, unsigned class, unsigned group) {
    set_bit(&emma__span_table_of(tract)->offered_groups[class], group);
    set_bit(&index_of(tract->region)->offered_tracts[tract->slot / 64][class], tract->slot % 64);
}

void emma__offer_set(emma_tract *tract, unsigned class, unsigned slice) {
    unsigned group = slice / EMMA_SPAN_GROUP_SLICES;
    set_bit(&emma__span_table_of(tract)->offered[group][class], slice % EMMA_SPAN_GROUP_SLICES);
    set_upper(tract, class, group);
}

void emma__offer_clear(emma_tract *tract, unsigned class, unsigned slice) {
    ATOMIC_AND(&emma__span_table_of(tract)->offered[slice / EMMA_SPAN_GROUP_SLICES][class],
               ~(UINT64_C(1) << (slice % EMMA_SPAN_GROUP_SLICES)), seq_cst);
}

bool emma__offer_claim_span(emma_tract *tract, unsigned class, unsigned slice) {
    emma_span *span = &emma__span_table_of(tract)->record[slice];
    uint64_t packed = ATOMIC_LOAD(&span->word, acquire);
    for (;;) {
        emma_span_word word = emma__span_word_unpack(packed);
        if (word.class != class || word.state != EMMA_SPAN_OFFERED)
            return false;
        word.state = EMMA_SPAN_OWNED;
        /* Acquire: pairs with the release of the last owner (its local chain and fresh lines) and of pushers
         * (links). */
        if (ATOMIC_CAS(&span->word, &packed, emma__span_word_pack(word), acq_rel))
            break;
    }
    emma__offer_clear(tract, class, slice);
    return true;
}

/* A bit led to a span that is not offered: take it away, look again, set it if it was true after all. */
static void clear_stale(emma_tract *tract, unsigned class, unsigned slice) {
    emma__offer_clear(tract, class, slice);
    emma_span_word word = emma__span_word_unpack(ATOMIC_LOAD(&emma__span_table_of(tract)->record[slice].word, seq_cst));
    if (word.class == class && word.state == EMMA_SPAN_OFFERED)
        emma__offer_set(tract, class, slice);
}

/* Search a tract. Returns: the slice, or EMMA_NO_SLICE. */
static unsigned claim_in_tract(emma_tract *tract, unsigned class, unsigned *tries) {
    emma_span_table *table = emma__span_table_of(tract);
    uint64_t groups = ATOMIC_LOAD(&table->offered_groups[class], relaxed);
    for (; groups != 0; groups &= groups - 1) {
        unsigned group = emma__bits_lowest(groups);
        uint64_t slices = ATOMIC_LOAD(&table->offered[group][class], relaxed);
        for (; slices != 0 && *tries != 0; slices &= slices - 1, --*tries) {
            unsigned slice = group * EMMA_SPAN_GROUP_SLICES + emma__bits_lowest(slices);
            if (emma__offer_claim_span(tract, class, slice))
                return slice;
            clear_stale(tract, class, slice);
        }
        if (*tries == 0)
            break;
        ATOMIC_AND(&table->offered_groups[class], ~(UINT64_C(1) << group), seq_cst);
        if (ATOMIC_LOAD(&table->offered[group][class], seq_cst) != 0)
            set_upper(tract, class, group);
    }
    return EMMA_NO_SLICE;
}

static unsigned claim_in_region(emma_region *region, unsigned class, unsigned *tries, emma_tract **found) {
    emma_span_index *index = index_of(region);
    for (unsigned i = 0; i < EMMA_REGION_SLOT_WORDS; i++) {
        uint64_t bits = ATOMIC_LOAD(&index->offered_tracts[i][class], relaxed);
        for (; bits != 0; bits &= bits - 1) {
            unsigned slot = i * 64 + emma__bits_lowest(bits);
            emma_tract *tract = emma__tract_of(emma__region_slot_address(region, slot));
            unsigned slice = claim_in_tract(tract, class, tries);
            *found = tract;
            if (slice != EMMA_NO_SLICE || *tries == 0)
                return slice;
            ATOMIC_AND(&index->offered_tracts[i][class], ~(UINT64_C(1) << (slot % 64)), seq_cst);
            if (ATOMIC_LOAD(&emma__span_table_of(tract)->offered_groups[class], seq_cst) != 0)
                set_bit(&index->offered_tracts[i][class], slot % 64);
        }
    }
    return EMMA_NO_SLICE;
}

emma_span *emma__offer_claim(emma_spans *spans, unsigned class, uintptr_t *start) {
    unsigned tries = EMMA_OFFER_TRIES;
    emma_region *region = ATOMIC_LOAD(&spans->regions.first, acquire);
    for (; region != 0 && tries != 0; region = ATOMIC_LOAD(&region->next, acquire)) {
        emma_tract *tract = 0;
        unsigned slice = claim_in_region(region, class, &tries, &tract);
        if (slice != EMMA_NO_SLICE) {
            *start = emma__tract_address(tract, slice);
            return &emma__span_table_of(tract)->record[slice];
        }
    }
    return 0;
}
