/* play_bump.c: random play with bump: allocate, deallocate, reset, mark, rewind, split. */
#include "bare/bare_word.h"
#include "bare_shadow.h"

enum { REGION_BYTES = 8192 };

static _Alignas(64) unsigned char region[REGION_BYTES];

/* The mark that is kept, and how many of the shadow's blocks are older. */
typedef struct kept_mark {
    emma_bump_position position;
    size_t older;
    bool good;
} kept_mark;

static unsigned allocate(emma_bump *bump, emma_shadow *shadow, emma_shadow_dice *dice) {
    size_t size = emma_shadow_number(dice, 1 << (1 + emma_shadow_number(dice, 11)));
    size_t align = (size_t)1 << emma_shadow_number(dice, 7);
    emma_bare_figures before = emma_bump_figures(bump);
    unsigned char *block = emma_bump_allocate(bump, size, align);
    size_t room = before.capacity_bytes - before.used_bytes;
    if (block == NULL) {
        PLAY(size == 0 || room < size + (((uintptr_t)bump->base + room - size) & (align - 1)) || room < size);
        PLAY(emma_bump_figures(bump).used_bytes == before.used_bytes);
        return 0;
    }
    PLAY(emma__bare_word_is_aligned((uintptr_t)block, align) && block >= region &&
         block + size <= region + REGION_BYTES);
    return emma_shadow_add(shadow, block, size) ? 0 : __LINE__;
}

static unsigned step(emma_bump *bump, emma_shadow *shadow, kept_mark *mark, emma_shadow_dice *dice) {
    size_t op = emma_shadow_number(dice, 16);
    if (op < 9)
        return shadow->count < EMMA_SHADOW_MAX ? allocate(bump, shadow, dice) : 0;
    if (op < 12) {
        if (shadow->count == 0) {
            PLAY(emma_bump_deallocate(bump, region) != EMMA_BARE_OK);
            return 0;
        }
        /* Only the newest, so that the shadow stays in the order of age. Older ones are freed by the count alone. */
        PLAY(emma_shadow_intact(shadow, shadow->count - 1));
        PLAY(emma_bump_deallocate(bump, shadow->blocks[shadow->count - 1].memory) == EMMA_BARE_OK);
        shadow->count--;
        if (shadow->count < mark->older)
            mark->good = false; /* rewound past, or nothing is left */
    } else if (op == 12) {
        emma_bump_reset(bump);
        PLAY(!mark->good || mark->older == 0 || emma_bump_rewind(bump, &mark->position) == EMMA_BARE_NOT_LIVE);
        shadow->count = 0;
        mark->good = false;
    } else if (op == 13) {
        *mark = (kept_mark){emma_bump_mark(bump), shadow->count, true};
    } else if (op == 14 && mark->good) {
        PLAY(emma_bump_rewind(bump, &mark->position) == EMMA_BARE_OK);
        shadow->count = mark->older;
        mark->good = false;
    } else if (op == 15 && emma_shadow_number(dice, 8) == 0) {
        emma_bump lower;
        emma_bump_split(bump, &lower);
        PLAY(emma_bump_valid(&lower) && emma_bump_figures(bump).used_bytes == emma_bump_figures(bump).capacity_bytes);
        if (shadow->count == 0)
            *bump = lower; /* the upper part is empty */
        mark->good = false;
    }
    return 0;
}

unsigned emma_play_bump(const uint8_t *data, size_t size) {
    emma_shadow_dice dice = {data, size};
    static emma_shadow shadow;
    shadow.count = 0;
    emma_bump bump;
    kept_mark mark = {{NULL, 0, 0}, 0, false};
    size_t offset = emma_shadow_number(&dice, 64);
    PLAY(emma_bump_init(&bump, region + offset, REGION_BYTES - offset, 1) == EMMA_BARE_OK);
    while (dice.left != 0) {
        unsigned line = step(&bump, &shadow, &mark, &dice);
        if (line != 0)
            return line;
        PLAY(emma_bump_valid(&bump) && emma_bump_figures(&bump).outstanding == shadow.count);
    }
    PLAY(emma_shadow_all_intact(&shadow));
    for (size_t i = 0; i < shadow.count; i++)
        PLAY(emma_bump_deallocate(&bump, shadow.blocks[i].memory) == EMMA_BARE_OK);
    PLAY(emma_bump_figures(&bump).used_bytes == 0 && emma_bump_valid(&bump));
    return 0;
}
