/* window.c: see window.h. */
#include "region/window.h"

#include "plat/plat.h"

enum { OPEN_TRIES = 16, FOUND_TRIES = 64 };

/* Address zones where nothing else is put by kernels or sanitizers; lengths are powers of two. The second of each is
 * for small address spaces; ThreadSanitizer allows one only. */
struct zone {
    uint64_t from;
    uint64_t length;
};
static const struct zone zones[2] = {
    {UINT64_C(20) << 40, UINT64_C(8) << 40},
    {UINT64_C(64) << 30, UINT64_C(64) << 30},
};
static const struct zone made_zones[2] = {
    {UINT64_C(28) << 40, UINT64_C(32) << 40},
    {UINT64_C(64) << 30, UINT64_C(64) << 30},
};
static const struct zone thread_sanitizer_zone = {UINT64_C(0x7e8000000000), UINT64_C(1) << 39};

static const size_t classes_bytes = (size_t)EMMA_REGION_HEADER_BYTES + EMMA_REGION_CLASS_DISTANCE;

/* Place the tracts of all addresses, by their numbers, in a zone: one that is there already stays where it is. */
static uintptr_t place_in(const struct zone *zone, uint64_t number) {
    zone = EMMA_THREAD_SANITIZER ? &thread_sanitizer_zone : zone;
    return (uintptr_t)(zone->from + ((number << EMMA_TRACT_LOG2) - zone->from) % zone->length);
}

static uint64_t random_number(uintptr_t seed) {
    return (emma__plat_random_hint() ^ seed) * UINT64_C(0x9e3779b97f4a7c15) >> 8;
}

/* Map a header with class bytes at a random place. Returns: its base, or 0. */
static uintptr_t map_with_classes(uintptr_t seed) {
    uint64_t number = random_number(seed);
    for (unsigned try = 0; try < OPEN_TRIES; try++) { /* half of them in each zone */
        uintptr_t base = place_in(&zones[try * 2 / OPEN_TRIES], number);
        emma_map_result result = emma__plat_map_at(base - classes_bytes, classes_bytes);
        if (result == EMMA_MAP_DONE)
            return base;
        if (result == EMMA_MAP_REFUSED && try >= OPEN_TRIES / 2)
            break; /* in neither zone: memory is refused, not the address */
        if (result == EMMA_MAP_REFUSED)
            try = OPEN_TRIES / 2 - 1;
        number = number * UINT64_C(6364136223846793005) + 1442695040888963407;
    }
    return 0;
}

/* The first region of the default heap. */
static emma_region *open_with_classes(uintptr_t seed) {
    uintptr_t base = map_with_classes(seed);
    if (base == 0)
        return 0;
    emma_region *region = (emma_region *)(base - classes_bytes); // NOLINT(performance-no-int-to-ptr)
    region->base = base;
    region->classes = emma__region_classes(base);
    region->header_bytes = classes_bytes;
    return region;
}

/* Any other: a window in the zone of the first. */
static emma_region *open_without_classes(const emma_regions *regions, uintptr_t seed) {
    const emma_region *first = ATOMIC_LOAD(&regions->first, acquire);
    const struct zone *pair = regions->is_made ? made_zones : zones;
    emma_region *region = (emma_region *)emma__plat_map(EMMA_REGION_HEADER_BYTES); // NOLINT(performance-no-int-to-ptr)
    if (region == 0)
        return 0;
    region->base = place_in(&pair[first != 0 && first->base < pair[0].from], random_number(seed));
    region->header_bytes = EMMA_REGION_HEADER_BYTES;
    return region;
}

/* Built aside, published by one CAS; the loser gives its own back. */
emma_region *emma__window_open(emma_regions *regions, _Atomic(emma_region *) *place) {
    bool has_classes = place == &regions->first && !regions->is_made;
    emma_region *region =
        has_classes ? open_with_classes((uintptr_t)place) : open_without_classes(regions, (uintptr_t)place);
    if (region == 0)
        return 0;
    region->owner = regions;
    emma_region *present = 0;
    if (!ATOMIC_CAS(place, &present, region, acq_rel)) { /* pairs with the acquire loads of first and next */
        emma__plat_unmap((uintptr_t)region, region->header_bytes);
        return present;
    }
    if (has_classes) {
        ATOMIC_STORE(&regions->now_seconds, emma__plat_seconds(), relaxed);
        ATOMIC_STORE(&regions->base, region->base, release); /* pairs with emma__span_class_fast */
    }
    return region;
}

void emma__window_add_tract(emma_region *region, emma_tract *tract, unsigned mapped_slices) {
    unsigned slot = emma__region_slot_of(region, (uintptr_t)tract);
    tract->region = region;
    tract->owner = region->owner;
    tract->slot = slot;
    ATOMIC_STORE(&tract->mapped_slices, mapped_slices, relaxed);
    emma__directory_set(region->owner->directory, (uintptr_t)tract, EMMA_GRANULE_TRACT);
    ATOMIC_OR(&region->word[slot / 64].tract, UINT64_C(1) << (slot % 64), release);
}

uintptr_t emma__window_map_founded(emma_directory *directory, size_t bytes) {
    uint64_t none = 0;
    if (ATOMIC_LOAD(&directory->next_place, relaxed) == 0)
        ATOMIC_CAS(&directory->next_place, &none, random_number((uintptr_t)&none) | 1, relaxed);
    unsigned zone = 0;
    unsigned tries = 0;
    for (uint64_t looked = 0; looked < made_zones[0].length >> EMMA_TRACT_LOG2 && tries < FOUND_TRIES; looked++) {
        uintptr_t address = place_in(&made_zones[zone], ATOMIC_ADD(&directory->next_place, 1, relaxed));
        if (emma__directory_get(directory, address) != EMMA_GRANULE_NONE)
            continue;
        tries++;
        switch (emma__plat_map_at(address, bytes)) {
        case EMMA_MAP_DONE:
            return address;
        case EMMA_MAP_OCCUPIED:
            break;
        case EMMA_MAP_REFUSED: /* memory, or the zone: then the other one */
            if (zone == 1)
                return 0;
            zone = 1;
        }
    }
    return 0;
}
