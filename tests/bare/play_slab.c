/* play_slab.c: random play with slab, and with every kind of pointer that is not a live block. */
#include "bare/bare_word.h"
#include "bare_shadow.h"

enum { REGION_BYTES = 4096, BLOCKS_MAX = 60 };

static _Alignas(256) unsigned char region[REGION_BYTES];

static unsigned allocate(emma_slab *slab, emma_shadow *shadow, emma_shadow_dice *dice) {
    size_t block = emma_slab_block_size(slab);
    size_t size = emma_shadow_number(dice, block + 2), align = (size_t)1 << emma_shadow_number(dice, 9);
    bool possible = size <= block && align <= emma_slab_block_align(slab) && emma_slab_can_allocate(slab);
    unsigned char *memory = emma_slab_allocate(slab, size, align);
    PLAY((memory != NULL) == possible);
    if (memory == NULL)
        return 0;
    PLAY(emma__bare_word_is_aligned((uintptr_t)memory, emma_slab_block_align(slab)) &&
         emma_slab_contains(slab, memory));
    PLAY((size_t)(memory - region) % block == 0 && memory + block <= region + REGION_BYTES);
    return emma_shadow_add(shadow, memory, block) ? 0 : __LINE__;
}

/* Any address around the region: a live block is freed, everything else refused, and nothing else happens. */
static unsigned free_anything(emma_slab *slab, emma_shadow *shadow, emma_shadow_dice *dice) {
    if (!EMMA_BARE_CHECKS)
        return 0;
    size_t offset = emma_shadow_number(dice, REGION_BYTES + 64);
    if (emma_shadow_number(dice, 2) == 0)
        offset -= offset % emma_slab_block_size(slab);
    for (size_t i = 0; i < shadow->count; i++) {
        if ((uintptr_t)shadow->blocks[i].memory == (uintptr_t)region + offset)
            return 0;
    }
    size_t before = emma_slab_outstanding(slab);
    PLAY(emma_slab_deallocate(slab, (void *)((uintptr_t)region + offset)) != EMMA_BARE_OK);
    PLAY(emma_slab_outstanding(slab) == before);
    return 0;
}

unsigned emma_play_slab(const uint8_t *data, size_t size) {
    emma_shadow_dice dice = {data, size};
    static emma_shadow shadow;
    size_t marks[2];
    shadow.count = 0;
    emma_slab slab;
    size_t block = sizeof(void *) + emma_shadow_number(&dice, 300), blocks = emma_shadow_number(&dice, BLOCKS_MAX + 1);
    emma_layout layout;
    PLAY(emma_slab_region_layout(block, blocks, &layout) == EMMA_BARE_OK);
    while (layout.size_bytes > REGION_BYTES)
        PLAY(emma_slab_region_layout(block, --blocks, &layout) == EMMA_BARE_OK);
    PLAY(emma_slab_init(&slab, region, marks, block, blocks) == EMMA_BARE_OK);
    while (dice.left != 0) {
        size_t op = emma_shadow_number(&dice, 8);
        unsigned line = 0;
        if (op < 4) {
            line = allocate(&slab, &shadow, &dice);
        } else if (op == 4) {
            line = free_anything(&slab, &shadow, &dice);
        } else if (shadow.count != 0) {
            size_t index = emma_shadow_number(&dice, shadow.count);
            void *memory = shadow.blocks[index].memory;
            PLAY(emma_shadow_intact(&shadow, index) && emma_slab_deallocate(&slab, memory) == EMMA_BARE_OK);
            emma_shadow_remove(&shadow, index);
            PLAY(!EMMA_BARE_CHECKS || emma_slab_deallocate(&slab, memory) == EMMA_BARE_NOT_LIVE);
        }
        if (line != 0)
            return line;
        PLAY(emma_slab_valid(&slab) && emma_slab_outstanding(&slab) == shadow.count);
    }
    PLAY(emma_shadow_all_intact(&shadow));
    return 0;
}
