/* slab.c: blocks of one size, last freed first used.
 *
 *     base                 fresh                          blocks * block_bytes
 *      | live | free | live  |      never handed out        |
 *                 |
 *      free list: the first word of each free block holds the number of the next one
 *
 * Blocks are handed out in the order of addresses until one is freed, as if all had been linked in advance; but nothing
 * is written before it is used, and to start costs nothing. marks has bit i set while block i is live; a word of marks
 * is cleared when its first block becomes less than fresh, so marks need not be cleared in advance either.
 *
 * Invariants: outstanding <= fresh <= blocks; the free list has fresh - outstanding blocks, all of them less than fresh
 * and unmarked. Its end is known by the count: the last link means nothing. */
#include "bare/backing.h"
#include "bare/bitset.h"

emma_bare_error emma_slab_region_layout(size_t block_bytes, size_t blocks, emma_layout *layout) {
    if (block_bytes < sizeof(void *) || block_bytes > PTRDIFF_MAX)
        return EMMA_BARE_INVALID_CONFIG;
    size_t rounded = emma__bare_word_align_up(block_bytes, sizeof(void *));
    if (blocks != 0 && rounded > PTRDIFF_MAX / blocks)
        return EMMA_BARE_INVALID_CONFIG;
    *layout = (emma_layout){rounded * blocks, rounded & (0 - rounded)};
    return EMMA_BARE_OK;
}

emma_layout emma_slab_marks_layout(size_t blocks) {
    size_t words = EMMA_BARE_CHECKS ? emma__bitset_tier(blocks) : 0;
    return (emma_layout){words * sizeof(size_t), sizeof(size_t)};
}

/* Links are numbers of blocks. */
static emma__bare_word_link *link_at(const emma_slab *slab, size_t index) {
    return (emma__bare_word_link *)(void *)(slab->base + index * slab->block_bytes);
}

/* Nothing handed out yet. */
static void start(emma_slab *slab, void *region, size_t *marks, size_t block_bytes, size_t blocks) {
    slab->base = region;
    slab->marks = marks;
    slab->block_bytes = emma__bare_word_align_up(block_bytes, sizeof(void *));
    slab->blocks = blocks;
    slab->free = slab->fresh = slab->outstanding = 0;
    slab->owned = false;
}

emma_bare_error emma_slab_init(emma_slab *slab, void *region, size_t *marks, size_t block_bytes, size_t blocks) {
    start(slab, NULL, NULL, 0, 0);
    emma_layout layout;
    emma_bare_error error = emma_slab_region_layout(block_bytes, blocks, &layout);
    if (error != EMMA_BARE_OK)
        return error;
    size_t marks_bytes = marks != NULL ? emma_slab_marks_layout(blocks).size_bytes : 0;
    if (!emma__bare_word_range_exists(region, layout.size_bytes) || !emma__bare_word_range_exists(marks, marks_bytes) ||
        !emma__bare_word_is_aligned((uintptr_t)region, layout.align_bytes) ||
        !emma__bare_word_is_aligned((uintptr_t)marks, sizeof(size_t)) ||
        emma__bare_word_ranges_overlap(region, layout.size_bytes, marks, marks_bytes))
        return EMMA_BARE_INVALID_LOCATION;
    start(slab, region, marks, block_bytes, blocks);
    return EMMA_BARE_OK;
}

emma_bare_error emma_slab_init_in(emma_slab *slab, size_t block_bytes, size_t blocks, const emma_backing *backing,
                                  emma_layout *refused) {
    start(slab, NULL, NULL, 0, 0);
    emma_layout layout;
    emma_bare_error error = emma_slab_region_layout(block_bytes, blocks, &layout);
    if (error != EMMA_BARE_OK)
        return error;
    void *region, *marks = NULL;
    bool served = emma__backing_take(backing, layout, &region, refused) &&
                  emma__backing_take(backing, emma_slab_marks_layout(blocks), &marks, refused);
    start(slab, region, marks, block_bytes, blocks);
    slab->owned = true;
    emma__backing_keep(&slab->backing, backing);
    if (!served)
        emma_slab_release(slab);
    return served ? EMMA_BARE_OK : EMMA_BARE_ALLOC_FAILED;
}

void emma_slab_release(emma_slab *slab) {
    if (slab->owned) {
        emma_layout layout = {emma_slab_size(slab), emma_slab_block_align(slab)};
        emma__backing_give(&slab->backing, slab->marks, emma_slab_marks_layout(slab->blocks));
        emma__backing_give(&slab->backing, slab->base, layout);
    }
    start(slab, NULL, NULL, 0, 0);
}

void *emma_slab_allocate(emma_slab *slab, size_t size_bytes, size_t align_bytes) {
    if (size_bytes > slab->block_bytes || !emma__bare_word_is_pow2(align_bytes) ||
        align_bytes > emma_slab_block_align(slab))
        return NULL;
    return emma_slab_allocate_block(slab);
}

/* Block index was free and is live from now on, or the other way round. */
static void flip_mark(emma_slab *slab, size_t index) {
    EMMA_BARE_STEP();
    if (EMMA_BARE_CHECKS && slab->marks != NULL)
        slab->marks[index / EMMA__BARE_WORD_BITS] ^= (size_t)1 << index % EMMA__BARE_WORD_BITS;
}

void *emma_slab_allocate_block(emma_slab *slab) {
    EMMA_BARE_STEP();
    if (!emma_slab_can_allocate(slab))
        return NULL;
    size_t index = slab->free;
    if (slab->outstanding++ != slab->fresh) {
        slab->free = *link_at(slab, index);
    } else {
        index = slab->fresh++;
        if (EMMA_BARE_CHECKS && slab->marks != NULL && index % EMMA__BARE_WORD_BITS == 0)
            slab->marks[index / EMMA__BARE_WORD_BITS] = 0;
    }
    flip_mark(slab, index);
    return slab->base + index * slab->block_bytes;
}

emma_bare_error emma_slab_deallocate(emma_slab *slab, void *block) {
    EMMA_BARE_STEP();
    if (block == NULL)
        return EMMA_BARE_OK;
    uintptr_t offset = (uintptr_t)block - (uintptr_t)slab->base;
    if (EMMA_BARE_CHECKS && offset >= slab->fresh * slab->block_bytes)
        return EMMA_BARE_FOREIGN;
    size_t index = offset / slab->block_bytes;
    if (EMMA_BARE_CHECKS && index * slab->block_bytes != offset)
        return EMMA_BARE_FOREIGN;
    if (slab->outstanding == 0)
        return EMMA_BARE_NOT_LIVE;
    if (EMMA_BARE_CHECKS && slab->marks != NULL && !emma__bitset_has(slab->marks, index))
        return EMMA_BARE_NOT_LIVE;
    flip_mark(slab, index);
    *link_at(slab, index) = slab->free;
    slab->free = index;
    slab->outstanding--;
    return EMMA_BARE_OK;
}

size_t emma_slab_block_size(const emma_slab *slab) {
    return slab->block_bytes;
}

size_t emma_slab_block_align(const emma_slab *slab) {
    return slab->block_bytes & (0 - slab->block_bytes);
}

size_t emma_slab_num_blocks(const emma_slab *slab) {
    return slab->blocks;
}

size_t emma_slab_size(const emma_slab *slab) {
    return slab->blocks * slab->block_bytes;
}

void *emma_slab_limit(const emma_slab *slab) {
    return (void *)((uintptr_t)slab->base + emma_slab_size(slab));
}

bool emma_slab_contains(const emma_slab *slab, const void *place) {
    return (uintptr_t)place - (uintptr_t)slab->base < emma_slab_size(slab);
}

bool emma_slab_can_allocate(const emma_slab *slab) {
    return slab->outstanding < slab->blocks;
}

size_t emma_slab_outstanding(const emma_slab *slab) {
    return slab->outstanding;
}

emma_bare_figures emma_slab_figures(const emma_slab *slab) {
    return (emma_bare_figures){emma_slab_size(slab), slab->outstanding * slab->block_bytes, slab->outstanding};
}

bool emma_slab_valid(const emma_slab *slab) {
    if (slab->fresh > slab->blocks || slab->outstanding > slab->fresh)
        return false;
    bool marked = EMMA_BARE_CHECKS && slab->marks != NULL;
    size_t live = marked ? 0 : slab->outstanding;
    for (size_t i = 0; marked && i < slab->fresh; i++)
        live += emma__bitset_has(slab->marks, i);
    if (live != slab->outstanding)
        return false;
    size_t index = slab->free;
    for (size_t left = slab->fresh - slab->outstanding; left != 0; left--) {
        if (index >= slab->fresh || (marked && emma__bitset_has(slab->marks, index)))
            return false;
        index = *link_at(slab, index);
    }
    return true;
}

static void *backing_allocate(void *context, emma_layout layout) {
    return emma_slab_allocate(context, layout.size_bytes, layout.align_bytes);
}

static void backing_deallocate(void *context, void *memory, emma_layout layout) {
    (void)layout;
    if (emma_slab_deallocate(context, memory) != EMMA_BARE_OK)
        __builtin_trap();
}

emma_backing emma_slab_backing(emma_slab *slab) {
    return (emma_backing){backing_allocate, backing_deallocate, slab};
}
