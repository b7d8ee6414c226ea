/* heap_work.h: what the tests of made heaps share: random operations on a heap beside a shadow table, and what the system
 * says of the memory of one heap.
 *
 * Blocks of a table are filled with a pattern of their address, size and heap: a word in each page, and both ends. Nothing
 * here allocates but from the heap under test; all but heap_work_maps may run in a signal handler. */
#ifndef EMMA_HEAP_WORK_H
#define EMMA_HEAP_WORK_H

#include "../storm/storm.h"
#include "emma_heap.h"

enum { HEAP_WORK_SLOTS = 256 };

typedef struct heap_slot {
    unsigned char *at;
    size_t size_bytes;
} heap_slot;

typedef struct heap_work {
    emma_heap *heap;
    uint64_t random;
    size_t least_bytes; /* of a block */
    size_t most_bytes;
    size_t most_live;  /* slots that are used, at most HEAP_WORK_SLOTS */
    size_t refused;    /* allocations that were */
    size_t live_bytes; /* sum of usable sizes */
    heap_slot slot[HEAP_WORK_SLOTS];
} heap_work;

static inline heap_work heap_work_new(emma_heap *heap, uint64_t seed) {
    return (heap_work){
        .heap = heap, .random = seed, .least_bytes = 1, .most_bytes = 100000, .most_live = HEAP_WORK_SLOTS};
}

/* So many operations of all kinds; a refusal is counted, and nothing else may have changed then. */
void heap_work_run(heap_work *work, size_t operations);

/* Check all blocks; and free them. */
void heap_work_check(const heap_work *work);
void heap_work_end(heap_work *work);

/* The pattern. */
void heap_work_fill(unsigned char *at, size_t size_bytes, const emma_heap *heap);
bool heap_work_is_filled(const unsigned char *at, size_t size_bytes, const emma_heap *heap);
bool heap_work_is_zero(const unsigned char *at, size_t size_bytes);

/* Run a function in so many threads at once, each with its number, from 1 on, and wait for them. At most 16. */
void heap_work_in_threads(size_t count, void *body(void *number));

emma_heap_stats heap_work_stats(emma_heap *heap);

/* Bytes of the pages of this heap that are in memory, as the system says: its tracts, headers and huge blocks. Where that is
 * no more than what is committed, it may be a little too much. */
size_t heap_work_resident(emma_heap *heap);

/* Have emma map its records of huge blocks for the next 64 GiB of addresses at least: these mappings stay. */
void heap_work_map_records(void);

/* How many mappings this process has. */
size_t heap_work_maps(void);

/* The addresses of all mappings but stacks: equal before and after iff all of this is equal. Requires: nobody else maps. */
uint64_t heap_work_maps_hash(void);

#endif
