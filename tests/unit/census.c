/* census.c: the invariants of spans, counted out; see unit.h. */
#include "region/huge.h"
#include "span/line.h"
#include "span/span_word.h"
#include "unit.h"

enum { MAP_WORDS = EMMA_SLICE_BYTES / EMMA_BLOCK_ALIGN / 64 };

struct free_map {
    uint64_t bits[MAP_WORDS > 64 ? MAP_WORDS : 64];
};

/* Note that a block is free. Returns: false iff it was noted before. */
static bool note(struct free_map *map, unsigned block) {
    uint64_t bit = UINT64_C(1) << block % 64;
    bool is_new = (map->bits[block / 64] & bit) == 0;
    map->bits[block / 64] |= bit;
    return is_new;
}

/* Note every block of a chain at home. Returns: how many; SIZE_MAX iff something is wrong. */
static size_t note_chain(struct free_map *map, uint16_t chain, uintptr_t start, unsigned class) {
    size_t count = 0;
    while (chain != EMMA_SPAN_NO_BLOCK) {
        uint32_t offset = (uint32_t)chain * EMMA_BLOCK_ALIGN;
        unsigned block = emma__class_index(class, offset);
        if (block >= emma__class_table[class].blocks || block * emma__class_size(class) != offset || !note(map, block))
            return SIZE_MAX;
        count++;
        chain = emma__span_word_next(emma__span_word_block(start, chain), class);
    }
    return count;
}

/* The blocks that start in fresh lines, by looking at each block. */
static size_t note_fresh(struct free_map *map, uint64_t lines, unsigned class) {
    size_t count = 0;
    for (unsigned block = 0; block < emma__class_table[class].blocks; block++) {
        if ((lines >> (block * emma__class_size(class) >> EMMA_LINE_LOG2) & 1) == 0)
            continue;
        if (!note(map, block))
            return SIZE_MAX;
        count++;
    }
    return count;
}

static bool bit_leads_to(const emma_tract *tract, unsigned class, unsigned slice) {
    const emma_span_table *table = emma__span_table_of(tract);
    const emma_span_index *index = (const emma_span_index *)((uintptr_t)tract->region + EMMA_REGION_OWN_BYTES);
    unsigned group = slice / EMMA_SPAN_GROUP_SLICES;
    return (table->offered[group][class] >> slice % EMMA_SPAN_GROUP_SLICES & 1) != 0 &&
           (table->offered_groups[class] >> group & 1) != 0 &&
           (index->offered_tracts[tract->slot / 64][class] >> tract->slot % 64 & 1) != 0;
}

static bool span_sound(const emma_tract *tract, unsigned slice, unit_census *census) {
    const emma_span *span = &emma__span_table_of(tract)->record[slice];
    emma_span_word word = emma__span_word_unpack(span->word);
    unsigned class = word.class;
    uintptr_t start = emma__tract_address(tract, slice);
    const uint8_t *classes = tract->region->classes;
    size_t first = (start - tract->region->base) >> EMMA_SLICE_LOG2;
    for (unsigned i = 0; i < span->slices; i++)
        if (span[i].slices_before != i || (classes != 0 && classes[first + i] != class))
            return false;
    census->spans[class]++;
    census->out[class] += word.out;
    if (word.state == EMMA_SPAN_OWNED) {
        census->owned++;
        return true;
    }
    struct free_map map = {{0}};
    size_t head = note_chain(&map, word.head, start, class);
    size_t local = note_chain(&map, span->local, start, class);
    size_t fresh = note_fresh(&map, span->fresh_lines, class);
    if (head == SIZE_MAX || local == SIZE_MAX || fresh == SIZE_MAX)
        return false;
    if (word.out == 0 || word.out + head + local + fresh != emma__class_table[class].blocks)
        return false;
    bool has_free = head + local + fresh != 0 || span->fresh_lines != 0;
    return word.state == (has_free ? EMMA_SPAN_OFFERED : EMMA_SPAN_IDLE) &&
           (!has_free || bit_leads_to(tract, class, slice));
}

/* What all of it is charged, as region/commit.h says. */
static size_t charge_of(emma_regions *regions) {
    size_t bytes = regions->founded_bytes;
    for (emma_tract *tract = emma__regions_next_tract(regions, 0); tract != 0;
         tract = emma__regions_next_tract(regions, tract)) {
        bool is_founded = regions->is_made && tract->region->header_bytes == 0 && tract->slot == 0;
        size_t slices = is_founded ? 0 : EMMA_TRACT_META_SLICES;
        for (unsigned chunk = 0; chunk < EMMA_TRACT_CHUNKS; chunk++)
            slices += emma__bits_count(tract->chunk[chunk] & tract->chunk[chunk] >> 32);
        for (unsigned slice = EMMA_TRACT_META_SLICES; slice < tract->mapped_slices;) {
            const emma_span *span = &emma__span_table_of(tract)->record[slice];
            unsigned class = emma__span_class(span);
            if (class == EMMA_CLASS_LARGE)
                slices += span->slices;
            else if (class != EMMA_CLASS_NONE)
                bytes += emma__line_bytes(emma__line_charged(span, class));
            slice += class != EMMA_CLASS_NONE ? span->slices : 1;
        }
        bytes += slices << EMMA_SLICE_LOG2;
    }
    for (const emma_region *region = regions->first; region != 0; region = region->next)
        for (unsigned slot = 0; slot < EMMA_REGION_TRACTS; slot++)
            if ((region->word[slot / 64].huge >> slot % 64 & 1) != 0)
                bytes +=
                    emma__huge_usable(emma__huge_find(regions->directory, emma__region_slot_address(region, slot)));
    return bytes;
}

bool unit_spans_sound(emma_spans *spans, unit_census *census) {
    *census = (unit_census){{0}, {0}, 0, 0};
    if (!emma__regions_valid(&spans->regions))
        return false;
    emma_tract *tract = emma__regions_next_tract(&spans->regions, 0);
    for (; tract != 0; tract = emma__regions_next_tract(&spans->regions, tract)) {
        for (unsigned slice = EMMA_TRACT_META_SLICES; slice < tract->mapped_slices;) {
            const emma_span *span = &emma__span_table_of(tract)->record[slice];
            if (!emma__span_valid(span))
                return false;
            unsigned class = emma__span_class(span);
            bool in_use = class != EMMA_CLASS_NONE;
            if (class == EMMA_CLASS_LARGE)
                census->large_runs++;
            else if (in_use && !span_sound(tract, slice, census))
                return false;
            slice += in_use ? span->slices : 1;
        }
    }
    return charge_of(&spans->regions) == spans->regions.commit.bytes;
}

size_t unit_cpu_blocks(const emma_cpu *cpu) {
    size_t count = 0;
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++)
        count += emma__cpu_count(cpu, class);
    return count;
}

size_t unit_cached_blocks(const emma_heap *heap) {
    size_t count = unit_cpu_blocks(&heap->cpu);
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++)
        count += emma__depot_count(&heap->depot, class) + emma__registry_count(&heap->registry, class) +
                 emma__shared_count(&heap->shared, class);
    return count;
}

bool unit_heap_sound(emma_heap *heap, size_t live_small_blocks) {
    unit_census census;
    if (!unit_spans_sound(&heap->depot.spans, &census) || census.owned != 0)
        return false;
    size_t out = 0;
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++)
        out += census.out[class];
    return out == live_small_blocks + unit_cached_blocks(heap);
}
