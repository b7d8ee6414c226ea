/* source.c: see source.h. */
#include "heap/source.h"

#include "bare/fit_block.h"
#include "base/check.h"
#include "heap/heap.h"

/* What a piece has beside the memory of one block, whose alignment is to be added. */
enum { FRAME_BYTES = sizeof(emma_piece) + 128 };

static void give_back(const emma_source *source, emma_piece *piece, size_t size_bytes) {
    if (source->decommit != 0)
        source->decommit(piece, size_bytes, source->context);
    if (source->release != 0)
        source->release(piece, size_bytes, source->context);
}

/* Returns: where a piece may be made, or 0. Nothing is written there: it may be lent already, which is then found. */
static emma_piece *reserve(const emma_source *source, size_t size_bytes, bool *is_zeroed) {
    int zeroed = 0;
    void *memory = source->reserve(size_bytes, EMMA_SOURCE_ALIGN, &zeroed, source->context);
    if (memory == 0)
        return 0;
    *is_zeroed = zeroed != 0;
    if ((uintptr_t)memory % EMMA_SOURCE_ALIGN != 0 ||
        (source->commit != 0 && source->commit(memory, size_bytes, source->context) == 0)) {
        if (source->release != 0)
            source->release(memory, size_bytes, source->context);
        return 0;
    }
    return memory;
}

/* Copy as much as is known. Returns: false iff the caller asks for more than that. */
static bool understand(const emma_source *given, emma_source *known) {
    size_t size = given->size != 0 ? given->size : sizeof *known;
    for (size_t i = sizeof *known; i < size; i++)
        if (((const unsigned char *)given)[i] != 0)
            return false;
    *known = (emma_source){0};
    __builtin_memcpy(known, given, size < sizeof *known ? size : sizeof *known);
    return known->reserve != 0;
}

emma_heap *emma__source_make(emma_directory *directory, const emma_source *source, size_t limit_bytes) {
    size_t size_bytes = (size_t)1 << EMMA_SOURCE_FIRST_LOG2;
    size_bytes =
        limit_bytes != 0 && limit_bytes < size_bytes ? limit_bytes / EMMA_SOURCE_ALIGN * EMMA_SOURCE_ALIGN : size_bytes;
    emma_source known;
    if (!understand(source, &known))
        return 0;
    bool is_zeroed;
    emma_piece *piece = reserve(&known, size_bytes, &is_zeroed);
    if (piece == 0)
        return 0;
    emma_sourced *sourced = (emma_sourced *)(piece + 1);
    emma_heap *heap =
        emma__lent_make(directory, (uintptr_t)(sourced + 1), size_bytes - sizeof *piece - sizeof *sourced);
    if (heap == 0) {
        give_back(&known, piece, size_bytes);
        return 0;
    }
    *piece = (emma_piece){0, size_bytes};
    *sourced = (emma_sourced){.source = known, .pieces = piece};
    ATOMIC_STORE(&sourced->commit.limit_bytes, limit_bytes, relaxed);
    emma__commit_charge(&sourced->commit, size_bytes);
    ATOMIC_STORE(&sourced->next_log2, EMMA_SOURCE_FIRST_LOG2, relaxed);
    heap->lent.sourced = sourced;
    return heap;
}

/* Returns: the bytes to reserve, charged against the limit; 0 iff that has no room for them. */
static size_t charge(emma_sourced *sourced, size_t least_bytes) {
    size_t usual = (size_t)1 << ATOMIC_LOAD(&sourced->next_log2, relaxed);
    for (; usual > least_bytes; usual /= 2) /* near the limit, less */
        if (emma__commit_charge(&sourced->commit, usual))
            return usual;
    return emma__commit_charge(&sourced->commit, least_bytes) ? least_bytes : 0;
}

bool emma__source_grow(emma_heap *heap, size_t size_bytes, size_t align_bytes) {
    emma_sourced *sourced = heap->lent.sourced;
    if (size_bytes > PTRDIFF_MAX / 4 || align_bytes > PTRDIFF_MAX / 4)
        return false;
    size_t least = size_bytes + align_bytes;
    least = emma__bits_align_up(least + least / 8 + FRAME_BYTES, EMMA_SOURCE_ALIGN); /* so that the lists have it */
    size_t bytes = charge(sourced, least);
    if (bytes == 0)
        return false;
    bool is_zeroed;
    emma_piece *piece = reserve(&sourced->source, bytes, &is_zeroed);
    if (piece == 0 && bytes > least) {
        emma__commit_cancel(&sourced->commit, bytes - least);
        bytes = least;
        piece = reserve(&sourced->source, bytes, &is_zeroed);
    }
    if (piece == 0) {
        emma__commit_cancel(&sourced->commit, bytes);
        return false;
    }
    if (!emma__lent_add_piece(heap, piece, bytes, is_zeroed)) {
        give_back(&sourced->source, piece, bytes);
        emma__commit_cancel(&sourced->commit, bytes);
        return false;
    }
    uint32_t log2 = ATOMIC_LOAD(&sourced->next_log2, relaxed);
    if (log2 < EMMA_SOURCE_LAST_LOG2 && bytes >> log2 != 0)
        ATOMIC_STORE(&sourced->next_log2, log2 + 1, relaxed);
    return true;
}

void emma__source_add(emma_sourced *sourced, emma_piece *piece, bool is_zeroed) {
    piece->next = sourced->pieces;
    sourced->pieces = piece;
    sourced->newest = is_zeroed ? piece : 0;
    sourced->zero_from = (uintptr_t)piece + FRAME_BYTES;
}

static bool is_in_newest(const emma_sourced *sourced, const void *block) {
    const emma_piece *newest = sourced->newest;
    return newest != 0 && (uintptr_t)block - (uintptr_t)newest < newest->size_bytes;
}

void emma__source_touch(emma_sourced *sourced, const void *block, size_t usable_bytes) {
    uintptr_t reached = (uintptr_t)block + usable_bytes + sizeof(emma_fit_block);
    if (is_in_newest(sourced, block) && reached > sourced->zero_from)
        sourced->zero_from = reached;
}

size_t emma__source_dirty_bytes(const emma_sourced *sourced, const void *block, size_t usable_bytes) {
    if (!is_in_newest(sourced, block))
        return usable_bytes;
    uintptr_t address = (uintptr_t)block;
    size_t dirty = sourced->zero_from > address ? sourced->zero_from - address : 0;
    return dirty < usable_bytes ? dirty : usable_bytes;
}

/* Else a piece that is dropped would be lost. */
static bool takes_back(const emma_source *source) {
    return source->release != 0 || source->decommit != 0;
}

static emma_fit_pool *pool_of(emma_piece *piece) {
    uintptr_t first = emma__bits_align_up((uintptr_t)(piece + 1) + sizeof(size_t), EMMA_FIT_GRANULE);
    return (emma_fit_pool *)(first - sizeof(size_t)); // NOLINT(performance-no-int-to-ptr)
}

/* Take a piece out of the fit, if it is empty. */
static bool drop(emma_sourced *sourced, emma_fit *fit, emma_piece *piece) {
    emma_piece **link = &sourced->pieces;
    while (*link != piece)
        link = &(*link)->next;
    if (piece->next == 0 || !takes_back(&sourced->source) || emma_fit_remove_pool(fit, pool_of(piece)) != EMMA_BARE_OK)
        return false; /* the first one holds the heap */
    *link = piece->next;
    piece->next = sourced->gone;
    sourced->gone = piece;
    sourced->newest = sourced->newest == piece ? 0 : sourced->newest;
    sourced->spare = sourced->spare == piece ? 0 : sourced->spare;
    return true;
}

/* A piece may be empty. It is the spare one from now on; the one that was so, if it is empty still, goes. */
static void note_empty(emma_sourced *sourced, emma_fit *fit, uintptr_t address) {
    emma_piece *piece = sourced->pieces;
    while (piece != 0 && address - (uintptr_t)piece >= piece->size_bytes)
        piece = piece->next;
    if (piece == 0 || piece->next == 0 || piece == sourced->spare)
        return;
    if (sourced->spare != 0)
        drop(sourced, fit, sourced->spare);
    sourced->spare = piece;
}

emma_bare_error emma__source_free(emma_sourced *sourced, emma_fit *fit, void *block) {
    bool may_be_empty = false;
    uintptr_t start = 0;
    if (emma_fit_usable_size(fit, block) != 0) {
        emma_fit_block *first = emma__fit_block_of(block);
        emma_fit_block *end = emma__fit_block_next(first);
        if (emma__fit_block_has(first, EMMA__FIT_BLOCK_AFTER_FREE))
            first = emma__fit_block_before(first);
        if (emma__fit_block_has(end, EMMA__FIT_BLOCK_FREE))
            end = emma__fit_block_next(end);
        start = (uintptr_t)first;
        /* The last header of a pool has no size; the first block of one comes right behind the piece's header. */
        may_be_empty =
            emma__fit_block_size(end) == 0 && (start - sizeof(emma_fit_pool)) % EMMA_SOURCE_ALIGN <= FRAME_BYTES;
    }
    emma_bare_error error = emma_fit_deallocate(fit, block);
    if (may_be_empty && error == EMMA_BARE_OK)
        note_empty(sourced, fit, start);
    return error;
}

void emma__source_drop_empty(emma_sourced *sourced, emma_fit *fit) {
    emma_piece *next;
    for (emma_piece *piece = sourced->pieces; piece != 0; piece = next) {
        next = piece->next;
        drop(sourced, fit, piece);
    }
}

size_t emma__source_release(emma_heap *heap, emma_piece *gone) {
    emma_sourced *sourced = heap->lent.sourced;
    emma_piece *next;
    size_t released = 0;
    for (; gone != 0; gone = next) {
        next = gone->next;
        size_t size_bytes = gone->size_bytes;
        emma__ranges_remove(&emma__heap_directory(heap)->ranges, heap, (uintptr_t)gone, (uintptr_t)gone + size_bytes);
        ATOMIC_SUB(&heap->lent.lent_bytes, size_bytes, relaxed);
        give_back(&sourced->source, gone, size_bytes);
        emma__commit_refund(&sourced->commit, size_bytes);
        released += size_bytes;
    }
    return released;
}

void emma__source_end(emma_heap *heap) {
    emma_source source = heap->lent.sourced->source;
    emma_piece *next;
    for (emma_piece *piece = heap->lent.sourced->pieces; piece != 0; piece = next) {
        next = piece->next; /* the first, which holds the heap, is the last here */
        give_back(&source, piece, piece->size_bytes);
    }
}
