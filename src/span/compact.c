/* compact.c: pages of a span that hold nothing but free blocks go back to the system, though other blocks of the span
 * are live: one forgotten block then costs one page and not a whole span. Interface in span.h.
 *
 * The lines of such pages become fresh again: their blocks leave the local chain and are carved anew when needed. A
 * line may go iff every block that overlaps it is free, those too that begin in the line before. */
#include "base/check.h"
#include "plat/plat.h"
#include "span/free_map.h"
#include "span/offer.h"
#include "span/span.h"
#include "span/span_word.h"

/* The lines that no live block overlaps. */
static uint64_t idle_lines(const emma_free_map *map, unsigned class, unsigned lines) {
    uint32_t size = emma__class_table[class].size_bytes;
    uint64_t idle = 0;
    for (unsigned line = 0; line < lines; line++) {
        unsigned block = line * EMMA_LINE_BYTES / size; /* the first that overlaps the line */
        unsigned last = ((line + 1) * EMMA_LINE_BYTES - 1) / size;
        unsigned blocks = emma__class_table[class].blocks;
        while (block <= last && block < blocks && emma__free_map_has(map, block))
            block++;
        if (block > last || block >= blocks)
            idle |= UINT64_C(1) << line;
    }
    return idle;
}

/* The lines of whole pages of the system that are idle, and of which some line is not fresh yet. */
static uint64_t pages_to_purge(uint64_t idle, uint64_t fresh, size_t page_bytes) {
    unsigned per_page = (unsigned)(page_bytes >> EMMA_LINE_LOG2);
    uint64_t whole = 0;
    for (unsigned line = 0; per_page <= 64 && line < 64; line += per_page) {
        uint64_t mask = (per_page < 64 ? (UINT64_C(1) << per_page) - 1 : ~UINT64_C(0)) << line;
        if ((idle & mask) == mask && (fresh & mask) != mask)
            whole |= mask;
    }
    return whole;
}

/* Link the free blocks that do not start in a fresh line, lowest address first. */
static void rebuild_local(emma_span *span, uintptr_t start, unsigned class, const emma_free_map *map, unsigned lines) {
    uint32_t size = emma__class_table[class].size_bytes;
    uint16_t next = EMMA_SPAN_NO_BLOCK;
    for (unsigned line = lines; line-- > 0;) {
        if ((span->fresh_lines >> line & 1) != 0)
            continue;
        unsigned first;
        unsigned end;
        emma__line_blocks(class, line, &first, &end);
        for (unsigned block = end; block-- > first;) {
            if (!emma__free_map_has(map, block))
                continue;
            uint16_t offset = emma__span_word_of_offset((uintptr_t)block * size);
            *(uint64_t *)emma__span_word_block(start, offset) = emma__span_word_link(next);
            next = offset;
        }
    }
    span->local = next;
}

/* Returns: whether all of them went back. */
static bool purge_lines(uintptr_t start, uint64_t lines) {
    bool done = true;
    while (lines != 0) {
        unsigned from = emma__bits_lowest(lines);
        uint64_t rest = ~(lines >> from);
        unsigned length = rest != 0 ? emma__bits_lowest(rest) : 64;
        size_t bytes = (size_t)length << EMMA_LINE_LOG2;
        done &= emma__plat_purge(start + ((uintptr_t)from << EMMA_LINE_LOG2), bytes);
        lines &= length < 64 ? ~(((UINT64_C(1) << length) - 1) << from) : 0;
    }
    return done;
}

/* The owner of a span gives back its idle pages, or only looks how many there are. */
static size_t compact(emma_spans *spans, emma_span *span, uintptr_t start, emma_span_purge how) {
    unsigned class = emma__span_class(span);
    /* All lines that a block overlaps; in the last of them none may start, and then nothing is carved there. */
    size_t body_bytes = (size_t)emma__class_table[class].blocks * emma__class_table[class].size_bytes;
    unsigned lines = (unsigned)emma__bits_div_up(body_bytes, EMMA_LINE_BYTES);
    emma_free_map map = {{0}};
    bool looks = how == EMMA_SPAN_LOOK; /* then all stays as it is; nobody else unlinks */
    uint16_t came_home = looks ? (uint16_t)ATOMIC_LOAD(&span->word, acquire) : emma__span_take_head(span);
    emma__free_map_chain(&map, came_home, start, class);
    emma__free_map_chain(&map, span->local, start, class);
    emma__free_map_fresh(&map, span->fresh_lines, class);
    size_t page_bytes = emma__regions_page_bytes(&spans->regions);
    uint64_t idle = idle_lines(&map, class, lines);
    uint64_t newly = pages_to_purge(idle, span->fresh_lines, page_bytes);
    if (looks)
        return emma__line_bytes(newly);
    bool was_huge = how == EMMA_SPAN_PURGE_HUGE;
    uint64_t resident = was_huge ? pages_to_purge(idle, 0, page_bytes) : 0;
    uint64_t fresh = span->fresh_lines;
    bool is_whole = span->is_whole;
    uint64_t before = emma__line_charged(span, class);
    span->fresh_lines |= newly;
    /* In dirty slices what was never carved may be resident as well. */
    span->is_whole &= page_bytes > EMMA_LINE_BYTES;
    if (newly == 0 && resident == 0 && before == emma__line_charged(span, class) && came_home == EMMA_SPAN_NO_BLOCK)
        return 0;
    /* Nothing but blocks of fresh lines overlaps them. */
    uint64_t purged = newly | (before & ~emma__line_charged(span, class));
    if (was_huge)
        emma__regions_end_huge_pages(emma__tract_of(start), emma__tract_slice_of(start) / EMMA_CHUNK_SLICES);
    purge_lines(start, resident & ~purged); /* of a huge page, and never touched: refused, it is nobody's loss */
    if (!purge_lines(start, purged)) {      /* locked memory: all stays as it was, and charged */
        span->fresh_lines = fresh;
        span->is_whole = is_whole & 1;
        purged = 0;
    }
    span->is_compacted |= purged != 0;
    emma__regions_refund(&spans->regions, emma__line_bytes(before & ~emma__line_charged(span, class)));
    rebuild_local(span, start, class, &map, lines);
    return emma__line_bytes(purged);
}

size_t emma__spans_purge(emma_spans *spans, emma_tract *tract, unsigned slice, emma_span_purge how) {
    emma_span *span = &emma__span_table_of(tract)->record[slice];
    emma_span_word word = emma__span_word_unpack(ATOMIC_LOAD(&span->word, relaxed));
    if (!emma__class_is_small(word.class))
        return 0;
    size_t at_home_bytes = (emma__class_table[word.class].blocks - (size_t)word.out) * emma__class_size(word.class);
    if (at_home_bytes < EMMA_LINE_BYTES || !emma__offer_claim_span(tract, word.class, slice))
        return 0;
    uintptr_t start = emma__tract_address(tract, slice);
    size_t purged = compact(spans, span, start, how);
    emma__span_disown(spans, span, start, 0);
    return purged;
}

void emma__spans_repair(emma_tract *tract, unsigned slice) {
    emma_span_word word = emma__span_word_unpack(ATOMIC_LOAD(&emma__span_table_of(tract)->record[slice].word, acquire));
    if (word.state == EMMA_SPAN_OFFERED)
        emma__offer_set(tract, word.class, slice);
}
