/* compact_test.c: span/compact.c: free pages of partly used spans go back; no block is lost, no live byte touched. */
#include "../tap.h"
#include "span/offer.h"
#include "span/span.h"
#include "span/span_word.h"
#include "unit.h"

static emma_spans spans = {.regions = EMMA_REGIONS_INITIAL(&unit_directory)};
static unit_census census;

static void *held[20000];
static unsigned held_count;

static bool sound(void) {
    return unit_spans_sound(&spans, &census) && census.owned == 0;
}

/* One whole span of a class in hand, all of it touched. */
static bool take_span(unsigned class) {
    unit_regions_reset(&spans.regions);
    held_count = 0;
    while (held_count < emma__class_table[class].blocks && tap.failures == 0) {
        unsigned count = 0;
        unsigned left = emma__class_table[class].blocks - held_count;
        emma_chain chain = emma__spans_refill(&spans, class, 64, left < 64 ? left : 64, &count);
        OK(count != 0);
        for (; !emma__chain_is_empty(chain); held_count++) {
            void *block = emma__chain_first(chain);
            chain = emma__chain_rest(chain);
            held[held_count] = block;
            unit_fill(block, emma__class_size(class), (uintptr_t)block);
        }
    }
    return tap.failures == 0;
}

static void send_home(unsigned class, void *block) {
    emma__spans_take_home(&spans, class, emma__chain_push(emma__chain_empty(1), block));
}

static uintptr_t start_of(const void *block) {
    uintptr_t address = (uintptr_t)block;
    return (address & ~((uintptr_t)EMMA_SLICE_BYTES - 1)) -
           (uintptr_t)emma__span_at(address)->slices_before * EMMA_SLICE_BYTES;
}

static size_t purge(uintptr_t start) {
    return emma__spans_purge(&spans, emma__tract_of(start), emma__tract_slice_of(start), EMMA_SPAN_PURGE);
}

/* The pages of [start, start + size) that a live block overlaps. */
static size_t pages_needed(unsigned class, const bool *is_live, uintptr_t start, size_t size_bytes) {
    size_t page = emma__regions_page_bytes(&spans.regions);
    size_t needed = 0;
    for (size_t at = 0; at < size_bytes; at += page) {
        bool live = false;
        for (unsigned i = 0; i < held_count && !live; i++) {
            size_t offset = (uintptr_t)held[i] - start;
            live = is_live[i] && offset < at + page && offset + emma__class_size(class) > at;
        }
        needed += live;
    }
    return needed;
}

static bool live_blocks_are_whole(unsigned class, const bool *is_live) {
    for (unsigned i = 0; i < held_count; i++)
        if (is_live[i] && !unit_is_filled(held[i], emma__class_size(class), (uintptr_t)held[i]))
            return false;
    return true;
}

/* Up to the page in which the last block of a span begins; that one's own pages have a case of their own. */
static size_t body_bytes(unsigned class) {
    size_t page = emma__regions_page_bytes(&spans.regions);
    size_t last = (emma__class_table[class].blocks - 1u) * emma__class_size(class);
    return (last / page + 1) * page;
}

/* Take each free block of a span again, which come once each, none of them a live one. */
static void take_again(unsigned class, unsigned live, uintptr_t start) {
    for (; live < held_count && tap.failures == 0; live++) {
        unsigned count = 0;
        emma_chain chain = emma__spans_refill(&spans, class, 1, 1, &count);
        uintptr_t block = (uintptr_t)emma__chain_first(chain);
        OK(count == 1 && block >= start && block < start + emma__class_table[class].slices * EMMA_SLICE_BYTES);
    }
    OK(sound());
    IS(census.out[class], held_count);
}

/* Free all but some, purge: what stays in memory is what live blocks need. Then take every block again. */
static void compact_span(unsigned class, uint64_t seed, unsigned keep_one_in) {
    static bool is_live[20000];
    if (!take_span(class))
        return;
    uintptr_t start = start_of(held[0]);
    size_t span_bytes = (size_t)emma__class_table[class].slices * EMMA_SLICE_BYTES;
    size_t body = body_bytes(class);
    size_t before = unit_resident_pages(start, span_bytes);
    unsigned live = 0;
    for (unsigned i = 0; i < held_count; i++) {
        is_live[i] = i == 0 || unit_random(&seed) % keep_one_in == 0;
        live += is_live[i];
        if (!is_live[i])
            send_home(class, held[i]);
    }
    OK(sound());
    size_t purged = purge(start);
    OK(sound());
    if (!IS(unit_resident_pages(start, body), pages_needed(class, is_live, start, body)))
        tap_note("bytes of a block:", emma__class_size(class));
    OK(purged >= (before - unit_resident_pages(start, span_bytes)) * emma__regions_page_bytes(&spans.regions));
    OK(purged % EMMA_LINE_BYTES == 0 && purged <= span_bytes);
    OK(live_blocks_are_whole(class, is_live));
    IS(purge(start), 0); /* nothing is left to give back */
    OK(sound());
    take_again(class, live, start);
    OK(live_blocks_are_whole(class, is_live));
}

static void every_class_with_one_block_left(void) {
    for (unsigned class = 1; class < EMMA_CLASS_COUNT && tap.failures == 0; class += class < 8 ? 1 : 5)
        compact_span(class, 5, 1U << 30);
}

static void every_class_with_some_blocks_left(void) {
    for (unsigned class = 1; class < EMMA_CLASS_COUNT && tap.failures == 0; class += 9) {
        compact_span(class, class, 3);
        compact_span(class, class + 1000, 40);
    }
}

/* The last block of a span begins in one page and ends in another; when it is free all of its pages go back. */
static void pages_of_the_last_block(void) {
    for (unsigned class = 60; class < EMMA_CLASS_COUNT && tap.failures == 0; class ++) {
        if (!take_span(class))
            return;
        uintptr_t start = start_of(held[0]);
        for (unsigned i = 1; i < held_count; i++)
            send_home(class, held[i]);
        purge(start);
        size_t span_bytes = (size_t)emma__class_table[class].slices * EMMA_SLICE_BYTES;
        size_t body = body_bytes(class);
        if (!IS(unit_resident_pages(start + body, span_bytes - body), 0))
            tap_note("bytes of a block:", emma__class_size(class));
    }
}

/* A block that is not carved is as free as one that came home. */
static void uncarved_lines_count_as_free(void) {
    unit_regions_reset(&spans.regions);
    unsigned count = 0;
    emma_chain chain = emma__spans_refill(&spans, 70, 1, 1, &count); /* 1792 bytes: blocks cross lines */
    uintptr_t start = start_of(emma__chain_first(chain));
    OK(sound());
    IS(purge(start), 0);
    OK(sound());
    emma__spans_take_home(&spans, 70, chain);
    OK(sound());
    IS(spans.regions.used_slices, 1);
}

static void full_and_foreign_slices_are_left_alone(void) {
    if (!take_span(20))
        return;
    uintptr_t start = start_of(held[0]);
    IS(purge(start), 0);
    IS(purge((uintptr_t)emma__tract_of(start)), 0);
    uintptr_t large = emma__spans_claim_large(&spans, 3 * EMMA_SLICE_BYTES, 1);
    unit_fill(unit_pointer(large), 3 * EMMA_SLICE_BYTES, 6);
    IS(purge(large), 0);
    OK(unit_is_filled(unit_pointer(large), 3 * EMMA_SLICE_BYTES, 6));
    send_home(20, held[1]); /* less than a line is free */
    IS(purge(start), 0);
    OK(sound());
}

/* Somebody else owns the span: it is left to them. */
static void owned_spans_are_left_alone(void) {
    if (!take_span(20))
        return;
    uintptr_t start = start_of(held[0]);
    for (unsigned i = 1; i < held_count; i++)
        send_home(20, held[i]);
    emma_tract *tract = emma__tract_of(start);
    OK(emma__offer_claim_span(tract, 20, emma__tract_slice_of(start)));
    IS(purge(start), 0);
    emma__span_disown(&spans, emma__span_at(start), start, 0);
    OK(purge(start) != 0);
    OK(sound());
}

TAP_MAIN({"one block left: its pages stay, the others go back", every_class_with_one_block_left},
         {"some blocks left: exactly their pages stay", every_class_with_some_blocks_left},
         {"all pages of a free last block go back", pages_of_the_last_block},
         {"lines that are not carved are free already", uncarved_lines_count_as_free},
         {"full spans, large runs and tracts' own slices are left alone", full_and_foreign_slices_are_left_alone},
         {"a span in somebody's hand is left alone", owned_spans_are_left_alone})
