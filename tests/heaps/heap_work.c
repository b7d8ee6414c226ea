/* heap_work.c: see heap_work.h. */
#include "heap_work.h"

#include <pthread.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "heap/heap.h"

enum { PAGE = 4096, EDGE = 32 };

static uint64_t word_of(uintptr_t address, size_t size_bytes, const emma_heap *heap) {
    uint64_t state = address ^ (uint64_t)size_bytes << 40 ^ (uintptr_t)heap;
    return storm_random(&state);
}

static size_t edge(size_t size_bytes) {
    return size_bytes < EDGE ? size_bytes : EDGE;
}

void heap_work_fill(unsigned char *at, size_t size_bytes, const emma_heap *heap) {
    uint64_t word = word_of((uintptr_t)at, size_bytes, heap);
    memset(at, (int)(word & 0xff), edge(size_bytes));
    for (size_t i = EDGE; i + EDGE + sizeof word <= size_bytes; i += PAGE)
        memcpy(at + i, &word, sizeof word);
    memset(at + size_bytes - edge(size_bytes), (int)(word & 0xff), edge(size_bytes));
}

static bool has(const unsigned char *at, unsigned char byte, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        if (at[i] != byte)
            return false;
    return true;
}

bool heap_work_is_filled(const unsigned char *at, size_t size_bytes, const emma_heap *heap) {
    uint64_t word = word_of((uintptr_t)at, size_bytes, heap);
    for (size_t i = EDGE; i + EDGE + sizeof word <= size_bytes; i += PAGE)
        if (memcmp(at + i, &word, sizeof word) != 0)
            return false;
    return has(at, (unsigned char)word, edge(size_bytes)) &&
           has(at + size_bytes - edge(size_bytes), (unsigned char)word, edge(size_bytes));
}

bool heap_work_is_zero(const unsigned char *at, size_t size_bytes) {
    return size_bytes == 0 || (at[0] == 0 && memcmp(at, at + 1, size_bytes - 1) == 0);
}

static size_t random_size(heap_work *work) {
    unsigned log2 = (unsigned)storm_below(&work->random, 8);
    size_t most = work->most_bytes >> log2;
    most = most > work->least_bytes ? most : work->least_bytes;
    return work->least_bytes + storm_below(&work->random, most - work->least_bytes + 1);
}

static unsigned char *allocate(heap_work *work, size_t size_bytes) {
    size_t kind = storm_below(&work->random, 16);
    if (kind == 0) {
        unsigned char *at = emma_heap_calloc(work->heap, 1, size_bytes);
        EXPECT(at == NULL || heap_work_is_zero(at, emma_usable_size(at)));
        return at;
    }
    if (kind == 1) {
        size_t align = (size_t)16 << storm_below(&work->random, 9);
        unsigned char *at = emma_heap_aligned_alloc(work->heap, align, size_bytes);
        EXPECT((uintptr_t)at % align == 0);
        return at;
    }
    if (kind == 2) {
        void *block = NULL;
        size_t count = emma_heap_malloc_batch(work->heap, size_bytes, 1, &block);
        return count != 0 ? block : NULL;
    }
    if (kind < 6) {
        emma_session session;
        emma_session_begin(work->heap, &session);
        unsigned char *at = emma_session_malloc(&session, size_bytes);
        emma_session_end(&session);
        return at;
    }
    return emma_heap_malloc(work->heap, size_bytes);
}

static void release(heap_work *work, unsigned char *at) {
    size_t kind = storm_below(&work->random, 8);
    if (kind == 0) {
        void *blocks[2] = {NULL, at};
        emma_heap_free_batch(work->heap, 2, blocks);
    } else if (kind == 1) {
        emma_session session;
        emma_session_begin(work->heap, &session);
        emma_session_free(&session, at);
        emma_session_end(&session);
    } else if (kind < 5) {
        emma_heap_free(work->heap, at);
    } else {
        emma_free(at);
    }
}

static void keep(heap_work *work, heap_slot *slot, unsigned char *at, size_t size_bytes) {
    EXPECT((uintptr_t)at % 16 == 0 && emma_usable_size(at) >= size_bytes && emma_heap_of(at) == work->heap);
    heap_work_fill(at, size_bytes, work->heap);
    *slot = (heap_slot){at, size_bytes};
    work->live_bytes += emma_usable_size(at);
}

/* Another size, in place or not. The contents are checked as far as they are kept: the begin of the old pattern. */
static void resize(heap_work *work, heap_slot *slot) {
    size_t size = random_size(work);
    size_t before = emma_usable_size(slot->at);
    unsigned char byte = slot->at[0];
    unsigned char *at = slot->at;
    if (storm_below(&work->random, 4) == 0) {
        size_t got = emma_heap_realloc_in_place(work->heap, at, size, size);
        EXPECT(got == 0 || got >= size);
        at = got != 0 ? at : NULL;
    } else {
        at = storm_below(&work->random, 2) == 0 ? emma_realloc(at, size) : emma_heap_realloc(work->heap, at, size);
        work->refused += at == NULL;
    }
    if (at == NULL) {
        EXPECT(heap_work_is_filled(slot->at, slot->size_bytes, work->heap) && emma_usable_size(slot->at) == before);
        return;
    }
    size_t kept = slot->size_bytes < size ? slot->size_bytes : size;
    EXPECT(has(at, byte, edge(kept)));
    work->live_bytes -= before;
    keep(work, slot, at, size);
}

static void step(heap_work *work) {
    heap_slot *slot = &work->slot[storm_below(&work->random, work->most_live)];
    if (slot->at == NULL) {
        size_t size = random_size(work);
        unsigned char *at = allocate(work, size);
        if (at != NULL)
            keep(work, slot, at, size);
        else
            work->refused++;
        return;
    }
    EXPECT(heap_work_is_filled(slot->at, slot->size_bytes, work->heap));
    if (storm_below(&work->random, 4) == 0) {
        resize(work, slot);
        return;
    }
    unsigned char *at = slot->at;
    work->live_bytes -= emma_usable_size(at);
    slot->at = NULL;
    release(work, at);
}

void heap_work_run(heap_work *work, size_t operations) {
    for (size_t i = 0; i < operations; i++)
        step(work);
}

void heap_work_check(const heap_work *work) {
    for (size_t i = 0; i < HEAP_WORK_SLOTS; i++)
        if (work->slot[i].at != NULL)
            EXPECT(heap_work_is_filled(work->slot[i].at, work->slot[i].size_bytes, work->heap));
}

void heap_work_end(heap_work *work) {
    heap_work_check(work);
    for (size_t i = 0; i < HEAP_WORK_SLOTS; i++) {
        unsigned char *at = work->slot[i].at;
        work->slot[i].at = NULL;
        if (at != NULL)
            release(work, at);
    }
    work->live_bytes = 0;
}

void heap_work_in_threads(size_t count, void *body(void *number)) {
    pthread_t threads[16];
    EXPECT(count <= STORM_COUNT(threads));
    for (size_t i = 0; i < count; i++)
        EXPECT(pthread_create(&threads[i], NULL, body, (void *)(i + 1)) == 0); // NOLINT
    for (size_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

emma_heap_stats heap_work_stats(emma_heap *heap) {
    emma_heap_stats stats;
    emma_heap_stats_read(heap, &stats);
    return stats;
}

/* Call visit with each line of a file of /proc. */
static void visit_lines(const char *path, void visit(const char *line, uint64_t *state), uint64_t *state) {
    char text[8192];
    size_t length = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got;
    while (file >= 0 && (got = read(file, text + length, sizeof text - 1 - length)) > 0) {
        length += (size_t)got;
        text[length] = '\0';
        char *from = text;
        for (char *end; (end = strchr(from, '\n')) != NULL; from = end + 1) {
            *end = '\0';
            visit(from, state);
        }
        length -= (size_t)(from - text);
        memmove(text, from, length);
    }
    if (file >= 0)
        close(file);
}

/* Pages that are mapped; also those of which nothing was written yet, which all are the same page of zeroes. */
static size_t mapped_in(uintptr_t from, size_t bytes) {
    unsigned char pages[1024];
    size_t mapped = 0;
    for (size_t at = 0; at < bytes; at += sizeof pages * PAGE) {
        size_t length = bytes - at < sizeof pages * PAGE ? bytes - at : sizeof pages * PAGE;
        if (mincore((void *)(from + at), length, pages) != 0) // NOLINT
            continue;
        for (size_t i = 0; i < (length + PAGE - 1) / PAGE; i++)
            mapped += (pages[i] & 1) != 0 ? PAGE : 0;
    }
    return mapped;
}

/* state: from, end, whether the present mapping begins in [from, end), sum. */
static void add_rss(const char *line, uint64_t *state) {
    char *end;
    uint64_t address = strtoull(line, &end, 16);
    if (end != line && *end == '-')
        state[2] = address >= state[0] && address < state[1];
    else if (state[2] != 0 && strncmp(line, "Rss:", 4) == 0)
        state[3] += strtoull(line + 4, NULL, 10) * 1024;
}

static size_t resident_in(uintptr_t from, size_t bytes) {
    uint64_t state[4] = {from, from + bytes, 0, 0};
    visit_lines("/proc/self/smaps", add_rss, state);
    return state[3];
}

static size_t sum_of_region(const emma_region *region, size_t one(uintptr_t from, size_t bytes)) {
    size_t sum = region->header_bytes != 0 ? one((uintptr_t)region, region->header_bytes) : 0;
    for (unsigned slot = 0; slot < EMMA_REGION_TRACTS; slot++) {
        uintptr_t address = emma__region_slot_address(region, slot);
        if ((region->word[slot / 64].tract >> slot % 64 & 1) != 0)
            sum += one(address, (size_t)emma__tract_of(address)->mapped_slices << EMMA_SLICE_LOG2);
        if ((region->word[slot / 64].huge >> slot % 64 & 1) != 0)
            sum += one(address, emma__huge_usable(emma__huge_find(region->owner->directory, address)));
    }
    return sum;
}

static size_t sum_of(emma_heap *heap, size_t one(uintptr_t from, size_t bytes)) {
    size_t sum = 0;
    for (const emma_region *region = emma__heap_regions(heap)->first; region != NULL; region = region->next)
        sum += sum_of_region(region, one);
    return sum;
}

/* The quick way says too much, the slow one is exact. */
size_t heap_work_resident(emma_heap *heap) {
    size_t mapped = sum_of(heap, mapped_in);
    return mapped <= heap_work_stats(heap).committed_bytes ? mapped : sum_of(heap, resident_in);
}

static void count_line(const char *line, uint64_t *state) {
    *state += line[0] != '\0';
}

static void hash_line(const char *line, uint64_t *state) {
    for (line = strstr(line, "[stack") == NULL ? line : ""; *line != '\0'; line++)
        *state = (*state ^ (unsigned char)*line) * UINT64_C(0x100000001b3);
}

void heap_work_map_records(void) {
    emma_heap *heap = emma_heap_create(NULL);
    EXPECT(emma_heap_malloc(heap, (size_t)64 << 30) != NULL && emma_heap_malloc(heap, (size_t)40 << 20) != NULL);
    emma_heap_destroy(heap);
}

size_t heap_work_maps(void) {
    uint64_t count = 0;
    visit_lines("/proc/self/maps", count_line, &count);
    return (size_t)count;
}

uint64_t heap_work_maps_hash(void) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    visit_lines("/proc/self/maps", hash_line, &hash);
    return hash;
}
