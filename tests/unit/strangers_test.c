/* strangers_test.c: cache/magazines.h: blocks that other threads made, where several lie in a line of the processor's
 * caches. */
#include "../tap.h"
#include "cache/magazines.h"
#include "unit.h"

static emma_heap heap = EMMA_HEAP_INITIAL(&unit_directory, unit_shelves, 0);
static emma_magazines cache;

#define DEPOT (&heap.depot)

static void fresh(void) {
    unit_heap_reset(&heap);
    __builtin_memset((void *)&cache, 0, sizeof cache);
}

/* Blocks that share lines of the processor's caches: what strangers made goes home, and is not given out again. */
static void no_false_sharing(void) {
    enum { LINE_BYTES = EMMA_CACHE_SHARED_BYTES, GIVEN = 12, OWN = 40 };
    for (unsigned class = 1; class < 4; class ++) {
        fresh();
        unsigned count = 0;
        emma_chain strangers = emma__spans_refill(&heap.depot.spans, class, 2 * GIVEN, 2 * GIVEN, &count);
        uintptr_t kept[GIVEN];
        for (unsigned i = 0; i < 2 * GIVEN; i++) { /* every second one is handed over and freed */
            void *block = emma__chain_pop(&strangers);
            if (i % 2 == 0)
                kept[i / 2] = (uintptr_t)block;
            else
                emma__magazines_free(&cache, DEPOT, class, block);
        }
        IS(emma__magazines_count(&cache, class), 0);
        for (unsigned i = 0; i < OWN; i++) {
            uintptr_t own = (uintptr_t)emma__magazines_alloc(&cache, DEPOT, class);
            for (unsigned k = 0; k < GIVEN; k++)
                OK(own / LINE_BYTES != kept[k] / LINE_BYTES);
        }
    }
}

/* But who only frees has magazines in the end. */
static void consumers_have_magazines(void) {
    fresh();
    unsigned total = 0;
    while (total < 2 * EMMA_CACHE_STRANGERS_MAX) {
        unsigned count = 0;
        emma_chain chain = emma__spans_refill(&heap.depot.spans, 1, 100, 100, &count);
        total += count;
        while (count-- > 0)
            emma__magazines_free(&cache, DEPOT, 1, emma__chain_pop(&chain));
    }
    OK(emma__magazines_count(&cache, 1) > 0);
}

/* Larger blocks do not share lines: they are cached, whoever made them. */
static void large_blocks_are_cached(void) {
    fresh();
    for (unsigned class = EMMA_CACHE_SHARED_BYTES / EMMA_BLOCK_ALIGN; class < EMMA_CLASS_COUNT; class += 7) {
        unsigned count = 0;
        emma_chain chain = emma__spans_refill(&heap.depot.spans, class, 1, 1, &count);
        void *block = emma__chain_pop(&chain);
        emma__magazines_free(&cache, DEPOT, class, block);
        OK(emma__magazines_contain(&cache, class, block));
    }
}

TAP_MAIN({"blocks of strangers go home, and lines are a thread's own", no_false_sharing},
         {"who only frees has magazines", consumers_have_magazines},
         {"blocks that share no line are cached", large_blocks_are_cached})
