/* huge_test.c: region/huge.h: blocks with a mapping of their own. */
#include "region/huge.h"

#include "../tap.h"
#include "plat/plat.h"
#include "unit.h"

#define TRACT ((size_t)EMMA_TRACT_BYTES)

static emma_regions regions = EMMA_REGIONS_INITIAL(&unit_directory);

static emma_huge *claim(size_t size, size_t align) {
    emma_huge *huge = emma__huge_claim(&regions, size, align);
    if (!OK(huge != 0))
        return 0;
    OK(huge->block % TRACT == 0 && huge->block % align == 0);
    OK(emma__huge_usable(huge) >= size);
    OK(emma__huge_find(&unit_directory, huge->block) == huge);
    return huge;
}

static void release(emma_huge *huge) {
    uintptr_t block = huge->block;
    emma_huge_view view;
    OK(emma__huge_look(&unit_directory, block + emma__huge_usable(huge) - 1, &view) && view.owner == &regions);
    IS(view.block, block);
    IS(view.usable_bytes, emma__huge_usable(huge));
    OK(emma__huge_release(&regions, huge));
    OK(!emma__huge_release(&regions, huge)); /* a second time, by whom was slower */
    OK(!emma__huge_look(&unit_directory, block, &view));
    OK(emma__huge_find(&unit_directory, block) == 0);
    IS(emma__directory_get(&unit_directory, block), EMMA_GRANULE_NONE);
}

static void sizes(void) {
    static const size_t size[] = {1, 4096, 65537, TRACT - 4096, TRACT, TRACT + 1, 3 * TRACT, 10 * TRACT + 12345};
    unit_regions_reset(&regions);
    for (unsigned i = 0; i < sizeof size / sizeof size[0]; i++) {
        emma_huge *huge = claim(size[i], 16);
        if (huge == 0)
            return;
        uint8_t *bytes = unit_pointer(huge->block);
        size_t usable = emma__huge_usable(huge);
        OK(bytes[0] == 0 && bytes[usable / 2] == 0 && bytes[usable - 1] == 0);
        bytes[0] = bytes[usable / 2] = bytes[usable - 1] = 1;
        IS(regions.huge_bytes, emma__huge_usable(huge));
        IS(regions.huge_count, 1);
        release(huge);
        IS(regions.huge_bytes, 0);
        IS(regions.huge_count, 0);
    }
    IS(regions.first->word[0].slot, 0);
}

static void alignments(void) {
    unit_regions_reset(&regions);
    for (size_t align = 1; align <= 8 * TRACT; align *= 2) {
        emma_huge *huge = claim(100000, align);
        if (huge != 0)
            release(huge);
    }
}

static void too_large_is_refused(void) {
    unit_regions_reset(&regions);
    size_t region = (size_t)EMMA_REGION_TRACTS * EMMA_TRACT_BYTES;
    OK(emma__huge_claim(&regions, region, 16) == 0);
    OK(emma__huge_claim(&regions, (size_t)PTRDIFF_MAX - TRACT, 16) == 0);
    OK(emma__huge_claim(&regions, 1, (size_t)1 << 62) == 0);
    IS(regions.huge_bytes, 0);
    IS(regions.huge_count, 0);
    OK(emma__regions_valid(&regions));
}

static void only_its_start_is_found(void) {
    unit_regions_reset(&regions);
    emma_huge *huge = claim(3 * TRACT, 16);
    if (huge == 0)
        return;
    uintptr_t from = huge->block;
    for (uintptr_t address = from; address < from + emma__huge_usable(huge); address += TRACT / 4)
        OK(address == huge->block || emma__huge_find(&unit_directory, address) == 0);
    OK(emma__huge_find(&unit_directory, huge->block + 16) == 0);
    OK(emma__huge_find(&unit_directory, huge->block - 1) == 0);
    OK(emma__huge_find(&unit_directory, from + 4 * TRACT) == 0);
    OK(emma__huge_find(&unit_directory, 0) == 0 && emma__huge_find(&unit_directory, UINTPTR_MAX) == 0);
    IS(emma__directory_get(&unit_directory, from), EMMA_GRANULE_HUGE);
    IS(emma__directory_get(&unit_directory, from + TRACT), EMMA_GRANULE_HUGE_REST);
    release(huge);
}

/* Above the alignment of tracts, only the slots that the block needs stay taken. */
static void far_aligned_blocks_take_few_slots(void) {
    unit_regions_reset(&regions);
    emma_huge *huge = claim(TRACT + 1, 4 * TRACT);
    if (huge == 0)
        return;
    IS(emma__bits_count(regions.first->word[0].slot), 2);
    IS(emma__region_slot_of(regions.first, huge->block), emma__bits_lowest(regions.first->word[0].slot));
    release(huge);
    IS(regions.first->word[0].slot, 0);
}

/* Up into the next slots and down again, contents kept, never moved. */
static void grows_and_shrinks_in_place(void) {
    unit_regions_reset(&regions);
    emma_huge *huge = claim(TRACT / 2, 16);
    if (huge == 0)
        return;
    uint8_t *bytes = unit_pointer(huge->block);
    unit_fill(bytes, 10000, 1);
    static const size_t size[] = {TRACT,         TRACT - 8192,  2 * TRACT, 5 * TRACT,
                                  5 * TRACT - 1, 3 * TRACT + 1, TRACT,     20000};
    for (unsigned i = 0; i < sizeof size / sizeof size[0]; i++) {
        size_t before = emma__huge_usable(huge);
        if (!OK(emma__huge_resize(&regions, huge, size[i])))
            return;
        size_t usable = emma__huge_usable(huge);
        OK(usable >= size[i] && usable < size[i] + emma__regions_page_bytes(&regions));
        OK(usable <= before || unit_is_zero(bytes + usable - 4096, 4096));
        bytes[usable - 1] = 7;
        OK(unit_is_filled(bytes, 10000, 1));
        IS(regions.huge_bytes, emma__huge_usable(huge));
        unsigned slots = (unsigned)emma__bits_div_up(usable, TRACT);
        IS(emma__bits_count(regions.first->word[0].slot), slots);
        IS(emma__directory_get(&unit_directory, huge->block + (slots - 1) * TRACT),
           slots == 1 ? EMMA_GRANULE_HUGE : EMMA_GRANULE_HUGE_REST);
        IS(emma__directory_get(&unit_directory, huge->block + slots * TRACT), EMMA_GRANULE_NONE);
    }
    release(huge);
}

static void growth_is_refused_where_others_are(void) {
    unit_regions_reset(&regions);
    emma_huge *first = claim(TRACT / 2, 16);
    emma_huge *second = claim(TRACT / 2, 16);
    if (first == 0 || second == 0)
        return;
    size_t mapped = emma__huge_usable(first);
    OK(!emma__huge_resize(&regions, first, TRACT + 1));
    OK(!emma__huge_resize(&regions, first, (size_t)EMMA_REGION_TRACTS * TRACT));
    IS(emma__huge_usable(first), mapped);
    release(second);
    /* A stranger in the next slot, which nobody has claimed: the kernel refuses, and the slot is free again. */
    uintptr_t next = first->block + TRACT;
    IS(emma__plat_map_at(next, 65536), EMMA_MAP_DONE);
    OK(!emma__huge_resize(&regions, first, TRACT + 65536));
    IS(emma__huge_usable(first), mapped);
    IS(regions.first->word[0].slot, 1);
    OK(emma__plat_unmap(next, 65536));
    OK(emma__huge_resize(&regions, first, TRACT + 65536));
    release(first);
}

static void stranger_in_the_slots(void) {
    unit_regions_reset(&regions);
    emma_huge *huge = claim(TRACT / 2, 16);
    if (huge == 0)
        return;
    uintptr_t third = regions.base + 2 * TRACT;
    IS(emma__plat_map_at(third, 65536), EMMA_MAP_DONE);
    unit_fill(unit_pointer(third), 65536, 3);
    emma_huge *long_one = claim(3 * TRACT, 16);
    OK(long_one != 0 && long_one->block > third);
    OK(unit_is_filled(unit_pointer(third), 65536, 3));
    IS(emma__directory_get(&unit_directory, third), EMMA_GRANULE_NONE);
    OK(emma__plat_unmap(third, 65536));
    if (long_one != 0)
        release(long_one);
    release(huge);
}

/* Pages that are already full move, the old place reads as zero. */
static void adopts_pages(void) {
    enum { BYTES = 1 << 20 };
    unit_regions_reset(&regions);
    uintptr_t from = emma__plat_map(BYTES);
    if (!OK(from != 0))
        return;
    unit_fill(unit_pointer(from), BYTES, 8);
    emma_huge *huge = emma__huge_adopt(&regions, from, BYTES, 2 * BYTES);
    if (huge == 0) {
        OK(unit_is_filled(unit_pointer(from), BYTES, 8)); /* refused: nothing moved */
        IS(regions.huge_count, 0);
        tap_skip("the kernel cannot move pages and keep the place");
    } else {
        OK(unit_is_filled(unit_pointer(huge->block), BYTES, 8));
        OK(unit_is_zero(unit_pointer(huge->block + BYTES), BYTES));
        OK(emma__huge_usable(huge) >= 2 * BYTES);
        OK(unit_is_zero(unit_pointer(from), BYTES));
        release(huge);
    }
    OK(emma__plat_unmap(from, BYTES));
}

static void small_ones_are_bounded(void) {
    unit_regions_reset(&regions);
    uintptr_t from = emma__plat_map(1 << 20);
    unit_fill(unit_pointer(from), 4096, 2);
    regions.huge_count = EMMA_HUGE_MAX_SMALL;
    OK(emma__huge_adopt(&regions, from, 4096, EMMA_TRACT_BYTES - 4096) == 0);
    OK(unit_is_filled(unit_pointer(from), 4096, 2));
    regions.huge_count = 0;
    OK(emma__plat_unmap(from, 1 << 20));
}

TAP_MAIN({"blocks of a byte to ten tracts, zero, counted", sizes}, {"alignments to eight tracts", alignments},
         {"what is too large is refused", too_large_is_refused},
         {"only the start of a block is found", only_its_start_is_found},
         {"far aligned blocks take few slots", far_aligned_blocks_take_few_slots},
         {"growing and shrinking in place", grows_and_shrinks_in_place},
         {"growth is refused where others are", growth_is_refused_where_others_are},
         {"a stranger's mapping in the slots", stranger_in_the_slots},
         {"pages move instead of being copied", adopts_pages},
         {"short blocks are bounded in number", small_ones_are_bounded})
