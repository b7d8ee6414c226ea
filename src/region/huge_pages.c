/* huge_pages.c: which chunks are to have huge pages. Interface in window.h and region.h.
 *
 * Each change from chunk to chunk in a tract is one mapping more for the kernel, which has a limit for these: a change
 * that would make more than EDGES_MAX of them is not made, or made for all chunks of the tract. So there are at most
 * two runs of chunks with huge pages, and the three runs beside these may be two mappings each: chunks for which
 * nothing was told, as more was mapped since, are another for the kernel than those of which huge pages were ended. */
#include "plat/plat.h"
#include "region/window.h"

enum {
    EDGES_MAX = 4,
    SLOW_NS = 1000000, /* small pages for a chunk take as long; a huge page at hand a fifth */
};

static unsigned edges(uint32_t chunks) {
    return emma__bits_count(chunks ^ chunks << 1);
}

/* The chunk is the caller's, or free slices of it are, so no two threads ask and end for it at once. But who ends for
 * others as well may meet one who asks: then a bit tells wrong what the system was told, and pages are small that could
 * be huge, or huge ones stay until the chunk goes back as a whole. */
static bool advise(emma_tract *tract, unsigned from, unsigned to, bool wanted) {
    return emma__plat_huge_pages((uintptr_t)tract + ((uintptr_t)from << EMMA_CHUNK_LOG2),
                                 (size_t)(to - from) << EMMA_CHUNK_LOG2, wanted);
}

static bool may_ask(emma_regions *regions) {
    size_t page_bytes = emma__regions_page_bytes(regions);
    bool fits = page_bytes * (page_bytes / sizeof(uint64_t)) <= EMMA_CHUNK_BYTES || EMMA_TORTURE;
    return fits && ATOMIC_LOAD(&regions->huge_pages_bytes, relaxed) != 0 && !emma__regions_are_limited(regions);
}

static bool is_large(const emma_regions *regions, const _Atomic(size_t) *slices) {
    return ATOMIC_LOAD(slices, relaxed) << EMMA_SLICE_LOG2 >= ATOMIC_LOAD(&regions->huge_pages_bytes, relaxed);
}

static bool ask(emma_tract *tract, unsigned from, unsigned to) {
    uint32_t chunks = emma__bits_low_mask(to) & ~emma__bits_low_mask(from);
    uint32_t asked = ATOMIC_LOAD(&tract->huge_pages, relaxed);
    if ((asked & chunks) == chunks || edges(asked | chunks) > EDGES_MAX)
        return false;
    advise(tract, from, to, true); /* refused: never mind, nor is it asked again */
    ATOMIC_OR(&tract->huge_pages, chunks, relaxed);
    return true;
}

void emma__window_ask_huge_pages(emma_tract *tract, unsigned chunk, bool was_used) {
    if (may_ask(tract->owner) && (was_used || is_large(tract->owner, &tract->owner->mapped_slices)))
        ask(tract, chunk, chunk + 1);
}

/* What counts is what is used: where many threads begin at once, each maps a tract, and uses little of it. */
unsigned emma__window_try_huge_pages(emma_tract *tract, unsigned from, unsigned to) {
    emma_regions *regions = tract->owner;
    size_t mapped = ATOMIC_LOAD(&regions->mapped_slices, relaxed);
    if (from >= to || !may_ask(regions) || !is_large(regions, &regions->used_slices) ||
        mapped / 2 < ATOMIC_LOAD(&regions->huge_pages_slow, relaxed) || !ask(tract, from, from + 1))
        return EMMA_NO_SLICE;
    unsigned slice = from * EMMA_CHUNK_SLICES;
    bool is_slow = emma__plat_touch_ns(emma__tract_address(tract, slice)) > SLOW_NS;
    ATOMIC_STORE(&regions->huge_pages_slow, is_slow ? mapped : 0, relaxed);
    if (!is_slow && from + 1 < to)
        ask(tract, from + 1, to);
    return slice;
}

/* Told for all neighbours that have small pages anyway: those of which it was not told would be a mapping apart. */
void emma__regions_end_huge_pages(emma_tract *tract, unsigned chunk) {
    uint32_t asked = ATOMIC_LOAD(&tract->huge_pages, relaxed);
    uint32_t bit = UINT32_C(1) << chunk;
    if ((asked & bit) == 0)
        return;
    unsigned from = chunk;
    unsigned to = chunk + 1;
    unsigned mapped = ATOMIC_LOAD(&tract->mapped_slices, acquire) / EMMA_CHUNK_SLICES;
    bool for_all = edges(asked & ~bit) > EDGES_MAX;
    while (from > 0 && (for_all || (asked >> (from - 1) & 1) == 0))
        from--;
    while (to < mapped && (for_all || (asked >> to & 1) == 0))
        to++;
    if (advise(tract, from, to, false))
        ATOMIC_AND(&tract->huge_pages, ~(emma__bits_low_mask(to) & ~emma__bits_low_mask(from)), relaxed);
}
