/* ranges.c: see ranges.h. The low bit of from says that a range is nested: ranges begin at multiples of a word. */
#include "region/ranges.h"

#include "base/bits.h"
#include "plat/plat.h"

enum { NESTED = 1, PAGE_TRIES = 64 };

/* The entries, one after the other. */
typedef struct cursor {
    const emma_range_entry *entry; /* 0: at the end */
    const emma_range_page *next;
    size_t left;
} cursor;

static cursor first(const emma_ranges *ranges) {
    return (cursor){ranges->entry, ATOMIC_LOAD(&ranges->next, acquire), EMMA_RANGES_FIRST};
}

static void advance(cursor *at) {
    at->entry++;
    if (--at->left != 0)
        return;
    at->entry = at->next != 0 ? at->next->entry : 0;
    at->left = EMMA_RANGES_IN_PAGE;
    at->next = at->next != 0 ? ATOMIC_LOAD(&at->next->next, acquire) : 0;
}

/* Returns: false iff the entry is free, or is being changed. */
static bool read_entry(const emma_range_entry *entry, emma_range *range) {
    uint64_t version = ATOMIC_LOAD(&entry->version, acquire);
    range->owner = ATOMIC_LOAD(&entry->owner, acquire);
    range->from = ATOMIC_LOAD(&entry->from, acquire) & ~(uintptr_t)NESTED;
    range->to = ATOMIC_LOAD(&entry->to, acquire);
    return version % 2 == 0 && range->owner != 0 && ATOMIC_LOAD(&entry->version, relaxed) == version;
}

bool emma__ranges_find(const emma_ranges *ranges, uintptr_t address, emma_range *range) {
    if (EMMA_LIKELY(ATOMIC_LOAD(&ranges->count, acquire) == 0))
        return false;
    for (cursor at = first(ranges); at.entry != 0; advance(&at))
        if (read_entry(at.entry, range) && address >= range->from && address < range->to)
            return true;
    return false;
}

bool emma__ranges_overlap(const emma_ranges *ranges, uintptr_t from, uintptr_t to) {
    emma_range range;
    for (cursor at = first(ranges); at.entry != 0; advance(&at))
        if (read_entry(at.entry, &range) && from < range.to && to > range.from)
            return true;
    return false;
}

/* Make an entry the caller's to write, if it is owner's. */
static bool claim(emma_range_entry *entry, const void *owner, uint64_t *version) {
    *version = ATOMIC_LOAD(&entry->version, acquire);
    return *version % 2 == 0 && ATOMIC_LOAD(&entry->owner, acquire) == owner &&
           ATOMIC_CAS(&entry->version, version, *version + 1, acq_rel); /* so owner is still the same */
}

static bool add_to_free(emma_ranges *ranges, emma_range range, uintptr_t mark) {
    for (cursor at = first(ranges); at.entry != 0; advance(&at)) {
        emma_range_entry *entry = (emma_range_entry *)(uintptr_t)at.entry; // NOLINT(performance-no-int-to-ptr)
        uint64_t version;
        if (!claim(entry, 0, &version))
            continue;
        ATOMIC_STORE(&entry->from, range.from | mark, release);
        ATOMIC_STORE(&entry->to, range.to, release);
        ATOMIC_STORE(&entry->owner, range.owner, release);
        ATOMIC_STORE(&entry->version, version + 2, release);
        return true;
    }
    return false;
}

/* One more page at the end of the list, if nobody else has put one there. */
static bool add_page(emma_ranges *ranges) {
    size_t bytes = emma__bits_align_up(EMMA_RANGE_PAGE_BYTES, emma__plat_page_bytes());
    emma_range_page *page = (emma_range_page *)emma__plat_map(bytes); // NOLINT(performance-no-int-to-ptr)
    if (page == 0)
        return false;
    _Atomic(emma_range_page *) *end = &ranges->next;
    for (emma_range_page *next; (next = ATOMIC_LOAD(end, acquire)) != 0;)
        end = &next->next;
    emma_range_page *none = 0;
    if (!ATOMIC_CAS(end, &none, page, acq_rel)) /* pairs with the acquire loads of next */
        emma__plat_unmap((uintptr_t)page, bytes);
    return true;
}

bool emma__ranges_add(emma_ranges *ranges, emma_range range, bool is_nested) {
    for (unsigned try = 0; try < PAGE_TRIES; try++) {
        if (add_to_free(ranges, range, is_nested ? NESTED : 0)) {
            ATOMIC_ADD(&ranges->nested, is_nested, acq_rel);
            ATOMIC_ADD(&ranges->count, 1, acq_rel);
            return true;
        }
        if (!add_page(ranges))
            return false;
    }
    return false;
}

void emma__ranges_remove(emma_ranges *ranges, const void *owner, uintptr_t from, uintptr_t to) {
    for (cursor at = first(ranges); at.entry != 0; advance(&at)) {
        emma_range_entry *entry = (emma_range_entry *)(uintptr_t)at.entry; // NOLINT(performance-no-int-to-ptr)
        uintptr_t begin = ATOMIC_LOAD(&entry->from, acquire);
        uint64_t version;
        if (begin < from || begin >= to || !claim(entry, owner, &version))
            continue;
        ATOMIC_STORE(&entry->owner, 0, release);
        ATOMIC_STORE(&entry->version, version + 2, release);
        ATOMIC_SUB(&ranges->nested, begin & NESTED, acq_rel);
        ATOMIC_SUB(&ranges->count, 1, acq_rel);
    }
}
