/* fit_pool.c: the memory of a fit: pools that come and go. A pool is drawn in fit_block.h.
 *
 * The pools are a list through their own first words, the newest first. They are never joined, even where they touch.
 */
#include "bare/backing.h"
#include "bare/fit_lists.h"

/* What a pool has beside its blocks, and the least that it can be. */
enum {
    FRAME_BYTES = sizeof(emma_fit_pool) + EMMA__FIT_BLOCK_HEADER_BYTES,
    MIN_BYTES = FRAME_BYTES + EMMA__FIT_BLOCK_MIN_BYTES,
};

void emma_fit_init(emma_fit *fit) {
    emma__bare_word_clear(fit, sizeof *fit / sizeof(size_t));
}

emma_bare_error emma_fit_init_in(emma_fit *fit, size_t size_bytes, const emma_backing *backing) {
    emma_fit_init(fit);
    emma_layout layout = {size_bytes, EMMA_FIT_GRANULE};
    if (size_bytes < MIN_BYTES + sizeof(size_t) || size_bytes >= emma__fit_lists_limit_bytes)
        return EMMA_BARE_INVALID_CONFIG;
    void *memory = backing->allocate(backing->context, layout);
    if (memory == NULL)
        return EMMA_BARE_ALLOC_FAILED;
    emma_bare_error error = emma_fit_add_pool(fit, memory, size_bytes, &fit->owned);
    if (error != EMMA_BARE_OK) {
        backing->deallocate(backing->context, memory, layout);
        return error;
    }
    fit->memory = memory;
    fit->layout = layout;
    emma__backing_keep(&fit->backing, backing);
    return EMMA_BARE_OK;
}

void emma_fit_release(emma_fit *fit) {
    if (fit->memory != NULL)
        fit->backing.deallocate(fit->backing.context, fit->memory, fit->layout);
    emma_fit_init(fit);
}

/* The link that leads to the first pool that the range overlaps, or to the end of the list. */
static emma_fit_pool **find(emma_fit *fit, const void *memory, size_t size_bytes) {
    emma_fit_pool **link = &fit->pools;
    while (*link != NULL && !emma__bare_word_ranges_overlap(*link, (*link)->bytes, memory, size_bytes))
        link = &(*link)->next;
    return link;
}

emma_bare_error emma_fit_add_pool(emma_fit *fit, void *memory, size_t size_bytes, emma_fit_pool **handle) {
    if (memory == NULL || !emma__bare_word_range_exists(memory, size_bytes) || *find(fit, memory, size_bytes) != NULL)
        return EMMA_BARE_INVALID_LOCATION;
    /* The pool begins where its first block will lie one word before a multiple of the granule, and ends as it begins.
     */
    size_t slack = (0 - (uintptr_t)memory - sizeof(size_t)) & (EMMA_FIT_GRANULE - 1);
    if (size_bytes < slack + MIN_BYTES || size_bytes >= emma__fit_lists_limit_bytes)
        return EMMA_BARE_INVALID_CONFIG;
    emma_fit_pool *pool = (emma_fit_pool *)((uintptr_t)memory + slack);
    size_t block_bytes = (size_bytes - slack - FRAME_BYTES) & (0 - (size_t)EMMA_FIT_GRANULE);
    pool->bytes = FRAME_BYTES + block_bytes;
    pool->next = fit->pools;
    fit->pools = pool;

    emma_fit_block *first = emma__fit_block_first(pool);
    emma_fit_block *last = emma__fit_block_last(pool);
    uintptr_t low = (uintptr_t)emma__fit_block_memory(first);
    bool only = fit->high_address == 0;
    if (only || low < fit->low_address)
        fit->low_address = low;
    if (only || (uintptr_t)last > fit->high_address)
        fit->high_address = (uintptr_t)last;
    fit->capacity_bytes += block_bytes;
    emma__fit_block_set(first, block_bytes, EMMA__FIT_BLOCK_FREE);
    emma__fit_block_set(last, 0, EMMA__FIT_BLOCK_AFTER_FREE);
    *emma__fit_block_foot(last) = block_bytes;
    emma__fit_lists_insert(fit, first, block_bytes);
    if (handle != NULL)
        *handle = pool;
    return EMMA_BARE_OK;
}

emma_bare_error emma_fit_remove_pool(emma_fit *fit, emma_fit_pool *pool) {
    emma_fit_pool **link = find(fit, pool, 1);
    if (pool == NULL || *link != pool || pool == fit->owned)
        return EMMA_BARE_FOREIGN;
    emma_fit_block *first = emma__fit_block_first(pool);
    if (!emma__fit_block_has(first, EMMA__FIT_BLOCK_FREE) || emma__fit_block_next(first) != emma__fit_block_last(pool))
        return EMMA_BARE_BUSY;
    emma__fit_lists_remove(fit, first);
    fit->capacity_bytes -= emma__fit_block_size(first);
    *link = pool->next;
    return EMMA_BARE_OK;
}
