/* span_test.c: span/span.h: refills take blocks, blocks come home; nothing is lost, nothing given out twice. */
#include "span/span.h"

#include "../tap.h"
#include "span/offer.h"
#include "span/span_word.h"
#include "unit.h"

enum { HELD_MAX = 1 << 14 };

static emma_spans spans = {.regions = EMMA_REGIONS_INITIAL(&unit_directory)};
static unit_census census;

static void *held[HELD_MAX];
static unsigned held_count;

static void fresh(void) {
    unit_regions_reset(&spans.regions);
    held_count = 0;
}

static bool sound(void) {
    return unit_spans_sound(&spans, &census) && census.owned == 0;
}

/* Refill, and hold what came, each block filled with its own pattern. Returns: how many. */
static unsigned refill(unsigned class, unsigned capacity, unsigned want) {
    unsigned count = 0;
    emma_chain chain = emma__spans_refill(&spans, class, capacity, want, &count);
    OK(count >= 1 && count <= want);
    IS(emma__chain_room(chain), capacity - count);
    size_t size = emma__class_size(class);
    for (unsigned i = 0; i < count && held_count < HELD_MAX; i++) {
        void *block = emma__chain_first(chain);
        chain = emma__chain_rest(chain);
        emma_span *record = emma__span_at((uintptr_t)block);
        if (!OK(block != 0 && emma__span_is_block(record, (uintptr_t)block)))
            return i;
        unit_fill(block, size < 64 ? size : 64, (uintptr_t)block);
        held[held_count++] = block;
    }
    OK(emma__chain_is_empty(chain));
    IS(emma__chain_room(chain), capacity);
    return count;
}

/* Send home the held blocks [from, to), checked for what others may have written to them, as chains of at most 200. */
static void send_home(unsigned class, unsigned from, unsigned to) {
    size_t size = emma__class_size(class);
    while (from < to) {
        emma_chain chain = emma__chain_empty(255);
        for (unsigned i = 0; i < 200 && from < to; i++, from++) {
            if (!OK(unit_is_filled(held[from], size < 64 ? size : 64, (uintptr_t)held[from])))
                return;
            chain = emma__chain_push(chain, held[from]);
        }
        emma__spans_take_home(&spans, class, chain);
    }
}

/* Every class: two spans' worth of blocks, taken whole, sound at each step, sent home: all slices are free again. */
static void every_class_whole(void) {
    for (unsigned class = 1; class < EMMA_CLASS_COUNT && tap.failures == 0; class ++) {
        fresh();
        size_t wanted = 2 * (size_t)emma__class_table[class].blocks;
        for (unsigned steps = 0; held_count < wanted && tap.failures == 0; steps++) {
            refill(class, 64, (unsigned)(wanted - held_count < 64 ? wanted - held_count : 64));
            OK(steps % 8 != 0 || sound());
        }
        OK(sound());
        IS(census.spans[class], 2); /* the second is begun when the first is used up */
        IS(census.out[class], held_count);
        for (unsigned i = 0; i < held_count; i++)
            IS(emma__span_class_fast(&spans.regions, (uintptr_t)held[i]), class);
        send_home(class, 0, held_count / 2);
        OK(sound());
        send_home(class, held_count / 2, held_count);
        OK(sound());
        IS(census.spans[class], 0);
        IS(spans.regions.used_slices, 1); /* the tract's own */
    }
}

static void blocks_do_not_overlap(void) {
    static const unsigned classes[] = {1, 3, 63, 65, 70, 103, 104};
    for (unsigned c = 0; c < sizeof classes / sizeof classes[0]; c++) {
        unsigned class = classes[c];
        size_t size = emma__class_size(class);
        fresh();
        while (held_count < emma__class_table[class].blocks && held_count < 3000 && tap.failures == 0)
            refill(class, 16, 16);
        for (unsigned i = 0; i < held_count; i++)
            unit_fill(held[i], size, i);
        for (unsigned i = 0; i < held_count; i++)
            if (!OK(unit_is_filled(held[i], size, i)))
                break;
    }
}

/* Fresh memory is carved a line at a time: a first block touches one page (or what the block is). */
static void carving_touches_a_line(void) {
    size_t page = emma__regions_page_bytes(&spans.regions);
    fresh();
    unsigned count = 0;
    emma_chain chain = emma__spans_refill(&spans, 1, 255, 255, &count);
    uintptr_t start = (uintptr_t)emma__chain_first(chain) & ~((uintptr_t)EMMA_SLICE_BYTES - 1);
    IS(unit_resident_pages(start, EMMA_SLICE_BYTES), 1);
    OK(count == 255);
    chain = emma__spans_refill(&spans, 1, 255, 1, &count);
    IS(count, 1); /* the line's last */
    IS(unit_resident_pages(start, EMMA_SLICE_BYTES), 1);
    chain = emma__spans_refill(&spans, EMMA_CLASS_LAST, 2, 2, &count);
    IS(count, 1); /* a line holds the start of one */
    IS(unit_resident_pages((uintptr_t)emma__chain_first(chain), EMMA_SMALL_MAX_BYTES), 1);
    OK(page >= 4096);
}

static void what_came_home_is_used_first(void) {
    fresh();
    refill(10, 64, 20);
    size_t mapped = spans.regions.used_slices;
    void *a = held[3];
    void *b = held[7];
    emma__spans_take_home(&spans, 10, emma__chain_push(emma__chain_push(emma__chain_empty(2), a), b));
    OK(sound());
    unsigned left = EMMA_LINE_BYTES / 160 + 1 - 20; /* uncarved or at home of the first line */
    unsigned seen = 0;
    for (unsigned i = 0; i < left + 2; i++) {
        unsigned count = 0;
        emma_chain chain = emma__spans_refill(&spans, 10, 1, 1, &count);
        seen += emma__chain_first(chain) == a || emma__chain_first(chain) == b;
    }
    IS(seen, 2);
    IS(spans.regions.used_slices, mapped);
}

/* Refills go to the lowest span that has blocks, so that the others empty. */
static void lowest_span_first(void) {
    unsigned class = 100;
    unsigned blocks = emma__class_table[class].blocks;
    fresh();
    while (held_count < 3 * blocks && tap.failures == 0)
        refill(class, 1, 1);
    uintptr_t low = (uintptr_t)held[0];
    uintptr_t high = (uintptr_t)held[2 * blocks];
    OK(low < high);
    send_home(class, 2 * blocks, 2 * blocks + 1); /* one of the highest, then one of the lowest */
    send_home(class, 0, 1);
    OK(sound());
    unsigned count = 0;
    IS((uintptr_t)emma__chain_first(emma__spans_refill(&spans, class, 1, 1, &count)), low);
    IS((uintptr_t)emma__chain_first(emma__spans_refill(&spans, class, 1, 1, &count)), high);
}

/* A chain whose blocks belong to many spans in turn. */
static void mixed_chains_come_home(void) {
    unsigned class = 90;
    unsigned blocks = emma__class_table[class].blocks;
    fresh();
    while (held_count < 20 * blocks && tap.failures == 0)
        refill(class, 8, 8);
    OK(sound());
    emma_chain chain = emma__chain_empty(255);
    for (unsigned i = 0; i < blocks; i++) {
        for (unsigned span = 0; span < 20; span++) {
            if (emma__chain_room(chain) == 0) {
                emma__spans_take_home(&spans, class, chain);
                chain = emma__chain_empty(255);
                OK(sound());
            }
            chain = emma__chain_push(chain, held[span * blocks + i]);
        }
    }
    emma__spans_take_home(&spans, class, chain);
    OK(sound());
    IS(spans.regions.used_slices, 1);
}

static void an_empty_chain_comes_home(void) {
    fresh();
    emma__spans_take_home(&spans, 4, emma__chain_empty(3));
    emma__spans_take_home(&spans, 4, 0);
    OK(sound());
}

/* Every address of a span of every class: a block start or not, also in its tail where no block fits. */
static void block_starts_are_known(void) {
    for (unsigned class = 1; class < EMMA_CLASS_COUNT && tap.failures == 0; class ++) {
        fresh();
        refill(class, 1, 1);
        emma_span *span = emma__span_at((uintptr_t)held[0]);
        uintptr_t start = (uintptr_t)held[0];
        size_t size = emma__class_size(class);
        size_t end = (size_t)span->slices * EMMA_SLICE_BYTES;
        unsigned step = size % 256 == 0 ? 8 : 1;
        for (size_t offset = 0; offset < end; offset += step) {
            bool expected = offset % size == 0 && offset / size < emma__class_table[class].blocks;
            if (emma__span_is_block(emma__span_at(start + offset), start + offset) != expected) {
                tap_note("class", class);
                tap_note("offset", offset);
                OK(offset == SIZE_MAX); /* it is not known, or known wrongly */
                break;
            }
        }
        OK(!emma__span_is_block(emma__span_at(start + end), start + end));
    }
}

static void class_bytes_answer_for_any_address(void) {
    fresh();
    IS(emma__span_class_fast(&spans.regions, 0), EMMA_CLASS_NONE);
    IS(emma__span_class_fast(&spans.regions, UINTPTR_MAX), EMMA_CLASS_NONE);
    IS(emma__span_class_fast(&spans.regions, (uintptr_t)&spans), EMMA_CLASS_NONE);
    refill(3, 1, 1);
    uintptr_t base = spans.regions.base;
    IS(emma__span_class_fast(&spans.regions, (uintptr_t)held[0]), 3);
    IS(emma__span_class_fast(&spans.regions, base), EMMA_CLASS_NONE); /* a tract's own slice */
    IS(emma__span_class_fast(&spans.regions, base - 1), EMMA_CLASS_NONE);
    uintptr_t end = base + (uintptr_t)EMMA_REGION_SLICES * EMMA_SLICE_BYTES;
    IS(emma__span_class_fast(&spans.regions, end - 1), EMMA_CLASS_NONE);
    IS(emma__span_class_fast(&spans.regions, end), EMMA_CLASS_NONE);
    send_home(3, 0, 1);
    IS(emma__span_class_fast(&spans.regions, (uintptr_t)held[0]), EMMA_CLASS_NONE);
}

/* Blocks that come home while their span is owned: the owner keeps it, none is lost, the last one does not retire it. */
static void blocks_come_home_to_an_owned_span(void) {
    unsigned class = 100;
    unsigned blocks = emma__class_table[class].blocks;
    fresh();
    refill(class, 1, 1);
    refill(class, 1, 1);
    emma_span *span = emma__span_at((uintptr_t)held[0]);
    uintptr_t start = (uintptr_t)held[0];
    OK(emma__offer_claim_span(emma__tract_of(start), class, emma__tract_slice_of(start)));
    send_home(class, 0, 2);
    emma_span_word word = emma__span_word_unpack(span->word);
    OK(word.state == EMMA_SPAN_OWNED && word.out == 0 && word.head != EMMA_SPAN_NO_BLOCK);
    OK(unit_spans_sound(&spans, &census) && census.owned == 1);
    OK(emma__offer_claim(&spans, class, &start) == 0);
    emma__span_disown(&spans, span, start, 0); /* out is 0: it is given back */
    OK(sound());
    IS(census.spans[class], 0);
    IS(spans.regions.used_slices, 1);
    OK(blocks > 2);
}

static unsigned bad_class;
static uintptr_t bad_address;

static void bring_home_bad(void) {
    *(uint64_t *)unit_pointer(bad_address & ~(uintptr_t)7) = 0;
    emma_chain chain = emma__chain_push(emma__chain_empty(1), unit_pointer(bad_address));
    emma__spans_take_home(&spans, bad_class, chain);
}

static void bring_home_twice(void) {
    bring_home_bad();
    bring_home_bad();
}

static void damage_and_refill(void) {
    emma_chain chain = emma__chain_push(emma__chain_empty(1), held[0]);
    emma__spans_take_home(&spans, bad_class, chain);
    *(uint64_t *)held[0] = bad_address;
    for (unsigned i = 0; i < 1000; i++)
        refill(bad_class, 1, 1);
}

static void misuse_is_seen(void) {
    fresh();
    bad_class = 4;
    refill(4, 2, 2);
    bad_address = (uintptr_t)held[0] + 16;
    OK(unit_dies(bring_home_bad, "not the start of a block"));
    refill(5, 1, 1);
    bad_address = (uintptr_t)held[2] + 80 * 3; /* a block of another class than the chain's */
    OK(unit_dies(bring_home_bad, "emma: "));
    bad_class = EMMA_CLASS_LAST;
    refill(EMMA_CLASS_LAST, 1, 1);
    bad_address = (uintptr_t)held[3];
    OK(unit_dies(bring_home_twice, "double free"));
    bad_class = 4;
    bad_address = 0x4242424242424242;
    OK(unit_dies(damage_and_refill, "a free block was written to"));
    bad_address = emma__span_word_link(3); /* a link that is none of a block: 48 is no multiple of 64 */
    OK(unit_dies(damage_and_refill, "a free block was written to"));
    OK(sound()); /* none of this happened in this process */
}

static void random_steps(void) {
    static const unsigned classes[] = {1, 2, 8, 64, 66, 80, 97, 104};
    static void *held_of[8][600];
    unsigned count_of[8] = {0};
    uint64_t state = 17;
    fresh();
    for (unsigned step = 0; step < 6000 && tap.failures == 0; step++) {
        unsigned which = (unsigned)(unit_random(&state) % 8);
        if (unit_random(&state) % 2 == 0 && count_of[which] + 64 <= 600) {
            held_count = 0;
            unsigned capacity = 1 + (unsigned)(unit_random(&state) % 64);
            unsigned count = refill(classes[which], capacity, 1 + (unsigned)(unit_random(&state) % capacity));
            for (unsigned i = 0; i < count; i++)
                held_of[which][count_of[which]++] = held[i];
        } else {
            unsigned count = (unsigned)(unit_random(&state) % (count_of[which] + 1));
            for (held_count = 0; held_count < count; held_count++) {
                unsigned i = (unsigned)(unit_random(&state) % count_of[which]);
                held[held_count] = held_of[which][i];
                held_of[which][i] = held_of[which][--count_of[which]];
            }
            send_home(classes[which], 0, count);
        }
        OK(step % 16 != 0 || (sound() && census.out[classes[which]] == count_of[which]));
    }
    OK(sound());
}

TAP_MAIN({"every class: two spans taken whole and sent home", every_class_whole},
         {"blocks do not overlap", blocks_do_not_overlap},
         {"carving touches one line at a time", carving_touches_a_line},
         {"what came home is used before fresh memory", what_came_home_is_used_first},
         {"the lowest span is refilled from first", lowest_span_first},
         {"chains of blocks of many spans come home", mixed_chains_come_home},
         {"an empty chain comes home", an_empty_chain_comes_home},
         {"every address of a span: a block or not", block_starts_are_known},
         {"class bytes answer for any address", class_bytes_answer_for_any_address},
         {"blocks come home to a span in use", blocks_come_home_to_an_owned_span},
         {"foreign and doubled blocks, overwritten links end the process", misuse_is_seen},
         {"random refills and returns, all counted", random_steps})
