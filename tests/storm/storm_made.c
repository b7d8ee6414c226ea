/* storm_made.c: the functions under test of programs with STORM_MADE: two made heaps by turns, one with CPU caches and one
 * without, made before the first case. */
#undef STORM_MADE
#define STORM_MADE 1
#include "emma_heap.h"
#include "storm.h"

enum { WITH_CPU_CACHES, WITHOUT, HEAPS };

static emma_heap *heaps[HEAPS];
static _Atomic(bool) is_without_cpu;
static _Atomic(size_t) turn;

static __attribute__((constructor)) void make_heaps(void) {
    heaps[WITH_CPU_CACHES] = emma_heap_create(NULL);
    heaps[WITHOUT] = emma_heap_create(&(emma_heap_config){.flags = EMMA_HEAP_NO_CPU_CACHES});
    if (heaps[WITH_CPU_CACHES] == NULL || heaps[WITHOUT] == NULL)
        __builtin_trap();
}

static emma_heap *next_heap(void) {
    size_t number = atomic_fetch_add_explicit(&turn, 1, memory_order_relaxed);
    return heaps[atomic_load(&is_without_cpu) ? (size_t)WITHOUT : number % HEAPS];
}

void storm_without_cpu(void) {
    atomic_store(&is_without_cpu, true);
}

void *storm_malloc(size_t size) {
    return emma_heap_malloc(next_heap(), size);
}

void *storm_calloc(size_t count, size_t size) {
    return emma_heap_calloc(next_heap(), count, size);
}

void *storm_realloc(void *block, size_t size) {
    return block != NULL ? emma_realloc(block, size) : storm_malloc(size);
}

void *storm_aligned_alloc(size_t align, size_t size) {
    return emma_heap_aligned_alloc(next_heap(), align, size);
}

/* By the heap's own free where it is its block, as half of all programs would. */
void storm_free(void *block) {
    emma_heap *heap = emma_heap_of(block);
    if (heap == heaps[WITH_CPU_CACHES])
        emma_heap_free(heap, block);
    else
        emma_free(block);
}

size_t storm_collect(void) {
    size_t bytes = 0;
    for (size_t i = 0; i < HEAPS; i++)
        bytes += emma_heap_collect(heaps[i]);
    return bytes;
}

void storm_stats(emma_stats *sum) {
    emma_heap_stats one;
    emma_heap_stats_read(heaps[WITHOUT], &one);
    *sum = one.of;
    emma_heap_stats_read(heaps[WITH_CPU_CACHES], &one);
    sum->allocated_bytes += one.of.allocated_bytes;
    sum->mapped_bytes += one.of.mapped_bytes;
}
