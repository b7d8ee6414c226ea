/* backing.h: taking the memory of a constructor from a backing, and giving it back. */
#ifndef EMMA_BARE_BACKING_H
#define EMMA_BARE_BACKING_H

#include "bare/bare_word.h"

/* *memory = memory of that layout; NULL for size 0, which is not asked for.
 * Returns: false iff the backing has none; *refused is then the layout, unless refused is NULL. */
static inline bool emma__backing_take(const emma_backing *backing, emma_layout layout, void **memory,
                                      emma_layout *refused) {
    *memory = layout.size_bytes != 0 ? backing->allocate(backing->context, layout) : NULL;
    if (*memory != NULL || layout.size_bytes == 0)
        return true;
    if (refused != NULL)
        *refused = layout;
    return false;
}

/* Requires: what take gave, or NULL. */
static inline void emma__backing_give(const emma_backing *backing, void *memory, emma_layout layout) {
    if (memory != NULL)
        backing->deallocate(backing->context, memory, layout);
}

/* Word by word: for a struct of this size some compilers call memcpy. */
static inline void emma__backing_keep(emma_backing *kept, const emma_backing *backing) {
    kept->allocate = backing->allocate;
    kept->deallocate = backing->deallocate;
    kept->context = backing->context;
}

#endif
