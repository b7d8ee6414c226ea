/* span.c: refills take blocks from spans, and blocks come home; see span.h for the word and its states. */
#include "span/span.h"

#include "base/check.h"
#include "plat/plat.h"
#include "span/line.h"
#include "span/offer.h"
#include "span/span_word.h"

enum {
    REFILL_SPANS_MAX = 8,
    SPARSE_SHARE = 8,
    GROUPS = 8, /* slices that a chain is sorted by on its way home; handlers have little stack */
};

/* Only the default heap's first region has them. */
static void set_class_bytes(uintptr_t start, unsigned slices, unsigned class) {
    const emma_region *region = emma__tract_of(start)->region;
    if (region->classes != 0)
        __builtin_memset(region->classes + ((start - region->base) >> EMMA_SLICE_LOG2), (int)class, slices);
}

/* A span that no longer belongs to a class: its slices go back. Requires: the caller owns it and every block is
 * home. */
static void retire(emma_spans *spans, emma_span *span, uintptr_t start) {
    unsigned slices = ATOMIC_LOAD(&span->slices, relaxed);
    set_class_bytes(start, slices, EMMA_CLASS_NONE);
    for (unsigned i = 0; i < slices; i++) {
        ATOMIC_STORE(&span[i].slices_before, 0, relaxed);
        ATOMIC_STORE(&span[i].class, EMMA_CLASS_NONE, relaxed);
    }
    unsigned class = emma__span_class(span);
    size_t charged = emma__line_bytes(emma__line_charged(span, class));
    size_t more = ((size_t)slices << EMMA_SLICE_LOG2) - charged;
    ATOMIC_STORE(&span->word, 0, release);
    ATOMIC_SUB(&spans->slices, slices, relaxed);
    if (more == 0 || emma__regions_charge(&spans->regions, more)) {
        emma__regions_release(&spans->regions, start, slices);
    } else if (emma__plat_purge(start,
                                (size_t)slices << EMMA_SLICE_LOG2)) { /* no room for dirty memory below the limit */
        emma__regions_refund(&spans->regions, charged);
        emma__regions_release_purged(&spans->regions, start, slices);
    } else { /* locked memory: it is resident, limit or not */
        emma__regions_charge_anyway(&spans->regions, more);
        emma__regions_release(&spans->regions, start, slices);
    }
}

/* Whether next to nothing of a span is out: it keeps much memory for little. */
static bool is_sparse(unsigned class, unsigned out) {
    return out <= (unsigned)emma__class_table[class].blocks / SPARSE_SHARE;
}

void emma__span_disown(emma_spans *spans, emma_span *span, uintptr_t start, unsigned count) {
    VALIDATE(emma__span_valid(span));
    uint64_t packed = ATOMIC_LOAD(&span->word, acquire); /* of a span that retires: all its pushers */
    emma_span_word word;
    do {
        word = emma__span_word_unpack(packed);
        word.out = (uint16_t)(word.out + count);
        if (word.out == 0)
            break;
        bool has_more = word.head != EMMA_SPAN_NO_BLOCK || span->local != EMMA_SPAN_NO_BLOCK || span->fresh_lines != 0;
        word.state = has_more ? EMMA_SPAN_OFFERED : EMMA_SPAN_IDLE;
    } while (!ATOMIC_CAS(&span->word, &packed, emma__span_word_pack(word), seq_cst));
    if (word.out == 0)
        retire(spans, span, start);
    else if (word.state == EMMA_SPAN_OFFERED)
        emma__offer_set(emma__tract_of(start), word.class, emma__tract_slice_of(start));
}

/* The slices of a new span: those that are clean are charged line by line, if all are. Returns: false iff the limit
 * forbids it; the slices are free again then. */
static bool charge(emma_spans *spans, emma_span *span, uintptr_t address, unsigned slices) {
    unsigned clean = emma__regions_count_clean(address, slices);
    span->is_whole = clean < slices || emma__regions_page_bytes(&spans->regions) > EMMA_LINE_BYTES;
    if (!span->is_whole || emma__regions_charge(&spans->regions, (size_t)clean << EMMA_SLICE_LOG2))
        return true;
    emma__regions_unclaim(&spans->regions, address, slices);
    return false;
}

/* A new span, owned by the caller, nothing carved. Returns: 0 iff no memory can be had. */
static emma_span *new_span(emma_spans *spans, unsigned class, uintptr_t *start) {
    const emma_class_info *info = &emma__class_table[class];
    uintptr_t address = emma__regions_claim(&spans->regions, info->slices, 1);
    if (address == 0)
        return 0;
    emma_span *span = emma__span_at(address);
    if (!charge(spans, span, address, info->slices))
        return 0;
    for (unsigned i = 0; i < info->slices; i++) {
        ATOMIC_STORE(&span[i].slices_before, (uint8_t)i, relaxed);
        ATOMIC_STORE(&span[i].class, (uint8_t) class, relaxed);
    }
    set_class_bytes(address, info->slices, class);
    span->fresh_lines = emma__line_all(class);
    span->local = EMMA_SPAN_NO_BLOCK;
    span->is_compacted = false;
    ATOMIC_STORE(&span->slices, info->slices, relaxed);
    emma_span_word word = {EMMA_SPAN_NO_BLOCK, 0, (uint8_t) class, EMMA_SPAN_OWNED};
    ATOMIC_STORE(&span->word, emma__span_word_pack(word), release);
    ATOMIC_ADD(&spans->slices, info->slices, relaxed);
    *start = address;
    return span;
}

/* Charge a line that is to be carved. */
static bool charge_line(const emma_span *span, uintptr_t start, unsigned class) {
    emma_regions *regions = emma__tract_of(start)->region->owner;
    uint64_t after = span->fresh_lines & (span->fresh_lines - 1);
    uint64_t more = emma__line_touched(class, after) & ~emma__line_touched(class, span->fresh_lines);
    return span->is_whole || emma__regions_charge(regions, emma__line_bytes(more));
}

/* Make blocks of the lowest line that has none yet: all that start in it. The first want of them go to the chain,
 * lowest address first, the others go before the local chain. Returns: how many went to the chain (0: no block starts
 * there). */
static unsigned carve(emma_span *span, uintptr_t start, unsigned class, emma_chain *chain, unsigned want) {
    unsigned line = emma__bits_lowest(span->fresh_lines);
    uint32_t size = emma__class_table[class].size_bytes;
    unsigned first;
    unsigned end;
    emma__line_blocks(class, line, &first, &end);
    span->fresh_lines &= span->fresh_lines - 1;
    if (span->is_compacted)
        ATOMIC_ADD(&emma__tract_of(start)->region->owner->recarved_lines, 1, relaxed);
    if (first >= end)
        return 0;
    unsigned count = end - first < want ? end - first : want;
    uint16_t next = span->local;
    for (unsigned i = end; i-- > first + count;) {
        uintptr_t offset = (uintptr_t)i * size;
        *(uint64_t *)(start + offset) = emma__span_word_link(next); // NOLINT(performance-no-int-to-ptr)
        next = emma__span_word_of_offset(offset);
    }
    span->local = next;
    for (unsigned i = first + count; i-- > first;)
        *chain = emma__chain_push(*chain, (void *)(start + (uintptr_t)i * size)); // NOLINT(performance-no-int-to-ptr)
    return count;
}

static unsigned take_local(emma_span *span, uintptr_t start, unsigned class, emma_chain *chain, unsigned want) {
    unsigned count = 0;
    uint16_t local = span->local;
    while (count < want && local != EMMA_SPAN_NO_BLOCK) {
        void *block = emma__span_word_block(start, local);
        local = emma__span_word_next(block, class);
        *chain = emma__chain_push(*chain, block);
        count++;
    }
    span->local = local;
    return count;
}

uint16_t emma__span_take_head(emma_span *span) {
    uint64_t packed = ATOMIC_LOAD(&span->word, relaxed);
    emma_span_word word;
    uint16_t head;
    do {
        word = emma__span_word_unpack(packed);
        head = word.head;
        if (head == EMMA_SPAN_NO_BLOCK)
            break;
        word.head = EMMA_SPAN_NO_BLOCK;
    } while (!ATOMIC_CAS(&span->word, &packed, emma__span_word_pack(word), acq_rel)); /* pairs with push: links */
    return head;
}

static unsigned take_fresh(emma_span *span, uintptr_t start, unsigned class, emma_chain *chain, unsigned want) {
    unsigned count = 0;
    while (count == 0 && span->fresh_lines != 0 && charge_line(span, start, class))
        count = carve(span, start, class, chain, want);
    return count;
}

/* Take blocks from an owned span: those at home first; a fresh line only if there are none. */
static unsigned take(emma_span *span, uintptr_t start, unsigned class, emma_chain *chain, unsigned want) {
    unsigned count = take_local(span, start, class, chain, want);
    if (count < want) {
        span->local = emma__span_take_head(span);
        count += take_local(span, start, class, chain, want - count);
    }
    return count != 0 ? count : take_fresh(span, start, class, chain, want);
}

/* Returns: how many blocks were added to the chain. */
static unsigned refill(emma_spans *spans, unsigned class, emma_chain *chain, unsigned want, bool is_fresh) {
    unsigned total = 0;
    bool has_carved = false;
    struct {
        emma_span *span;
        uintptr_t start;
    } refused[REFILL_SPANS_MAX]; /* nothing could be carved in them: kept until the end, so that others are found */
    unsigned refusals = 0;
    for (unsigned i = 0; i < REFILL_SPANS_MAX && total * 2 < want && !has_carved; i++) {
        uintptr_t start = 0;
        emma_span *span = emma__offer_claim(spans, class, &start);
        if (span == 0 && total == 0)
            span = new_span(spans, class, &start);
        if (span == 0)
            break;
        uint64_t fresh_lines = span->fresh_lines;
        unsigned taken =
            is_fresh ? take_fresh(span, start, class, chain, want) : take(span, start, class, chain, want - total);
        /* A page at a time: what is never used is never touched. But there are lines in which no block starts. */
        has_carved = taken != 0 && span->fresh_lines != fresh_lines;
        total += taken;
        if (taken != 0) {
            emma__span_disown(spans, span, start, taken);
        } else {
            refused[refusals].span = span;
            refused[refusals++].start = start;
        }
    }
    while (refusals-- > 0)
        emma__span_disown(spans, refused[refusals].span, refused[refusals].start, 0);
    ATOMIC_ADD(&spans->out_bytes, total * emma__class_size(class), relaxed);
    return total;
}

emma_chain emma__spans_refill(emma_spans *spans, unsigned class, unsigned capacity, unsigned want, unsigned *count) {
    emma_chain chain = emma__chain_empty(capacity);
    *count = refill(spans, class, &chain, want, false);
    return chain;
}

emma_chain emma__spans_refill_fresh(emma_spans *spans, unsigned class, unsigned capacity, unsigned *count) {
    emma_chain chain = emma__chain_empty(capacity);
    *count = refill(spans, class, &chain, capacity, true);
    return chain;
}

/* Blocks of a chain that lie in the same slice, linked and ready to come home together. */
struct group {
    uintptr_t slice; /* 0: none */
    uintptr_t start; /* of the span */
    void *last;      /* its link is written when the head is known */
    uint16_t first;  /* offset / 16 */
    uint16_t count;
};

/* Returns: whether the span is sparse now, but not empty. */
static bool push(emma_spans *spans, const struct group *group, unsigned class) {
    emma_span *span = emma__span_at(group->start);
    uint64_t packed = ATOMIC_LOAD(&span->word, relaxed);
    emma_span_word before;
    emma_span_word word;
    do {
        before = word = emma__span_word_unpack(packed);
        CHECK(word.class == class && word.out >= group->count, "double free", group->last);
        *(uint64_t *)group->last = emma__span_word_link(word.head);
        word.head = group->first;
        word.out = (uint16_t)(word.out - group->count);
        if (word.state != EMMA_SPAN_OWNED)
            word.state = word.out == 0 ? EMMA_SPAN_OWNED : EMMA_SPAN_OFFERED;
        /* Release: the links, and the program's last use of the blocks. Sequentially consistent: offer bits, span.h. */
    } while (!ATOMIC_CAS(&span->word, &packed, emma__span_word_pack(word), seq_cst));

    emma_tract *tract = emma__tract_of(group->start);
    unsigned slice = emma__tract_slice_of(group->start);
    bool is_kept_for_little = word.out != 0 && is_sparse(class, word.out);
    if (before.state == EMMA_SPAN_OWNED)
        return is_kept_for_little;
    if (word.out == 0) {
        if (before.state == EMMA_SPAN_OFFERED)
            emma__offer_clear(tract, class, slice);
        retire(spans, span, group->start);
    } else if (before.state != EMMA_SPAN_OFFERED || word.out % EMMA_SPAN_REPAIR == 0) {
        emma__offer_set(tract, class, slice); /* now and then where it was offered: its setter may have stopped */
    }
    return is_kept_for_little;
}

bool emma__span_is_block(emma_span *record, uintptr_t address) {
    emma_span_word word = emma__span_word_unpack(ATOMIC_LOAD(&emma__span_first(record)->word, relaxed));
    return emma__class_is_small(word.class) &&
           emma__class_is_start(word.class, address - emma__span_start(record, address));
}

/* Begin the group of a block's slice. */
static void begin_group(struct group *group, void *block) {
    uintptr_t address = (uintptr_t)block;
    emma_span *record = emma__span_at(address);
    group->slice = address & ~((uintptr_t)EMMA_SLICE_BYTES - 1);
    group->start = emma__span_start(record, address);
    group->last = block;
    group->count = 0;
}

bool emma__spans_take_home(emma_spans *spans, unsigned class, emma_chain chain) {
    struct group groups[GROUPS];
    unsigned pushes = 0;
    unsigned sparse = 0;
    size_t bytes = 0;
    for (unsigned i = 0; i < GROUPS; i++)
        groups[i].slice = 0;
    while (!emma__chain_is_empty(chain)) {
        void *block = emma__chain_first(chain);
        uintptr_t address = (uintptr_t)block;
        chain = emma__chain_rest(chain);
        struct group *group = &groups[(address >> EMMA_SLICE_LOG2) % GROUPS];
        if (address - group->slice < EMMA_SLICE_BYTES && group->slice != 0) {
            *(uint64_t *)block = emma__span_word_link(group->first);
        } else { /* another slice's group that has the same place of the table goes home first */
            if (group->slice != 0) {
                sparse += push(spans, group, class);
                pushes++;
            }
            begin_group(group, block);
        }
        uintptr_t offset = address - group->start;
        CHECK(emma__class_is_start(class, offset), "free of what is not the start of a block", address);
        group->first = emma__span_word_of_offset(offset);
        group->count++;
        bytes += emma__class_size(class);
    }
    ATOMIC_SUB(&spans->out_bytes, bytes, relaxed);
    ATOMIC_ADD(&spans->home_bytes, bytes, relaxed);
    for (unsigned i = 0; i < GROUPS; i++) {
        if (groups[i].slice == 0)
            continue;
        sparse += push(spans, &groups[i], class);
        pushes++;
    }
    return sparse * 2 > pushes;
}

static unsigned reset_run(emma_spans *spans, emma_tract *tract, unsigned slice) {
    emma_span *span = &emma__span_table_of(tract)->record[slice];
    unsigned class = emma__span_class(span);
    unsigned slices = ATOMIC_LOAD(&span->slices, relaxed);
    if (class == EMMA_CLASS_NONE)
        return 1;
    if (class == EMMA_CLASS_LARGE) {
        emma__spans_release_large(spans, emma__tract_address(tract, slice));
        return slices;
    }
    emma__offer_clear(tract, class, slice);
    retire(spans, span, emma__tract_address(tract, slice));
    return slices;
}

void emma__spans_reset(emma_spans *spans) {
    for (emma_tract *tract = emma__regions_next_tract(&spans->regions, 0); tract != 0;
         tract = emma__regions_next_tract(&spans->regions, tract))
        for (unsigned slice = EMMA_TRACT_META_SLICES; slice < ATOMIC_LOAD(&tract->mapped_slices, relaxed);)
            slice += reset_run(spans, tract, slice);
    ATOMIC_STORE(&spans->out_bytes, 0, relaxed);
}

bool emma__span_valid(const emma_span *span) {
    emma_span_word word = emma__span_word_unpack(ATOMIC_LOAD(&span->word, acquire));
    if (word.class == EMMA_CLASS_NONE)
        return word.out == 0;
    if (word.class == EMMA_CLASS_LARGE)
        return span->slices >= 1 && span->slices <= EMMA_RUN_MAX_SLICES;
    return word.class < EMMA_CLASS_COUNT && word.out <= emma__class_table[word.class].blocks &&
           span->slices == emma__class_table[word.class].slices && word.state <= EMMA_SPAN_OWNED &&
           (word.state != EMMA_SPAN_IDLE || word.head == EMMA_SPAN_NO_BLOCK);
}
