/* bare_shadow.c: see bare_shadow.h. */
#include "bare_shadow.h"

static unsigned char pattern(unsigned stamp, size_t i) {
    return (unsigned char)(stamp * 37 + (i ^ i >> 8));
}

bool emma_shadow_add(emma_shadow *shadow, void *memory, size_t bytes) {
    unsigned char *begin = memory;
    for (size_t i = 0; i < shadow->count; i++) {
        const emma_shadow_block *other = &shadow->blocks[i];
        if ((uintptr_t)begin < (uintptr_t)other->memory + other->bytes &&
            (uintptr_t)other->memory < (uintptr_t)begin + bytes)
            return false;
    }
    unsigned stamp = ++shadow->stamps;
    shadow->blocks[shadow->count++] = (emma_shadow_block){begin, bytes, stamp};
    for (size_t i = 0; i < bytes; i++)
        begin[i] = pattern(stamp, i);
    return true;
}

bool emma_shadow_intact(const emma_shadow *shadow, size_t index) {
    const emma_shadow_block *block = &shadow->blocks[index];
    for (size_t i = 0; i < block->bytes; i++) {
        if (block->memory[i] != pattern(block->stamp, i))
            return false;
    }
    return true;
}

bool emma_shadow_all_intact(const emma_shadow *shadow) {
    for (size_t i = 0; i < shadow->count; i++) {
        if (!emma_shadow_intact(shadow, i))
            return false;
    }
    return true;
}

void emma_shadow_remove(emma_shadow *shadow, size_t index) {
    shadow->blocks[index] = shadow->blocks[--shadow->count];
}

uint8_t emma_shadow_byte(emma_shadow_dice *dice) {
    if (dice->left == 0)
        return 0;
    dice->left--;
    return *dice->data++;
}

size_t emma_shadow_number(emma_shadow_dice *dice, size_t below) {
    size_t number = emma_shadow_byte(dice);
    if (below > 256)
        number = number << 8 | emma_shadow_byte(dice);
    return number % below;
}
