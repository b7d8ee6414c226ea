/* purge_test.c: purge/purge.h and janitor.c: when memory goes back, how much, and that no live byte goes with it. */
#include "purge/purge.h"

#include "../tap.h"
#include "plat/plat.h"
#include "unit.h"

#define LUMP      ((size_t)65536) /* whole slices, and too large for a class */
#define LARGE_MAX ((size_t)EMMA_RUN_MAX_SLICES * EMMA_SLICE_BYTES)

enum { HELD_MAX = 30000 };

static emma_heap heap = EMMA_HEAP_INITIAL(&unit_directory, unit_shelves, 0);
static emma_thread thread = EMMA_THREAD_INITIAL;
static const emma_thread initial = EMMA_THREAD_INITIAL;
static void *held[HELD_MAX];

static void fresh(void) {
    unit_heap_reset(&heap);
    thread = initial;
}

static emma_regions *regions(void) {
    return emma__heap_regions(&heap);
}

static size_t dirty_bytes(void) {
    return regions()->dirty_slices * EMMA_SLICE_BYTES;
}

/* Resident bytes of everything the heap has mapped in tracts. */
static size_t resident_bytes(void) {
    size_t pages = 0;
    emma_tract *tract = emma__regions_next_tract(regions(), 0);
    for (; tract != 0; tract = emma__regions_next_tract(regions(), tract))
        pages += unit_resident_pages((uintptr_t)tract, tract->mapped_slices * (size_t)EMMA_SLICE_BYTES);
    return pages * emma__regions_page_bytes(regions());
}

static void free_and_tick(void *block) {
    unit_free(&heap, &thread, block);
    emma__purge_tick(&heap, &thread);
}

static void *alloc_filled(size_t size, uint64_t seed) {
    void *block = unit_alloc(&heap, &thread, size);
    OK(block != 0);
    unit_fill(block, size, seed);
    return block;
}

/* However much is freed, so much stays dirty at most. */
static void dirty_memory_is_bounded(void) {
    fresh();
    size_t size = 8 * LUMP;
    unsigned count = (unsigned)(((EMMA_TORTURE ? 4 : 64) << 20) / size);
    for (unsigned i = 0; i < count; i++)
        held[i] = alloc_filled(size, i);
    for (unsigned i = 0; i < count && tap.failures == 0; i++) {
        free_and_tick(held[i]);
        OK(dirty_bytes() <= emma__purge_bound(&heap) + EMMA_TICK_SLICES * (size_t)EMMA_SLICE_BYTES + size);
        OK(unit_heap_sound(&heap, 0));
    }
    OK(emma__purge_bound(&heap) >= heap.purge.dirty_bytes);
    OK(resident_bytes() <= emma__purge_bound(&heap) + (4 << 20));
}

static void the_bound_is_an_option(void) {
    fresh();
    IS(emma__purge_bound(&heap), heap.purge.dirty_bytes);
    heap.purge.patience = 1; /* a purge was regretted */
    IS(emma__purge_bound(&heap), 3 * heap.purge.dirty_bytes);
    heap.purge.dirty_bytes = 8 << 20; /* as far as there is room in the 16 MiB */
    OK(emma__purge_bound(&heap) > heap.purge.dirty_bytes && emma__purge_bound(&heap) <= 14 << 20);
    fresh();
    heap.purge.dirty_bytes = 0;
    for (unsigned i = 0; i < 40; i++)
        held[i] = alloc_filled(4 * LUMP, i);
    for (unsigned i = 0; i < 40; i++)
        free_and_tick(held[i]);
    /* A chunk goes when all of it is free: the first one of a tract, and the one that is freed at the moment, may stay. */
    size_t part_bytes = EMMA_TICK_SLICES * (size_t)EMMA_SLICE_BYTES + 2 * (size_t)EMMA_CHUNK_BYTES;
    OK(dirty_bytes() <= emma__purge_bound(&heap) + part_bytes);
    fresh();
    heap.purge.dirty_bytes = SIZE_MAX / 4;
    regions()->now_seconds = emma__plat_seconds(); /* or else all is old at the first tick */
    for (unsigned i = 0; i < 40; i++)
        held[i] = alloc_filled(4 * LUMP, i);
    size_t before = resident_bytes();
    for (unsigned i = 0; i < 40; i++)
        free_and_tick(held[i]);
    OK(resident_bytes() >= before - 8 * LUMP); /* but for what compaction may take */
}

/* The highest address goes first: what is reused soonest stays; and whole chunks before parts of them. No more than was
 * asked for, but for the last chunk. */
static void purges_from_the_top(void) {
    enum { BLOCK_BYTES = 2 * EMMA_CHUNK_BYTES };
    fresh();
    heap.purge.dirty_bytes = SIZE_MAX / 4;
    uint8_t *low = alloc_filled(BLOCK_BYTES, 1);
    uint8_t *middle = alloc_filled(BLOCK_BYTES, 2);
    uint8_t *high = alloc_filled(BLOCK_BYTES, 3);
    OK(low < middle && middle < high);
    unit_free(&heap, &thread, low);
    unit_free(&heap, &thread, high);
    size_t dirty = dirty_bytes();
    size_t purged = emma__purge_dirty(&heap, EMMA_CHUNK_SLICES / 2, 0, 0);
    IS(purged, EMMA_CHUNK_BYTES);
    IS(dirty_bytes(), dirty - purged);
    OK(unit_resident_pages((uintptr_t)high, BLOCK_BYTES) < unit_resident_pages((uintptr_t)low, BLOCK_BYTES));
    OK(unit_is_filled(middle, BLOCK_BYTES, 2));
    purged += emma__purge_dirty(&heap, SIZE_MAX, 0, 0);
    IS(purged, dirty);
    IS(dirty_bytes(), 0);
    IS(emma__purge_dirty(&heap, SIZE_MAX, 0, 0), 0);
    IS(unit_resident_pages((uintptr_t)low, BLOCK_BYTES), 0);
    OK(unit_is_filled(middle, BLOCK_BYTES, 2));
    OK(unit_heap_sound(&heap, 0));
}

static void young_memory_stays(void) {
    fresh();
    heap.purge.dirty_bytes = SIZE_MAX / 4;
    void *block = alloc_filled(EMMA_CHUNK_BYTES, 1);
    regions()->now_seconds = 1000;
    unit_free(&heap, &thread, block);
    regions()->now_seconds = 1009;
    IS(emma__purge_dirty(&heap, SIZE_MAX, 10, 10), 0);
    regions()->now_seconds = 1010;
    IS(emma__purge_dirty(&heap, SIZE_MAX, 10, 10), EMMA_CHUNK_BYTES);
}

static void make_waves(void) {
    heap.purge.waves = 100;
    heap.purge.ticked_second = emma__plat_seconds();
}

/* Of a chunk of which much is in use the free part stays for a second, if the program makes waves; then it goes too. */
static void parts_of_chunks_go_later(void) {
    fresh();
    heap.purge.dirty_bytes = 0;
    make_waves(); /* or parts go at once */
    enum { CHUNKS = 8, QUARTER_BYTES = EMMA_CHUNK_BYTES / 4 };
    for (unsigned i = 0; i < 4 * CHUNKS; i++)
        held[i] = alloc_filled(QUARTER_BYTES, i);
    regions()->now_seconds = emma__plat_seconds();
    for (unsigned i = 0; i < 4 * CHUNKS; i += 2) /* about one half of each chunk */
        free_and_tick(held[i]);
    OK(dirty_bytes() >= (CHUNKS - 1) * (size_t)EMMA_CHUNK_BYTES / 2);
    IS(emma__purge_dirty(&heap, SIZE_MAX, 0, 1), 0);
    regions()->now_seconds++;
    OK(emma__purge_dirty(&heap, SIZE_MAX, 0, 1) >= (CHUNKS - 1) * (size_t)EMMA_CHUNK_BYTES / 2);
    for (unsigned i = 1; i < 4 * CHUNKS; i += 2)
        OK(unit_is_filled(held[i], QUARTER_BYTES, i));
    OK(unit_heap_sound(&heap, 0));
}

/* Fill some chunks with blocks of an eighth of one, and free of each eight the last ones, as a program that makes waves. */
static void wave_of_eighths(unsigned chunks, unsigned kept) {
    enum { EIGHTH_BYTES = EMMA_CHUNK_BYTES / 8 };
    fresh();
    heap.purge.dirty_bytes = 0;
    make_waves();
    for (unsigned i = 0; i < 8 * chunks; i++)
        held[i] = alloc_filled(EIGHTH_BYTES, i);
    regions()->now_seconds = emma__plat_seconds();
    for (unsigned i = 0; i < 8 * chunks; i++)
        if (i % 8 >= kept)
            free_and_tick(held[i]);
    for (unsigned i = 0; i < 8 * chunks; i++)
        OK(i % 8 >= kept || unit_is_filled(held[i], EIGHTH_BYTES, i));
    OK(unit_heap_sound(&heap, 0));
}

/* But where next to nothing of a chunk is used, it goes at once. */
static void mostly_free_chunks_go_at_once(void) {
    wave_of_eighths(8, 1);
    OK(dirty_bytes() <= EMMA_CHUNK_BYTES + EMMA_TICK_SLICES * (size_t)EMMA_SLICE_BYTES);
}

/* And where next to nothing lives any more, all goes at once: this may be the last call. */
static void the_end_of_a_wave_goes_at_once(void) {
    wave_of_eighths(2, 3);
    OK(dirty_bytes() <= (EMMA_TICK_SLICES + 1) * (size_t)EMMA_SLICE_BYTES + EMMA_CHUNK_BYTES / 8);
}

/* A heap of small blocks, most of them freed: spans that are empty or nearly so cost what their live blocks need. */
static void compaction_gives_pages_back(void) {
    fresh();
    unsigned count = EMMA_TORTURE ? 4000 : HELD_MAX;
    for (unsigned i = 0; i < count; i++)
        held[i] = alloc_filled(512, i);
    size_t full = resident_bytes();
    unsigned live = 0;
    for (unsigned i = 0; i < count; i++) {
        if (i % 100 == 0)
            live++;
        else
            unit_free(&heap, &thread, held[i]);
    }
    OK(unit_heap_sound(&heap, live));
    size_t purged = emma__purge_all(&heap, &thread);
    OK(purged > full / 3);
    OK(resident_bytes() + purged / 2 <= full);
    OK(unit_heap_sound(&heap, live));
    for (unsigned i = 0; i < count; i += 100)
        OK(unit_is_filled(held[i], 512, i));
    for (unsigned i = 0; i < count; i += 100)
        unit_free(&heap, &thread, held[i]);
    emma__purge_all(&heap, &thread);
    OK(unit_heap_sound(&heap, 0));
    IS(dirty_bytes(), 0);
    IS(unit_cached_blocks(&heap), 0);
    size_t tracts = emma__bits_count(regions()->first->word[0].tract);
    IS(regions()->used_slices, tracts);
    OK(resident_bytes() <= tracts * EMMA_SLICE_BYTES); /* nothing but the tracts' own */
}

static void one_compaction_at_a_time(void) {
    fresh();
    unit_free(&heap, &thread, unit_alloc(&heap, &thread, 100));
    heap.purge.compacting = 1;
    size_t cached = unit_cached_blocks(&heap);
    IS(emma__purge_compact(&heap, &thread), 0);
    IS(unit_cached_blocks(&heap), cached); /* it left everything as it was */
    heap.purge.compacting = 0;
    emma__purge_compact(&heap, &thread);
    IS(heap.purge.compacting, 0);
    IS(unit_cached_blocks(&heap), 0);
}

static void an_empty_heap_is_purged(void) {
    fresh();
    IS(emma__purge_all(&heap, &thread), 0);
    IS(emma__purge_all(&heap, 0), 0);
    emma__purge_tick(&heap, &thread);
    OK(regions()->first == 0);
}

/* A random life with ticks as in the api; patterns are kept, blocks counted. */
static void random_steps(void) {
    static size_t size_of[2000];
    uint64_t state = 31;
    size_t small = 0;
    unsigned count = 0;
    fresh();
    heap.purge.dirty_bytes = 1 << 20;
    for (unsigned step = 0; step < 30000 && tap.failures == 0; step++) {
        bool grows = step / 3000 % 2 == 0;
        if (count < 2000 && unit_random(&state) % 10 < (grows ? 6 : 3)) {
            size_t size = (size_t)(unit_random(&state) % (unit_random(&state) % 20 == 0 ? LARGE_MAX / 8 : 3000));
            held[count] = unit_alloc(&heap, &thread, size);
            emma__purge_tick(&heap, &thread);
            if (!OK(held[count] != 0))
                return;
            unit_fill(held[count], size < 128 ? size : 128, step);
            unit_fill(held[count], size < 8 ? size : 8, (uintptr_t)held[count]);
            small += size <= EMMA_SMALL_MAX_BYTES;
            size_of[count++] = size;
        } else if (count != 0) {
            unsigned i = (unsigned)(unit_random(&state) % count);
            OK(unit_is_filled(held[i], size_of[i] < 8 ? size_of[i] : 8, (uintptr_t)held[i]));
            small -= size_of[i] <= EMMA_SMALL_MAX_BYTES;
            free_and_tick(held[i]);
            held[i] = held[--count];
            size_of[i] = size_of[count];
        }
        if (step % 1000 == 999)
            emma__purge_compact(&heap, &thread);
        OK(step % 256 != 0 || unit_heap_sound(&heap, small));
    }
    OK(unit_heap_sound(&heap, small));
}

TAP_MAIN({"dirty memory is bounded at every step", dirty_memory_is_bounded},
         {"the bound is an option", the_bound_is_an_option},
         {"the highest address is purged first", purges_from_the_top}, {"young dirty memory stays", young_memory_stays},
         {"parts of chunks go a second later", parts_of_chunks_go_later},
         {"of mostly free chunks at once", mostly_free_chunks_go_at_once},
         {"at the end of a wave at once", the_end_of_a_wave_goes_at_once},
         {"compaction gives pages back", compaction_gives_pages_back},
         {"one compaction at a time", one_compaction_at_a_time}, {"an empty heap is purged", an_empty_heap_is_purged},
         {"a random life with ticks and compactions", random_steps})
