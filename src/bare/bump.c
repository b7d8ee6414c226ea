/* bump.c: a pointer that goes down through a region.
 *
 *     base        base + room_bytes      base + size_bytes
 *      |    free    |     handed out       |
 *
 * Invariants: room_bytes <= size_bytes; nothing is handed out iff outstanding is 0 (each block has a byte of its own).
 * Offsets, not end addresses, are kept: a region may end at the end of the address space.
 * Nothing is stored in the region. Every operation is straight-line code. */
#include "bare/backing.h"

/* All of it free; empty, that is nothing can be allocated, when size_bytes is 0. */
static EMMA_NOINLINE void start(emma_bump *bump, unsigned char *base, size_t size_bytes) {
    bump->base = base;
    bump->room_bytes = bump->size_bytes = size_bytes;
    bump->outstanding = bump->resets = 0;
    bump->layout.size_bytes = 0;
}

emma_bare_error emma_bump_init(emma_bump *bump, void *region, size_t size_bytes, size_t align_bytes) {
    emma_bare_error error = EMMA_BARE_OK;
    if (!emma__bare_word_is_pow2(align_bytes) || !emma__bare_word_is_aligned((uintptr_t)region, align_bytes))
        error = EMMA_BARE_INVALID_CONFIG;
    else if (!emma__bare_word_range_exists(region, size_bytes))
        error = EMMA_BARE_INVALID_LOCATION;
    start(bump, region, error == EMMA_BARE_OK ? size_bytes : 0);
    return error;
}

emma_bare_error emma_bump_init_in(emma_bump *bump, size_t size_bytes, size_t align_bytes, const emma_backing *backing) {
    start(bump, NULL, 0);
    if (size_bytes == 0 || !emma__bare_word_is_pow2(align_bytes))
        return EMMA_BARE_INVALID_CONFIG;
    void *region = backing->allocate(backing->context, (emma_layout){size_bytes, align_bytes});
    if (region == NULL)
        return EMMA_BARE_ALLOC_FAILED;
    start(bump, region, size_bytes);
    bump->layout = (emma_layout){size_bytes, align_bytes};
    emma__backing_keep(&bump->backing, backing);
    return EMMA_BARE_OK;
}

void emma_bump_release(emma_bump *bump) {
    /* A split moves the base, but not the end. */
    unsigned char *memory = bump->base + bump->size_bytes - bump->layout.size_bytes;
    if (bump->layout.size_bytes != 0)
        bump->backing.deallocate(bump->backing.context, memory, bump->layout);
    start(bump, NULL, 0);
}

void *emma_bump_allocate(emma_bump *bump, size_t size_bytes, size_t align_bytes) {
    EMMA_BARE_STEP();
    if (size_bytes == 0 || !emma__bare_word_is_pow2(align_bytes) || size_bytes > bump->room_bytes)
        return NULL;
    size_t room = bump->room_bytes - size_bytes;
    size_t padding = (uintptr_t)(bump->base + room) & (align_bytes - 1);
    if (padding > room)
        return NULL;
    bump->room_bytes = room - padding;
    bump->outstanding++;
    return bump->base + bump->room_bytes;
}

emma_bare_error emma_bump_deallocate(emma_bump *bump, void *block) {
    EMMA_BARE_STEP();
    if (block == NULL)
        return EMMA_BARE_OK;
    if (bump->outstanding == 0)
        return EMMA_BARE_NOT_LIVE;
    uintptr_t offset = (uintptr_t)block - (uintptr_t)bump->base;
    if (EMMA_BARE_CHECKS && offset - bump->room_bytes >= bump->size_bytes - bump->room_bytes)
        return EMMA_BARE_FOREIGN;
    if (--bump->outstanding == 0)
        emma_bump_reset(bump);
    return EMMA_BARE_OK;
}

void emma_bump_reset(emma_bump *bump) {
    EMMA_BARE_STEP();
    bump->room_bytes = bump->size_bytes;
    bump->outstanding = 0;
    bump->resets++;
}

emma_bump_position emma_bump_mark(const emma_bump *bump) {
    return (emma_bump_position){bump->base + bump->room_bytes, bump->outstanding, bump->resets};
}

emma_bare_error emma_bump_rewind(emma_bump *bump, const emma_bump_position *mark) {
    EMMA_BARE_STEP();
    uintptr_t room = (uintptr_t)mark->low - (uintptr_t)bump->base;
    if ((mark->resets != bump->resets && mark->outstanding != 0) || room < bump->room_bytes)
        return EMMA_BARE_NOT_LIVE;
    bump->room_bytes = room;
    /* Of the blocks older than the mark some may be gone by now; which ones deallocate did not say. The lesser count
     * never falls short of those that live. */
    if (mark->outstanding < bump->outstanding)
        bump->outstanding = mark->outstanding;
    return EMMA_BARE_OK;
}

void emma_bump_split(emma_bump *bump, emma_bump *lower) {
    start(lower, bump->base, bump->room_bytes);
    bump->base += bump->room_bytes;
    bump->size_bytes -= bump->room_bytes;
    bump->room_bytes = 0;
}

emma_bare_figures emma_bump_figures(const emma_bump *bump) {
    return (emma_bare_figures){bump->size_bytes, bump->size_bytes - bump->room_bytes, bump->outstanding};
}

bool emma_bump_valid(const emma_bump *bump) {
    size_t used = bump->size_bytes - bump->room_bytes;
    return used <= bump->size_bytes && bump->outstanding <= used && (bump->outstanding != 0 || used == 0);
}

static void *backing_allocate(void *context, emma_layout layout) {
    return emma_bump_allocate(context, layout.size_bytes, layout.align_bytes);
}

static void backing_deallocate(void *context, void *memory, emma_layout layout) {
    (void)layout;
    if (emma_bump_deallocate(context, memory) != EMMA_BARE_OK)
        __builtin_trap();
}

emma_backing emma_bump_backing(emma_bump *bump) {
    return (emma_backing){backing_allocate, backing_deallocate, bump};
}
