/* register_test.c: a program without libc registers restartable sequences itself (plat/rseq.h), and its made heaps have CPU
 * caches. */
#include "../tap.h"
#include "../unit/unit.h"
#include "emma_heap.h"
#include "heap/heap.h"
#include "plat/rseq.h"

enum { SIZE = 64, COUNT = 1000, ARCH_SET_FS = 0x1002, SYS_arch_prctl = 158 };

static _Alignas(64) uintptr_t thread_block[16];

static void set_thread_pointer(void *pointer) {
    thread_block[0] = (uintptr_t)pointer;
#if defined(__x86_64__)
    OK(emma__syscall(SYS_arch_prctl, ARCH_SET_FS, (long)pointer, 0, 0, 0, 0) == 0);
#elif defined(__aarch64__)
    __asm__ volatile("msr tpidr_el0, %0" : : "r"(pointer) : "memory");
#else
    __asm__ volatile("mv tp, %0" : : "r"(pointer) : "memory");
#endif
}

static void fill_and_free(emma_heap *heap) {
    static void *blocks[COUNT];
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < COUNT; i++) {
            blocks[i] = emma_heap_malloc(heap, SIZE);
            OK(blocks[i] != 0);
            unit_fill(blocks[i], SIZE, i);
        }
        for (unsigned i = 0; i < COUNT; i++) {
            OK(unit_is_filled(blocks[i], SIZE, i));
            emma_heap_free(heap, blocks[i]);
        }
    }
}

static void without(void) {
    emma_heap *heap = emma_heap_create(0);
    OK(heap != 0 && !emma__cpu_is_on(&heap->cpu));
    fill_and_free(heap);
    emma_heap_destroy(heap);
}

static void registered(void) {
    set_thread_pointer(thread_block);
    if (!emma__rseq_register()) {
        without();
        tap_skip("the kernel, or the emulator, has no restartable sequences");
        return;
    }
    OK(!emma__rseq_register()); /* only once */
    emma_heap *heap = emma_heap_create(0);
    OK(heap != 0 && emma__cpu_is_on(&heap->cpu));
    fill_and_free(heap);
    OK(emma__cpu_count(&heap->cpu, emma__class_of(SIZE)) > 0);
    OK(emma__shared_count(&heap->shared, emma__class_of(SIZE)) == 0);
    emma_heap_stats stats;
    emma_heap_stats_read(heap, &stats);
    IS(stats.of.allocated_bytes, 0);
    OK(stats.of.cached_bytes > 0);
    emma_heap_collect(heap);
    emma_heap_stats_read(heap, &stats);
    IS(stats.of.cached_bytes, 0);
    emma_heap_destroy(heap);
}

TAP_MAIN({"without registration there are shared caches", without}, {"registered: the processor's cache", registered})
