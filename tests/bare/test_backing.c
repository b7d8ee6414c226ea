/* test_backing.c: the backing that the tests hand to constructors. It counts, fails on request, and checks that what
 * comes back is what went out, layout and all. */
#include "suites.h"

enum { ARENA_BYTES = 1 << 15, BLOCKS_MAX = 8 };

static _Alignas(4096) unsigned char arena[ARENA_BYTES];
static struct {
    void *memory;
    emma_layout layout;
} blocks[BLOCKS_MAX];
static size_t arena_used;

size_t emma_test_backing_live;
unsigned emma_test_backing_calls;
unsigned emma_test_backing_fails_at;
emma_layout emma_test_backing_last;

void emma_test_backing_reset(void) {
    EXPECT(emma_test_backing_live == 0);
    emma_test_backing_calls = emma_test_backing_fails_at = 0;
    arena_used = 0;
}

static void *allocate(void *context, emma_layout layout) {
    EXPECT(context == arena && layout.size_bytes != 0 && emma__bare_word_is_pow2(layout.align_bytes));
    emma_test_backing_last = layout;
    if (++emma_test_backing_calls == emma_test_backing_fails_at)
        return NULL;
    size_t begin = emma__bare_word_align_up(arena_used, layout.align_bytes);
    if (layout.align_bytes > 4096 || layout.size_bytes > ARENA_BYTES || begin > ARENA_BYTES - layout.size_bytes)
        return NULL;
    for (unsigned i = 0; i < BLOCKS_MAX; i++) {
        if (blocks[i].memory != NULL)
            continue;
        blocks[i].memory = arena + begin;
        blocks[i].layout = layout;
        arena_used = begin + layout.size_bytes;
        emma_test_backing_live += layout.size_bytes;
        return arena + begin;
    }
    return NULL;
}

static void deallocate(void *context, void *memory, emma_layout layout) {
    EXPECT(context == arena);
    for (unsigned i = 0; i < BLOCKS_MAX; i++) {
        if (blocks[i].memory != memory || memory == NULL)
            continue;
        EXPECT(layout.size_bytes == blocks[i].layout.size_bytes && layout.align_bytes == blocks[i].layout.align_bytes);
        blocks[i].memory = NULL;
        emma_test_backing_live -= layout.size_bytes;
        return;
    }
    bool went_out = false;
    EXPECT(went_out); /* nothing of the kind did */
}

const emma_backing emma_test_backing = {allocate, deallocate, arena};
