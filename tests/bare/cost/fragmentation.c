/* fragmentation.c: how much memory fit and buddy need for a load, in parts of the load itself. Anybody can run it:
 * make bare-fragmentation. docs/BARE.md explains the figures.
 *
 * A load is a sequence of allocations and frees whose live bytes stay near a level once it is reached. For each load
 * and allocator the smallest region in which every request is served is found by bisection; what it has beyond the most
 * bytes that were ever live is its fragmentation, all rounding and metadata included. */
#include "emma_bare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIVE_MAX = 4096, STEPS = 100000, REGION_MAX = 64 << 20, GRAIN = 4096 };

typedef struct load {
    const char *name;
    size_t level; /* live bytes to hover at */
    size_t (*size)(uint64_t dice);
} load;

static uint64_t state;

static uint64_t dice(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * UINT64_C(2685821657736338717) >> 16;
}

static size_t uniform_small(uint64_t d) {
    return 16 + d % 497;
}

static size_t uniform_wide(uint64_t d) {
    return 64 + d % 65473;
}

/* Each octave from 16 to 32 Ki as likely as the others. */
static size_t octaves(uint64_t d) {
    size_t octave = (size_t)16 << d % 11;
    return octave + (d >> 8) % octave;
}

/* Messages of a few kinds, as a protocol has. */
static size_t kinds(uint64_t d) {
    static const size_t sizes[] = {24, 48, 48, 72, 128, 264, 512, 1500, 1500, 4104};
    return sizes[d % 10];
}

static const load loads[] = {
    {"small, 16 to 512, uniform", 1 << 18, uniform_small},
    {"wide, 64 to 64 Ki, uniform", 1 << 22, uniform_wide},
    {"each octave from 16 to 32 Ki alike", 1 << 21, octaves},
    {"messages of eight sizes", 1 << 20, kinds},
};

static unsigned char *region;
static size_t *metadata;
static size_t metadata_bytes;
static void *live[LIVE_MAX];
static size_t sizes[LIVE_MAX];

static emma_fit fit;
static emma_buddy buddy;

/* The allocator under test, as a backing. Returns: the memory it needs for a region of that size, 0 if impossible. */
static size_t start_fit(size_t bytes, emma_backing *backing) {
    emma_fit_init(&fit);
    if (emma_fit_add_pool(&fit, region, bytes, NULL) != EMMA_BARE_OK)
        return 0;
    *backing = emma_fit_backing(&fit);
    return bytes + sizeof fit;
}

static size_t start_buddy(size_t bytes, emma_backing *backing) {
    emma_buddy_config config = {1 << 16, (bytes + (1 << 16) - 1) >> 16, 13};
    emma_buddy_memory memory = {region, metadata};
    emma_layout layout;
    if (emma_buddy_metadata_layout(&config, &layout) != EMMA_BARE_OK || layout.size_bytes > metadata_bytes ||
        emma_buddy_init(&buddy, &config, memory) != EMMA_BARE_OK)
        return 0;
    *backing = emma_buddy_backing(&buddy);
    return (config.blocks << 16) + layout.size_bytes + sizeof buddy;
}

/* Returns: every request was served. *most = the most bytes live at once. */
static bool run(const load *of, const emma_backing *backing, size_t *most) {
    size_t count = 0, bytes = 0;
    state = 88172645463325252u;
    *most = 0;
    for (unsigned i = 0; i < STEPS; i++) {
        /* Above the level frees are more likely, below it allocations. */
        bool grow = dice() % 100 < (bytes < of->level ? 70 : 30);
        if (grow && count < LIVE_MAX) {
            size_t size = of->size(dice());
            live[count] = backing->allocate(backing->context, (emma_layout){size, 1});
            if (live[count] == NULL)
                return false;
            sizes[count++] = size;
            bytes += size;
            *most = bytes > *most ? bytes : *most;
        } else if (count != 0) {
            size_t index = dice() % count;
            backing->deallocate(backing->context, live[index], (emma_layout){sizes[index], 1});
            bytes -= sizes[index];
            live[index] = live[--count];
            sizes[index] = sizes[count];
        }
    }
    return true;
}

static void measure(const load *of, const char *name, size_t (*start)(size_t bytes, emma_backing *backing)) {
    size_t low = 0, high = REGION_MAX, most = 0, needed = 0;
    while (high - low > GRAIN) {
        size_t middle = low + (high - low) / 2;
        emma_backing backing;
        size_t memory = start(middle, &backing);
        if (memory != 0 && run(of, &backing, &most)) {
            high = middle;
            needed = memory;
        } else {
            low = middle;
        }
    }
    if (needed == 0) {
        printf("%-36s %-6s not served\n", of->name, name);
        exit(1);
    }
    printf("%-36s %-6s %9zu live  %9zu needed  %5.1f %%\n", of->name, name, most, needed,
           100.0 * (double)(needed - most) / (double)most);
}

int main(void) {
    region = aligned_alloc(1 << 16, REGION_MAX);
    metadata_bytes = REGION_MAX / 16;
    metadata = malloc(metadata_bytes);
    if (region == NULL || metadata == NULL)
        return 1;
    for (size_t i = 0; i < sizeof loads / sizeof loads[0]; i++) {
        measure(&loads[i], "fit", start_fit);
        measure(&loads[i], "buddy", start_buddy);
    }
    free(metadata);
    free(region);
    return 0;
}
