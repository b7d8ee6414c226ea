/* frees.c: double frees of small blocks, and frees of what emma never gave out. */
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "misuse.h"

#define NOT_LIVE "free of what is not a live block (double free, or not from emma)"
#define NO_START "free of what is not the start of a block"

enum { MANY = 20000, SIZE = 64 };

static const uintptr_t tract_bytes = (uintptr_t)64 << 20;

static void *blocks[MANY];

static void twice_at_once(void) {
    void *block = mark(storm_malloc(SIZE));
    storm_free(block);
    storm_free(block);
}

static void twice_used(void) {
    void *block = mark(storm_malloc(SIZE));
    memset(block, 0xA5, SIZE);
    storm_free(block);
    storm_free(block);
}

static void twice_in_every_class(void) {
    for (size_t size = 1; size < 32768; size += size / 4 + 16)
        storm_free(storm_malloc(size));
    void *block = mark(storm_malloc(32768));
    storm_free(block);
    storm_free(block);
}

static void twice_after(size_t others) {
    make_blocks(blocks, others + 2, SIZE); /* the last one stays: its neighbours' span cannot go away */
    void *block = mark(blocks[others / 2]);
    storm_free(block);
    for (size_t i = 0; i <= others; i++)
        if (blocks[i] != block)
            storm_free(blocks[i]);
    storm_free(block);
}

static void twice_after_20(void) {
    twice_after(20);
}

static void twice_after_1000(void) {
    twice_after(1000);
}

/* It went home to its span, of which every second block is still in use. */
static void twice_after_thousands(void) {
    make_blocks(blocks, MANY, SIZE);
    void *block = mark(blocks[100]);
    for (size_t i = 0; i < MANY; i += 2)
        storm_free(blocks[i]);
    storm_free(block);
}

static void twice_after_its_span_went(void) {
    make_blocks(blocks, MANY, SIZE);
    void *block = mark(blocks[MANY / 2]);
    free_blocks(blocks, MANY);
    collect();
    storm_free(block);
}

static void twice_after_collect(void) {
    make_blocks(blocks, 100, SIZE);
    void *block = mark(blocks[50]);
    for (size_t i = 40; i < 60; i++)
        storm_free(blocks[i]);
    collect();
    storm_free(block);
}

/* The other thread's cache is its own: nobody may look into it. */
static pthread_barrier_t meet;

static void *free_and_stay(void *block) {
    storm_free(block);
    pthread_barrier_wait(&meet);
    pthread_barrier_wait(&meet);
    return NULL;
}

static void twice_by_two_threads(void) {
    void *block = mark(storm_malloc(SIZE));
    pthread_barrier_init(&meet, NULL, 2);
    pthread_t thread;
    MUST(pthread_create(&thread, NULL, free_and_stay, block) == 0);
    pthread_barrier_wait(&meet);
    storm_free(block);
    /* Not seen: this thread's blocks are still all different, and sound. */
    void *made[32];
    make_blocks(made, 32, SIZE);
    for (size_t i = 0; i < 32; i++)
        for (size_t j = 0; j < i; j++)
            MUST(made[i] != made[j]);
}

static void twice_after_the_thread_ended(void) {
    make_blocks(blocks, 64, SIZE);
    void *block = mark(blocks[32]);
    pthread_barrier_init(&meet, NULL, 1);
    pthread_t thread;
    MUST(pthread_create(&thread, NULL, free_and_stay, block) == 0);
    pthread_join(thread, NULL);
#if !STORM_DROP_IN
    collect(); /* nobody told emma; the record is found later. Then this may pass */
#endif
    storm_free(block);
}

static void of_the_stack(void) {
    int here = 0;
    storm_free(mark(&here));
}

static void of_static_memory(void) {
    storm_free(mark(&blocks[1]));
}

static void of_a_function(void) {
    storm_free(mark((void *)(uintptr_t)of_a_function));
}

static void of_a_mapping(void) {
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    MUST(page != MAP_FAILED);
    storm_free(mark(page));
}

static void before_the_first_malloc(void) {
    storm_free(mark((void *)0x10000));
}

static void of_a_null_page(void) {
    storm_free(mark((void *)16));
}

static void of_no_user_address(void) {
    storm_free(mark((void *)UINT64_C(0xFFFFFFFF81000000)));
}

static void of_no_address(void) {
    storm_free(mark((void *)UINT64_C(0xDEADBEEFDEADBEE0)));
}

static void of_the_last_address(void) {
    storm_free(mark((void *)UINTPTR_MAX));
}

/* The heap has this address in view, but nothing is mapped there. */
static void beyond_the_heap(void) {
    uintptr_t tract = (uintptr_t)storm_malloc(SIZE) & ~(tract_bytes - 1);
    storm_free(mark((void *)(tract + tract_bytes - 65536)));
}

static void in_a_tract_not_mapped(void) {
    uintptr_t tract = (uintptr_t)storm_malloc(SIZE) & ~(tract_bytes - 1);
    storm_free(mark((void *)(tract + 100 * tract_bytes + 64)));
}

static void of_the_heap_itself(void) {
    uintptr_t tract = (uintptr_t)storm_malloc(SIZE) & ~(tract_bytes - 1);
    storm_free(mark((void *)tract));
}

static void inside_a_small_block(void) {
    char *block = storm_malloc(256);
    storm_free(mark(block + 16));
    collect();
}

static void beside_a_small_block(void) {
    char *block = storm_malloc(256);
    memset(block, 0, 256);
    storm_free(mark(block + 1));
    collect();
}

/* Found out without any collect, when the magazine goes home. */
static void inside_a_small_block_later(void) {
    make_blocks(blocks, MANY, 256);
    memset(blocks[0], 0, 256);
    free_blocks(blocks + 1, MANY / 2);
    storm_free(mark((char *)blocks[0] + 32));
    free_blocks(blocks + 1 + MANY / 2, MANY / 2 - 1);
}

const misuse misuse_frees[] = {
    {"double free at once", twice_at_once, DIES, "double free"},
    {"double free of a block that was used", twice_used, DIES, "double free"},
    {"double free of the largest small block", twice_in_every_class, DIES, "double free"},
    {"double free after 20 others", twice_after_20, DIES, "double free"},
    {"double free after 1000 others", twice_after_1000, DIES, "double free"},
    {"double free after 10000 others, in a span in use", twice_after_thousands, DIES, "double free"},
    {"double free after its span is gone", twice_after_its_span_went, DIES, NOT_LIVE},
    {"double free after a collect", twice_after_collect, DIES, "double free"},
    {"double free of what is in another thread's cache", twice_by_two_threads, DIES_OR_PASSES, "double free"},
    {"double free of what another thread freed before it ended", twice_after_the_thread_ended,
     STORM_DROP_IN ? DIES : DIES_OR_PASSES, "double free"},
    {"free of the stack", of_the_stack, DIES, NOT_LIVE},
    {"free of static memory", of_static_memory, DIES, NOT_LIVE},
    {"free of a function", of_a_function, DIES, NOT_LIVE},
    {"free of a mapping of the program's", of_a_mapping, DIES, NOT_LIVE},
    {"free before the first malloc", before_the_first_malloc, DIES, NOT_LIVE},
    {"free in the page of NULL", of_a_null_page, DIES, NOT_LIVE},
    {"free of a kernel address", of_no_user_address, DIES, NOT_LIVE},
    {"free of an address that cannot be", of_no_address, DIES, NOT_LIVE},
    {"free of the last address", of_the_last_address, DIES, NOT_LIVE},
    {"free beyond the end of the heap", beyond_the_heap, DIES, NOT_LIVE},
    {"free in a part of the heap's window never mapped", in_a_tract_not_mapped, DIES, NOT_LIVE},
    {"free of the heap's own records", of_the_heap_itself, DIES, NOT_LIVE},
    {"free inside a small block, seen by collect", inside_a_small_block, DIES, NO_START},
    {"free beside a small block, seen by collect", beside_a_small_block, DIES, NO_START},
    {"free inside a small block, seen later", inside_a_small_block_later, DIES, NO_START},
};
const size_t misuse_frees_count = STORM_COUNT(misuse_frees);
