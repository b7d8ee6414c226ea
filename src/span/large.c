/* large.c: large blocks: runs of slices with one holder. The record of the first slice says that the run is live; no
 * class byte is ever set for it, so a free of it leaves the fast path by itself. Interface in span.h. */
#include "plat/plat.h"
#include "span/span.h"
#include "span/span_word.h"

static const emma_span_word large_word = {EMMA_SPAN_NO_BLOCK, 0, EMMA_CLASS_LARGE, EMMA_SPAN_OWNED};

static unsigned slices_of(size_t size_bytes) {
    return (unsigned)emma__bits_div_up(size_bytes, EMMA_SLICE_BYTES);
}

/* What the holder may use: whole lines. The rest of the last slice is never touched, so it costs nothing. */
static size_t usable_of(size_t size_bytes) {
    return emma__bits_align_up(size_bytes, EMMA_LINE_BYTES);
}

/* A claimed run is charged whole; where the limit forbids it, the run goes back. */
static bool charge(emma_spans *spans, uintptr_t address, unsigned slices) {
    size_t bytes = (size_t)emma__regions_count_clean(address, slices) << EMMA_SLICE_LOG2;
    if (emma__regions_charge(&spans->regions, bytes))
        return true;
    emma__regions_unclaim(&spans->regions, address, slices);
    return false;
}

uintptr_t emma__spans_claim_large(emma_spans *spans, size_t size_bytes, unsigned align) {
    unsigned slices = slices_of(size_bytes);
    uintptr_t address = emma__regions_claim(&spans->regions, slices, align);
    if (address == 0 || !charge(spans, address, slices))
        return 0;
    emma_span *span = emma__span_at(address);
    ATOMIC_STORE(&span->slices, (uint16_t)slices, relaxed);
    ATOMIC_STORE(&span->large_bytes, usable_of(size_bytes), relaxed);
    ATOMIC_STORE(&span->word, emma__span_word_pack(large_word), release);
    return address;
}

bool emma__spans_release_large(emma_spans *spans, uintptr_t address) {
    if (address % EMMA_SLICE_BYTES != 0 || emma__tract_slice_of(address) == EMMA_NO_SLICE)
        return false;
    emma_span *span = emma__span_at(address);
    unsigned slices = ATOMIC_LOAD(&span->slices, relaxed);
    uint64_t live = emma__span_word_pack(large_word);
    if (!ATOMIC_CAS(&span->word, &live, 0, acq_rel)) /* of two frees of one block, one fails */
        return false;
    emma__regions_release(&spans->regions, address, slices);
    return true;
}

uintptr_t emma__span_run_of(uintptr_t address) {
    const emma_span *record = emma__span_at(address);
    uintptr_t start = emma__span_start(record, address);
    record -= (address - start) >> EMMA_SLICE_LOG2;
    for (unsigned before = 0; before < EMMA_RUN_MAX_SLICES; before++, record--, start -= EMMA_SLICE_BYTES) {
        if (emma__tract_slice_of(start) < EMMA_TRACT_META_SLICES)
            break;
        if (emma__span_class(record) == EMMA_CLASS_NONE)
            continue; /* free, or in a large run: the slices of a span know where it begins */
        return address - start < (uintptr_t)ATOMIC_LOAD(&record->slices, relaxed) << EMMA_SLICE_LOG2 ? start : 0;
    }
    return 0;
}

/* Give back the pages between what is used of a slice and its end. */
static void purge_rest(uintptr_t from, uintptr_t to, emma_spans *spans) {
    uintptr_t first = emma__bits_align_up(from, emma__regions_page_bytes(&spans->regions));
    if (first + EMMA_SLICE_BYTES / 4 > to)
        return;
    emma__regions_end_huge_pages(emma__tract_of(first), emma__tract_slice_of(first) / EMMA_CHUNK_SLICES);
    emma__plat_purge(first, to - first);
}

bool emma__spans_resize_large(emma_spans *spans, uintptr_t address, size_t size_bytes) {
    if (size_bytes > (size_t)EMMA_RUN_MAX_SLICES * EMMA_SLICE_BYTES)
        return false;
    emma_span *span = emma__span_at(address);
    unsigned before = ATOMIC_LOAD(&span->slices, relaxed);
    unsigned after = slices_of(size_bytes);
    uintptr_t end = address + ((uintptr_t)before << EMMA_SLICE_LOG2);
    if (after > before &&
        (!emma__regions_claim_at(&spans->regions, end, after - before) || !charge(spans, end, after - before)))
        return false;
    ATOMIC_STORE(&span->slices, (uint16_t)after, relaxed);
    ATOMIC_STORE(&span->large_bytes, usable_of(size_bytes), relaxed);
    if (after < before) /* the length first, then the tail; and what is left of the last slice, if it is much */
        purge_rest(address + usable_of(size_bytes), address + ((uintptr_t)after << EMMA_SLICE_LOG2), spans);
    if (after < before)
        emma__regions_release(&spans->regions, address + ((uintptr_t)after << EMMA_SLICE_LOG2), before - after);
    return true;
}
