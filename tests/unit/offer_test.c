/* offer_test.c: span/offer.h: the bits that lead to spans with free blocks. Records are written by the test; no block of
 * them is ever touched. */
#include "span/offer.h"

#include "../tap.h"
#include "span/span_word.h"
#include "unit.h"

enum { CLASS = 5, OTHER = 6, SLICES = EMMA_TRACT_SLICES };

static emma_spans spans = {.regions = EMMA_REGIONS_INITIAL(&unit_directory)};

static emma_tract *fresh(void) {
    unit_regions_reset(&spans.regions);
    uintptr_t address = emma__regions_claim(&spans.regions, 1, 1);
    OK(address != 0);
    return address != 0 ? emma__tract_of(address) : 0;
}

static _Atomic(uint64_t) *word_at(emma_tract *tract, unsigned slice) {
    return &emma__span_table_of(tract)->record[slice].word;
}

static void put(emma_tract *tract, unsigned slice, unsigned class, emma_span_state state) {
    emma_span_word word = {EMMA_SPAN_NO_BLOCK, 1, (uint8_t) class, (uint8_t)state};
    *word_at(tract, slice) = emma__span_word_pack(word);
}

static void offer(emma_tract *tract, unsigned slice) {
    put(tract, slice, CLASS, EMMA_SPAN_OFFERED);
    emma__offer_set(tract, CLASS, slice);
}

static unsigned state_of(emma_tract *tract, unsigned slice) {
    return emma__span_word_unpack(*word_at(tract, slice)).state;
}

static bool bit(const emma_tract *tract, unsigned class, unsigned slice) {
    return emma__span_table_of(tract)->offered[slice / 64][class] >> slice % 64 & 1;
}

/* Returns: the slice of the span that was claimed; EMMA_NO_SLICE: none. */
static unsigned claim(unsigned class) {
    uintptr_t start = 0;
    emma_span *span = emma__offer_claim(&spans, class, &start);
    if (span == 0)
        return EMMA_NO_SLICE;
    OK(span == emma__span_at(start));
    return emma__tract_slice_of(start);
}

static void words_are_packed_and_unpacked(void) {
    static const emma_span_word words[] = {{0, 0, 0, 0},
                                           {EMMA_SPAN_NO_BLOCK, 0, EMMA_CLASS_LARGE, EMMA_SPAN_OWNED},
                                           {0x1234, 0x5678, 104, EMMA_SPAN_OFFERED},
                                           {0, UINT16_MAX, 1, EMMA_SPAN_IDLE}};
    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
        emma_span_word word = emma__span_word_unpack(emma__span_word_pack(words[i]));
        OK(word.head == words[i].head && word.out == words[i].out);
        OK(word.class == words[i].class && word.state == words[i].state);
    }
    IS(emma__span_word_pack(words[0]), 0);
    OK(emma__chain_looks_free(&(uint64_t){emma__span_word_link(77)}));
    OK(emma__chain_looks_free(&(uint64_t){emma__span_word_link(EMMA_SPAN_NO_BLOCK)}));
    IS(emma__span_word_of_offset(0), 0);
    IS(emma__span_word_of_offset(32 * 77), 154);
    OK(emma__span_word_block(0x10000, 154) == unit_pointer(0x10000 + 32 * 77));
}

static void nothing_is_offered_at_first(void) {
    unit_regions_reset(&spans.regions);
    IS(claim(CLASS), EMMA_NO_SLICE); /* no region */
    if (fresh() != 0)
        for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++)
            IS(claim(class), EMMA_NO_SLICE);
}

static void lowest_address_first(void) {
    static const unsigned slices[] = {SLICES - 1, 64, 63, 1, 100, SLICES / 2 + 1};
    emma_tract *tract = fresh();
    if (tract == 0)
        return;
    for (unsigned i = 0; i < 6; i++)
        offer(tract, slices[i]);
    IS(claim(OTHER), EMMA_NO_SLICE);
    unsigned before = 0;
    for (unsigned i = 0; i < 6; i++) {
        unsigned slice = claim(CLASS);
        OK(slice > before);
        IS(state_of(tract, slice), EMMA_SPAN_OWNED);
        OK(!bit(tract, CLASS, slice)); /* an owned span is invisible */
        before = slice;
    }
    IS(before, SLICES - 1);
    IS(claim(CLASS), EMMA_NO_SLICE);
    IS(emma__span_table_of(tract)->offered_groups[CLASS], 0);
}

/* A bit may be set late: the word decides, the bit goes away. */
static void lying_bits_are_taken_away(void) {
    emma_tract *tract = fresh();
    if (tract == 0)
        return;
    offer(tract, 10);
    put(tract, 10, CLASS, EMMA_SPAN_IDLE);
    offer(tract, 11);
    put(tract, 11, CLASS, EMMA_SPAN_OWNED);
    offer(tract, 12);
    put(tract, 12, OTHER, EMMA_SPAN_OFFERED); /* another class by now */
    offer(tract, 13);
    *word_at(tract, 13) = 0; /* no span any more */
    offer(tract, 14);
    IS(claim(CLASS), 14);
    for (unsigned slice = 10; slice < 15; slice++)
        OK(!bit(tract, CLASS, slice));
    IS(state_of(tract, 12), EMMA_SPAN_OFFERED);
    IS(claim(CLASS), EMMA_NO_SLICE);
    IS(claim(OTHER), EMMA_NO_SLICE); /* its own bit was never set */
    emma__spans_repair(tract, 12);   /* but for repair */
    emma__spans_repair(tract, 10);
    emma__spans_repair(tract, 13);
    IS(claim(OTHER), 12);
    IS(claim(CLASS), EMMA_NO_SLICE);
}

/* A setter that stopped between the levels: who sets again sets them all. */
static void setting_again_mends_the_upper_levels(void) {
    emma_tract *tract = fresh();
    if (tract == 0)
        return;
    offer(tract, 70);
    emma__span_table_of(tract)->offered_groups[CLASS] = 0;
    IS(claim(CLASS), EMMA_NO_SLICE);
    emma__offer_set(tract, CLASS, 70);
    IS(claim(CLASS), 70);
}

static void more_lies_than_tries(void) {
    emma_tract *tract = fresh();
    if (tract == 0)
        return;
    for (unsigned slice = 1; slice <= 3 * EMMA_OFFER_TRIES; slice++) {
        offer(tract, slice);
        put(tract, slice, CLASS, EMMA_SPAN_IDLE);
    }
    offer(tract, 3 * EMMA_OFFER_TRIES + 1);
    unsigned calls = 1;
    while (claim(CLASS) == EMMA_NO_SLICE && calls < 10)
        calls++;
    OK(calls > 1 && calls <= 4); /* each search is bounded, each makes progress, the offer is not lost */
    IS(state_of(tract, 3 * EMMA_OFFER_TRIES + 1), EMMA_SPAN_OWNED);
}

static void a_certain_span_is_claimed(void) {
    emma_tract *tract = fresh();
    if (tract == 0)
        return;
    offer(tract, 20);
    OK(!emma__offer_claim_span(tract, OTHER, 20));
    OK(!emma__offer_claim_span(tract, CLASS, 21));
    OK(bit(tract, CLASS, 20));
    OK(emma__offer_claim_span(tract, CLASS, 20));
    OK(!bit(tract, CLASS, 20));
    OK(!emma__offer_claim_span(tract, CLASS, 20)); /* one owner */
    put(tract, 20, CLASS, EMMA_SPAN_IDLE);
    OK(!emma__offer_claim_span(tract, CLASS, 20));
    emma_span_word word = {7, 3, CLASS, EMMA_SPAN_OFFERED};
    *word_at(tract, 20) = emma__span_word_pack(word);
    OK(emma__offer_claim_span(tract, CLASS, 20));
    word = emma__span_word_unpack(*word_at(tract, 20)); /* nothing else changed */
    OK(word.head == 7 && word.out == 3 && word.class == CLASS && word.state == EMMA_SPAN_OWNED);
}

/* Every class and every slice has a bit of its own. */
static void bits_do_not_meet(void) {
    emma_tract *tract = fresh();
    if (tract == 0)
        return;
    for (unsigned slice = 1; slice < SLICES; slice += 7) {
        unsigned class = 1 + slice % EMMA_CLASS_LAST;
        put(tract, slice, class, EMMA_SPAN_OFFERED);
        emma__offer_set(tract, class, slice);
    }
    for (unsigned slice = 1; slice < SLICES; slice += 7)
        IS(claim(1 + slice % EMMA_CLASS_LAST), slice);
}

static void further_tracts_are_searched(void) {
    emma_tract *tract = fresh();
    if (tract == 0)
        return;
    while (emma__regions_next_tract(&spans.regions, tract) == 0)
        OK(emma__regions_claim(&spans.regions, EMMA_RUN_MAX_SLICES, 1) != 0);
    emma_tract *second = emma__regions_next_tract(&spans.regions, tract);
    offer(second, 3);
    offer(tract, 9);
    uintptr_t start = 0;
    OK(emma__offer_claim(&spans, CLASS, &start) != 0 && start == emma__tract_address(tract, 9));
    OK(emma__offer_claim(&spans, CLASS, &start) != 0 && start == emma__tract_address(second, 3));
    IS(claim(CLASS), EMMA_NO_SLICE);
}

TAP_MAIN({"the record's word: packed and unpacked", words_are_packed_and_unpacked},
         {"nothing is offered at first", nothing_is_offered_at_first},
         {"the lowest address is claimed first", lowest_address_first},
         {"bits that lie are taken away, offers found", lying_bits_are_taken_away},
         {"setting a bit again mends the levels above", setting_again_mends_the_upper_levels},
         {"a search is bounded and loses no offer", more_lies_than_tries},
         {"a certain span is claimed once, if it is offered", a_certain_span_is_claimed},
         {"every class and slice has its own bit", bits_do_not_meet},
         {"further tracts are searched after the first", further_tracts_are_searched})
