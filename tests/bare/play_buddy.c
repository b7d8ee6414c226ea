/* play_buddy.c: random play with buddies of several geometries, over regions with random gaps that fill up. */
#include "bare/buddy_map.h"
#include "bare_shadow.h"

enum { REGION_BYTES = 8192, UNITS_MAX = 512 };

static _Alignas(4096) unsigned char region[REGION_BYTES];
static size_t metadata[512];

typedef struct game {
    emma_buddy buddy;
    emma_shadow shadow;
    size_t unit_bytes;
    size_t units;
    unsigned char exists[UNITS_MAX]; /* that unit was added */
} game;

static game play;

static unsigned set_up(emma_shadow_dice *dice) {
    static const emma_buddy_config configs[] = {{16, 2, 1}, {128, 2, 2}, {1024, 2, 4}, {4096, 2, 8}, {256, 5, 5}};
    emma_buddy_config config = configs[emma_shadow_number(dice, 5)];
    if (EMMA_BUDDY_LEVELS != 0)
        config = (emma_buddy_config){EMMA_BUDDY_BLOCK_BYTES, 2, EMMA_BUDDY_LEVELS};
    emma_buddy_memory memory = {region, metadata};
    emma_layout layout;
    PLAY(emma_buddy_metadata_layout(&config, &layout) == EMMA_BARE_OK && layout.size_bytes <= sizeof metadata);
    PLAY(emma_buddy_init_empty(&play.buddy, &config, memory) == EMMA_BARE_OK);
    PLAY(emma_buddy_allocate(&play.buddy, 1, 1) == NULL);
    play.shadow.count = 0;
    play.unit_bytes = config.block_bytes >> (config.levels - 1);
    play.units = config.blocks << (config.levels - 1);
    emma_buddy_gap gaps[4];
    size_t count = emma_shadow_number(dice, 5), at = 0, bytes = config.blocks * config.block_bytes;
    for (size_t i = 0; i < count; i++) {
        gaps[i].begin = at = at + emma_shadow_number(dice, bytes);
        gaps[i].end = at + emma_shadow_number(dice, bytes / 2);
    }
    for (size_t unit = 0; unit < play.units; unit++) {
        play.exists[unit] = 1;
        for (size_t i = 0; i < count; i++) {
            if (gaps[i].begin < (unit + 1) * play.unit_bytes && gaps[i].end > unit * play.unit_bytes &&
                gaps[i].begin != gaps[i].end)
                play.exists[unit] = 0;
        }
    }
    PLAY(emma_buddy_add_all_but(&play.buddy, (emma_buddy_gaps){gaps, count}) == EMMA_BARE_OK);
    return 0;
}

static bool unit_is_live(size_t unit) {
    unsigned char *memory = region + unit * play.unit_bytes;
    for (size_t i = 0; i < play.shadow.count; i++) {
        const emma_shadow_block *block = &play.shadow.blocks[i];
        if (memory >= block->memory && memory < block->memory + block->bytes)
            return true;
    }
    return false;
}

static unsigned allocate(emma_shadow_dice *dice) {
    size_t size = emma_shadow_number(dice, 1 << (1 + emma_shadow_number(dice, 13)));
    size_t align = (size_t)1 << emma_shadow_number(dice, 13);
    unsigned char *memory = emma_buddy_allocate(&play.buddy, size, align);
    size_t rounded = play.unit_bytes;
    while (rounded < size || rounded < align)
        rounded *= 2;
    bool possible = false; /* a run of that size, so aligned, is free */
    size_t run = rounded / play.unit_bytes;
    for (size_t unit = 0; size != 0 && !possible && unit + run <= play.units; unit += run) {
        possible = rounded <= (size_t)1 << emma__buddy_map_block_log2(&play.buddy);
        for (size_t i = unit; possible && i < unit + run; i++)
            possible = play.exists[i] && !unit_is_live(i);
    }
    PLAY((memory != NULL) == possible);
    if (memory == NULL)
        return 0;
    size_t offset = (size_t)(memory - region);
    PLAY(offset % rounded == 0 && emma_buddy_block_size(&play.buddy, memory) == rounded);
    for (size_t unit = offset / play.unit_bytes; unit < (offset + rounded) / play.unit_bytes; unit++)
        PLAY(play.exists[unit]);
    return emma_shadow_add(&play.shadow, memory, rounded) ? 0 : __LINE__;
}

static unsigned free_one(emma_shadow_dice *dice) {
    size_t index = emma_shadow_number(dice, play.shadow.count);
    void *memory = play.shadow.blocks[index].memory;
    PLAY(emma_shadow_intact(&play.shadow, index) && emma_buddy_deallocate(&play.buddy, memory) == EMMA_BARE_OK);
    emma_shadow_remove(&play.shadow, index);
    PLAY(emma_buddy_deallocate(&play.buddy, memory) == EMMA_BARE_NOT_LIVE);
    return 0;
}

static unsigned free_anything(emma_shadow_dice *dice) {
    size_t offset = emma_shadow_number(dice, REGION_BYTES);
    if (emma_shadow_number(dice, 2) == 0)
        offset -= offset % play.unit_bytes;
    for (size_t i = 0; i < play.shadow.count; i++) {
        if (play.shadow.blocks[i].memory == region + offset)
            return 0;
    }
    bool inside = offset < play.units * play.unit_bytes && offset % play.unit_bytes == 0;
    PLAY(emma_buddy_deallocate(&play.buddy, region + offset) == (inside ? EMMA_BARE_NOT_LIVE : EMMA_BARE_FOREIGN));
    return 0;
}

static unsigned add_part(emma_shadow_dice *dice) {
    size_t begin = emma_shadow_number(dice, play.units), count = 1 + emma_shadow_number(dice, play.units - begin);
    bool blank = true;
    for (size_t unit = begin; unit < begin + count; unit++)
        blank = blank && !play.exists[unit];
    emma_bare_error error =
        emma_buddy_add_region(&play.buddy, region + begin * play.unit_bytes, count * play.unit_bytes);
    PLAY(error == (blank ? EMMA_BARE_OK : EMMA_BARE_INVALID_LOCATION));
    for (size_t unit = begin; blank && unit < begin + count; unit++)
        play.exists[unit] = 1;
    return 0;
}

/* Take it apart and build it again, all free. */
static unsigned rebuild(void) {
    emma_buddy_parts parts;
    emma_buddy_into_raw_parts(&play.buddy, &parts);
    PLAY(parts.memory.region == region && parts.memory.metadata == metadata);
    PLAY(emma_buddy_init(&play.buddy, &parts.config, parts.memory) == EMMA_BARE_OK);
    play.shadow.count = 0;
    for (size_t unit = 0; unit < play.units; unit++)
        play.exists[unit] = 1;
    return 0;
}

unsigned emma_play_buddy(const uint8_t *data, size_t size) {
    emma_shadow_dice dice = {data, size};
    unsigned line = set_up(&dice);
    while (line == 0 && dice.left != 0) {
        size_t op = emma_shadow_number(&dice, 32);
        if (op < 16 && play.shadow.count < EMMA_SHADOW_MAX)
            line = allocate(&dice);
        else if (op < 28 && play.shadow.count != 0)
            line = free_one(&dice);
        else if (op < 30)
            line = free_anything(&dice);
        else if (op == 30)
            line = add_part(&dice);
        else if (emma_shadow_number(&dice, 8) == 0)
            line = rebuild();
        if (line != 0)
            return line;
        PLAY(emma_buddy_valid(&play.buddy) && emma_buddy_figures(&play.buddy).outstanding == play.shadow.count);
    }
    PLAY(line == 0 && emma_shadow_all_intact(&play.shadow));
    return 0;
}
