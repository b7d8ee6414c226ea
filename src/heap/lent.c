/* lent.c: see lent.h. Looking at what is lent is in lent_look.c. */
#include "heap/lent.h"

#include "bare/fit_block.h"
#include "base/check.h"
#include "heap/heap.h"
#include "heap/lent_claim.h"
#include "heap/source.h"

enum {
    ADDED_ALIGN = sizeof(size_t),
    GROW_TRIES = 16,
    ADDED_LEAST_BYTES = 64, /* that is a pool with a block, wherever it lies */
};

static emma_heap *heap_of(emma_lent *lent) {
    return (emma_heap *)(void *)((char *)lent - offsetof(emma_heap, lent));
}

static emma_bare_error free_claimed(emma_lent *lent, void *block) {
    return lent->sourced != 0 ? emma__source_free(lent->sourced, lent->fit, block)
                              : emma_fit_deallocate(lent->fit, block);
}

/* Claimed: the ranges that others have left here. */
static void take_in_ranges(emma_lent *lent) {
    emma_lent_note *next;
    for (emma_lent_note *range = ATOMIC_EXCHANGE(&lent->added, 0, acquire); range != 0; range = next) { /* see leave */
        next = range->next;
        size_t is_piece = range->is_piece; /* the pool's header takes its place */
        emma_bare_error error = emma_fit_add_pool(lent->fit, range, range->size_bytes, 0);
        CHECK(error == EMMA_BARE_OK, "memory was lent twice", range);
        if (is_piece != 0)
            emma__source_add(lent->sourced, (emma_piece *)(void *)range - 1, is_piece == 2);
    }
}

/* And the blocks. */
static void take_in(emma_lent *lent) {
    take_in_ranges(lent);
    emma_lent_note *next;
    for (emma_lent_note *block = ATOMIC_EXCHANGE(&lent->freed, 0, acquire); block != 0; block = next) { /* see leave */
        next = block->next;
        if (EMMA_UNLIKELY(free_claimed(lent, block) != EMMA_BARE_OK))
            emma__heap_misuse(heap_of(lent), EMMA_NOT_LIVE, (uintptr_t)block);
    }
}

/* Claimed: the pieces that are to go back after the claim. */
static emma_piece *take_gone(emma_lent *lent) {
    emma_sourced *sourced = lent->sourced;
    emma_piece *gone = sourced != 0 ? sourced->gone : 0;
    if (gone != 0)
        sourced->gone = 0;
    return gone;
}

bool emma__lent_claim(emma_lent *lent) {
    if (!emma__claim_wait(&lent->claim))
        return false;
    take_in(lent);
    return true;
}

/* Give the claim back, then look whether something was left before that was seen (claim.h). */
size_t emma__lent_unclaim(emma_lent *lent) {
    size_t released = 0;
    for (;;) {
        emma_piece *gone = take_gone(lent);
        emma_bare_figures figures = emma_fit_figures(lent->fit);
        ATOMIC_STORE(&lent->capacity_bytes, figures.capacity_bytes, relaxed);
        ATOMIC_STORE(&lent->used_bytes, figures.used_bytes, relaxed);
        ATOMIC_STORE(&lent->blocks, figures.outstanding, relaxed);
        emma__claim_give(&lent->claim);
        if (EMMA_UNLIKELY(gone != 0))
            released += emma__source_release(heap_of(lent), gone);
        if ((ATOMIC_LOAD(&lent->freed, seq_cst) == 0 && ATOMIC_LOAD(&lent->added, seq_cst) == 0) ||
            !emma__claim_try(&lent->claim))
            return released;
        take_in(lent);
    }
}

/* Leave something for who has the claim; if nobody has it any more, work it off. */
static void leave(emma_lent *lent, _Atomic(emma_lent_note *) *list, emma_lent_note *note) {
    note->next = ATOMIC_LOAD(list, relaxed);
    while (!ATOMIC_CAS(list, &note->next, note, seq_cst)) /* pairs with take_in and unclaim */
        ;
    if (emma__claim_try(&lent->claim)) {
        take_in(lent);
        emma__lent_unclaim(lent);
    }
}

/* Note that a range is lent. Returns: false iff it is so already, or that cannot be noted. */
static bool note_range(emma_directory *directory, emma_heap *heap, uintptr_t from, size_t size_bytes) {
    bool is_nested = emma__directory_get(directory, from) != EMMA_GRANULE_NONE;
    return !emma__ranges_overlap(&directory->ranges, from, from + size_bytes) &&
           emma__ranges_add(&directory->ranges, (emma_range){from, from + size_bytes, heap}, is_nested);
}

/* A heap that has lent memory only, as it lies at the beginning of that. */
typedef struct placed {
    unsigned char heap[offsetof(emma_heap, depot)];
    emma_fit fit;
} placed;

EMMA_STATIC_ASSERT(offsetof(placed, fit) % _Alignof(emma_fit) == 0, "the heap's part is not padded");

emma_heap *emma__lent_make(emma_directory *directory, uintptr_t from, size_t size_bytes) {
    size_t slack = emma__bits_align_up(from, _Alignof(emma_heap)) - from;
    if (from == 0 || size_bytes > UINTPTR_MAX - from || size_bytes < slack + sizeof(placed) + ADDED_LEAST_BYTES)
        return 0;
    from += slack;
    size_bytes -= slack;
    placed *self = (placed *)from;       // NOLINT(performance-no-int-to-ptr)
    emma_heap *heap = (emma_heap *)from; // NOLINT(performance-no-int-to-ptr)
    if (!note_range(directory, heap, from, size_bytes))
        return 0;
    __builtin_memset(self, 0, sizeof *self);
    heap->lent.directory = directory;
    heap->lent.fit = &self->fit;
    ATOMIC_STORE(&heap->lent.lent_bytes, size_bytes, relaxed);
    emma_bare_error error = emma_fit_add_pool(&self->fit, self + 1, size_bytes - sizeof *self, 0);
    if (error != EMMA_BARE_OK) { /* 512 GiB or more */
        emma__ranges_remove(&directory->ranges, heap, from, from + 1);
        return 0;
    }
    ATOMIC_STORE(&heap->lent.capacity_bytes, emma_fit_figures(&self->fit).capacity_bytes, relaxed);
    return heap;
}

bool emma__lent_add(emma_heap *heap, uintptr_t from, size_t size_bytes) {
    emma_lent *lent = &heap->lent;
    size_t slack = emma__bits_align_up(from, ADDED_ALIGN) - from;
    if (lent->fit == 0 || from == 0 || size_bytes > UINTPTR_MAX - from || size_bytes >> 39 != 0 ||
        size_bytes < slack + ADDED_LEAST_BYTES)
        return false;
    from += slack;
    size_bytes -= slack;
    if (!note_range(emma__heap_directory(heap), heap, from, size_bytes))
        return false;
    ATOMIC_ADD(&lent->lent_bytes, size_bytes, relaxed);
    emma_lent_note *note = (emma_lent_note *)from; // NOLINT(performance-no-int-to-ptr)
    *note = (emma_lent_note){0, size_bytes, 0};
    leave(lent, &lent->added, note);
    return true;
}

bool emma__lent_add_piece(emma_heap *heap, emma_piece *piece, size_t size_bytes, bool is_zeroed) {
    if (!note_range(emma__heap_directory(heap), heap, (uintptr_t)piece, size_bytes))
        return false;
    *piece = (emma_piece){0, size_bytes};
    ATOMIC_ADD(&heap->lent.lent_bytes, size_bytes, relaxed);
    emma_lent_note *note = (emma_lent_note *)(void *)(piece + 1);
    *note = (emma_lent_note){0, size_bytes - sizeof *piece, 1 + is_zeroed};
    leave(&heap->lent, &heap->lent.added, note);
    return true;
}

size_t emma__lent_collect(emma_heap *heap) {
    emma_lent *lent = &heap->lent;
    if (lent->sourced == 0 || !emma__lent_claim(lent))
        return 0;
    emma__source_drop_empty(lent->sourced, lent->fit);
    return emma__lent_unclaim(lent);
}

void emma__lent_end(emma_heap *heap) {
    if (ATOMIC_LOAD(&heap->lent.lent_bytes, relaxed) != 0)
        emma__ranges_remove(&emma__heap_directory(heap)->ranges, heap, 0, UINTPTR_MAX);
    if (heap->lent.sourced != 0) {
        take_in_ranges(&heap->lent);
        emma__source_end(heap);
    }
}

/* Every pool is one free block. */
static void empty_pools(emma_fit *fit) {
    emma_fit_pool *next;
    emma_fit_pool *pool = fit->pools;
    emma_fit_init(fit);
    for (; pool != 0; pool = next) {
        next = pool->next;
        emma_fit_add_pool(fit, pool, pool->bytes, 0);
    }
}

void emma__lent_reset(emma_heap *heap) {
    emma_lent *lent = &heap->lent;
    if (ATOMIC_LOAD(&lent->lent_bytes, relaxed) == 0)
        return;
    ATOMIC_STORE(&lent->freed, 0, relaxed);
    ATOMIC_STORE(&lent->claim.is_held, 1, relaxed);
    empty_pools(lent->fit);
    take_in(lent);
    emma__lent_unclaim(lent);
}

/* A block, and what is known of it. */
typedef struct found {
    void *block;
    size_t usable_bytes;
    size_t dirty_bytes; /* from its start: the rest is zero, but for the last word */
} found;

/* Returns: false iff the claim could not be had. */
static bool alloc_once(emma_lent *lent, size_t size_bytes, size_t align_bytes, found *out) {
    if (!emma__lent_claim(lent))
        return false;
    out->block = emma_fit_allocate(lent->fit, size_bytes, align_bytes);
    out->usable_bytes = emma_fit_usable_size(lent->fit, out->block);
    out->dirty_bytes = out->usable_bytes;
    if (lent->sourced != 0 && out->block != 0) {
        out->dirty_bytes = emma__source_dirty_bytes(lent->sourced, out->block, out->usable_bytes);
        emma__source_touch(lent->sourced, out->block, out->usable_bytes);
    }
    emma__lent_unclaim(lent);
    return true;
}

static found alloc(emma_heap *heap, size_t size_bytes, size_t align_bytes) {
    emma_lent *lent = &heap->lent;
    found out = {0, 0, 0};
    if (EMMA_LIKELY(ATOMIC_LOAD(&lent->lent_bytes, relaxed) == 0) || size_bytes > PTRDIFF_MAX)
        return out;
    size_bytes = size_bytes != 0 ? size_bytes : 1;
    align_bytes = align_bytes > EMMA_BLOCK_ALIGN ? align_bytes : EMMA_BLOCK_ALIGN;
    for (unsigned try = 0; try < GROW_TRIES; try++) { /* others may take what was added */
        if (!alloc_once(lent, size_bytes, align_bytes, &out) || out.block != 0 || lent->sourced == 0 ||
            !emma__source_grow(heap, size_bytes, align_bytes))
            break;
    }
    return out;
}

void *emma__lent_alloc(emma_heap *heap, size_t size_bytes, size_t align_bytes) {
    return alloc(heap, size_bytes, align_bytes).block;
}

void *emma__lent_alloc_zeroed(emma_heap *heap, size_t size_bytes) {
    found out = alloc(heap, size_bytes, 1);
    if (out.block == 0)
        return 0;
    __builtin_memset(out.block, 0, out.dirty_bytes);
    *(size_t *)((uintptr_t)out.block + out.usable_bytes - sizeof(size_t)) = 0; // NOLINT(performance-no-int-to-ptr)
    return out.block;
}

bool emma__lent_free(emma_heap *heap, void *block) {
    emma_lent *lent = &heap->lent;
    if (!emma__claim_try(&lent->claim)) {
        leave(lent, &lent->freed, block);
        return true;
    }
    take_in(lent);
    emma_bare_error error = free_claimed(lent, block);
    emma__lent_unclaim(lent);
    return error == EMMA_BARE_OK;
}

bool emma__lent_resize(emma_heap *heap, void *block, size_t size_bytes) {
    emma_lent *lent = &heap->lent;
    if (!emma__lent_claim(lent))
        return false;
    bool done = emma_fit_resize(lent->fit, block, size_bytes);
    if (done && lent->sourced != 0)
        emma__source_touch(lent->sourced, block, emma_fit_usable_size(lent->fit, block));
    emma__lent_unclaim(lent);
    return done;
}
