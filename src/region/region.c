/* region.c: claiming and releasing runs in the regions of a heap; see region.h. Growing is in grow.c. */
#include "region/region.h"

#include "base/check.h"
#include "plat/plat.h"
#include "region/window.h"

enum { SEARCH_TRIES = 4 };

void emma__region_set_hint(emma_region *region, unsigned slot, unsigned rank) {
    uint64_t bit = UINT64_C(1) << (slot % 64);
    if ((ATOMIC_LOAD(&region->word[slot / 64].hint[rank], seq_cst) & bit) == 0)
        ATOMIC_OR(&region->word[slot / 64].hint[rank], bit, seq_cst);
}

/* A searcher found nothing in a tract: take its bit away, look again, and set it if it was true after all. */
static void clear_hint(emma_region *region, emma_tract *tract, unsigned rank) {
    ATOMIC_AND(&region->word[tract->slot / 64].hint[rank], ~(UINT64_C(1) << (tract->slot % 64)), seq_cst);
    if (ATOMIC_LOAD(&tract->hint[rank], seq_cst) != 0)
        emma__region_set_hint(region, tract->slot, rank);
}

static emma_tract *tract_in_slot(const emma_region *region, unsigned slot) {
    return emma__tract_of(emma__region_slot_address(region, slot));
}

static void count_claim(emma_regions *regions, unsigned n, unsigned dirty) {
    ATOMIC_ADD(&regions->used_slices, n, relaxed);
    if (dirty != 0)
        ATOMIC_SUB(&regions->dirty_slices, dirty, relaxed);
    if (dirty != n)
        ATOMIC_ADD(&regions->clean_claims, n - dirty, relaxed);
}

/* Search one region, lowest address first. */
static uintptr_t claim_in_region(emma_regions *regions, emma_region *region, unsigned n, unsigned align) {
    /* A run longer than a chunk covers at least half of some chunk. */
    unsigned rank = n <= EMMA_CHUNK_SLICES ? emma__bits_highest(n) : EMMA_RUN_RANKS - 2;
    for (unsigned word = 0; word < EMMA_REGION_SLOT_WORDS; word++) {
        uint64_t bits = ATOMIC_LOAD(&region->word[word].hint[rank], relaxed);
        for (; bits != 0; bits &= bits - 1) {
            emma_tract *tract = tract_in_slot(region, word * 64 + emma__bits_lowest(bits));
            emma_run run = emma__tract_claim(tract, n, align);
            if (run.slice != EMMA_NO_SLICE) {
                count_claim(regions, n, run.dirty);
                return emma__tract_address(tract, run.slice);
            }
            if (ATOMIC_LOAD(&tract->hint[rank], relaxed) == 0)
                clear_hint(region, tract, rank);
        }
    }
    return 0;
}

uintptr_t emma__regions_claim(emma_regions *regions, unsigned n, unsigned align) {
    emma_region *region = ATOMIC_LOAD(&regions->first, acquire);
    for (; region != 0; region = ATOMIC_LOAD(&region->next, acquire)) {
        uintptr_t address = claim_in_region(regions, region, n, align);
        if (address != 0)
            return address;
    }
    return emma__window_grow(regions, n, align);
}

bool emma__regions_claim_at(emma_regions *regions, uintptr_t address, unsigned n) {
    if (address % EMMA_TRACT_BYTES == 0)
        return false; /* the end of a tract */
    emma_run run = emma__tract_claim_at(emma__tract_of(address), emma__tract_slice_of(address), n);
    if (run.slice == EMMA_NO_SLICE)
        return false;
    count_claim(regions, n, run.dirty);
    return true;
}

void emma__regions_release(emma_regions *regions, uintptr_t address, unsigned n) {
    emma_tract *tract = emma__tract_of(address);
    unsigned slice = emma__tract_slice_of(address);
    uint32_t now = ATOMIC_LOAD(&regions->now_seconds, relaxed);
    for (unsigned i = slice / EMMA_CHUNK_SLICES; i <= (slice + n - 1) / EMMA_CHUNK_SLICES; i++)
        ATOMIC_STORE(&tract->dirty_since[i], now, relaxed);
    /* The count first: a claim that follows the release subtracts what is already counted. */
    ATOMIC_ADD(&regions->dirty_slices, n, relaxed);
    ATOMIC_ADD(&regions->freed_slices, n, relaxed);
    ATOMIC_SUB(&regions->used_slices, n, relaxed);
    emma__tract_release(tract, slice, n, EMMA_SLICES_DIRTY);
}

void emma__regions_unclaim(emma_regions *regions, uintptr_t address, unsigned n) {
    unsigned dirty = n - emma__regions_count_clean(address, n);
    ATOMIC_ADD(&regions->dirty_slices, dirty, relaxed);
    ATOMIC_ADD(&regions->freed_slices, dirty, relaxed);
    ATOMIC_SUB(&regions->used_slices, n, relaxed);
    emma__tract_release(emma__tract_of(address), emma__tract_slice_of(address), n, EMMA_SLICES_KEPT);
}

void emma__regions_release_purged(emma_regions *regions, uintptr_t address, unsigned n) {
    ATOMIC_SUB(&regions->used_slices, n, relaxed);
    emma__tract_release(emma__tract_of(address), emma__tract_slice_of(address), n, EMMA_SLICES_CLEAN);
}

unsigned emma__regions_count_clean(uintptr_t address, unsigned n) {
    return n - emma__tract_count_dirty(emma__tract_of(address), emma__tract_slice_of(address), n);
}

unsigned emma__regions_purge_chunk(emma_regions *regions, emma_tract *tract, unsigned chunk) {
    uint32_t bits = emma__tract_claim_dirty(tract, chunk);
    uint32_t dirty = bits & (uint32_t)ATOMIC_LOAD(&tract->chunk[chunk], relaxed);
    ATOMIC_SUB(&regions->dirty_slices, emma__bits_count(dirty), relaxed);
    if (bits != 0 && bits != UINT32_MAX)
        emma__regions_end_huge_pages(tract, chunk);
    uint32_t left = bits;
    uint32_t purged = 0;
    while (left != 0) { /* one call for each run of neighbours */
        unsigned from = emma__bits_lowest(left);
        unsigned length = emma__bits_lowest(~((uint64_t)left >> from));
        uint32_t mask = emma__bits_low_mask(length) << from;
        uintptr_t address = emma__tract_address(tract, chunk * EMMA_CHUNK_SLICES + from);
        if (emma__plat_purge(address, (size_t)length << EMMA_SLICE_LOG2))
            purged |= mask;
        left &= ~mask;
    }
    emma__regions_refund(regions, (size_t)emma__bits_count(purged & dirty) << EMMA_SLICE_LOG2);
    if (purged == UINT32_MAX)
        emma__window_ask_huge_pages(tract, chunk, dirty == UINT32_MAX);
    if (purged != 0)
        emma__tract_release_bits(tract, chunk, purged, EMMA_SLICES_CLEAN);
    if (bits != purged) { /* refused (locked memory): they stay as they were, the dirty ones as if freshly so */
        ATOMIC_STORE(&tract->dirty_since[chunk], ATOMIC_LOAD(&regions->now_seconds, relaxed), relaxed);
        ATOMIC_ADD(&regions->dirty_slices, emma__bits_count(dirty & ~purged), relaxed);
        emma__tract_release_bits(tract, chunk, bits & ~purged, EMMA_SLICES_KEPT);
    }
    return emma__bits_count(purged & dirty);
}

/* The next slot at or after slot that holds a tract, in this region and those behind it. */
static emma_tract *tract_from(const emma_region *region, unsigned slot) {
    for (; region != 0; region = ATOMIC_LOAD(&region->next, acquire), slot = 0) {
        for (unsigned word = slot / 64; word < EMMA_REGION_SLOT_WORDS; word++, slot = word * 64) {
            uint64_t bits = ATOMIC_LOAD(&region->word[word].tract, acquire) >> (slot % 64) << (slot % 64);
            if (bits != 0)
                return tract_in_slot(region, word * 64 + emma__bits_lowest(bits));
        }
    }
    return 0;
}

emma_tract *emma__regions_next_tract(const emma_regions *regions, const emma_tract *tract) {
    if (tract == 0)
        return tract_from(ATOMIC_LOAD(&regions->first, acquire), 0);
    return tract_from(tract->region, tract->slot + 1);
}

bool emma__regions_have_tract(const emma_regions *regions, uintptr_t address) {
    const emma_region *region = ATOMIC_LOAD(&regions->first, acquire);
    for (; region != 0; region = ATOMIC_LOAD(&region->next, acquire)) {
        uintptr_t slot = (address - region->base) >> EMMA_TRACT_LOG2;
        if (slot < EMMA_REGION_TRACTS && (ATOMIC_LOAD(&region->word[slot / 64].tract, acquire) >> (slot % 64) & 1) != 0)
            return true;
    }
    return false;
}

size_t emma__regions_page_bytes(emma_regions *regions) {
    size_t page_bytes = ATOMIC_LOAD(&regions->page_bytes, relaxed);
    if (page_bytes == 0) {
        page_bytes = emma__plat_page_bytes();
        ATOMIC_STORE(&regions->page_bytes, page_bytes, relaxed);
    }
    return page_bytes;
}

bool emma__regions_valid(const emma_regions *regions) {
    size_t mapped = 0;
    for (emma_tract *tract = emma__regions_next_tract(regions, 0); tract != 0;
         tract = emma__regions_next_tract(regions, tract)) {
        if (!emma__tract_valid(tract) || tract->region->owner != regions)
            return false;
        mapped += ATOMIC_LOAD(&tract->mapped_slices, relaxed);
    }
    return mapped <= ATOMIC_LOAD(&regions->mapped_slices, relaxed);
}
