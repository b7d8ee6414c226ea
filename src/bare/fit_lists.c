/* fit_lists.c: see fit_lists.h. */
#include "bare/fit_lists.h"

EMMA_STATIC_ASSERT(EMMA_FIT_COLUMNS == 1 << EMMA__FIT_LISTS_COLUMNS_LOG2, "rows double");
EMMA_STATIC_ASSERT(EMMA_FIT_COLUMNS == 8 * sizeof(uint16_t), "a row's lists are the bits of one mask");
EMMA_STATIC_ASSERT(EMMA_FIT_ROWS <= 32, "the rows are the bits of one mask");

emma_fit_place emma__fit_lists_place(size_t size_bytes) {
    size_t granules = size_bytes / EMMA_FIT_GRANULE;
    if (granules < EMMA_FIT_COLUMNS)
        return (emma_fit_place){0, (unsigned)granules};
    unsigned shift = emma__bare_word_highest(granules) - EMMA__FIT_LISTS_COLUMNS_LOG2;
    return (emma_fit_place){shift + 1, (unsigned)(granules >> shift) - EMMA_FIT_COLUMNS};
}

void emma__fit_lists_insert(emma_fit *fit, emma_fit_block *block, size_t size_bytes) {
    emma_fit_place place = emma__fit_lists_place(size_bytes);
    emma_fit_block *first = fit->lists[place.row][place.column];
    block->next_free = first;
    block->previous_free = NULL;
    if (first != NULL)
        first->previous_free = block;
    fit->lists[place.row][place.column] = block;
    fit->columns[place.row] = (uint16_t)(fit->columns[place.row] | 1u << place.column);
    fit->rows |= UINT32_C(1) << place.row;
}

/* Take the first block out of a list. */
static void pop(emma_fit *fit, emma_fit_place place, const emma_fit_block *first) {
    emma_fit_block *next = first->next_free;
    fit->lists[place.row][place.column] = next;
    if (next != NULL) {
        next->previous_free = NULL;
        return;
    }
    fit->columns[place.row] = (uint16_t)(fit->columns[place.row] & ~(1u << place.column));
    if (fit->columns[place.row] == 0)
        fit->rows &= ~(UINT32_C(1) << place.row);
}

void emma__fit_lists_remove(emma_fit *fit, emma_fit_block *block) {
    emma_fit_block *next = block->next_free;
    if (block->previous_free == NULL) {
        pop(fit, emma__fit_lists_place(emma__fit_block_size(block)), block);
        return;
    }
    block->previous_free->next_free = next;
    if (next != NULL)
        next->previous_free = block->previous_free;
}

emma_fit_block *emma__fit_lists_take(emma_fit *fit, size_t size_bytes) {
    emma_fit_place place = emma__fit_lists_place(size_bytes);
    emma_fit_block *block = fit->lists[place.row][place.column];
    if (block == NULL || emma__fit_block_size(block) < size_bytes) {
        unsigned columns = fit->columns[place.row] & ~0u << (place.column + 1);
        if (columns == 0) {
            uint32_t rows = fit->rows & ~UINT32_C(1) << place.row;
            if (rows == 0)
                return NULL;
            place.row = emma__bare_word_lowest(rows);
            columns = fit->columns[place.row];
        }
        place.column = emma__bare_word_lowest(columns);
        block = fit->lists[place.row][place.column];
    }
    pop(fit, place, block);
    return block;
}
