/* unit.h: what the unit tests share: heaps of their own, the invariants of the span layer counted out, processes that
 * are expected to die, and a few system calls that only tests need. No libc. */
#ifndef EMMA_TESTS_UNIT_H
#define EMMA_TESTS_UNIT_H

#include "heap/heap.h"

/* The directory of all heaps of a test program. */
extern emma_directory unit_directory;
extern emma_shelf unit_shelves[EMMA_CLASS_COUNT]; /* of the one heap that most tests have */

/* No memory yet, and what it had given back to the system. Huge blocks must have been released before. */
void unit_regions_reset(emma_regions *regions);
void unit_heap_reset(emma_heap *heap);

/* Allocate and free as the api does; thread may be NULL. */
void *unit_alloc(emma_heap *heap, emma_thread *thread, size_t size_bytes);
void *unit_alloc_aligned(emma_heap *heap, emma_thread *thread, size_t size_bytes, size_t align_bytes);
void unit_free(emma_heap *heap, emma_thread *thread, void *block);

/* What the spans of a heap hold, counted by walking every chain. */
typedef struct unit_census {
    size_t spans[EMMA_CLASS_COUNT];
    size_t out[EMMA_CLASS_COUNT];
    size_t large_runs;
    size_t owned; /* spans in somebody's hand; their chains are not looked at */
} unit_census;

/* Returns: false iff some span breaks an invariant of span.h: its record is invalid; a free block is not a block of it,
 * or is found twice; out + head + local + uncarved is not the number of its blocks; it is offered but no bit leads to
 * it; its class bytes or slices_before are wrong. Requires: nobody else uses the heap. */
bool unit_spans_sound(emma_spans *spans, unit_census *census);

/* The same, and every block that is out is either cached or one of the live blocks; no class has more out than that. */
bool unit_heap_sound(emma_heap *heap, size_t live_small_blocks);

/* How many blocks of any class caches and depot hold; CPU caches alone. */
size_t unit_cached_blocks(const emma_heap *heap);
size_t unit_cpu_blocks(const emma_cpu *cpu);

/* Fill a block so that another block, or another size, would not pass as it. */
void unit_fill(void *block, size_t size_bytes, uint64_t seed);
bool unit_is_filled(const void *block, size_t size_bytes, uint64_t seed);
bool unit_is_zero(const void *block, size_t size_bytes);

/* Numbers without a pattern; *state is any value but 0. */
uint64_t unit_random(uint64_t *state);

/* How many pages of a mapped range are in memory. */
size_t unit_resident_pages(uintptr_t address, size_t size_bytes);

/* Run act in a child process. Returns: whether it died of SIGABRT, having written message to standard error. */
bool unit_dies(void (*act)(void), const char *message);

/* Run act in a child process. Returns: what it returned (0 .. 255), or -1 if it died. */
int unit_in_child(int (*act)(void));

static inline void *unit_pointer(uintptr_t address) {
    return (void *)address;
}

#endif
