/* large_test.c: span/span.h: large runs: claimed, released once, resized where they lie. */
#include "span/span.h"

#include "../tap.h"
#include "unit.h"

#define SLICE ((size_t)EMMA_SLICE_BYTES)

static emma_spans spans = {.regions = EMMA_REGIONS_INITIAL(&unit_directory)};
static unit_census census;

static bool sound(size_t runs) {
    return unit_spans_sound(&spans, &census) && census.large_runs == runs;
}

static uintptr_t claim(size_t size, unsigned align) {
    uintptr_t address = emma__spans_claim_large(&spans, size, align);
    OK(address != 0 && address % (align * SLICE) == 0);
    emma_span *span = emma__span_at(address);
    IS(span->slices, (size + SLICE - 1) / SLICE);
    IS(emma__span_class(span), EMMA_CLASS_LARGE);
    OK(span->large_bytes >= size && span->large_bytes < size + EMMA_LINE_BYTES);
    OK(span->large_bytes <= span->slices * SLICE);
    IS(emma__span_class_fast(&spans.regions, address), EMMA_CLASS_NONE);
    OK(!emma__span_is_block(span, address));
    return address;
}

static void sizes_and_alignments(void) {
    static const size_t sizes[] = {1,          SLICE - 1,  SLICE,          SLICE + 1,
                                   31 * SLICE, 32 * SLICE, 33 * SLICE - 5, EMMA_RUN_MAX_SLICES * SLICE};
    for (unsigned align = 1; align <= EMMA_CHUNK_SLICES; align *= 2) {
        unit_regions_reset(&spans.regions);
        size_t runs = 0;
        for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            if (sizes[i] > EMMA_RUN_MAX_SLICES * SLICE)
                continue;
            uintptr_t address = claim(sizes[i], align);
            size_t usable = emma__span_at(address)->large_bytes;
            unit_fill(unit_pointer(address), 16, i);
            unit_fill(unit_pointer(address + usable - 16), 16, i + 1);
            OK(unit_is_filled(unit_pointer(address), 16, i));
            OK(sound(++runs));
        }
    }
}

static void released_once(void) {
    unit_regions_reset(&spans.regions);
    uintptr_t a = claim(3 * SLICE, 1);
    uintptr_t b = claim(2 * SLICE, 1);
    OK(!emma__spans_release_large(&spans, a + 16));
    OK(!emma__spans_release_large(&spans, a + SLICE)); /* within the run */
    OK(!emma__spans_release_large(&spans, (uintptr_t)emma__tract_of(a)));
    OK(sound(2));
    OK(emma__spans_release_large(&spans, a));
    OK(!emma__spans_release_large(&spans, a));
    OK(sound(1));
    IS(spans.regions.dirty_slices, 3);
    OK(emma__spans_release_large(&spans, b));
    IS(spans.regions.used_slices, 1);
    IS(claim(5 * SLICE, 1), a); /* both places, together */
}

static void a_span_is_no_large_run(void) {
    unit_regions_reset(&spans.regions);
    unsigned count = 0;
    emma_chain chain = emma__spans_refill(&spans, 1, 1, 1, &count);
    OK(!emma__spans_release_large(&spans, (uintptr_t)emma__chain_first(chain)));
    OK(sound(0) && census.out[1] == 1);
}

/* Grows exactly as far as slices are free, and never moves. */
static void grows_where_the_next_slices_are_free(void) {
    unit_regions_reset(&spans.regions);
    uintptr_t a = claim(2 * SLICE, 1);
    uintptr_t gap = claim(5 * SLICE, 1);
    uintptr_t b = claim(1, 1);
    IS(gap, a + 2 * SLICE);
    IS(b, gap + 5 * SLICE);
    unit_fill(unit_pointer(a), 2 * SLICE, 1);
    OK(!emma__spans_resize_large(&spans, a, 2 * SLICE + 1));
    IS(emma__span_at(a)->slices, 2);
    OK(emma__spans_release_large(&spans, gap));
    OK(emma__spans_resize_large(&spans, a, 2 * SLICE + 1));
    OK(sound(2));
    IS(emma__span_at(a)->slices, 3);
    OK(!emma__spans_resize_large(&spans, a, 8 * SLICE)); /* one too many: nothing changes */
    IS(emma__span_at(a)->slices, 3);
    OK(emma__spans_resize_large(&spans, a, 7 * SLICE));
    IS(emma__span_at(a)->slices, 7);
    IS(emma__span_at(a)->large_bytes, 7 * SLICE);
    OK(!emma__spans_resize_large(&spans, a, 7 * SLICE + 1));
    OK(unit_is_filled(unit_pointer(a), 2 * SLICE, 1));
    OK(sound(2));
    IS(spans.regions.dirty_slices, 0);
}

static void shrinks_and_gives_the_tail_back(void) {
    unit_regions_reset(&spans.regions);
    uintptr_t a = claim(EMMA_RUN_MAX_SLICES * SLICE, 1);
    unit_fill(unit_pointer(a), SLICE, 2);
    for (size_t slices = EMMA_RUN_MAX_SLICES - 1; slices >= 1; slices = slices * 2 / 3) {
        OK(emma__spans_resize_large(&spans, a, slices * SLICE - 100));
        IS(emma__span_at(a)->slices, slices);
        IS(spans.regions.used_slices, 1 + slices);
        IS(spans.regions.dirty_slices, EMMA_RUN_MAX_SLICES - slices);
        OK(sound(1));
    }
    OK(unit_is_filled(unit_pointer(a), SLICE, 2));
    OK(emma__spans_resize_large(&spans, a, EMMA_RUN_MAX_SLICES * SLICE)); /* and back */
    OK(!emma__spans_resize_large(&spans, a, EMMA_RUN_MAX_SLICES * SLICE + 1));
    OK(sound(1));
}

static void within_a_slice_only_the_size_changes(void) {
    unit_regions_reset(&spans.regions);
    uintptr_t a = claim(SLICE + 1, 1);
    OK(emma__spans_resize_large(&spans, a, 2 * SLICE));
    IS(emma__span_at(a)->large_bytes, 2 * SLICE);
    OK(emma__spans_resize_large(&spans, a, SLICE + 5));
    IS(emma__span_at(a)->large_bytes, SLICE + EMMA_LINE_BYTES);
    IS(spans.regions.freed_slices, 0);
}

static void the_end_of_a_tract_is_an_end(void) {
    unit_regions_reset(&spans.regions);
    uintptr_t last = 0;
    do {
        last = emma__spans_claim_large(&spans, SLICE, 1);
    } while (last != 0 && emma__tract_slice_of(last) != EMMA_TRACT_SLICES - 1);
    OK(last != 0);
    OK(emma__spans_claim_large(&spans, SLICE, 1) != 0); /* the next tract exists */
    OK(!emma__spans_resize_large(&spans, last, 2 * SLICE));
    OK(emma__spans_resize_large(&spans, last, SLICE));
    OK(unit_spans_sound(&spans, &census));
}

TAP_MAIN({"sizes to the longest run, every alignment", sizes_and_alignments},
         {"a run is released once, by its start", released_once}, {"a span is no large run", a_span_is_no_large_run},
         {"growing takes the next free slices and never moves", grows_where_the_next_slices_are_free},
         {"shrinking gives the tail back", shrinks_and_gives_the_tail_back},
         {"within the last slice only the size changes", within_a_slice_only_the_size_changes},
         {"a run does not grow over the end of its tract", the_end_of_a_tract_is_an_end})
