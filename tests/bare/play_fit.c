/* play_fit.c: random play with fit: any size and alignment, resize, pools that come and go. */
#include "bare/bare_word.h"
#include "bare_shadow.h"

enum { POOLS = 4, POOL_BYTES = 3072 };

static _Alignas(64) unsigned char regions[POOLS][POOL_BYTES + 64];

typedef struct game {
    emma_fit fit;
    emma_shadow shadow;
    emma_fit_pool *pools[POOLS];
} game;

static game play;

static bool in_a_pool(const unsigned char *memory, size_t size) {
    for (size_t i = 0; i < POOLS; i++) {
        if (play.pools[i] != NULL && memory > regions[i] && memory + size < regions[i] + sizeof regions[i])
            return true;
    }
    return false;
}

static unsigned check_new(unsigned char *memory, size_t size, size_t align) {
    PLAY(emma__bare_word_is_aligned((uintptr_t)memory, align) &&
         emma__bare_word_is_aligned((uintptr_t)memory, EMMA_FIT_GRANULE));
    PLAY(in_a_pool(memory, size) && emma_fit_usable_size(&play.fit, memory) >= size);
    return emma_shadow_add(&play.shadow, memory, size) ? 0 : __LINE__;
}

/* The largest free block, as walked: a request that it could hold with room to spare for the list's width is served. */
static bool visit_largest(void *context, void *memory, size_t size_bytes, bool live) {
    (void)memory;
    size_t *largest = context;
    if (!live && size_bytes > *largest)
        *largest = size_bytes;
    return true;
}

static unsigned allocate(emma_shadow_dice *dice) {
    size_t size = emma_shadow_number(dice, 1 << (1 + emma_shadow_number(dice, 12)));
    size_t align = emma_shadow_number(dice, 3) != 0 ? 1 : (size_t)1 << emma_shadow_number(dice, 10);
    size_t largest = 0;
    emma_fit_walk(&play.fit, visit_largest, &largest);
    unsigned char *memory = emma_fit_allocate(&play.fit, size, align);
    if (memory == NULL) {
        size_t most = size + EMMA_FIT_GRANULE * 2 + (align > EMMA_FIT_GRANULE ? align + EMMA_FIT_GRANULE : 0);
        PLAY(size == 0 || largest < most + most / 16 + EMMA_FIT_GRANULE);
        return 0;
    }
    PLAY(size != 0 && size <= largest);
    return check_new(memory, size, align);
}

static unsigned resize(emma_shadow_dice *dice) {
    size_t index = emma_shadow_number(dice, play.shadow.count);
    emma_shadow_block old = play.shadow.blocks[index];
    size_t size = 1 + emma_shadow_number(dice, 1 << (1 + emma_shadow_number(dice, 12)));
    size_t align = emma_shadow_number(dice, 4) != 0 ? 1 : (size_t)1 << emma_shadow_number(dice, 10);
    PLAY(emma_shadow_intact(&play.shadow, index));
    unsigned char *memory = emma_fit_reallocate(&play.fit, old.memory, size, align);
    if (memory == NULL) {
        PLAY(size > old.bytes || !emma__bare_word_is_aligned((uintptr_t)old.memory, align));
        return 0;
    }
    play.shadow.blocks[index].memory = memory;
    play.shadow.blocks[index].bytes = size < old.bytes ? size : old.bytes;
    PLAY(emma_shadow_intact(&play.shadow, index));
    emma_shadow_remove(&play.shadow, index);
    return check_new(memory, size, align);
}

static unsigned free_one(emma_shadow_dice *dice) {
    size_t index = emma_shadow_number(dice, play.shadow.count);
    void *memory = play.shadow.blocks[index].memory;
    PLAY(emma_shadow_intact(&play.shadow, index) && emma_fit_deallocate(&play.fit, memory) == EMMA_BARE_OK);
    emma_shadow_remove(&play.shadow, index);
    PLAY(!EMMA_BARE_CHECKS || emma_fit_deallocate(&play.fit, memory) == EMMA_BARE_NOT_LIVE);
    return 0;
}

static unsigned pool(emma_shadow_dice *dice) {
    size_t i = emma_shadow_number(dice, POOLS);
    if (play.pools[i] == NULL) {
        size_t offset = emma_shadow_number(dice, 64), size = 256 + emma_shadow_number(dice, POOL_BYTES - 256);
        PLAY(emma_fit_add_pool(&play.fit, regions[i] + offset, size, &play.pools[i]) == EMMA_BARE_OK);
        PLAY(emma_fit_add_pool(&play.fit, regions[i] + offset + size / 2, size / 4, NULL) ==
             EMMA_BARE_INVALID_LOCATION);
        return 0;
    }
    bool busy = false;
    for (size_t n = 0; n < play.shadow.count; n++) {
        unsigned char *memory = play.shadow.blocks[n].memory;
        busy = busy || (memory >= regions[i] && memory < regions[i] + sizeof regions[i]);
    }
    PLAY(emma_fit_remove_pool(&play.fit, play.pools[i]) == (busy ? EMMA_BARE_BUSY : EMMA_BARE_OK));
    if (!busy)
        play.pools[i] = NULL;
    return 0;
}

unsigned emma_play_fit(const uint8_t *data, size_t size) {
    emma_shadow_dice dice = {data, size};
    emma_fit_init(&play.fit);
    play.shadow.count = 0;
    for (size_t i = 0; i < POOLS; i++)
        play.pools[i] = NULL;
    unsigned line = pool(&dice);
    while (line == 0 && dice.left != 0) {
        size_t op = emma_shadow_number(&dice, 32);
        if (op < 14 && play.shadow.count < EMMA_SHADOW_MAX)
            line = allocate(&dice);
        else if (op < 24 && play.shadow.count != 0)
            line = free_one(&dice);
        else if (op < 30 && play.shadow.count != 0)
            line = resize(&dice);
        else
            line = pool(&dice);
        if (line != 0)
            return line;
        PLAY(emma_fit_valid(&play.fit) && emma_fit_figures(&play.fit).outstanding == play.shadow.count);
    }
    PLAY(line == 0 && emma_shadow_all_intact(&play.shadow));
    while (play.shadow.count != 0)
        PLAY(emma_fit_deallocate(&play.fit, play.shadow.blocks[--play.shadow.count].memory) == EMMA_BARE_OK);
    PLAY(emma_fit_figures(&play.fit).used_bytes == 0 && emma_fit_valid(&play.fit));
    return 0;
}
