/* fit_test.c: every edge of fit but its pools, which pools_test.c has. */
#include "suites.h"

enum { WORD = sizeof(void *), GRANULE = EMMA_FIT_GRANULE };

static _Alignas(4096) unsigned char region[16384];

static emma_fit fresh(size_t size_bytes) {
    emma_fit fit;
    emma_fit_init(&fit);
    EXPECT(emma_fit_add_pool(&fit, region, size_bytes, NULL) == EMMA_BARE_OK);
    return fit;
}

static size_t largest_free(const emma_fit *fit) {
    return emma_fit_figures(fit).capacity_bytes - emma_fit_figures(fit).used_bytes - WORD;
}

static void takes_all_and_gives_all_back(void) {
    emma_fit fit = fresh(1024);
    size_t all = largest_free(&fit);
    EXPECT(all == 1024 - 5 * WORD);
    void *a = emma_fit_allocate(&fit, all, 1);
    EXPECT(a != NULL && emma_fit_usable_size(&fit, a) == all && emma_fit_allocate(&fit, 1, 1) == NULL);
    EXPECT(emma_fit_valid(&fit) && emma_fit_deallocate(&fit, a) == EMMA_BARE_OK);
    EXPECT(emma_fit_allocate(&fit, all + 1, 1) == NULL);
    EXPECT(emma_fit_figures(&fit).used_bytes == 0 && fit.peak_used_bytes == all + WORD && emma_fit_valid(&fit));
}

static void refuses_requests(void) {
    emma_fit fit = fresh(1024);
    EXPECT(emma_fit_allocate(&fit, 0, 1) == NULL && emma_fit_allocate(&fit, 1, 0) == NULL);
    EXPECT(emma_fit_allocate(&fit, 1, 12) == NULL && emma_fit_allocate(&fit, SIZE_MAX, 1) == NULL);
    EXPECT(emma_fit_allocate(&fit, SIZE_MAX - WORD, 1) == NULL && emma_fit_allocate(&fit, PTRDIFF_MAX, 1) == NULL);
    for (unsigned bit = 0; bit < 8 * WORD; bit++) {
        size_t power = (size_t)1 << bit;
        void *a = emma_fit_allocate(&fit, 1, power);
        EXPECT(a == NULL || emma__bare_word_is_aligned((uintptr_t)a, power));
        EXPECT(a != NULL || power >= 512);
        EXPECT(emma_fit_deallocate(&fit, a) == EMMA_BARE_OK);
        EXPECT(emma_fit_allocate(&fit, power, power) == NULL || power < 1024);
        emma_fit_release(&fit);
        fit = fresh(1024);
        for (size_t off = 0; off < 3; off++)
            EXPECT(power + off < 1024 || emma_fit_allocate(&fit, power - 1 + off, 1) == NULL);
    }
    EXPECT(emma_fit_figures(&fit).outstanding == 0 && emma_fit_valid(&fit));
    emma_fit empty = {0};
    EXPECT(emma_fit_allocate(&empty, 1, 1) == NULL && emma_fit_valid(&empty));
    EXPECT(emma_fit_deallocate(&empty, region) == (EMMA_BARE_CHECKS ? EMMA_BARE_FOREIGN : EMMA_BARE_OK) ||
           !EMMA_BARE_CHECKS);
}

static void any_alignment(void) {
    emma_fit fit = fresh(sizeof region);
    void *blocks[13];
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 13; i++) {
            size_t align = (size_t)1 << (round == 1 ? 12 - i : i);
            blocks[i] = emma_fit_allocate(&fit, 1 + i * round, align);
            EXPECT(blocks[i] == NULL || emma__bare_word_is_aligned((uintptr_t)blocks[i], align));
            EXPECT(blocks[i] != NULL || align > 2048);
            EXPECT(blocks[i] == NULL || emma__bare_word_is_aligned((uintptr_t)blocks[i], GRANULE));
            EXPECT(emma_fit_valid(&fit));
        }
        for (unsigned i = 0; i < 13; i++)
            EXPECT(emma_fit_deallocate(&fit, blocks[i * 5 % 13]) == EMMA_BARE_OK && emma_fit_valid(&fit));
        EXPECT(emma_fit_figures(&fit).used_bytes == 0 && emma_fit_figures(&fit).outstanding == 0);
    }
}

static void joins_both_neighbours(void) {
    for (unsigned order = 0; order < 6; order++) {
        static const unsigned char orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
        emma_fit fit = fresh(512);
        size_t all = largest_free(&fit);
        void *blocks[3];
        for (unsigned i = 0; i < 3; i++)
            blocks[i] = emma_fit_allocate(&fit, 100, 1);
        for (unsigned i = 0; i < 3; i++)
            EXPECT(emma_fit_deallocate(&fit, blocks[orders[order][i]]) == EMMA_BARE_OK && emma_fit_valid(&fit));
        EXPECT(emma_fit_allocate(&fit, all, 1) != NULL);
    }
}

static void refuses_frees(void) {
    emma_fit fit = fresh(1024);
    EXPECT(emma_fit_deallocate(&fit, NULL) == EMMA_BARE_OK && emma_fit_usable_size(&fit, NULL) == 0);
    if (!EMMA_BARE_CHECKS) {
        emma_tap_skip("checks are compiled out");
        return;
    }
    unsigned char *a = emma_fit_allocate(&fit, 40, 1), *b = emma_fit_allocate(&fit, 40, 1),
                  *c = emma_fit_allocate(&fit, 40, 1);
    EXPECT(emma_fit_deallocate(&fit, a + 1) == EMMA_BARE_FOREIGN &&
           emma_fit_deallocate(&fit, a + WORD) == EMMA_BARE_FOREIGN);
    EXPECT(emma_fit_deallocate(&fit, region) == EMMA_BARE_FOREIGN);
    EXPECT(emma_fit_deallocate(&fit, region + 1024) == EMMA_BARE_FOREIGN);
    EXPECT(emma_fit_deallocate(&fit, region + 2048) == EMMA_BARE_FOREIGN);
    /* Twice: alone, joined to the one before, joined to the one behind. */
    EXPECT(emma_fit_deallocate(&fit, b) == EMMA_BARE_OK && emma_fit_deallocate(&fit, b) == EMMA_BARE_NOT_LIVE);
    EXPECT(emma_fit_deallocate(&fit, a) == EMMA_BARE_OK && emma_fit_deallocate(&fit, b) == EMMA_BARE_NOT_LIVE);
    EXPECT(emma_fit_deallocate(&fit, a) == EMMA_BARE_NOT_LIVE);
    EXPECT(emma_fit_deallocate(&fit, c) == EMMA_BARE_OK && emma_fit_deallocate(&fit, c) == EMMA_BARE_NOT_LIVE);
    EXPECT(emma_fit_usable_size(&fit, c) == 0 && emma_fit_reallocate(&fit, c, 8, 1) == NULL);
    EXPECT(emma_fit_figures(&fit).outstanding == 0 && emma_fit_valid(&fit));
    /* And after the two were joined and handed out as one, as long as the program has not written there. */
    a = emma_fit_allocate(&fit, 40, 1);
    b = emma_fit_allocate(&fit, 40, 1);
    c = emma_fit_allocate(&fit, 40, 1);
    EXPECT(emma_fit_deallocate(&fit, a) == EMMA_BARE_OK && emma_fit_deallocate(&fit, b) == EMMA_BARE_OK);
    EXPECT(emma_fit_allocate(&fit, (size_t)(c - a) - WORD, 1) == a);
    EXPECT(emma_fit_deallocate(&fit, b) == EMMA_BARE_NOT_LIVE && emma_fit_valid(&fit));
    fit = fresh(1024);
    /* A header that was overwritten never leads outside the pool: any value is refused or survives. */
    a = emma_fit_allocate(&fit, 40, 1);
    emma_fit_allocate(&fit, 40, 1);
    emma__bare_word_link *header = (emma__bare_word_link *)(void *)(a - WORD);
    size_t good = *header, refused = 0;
    for (unsigned bit = 0; bit < 8 * WORD; bit++) {
        *header = good ^ (size_t)1 << bit;
        EXPECT(!emma_fit_valid(&fit));
        refused += emma_fit_usable_size(&fit, a) == 0;
    }
    EXPECT(refused >= 8 * WORD - 12);
    *header = good;
    EXPECT(emma_fit_deallocate(&fit, a) == EMMA_BARE_OK && emma_fit_valid(&fit));
}

static bool holds(const unsigned char *memory, size_t bytes, unsigned char first) {
    for (size_t i = 0; i < bytes; i++) {
        if (memory[i] != (unsigned char)(first + i))
            return false;
    }
    return true;
}

static void fill(unsigned char *memory, size_t bytes, unsigned char first) {
    for (size_t i = 0; i < bytes; i++)
        memory[i] = (unsigned char)(first + i);
}

static void resizes(void) {
    emma_fit fit = fresh(4096);
    unsigned char *a = emma_fit_reallocate(&fit, NULL, 100, 1);
    EXPECT(a != NULL);
    fill(a, 100, 3);
    EXPECT(emma_fit_reallocate(&fit, a, 1000, 1) == a && holds(a, 100, 3)); /* the space behind is free */
    fill(a, 1000, 5);
    EXPECT(emma_fit_reallocate(&fit, a, 200, 1) == a && holds(a, 200, 5) && emma_fit_valid(&fit));
    unsigned char *b = emma_fit_allocate(&fit, 16, 1);
    unsigned char *moved = emma_fit_reallocate(&fit, a, 999, 1);
    EXPECT(moved != NULL && moved != a && holds(moved, 200, 5) && emma_fit_valid(&fit));
    EXPECT(emma_fit_reallocate(&fit, moved, 0, 1) == NULL && emma_fit_reallocate(&fit, moved, SIZE_MAX, 1) == NULL);
    EXPECT(emma_fit_reallocate(&fit, moved, 4096, 1) == NULL && emma_fit_reallocate(&fit, moved, 10, 3) == NULL);
    EXPECT(holds(moved, 200, 5) && emma_fit_figures(&fit).outstanding == 2);
    unsigned char *aligned = emma_fit_reallocate(&fit, moved, 7, 1024);
    EXPECT(aligned != NULL && emma__bare_word_is_aligned((uintptr_t)aligned, 1024) && holds(aligned, 7, 5));
    EXPECT(emma_fit_deallocate(&fit, aligned) == EMMA_BARE_OK && emma_fit_deallocate(&fit, b) == EMMA_BARE_OK);
    EXPECT(emma_fit_figures(&fit).used_bytes == 0 && emma_fit_valid(&fit));
}

static void every_size_fits_its_list(void) {
    /* A block of each size is found again for exactly that size, though others of about the size are free. */
    for (size_t size = 1; size < 1500; size += size < 100 ? 1 : 37) {
        emma_fit fit = fresh(8192);
        void *a = emma_fit_allocate(&fit, size, 1);
        emma_fit_allocate(&fit, 1, 1);
        EXPECT(emma_fit_usable_size(&fit, a) >= size && emma_fit_usable_size(&fit, a) < size + GRANULE + 3 * WORD);
        EXPECT(emma_fit_deallocate(&fit, a) == EMMA_BARE_OK && emma_fit_allocate(&fit, size, 1) == a);
    }
}

static void takes_the_least_that_will_do(void) {
    static const size_t sizes[] = {900, 300, 2000, 420, 340, 470};
    emma_fit fit = fresh(8192);
    void *blocks[6];
    for (size_t i = 0; i < 6; i++) {
        blocks[i] = emma_fit_allocate(&fit, sizes[i], 1);
        emma_fit_allocate(&fit, 1, 1); /* keeps them apart */
    }
    for (size_t i = 0; i < 6; i++)
        EXPECT(emma_fit_deallocate(&fit, blocks[i]) == EMMA_BARE_OK);
    EXPECT(emma_fit_allocate(&fit, 330, 1) == blocks[4] && emma_fit_allocate(&fit, 400, 1) == blocks[3]);
    EXPECT(emma_fit_allocate(&fit, 250, 1) == blocks[1] && emma_fit_allocate(&fit, 700, 1) == blocks[0]);
    EXPECT(emma_fit_allocate(&fit, 1500, 1) == blocks[2] && emma_fit_valid(&fit));
}

static bool visit_counts(void *context, void *memory, size_t size_bytes, bool live) {
    size_t *sums = context;
    sums[live] += size_bytes + WORD;
    sums[2]++;
    return memory != NULL && sums[2] != sums[3];
}

static void walks(void) {
    emma_fit fit = fresh(2048);
    void *a = emma_fit_allocate(&fit, 100, 1);
    emma_fit_allocate(&fit, 200, 1);
    emma_fit_deallocate(&fit, a);
    size_t sums[4] = {0, 0, 0, 0};
    EXPECT(emma_fit_walk(&fit, visit_counts, sums) && sums[2] == 3);
    EXPECT(sums[true] == emma_fit_figures(&fit).used_bytes);
    EXPECT(sums[false] + sums[true] == emma_fit_figures(&fit).capacity_bytes);
    size_t stop[4] = {0, 0, 0, 2};
    EXPECT(!emma_fit_walk(&fit, visit_counts, stop) && stop[2] == 2);
}

static void valid_sees_damage(void) {
    emma_fit fit = fresh(512);
    unsigned char *a = emma_fit_allocate(&fit, 40, 1);
    emma_fit_allocate(&fit, 40, 1);
    emma_fit_deallocate(&fit, a);
    EXPECT(emma_fit_valid(&fit));
    size_t seen = 0, words = (emma_fit_figures(&fit).capacity_bytes + WORD) / WORD;
    emma__bare_word_link *first = (emma__bare_word_link *)(void *)(region + 3 * WORD); /* header of the first block */
    for (size_t i = 0; i < words; i++) {
        size_t good = first[i];
        first[i] = ~good;
        seen += !emma_fit_valid(&fit);
        first[i] = good;
    }
    EXPECT(seen == 3 + 2 + 2 + 2 + 1); /* headers, links, sizes at the ends, the last header */
    EXPECT(emma_fit_valid(&fit));
}

static const emma_tap_case cases[] = {
    {"takes all of a pool and gives all back", takes_all_and_gives_all_back},
    {"refuses what cannot be, of any size and alignment", refuses_requests},
    {"any alignment", any_alignment},
    {"joins with both neighbours in any order", joins_both_neighbours},
    {"refuses what was not handed out, or twice", refuses_frees},
    {"resizes in place and by moving, with the content", resizes},
    {"a block is found again for its size", every_size_fits_its_list},
    {"takes the least block that will do", takes_the_least_that_will_do},
    {"walks every block", walks},
    {"valid sees damage in every word of its own", valid_sees_damage},
};

const emma_tap_suite emma_fit_suite = EMMA_TAP_SUITE("fit", cases);
