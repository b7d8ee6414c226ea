/* buddy_build.c: making a buddy, adding memory to it, taking it apart. None of it is in anyone's worst case. */
#include "bare/backing.h"
#include "bare/buddy_map.h"

emma_bare_error emma_buddy_min_block(size_t block_bytes, unsigned levels, size_t *min_bytes) {
    bool folded = EMMA_BUDDY_LEVELS != 0;
    if (levels == 0 || levels >= EMMA__BARE_WORD_BITS || !emma__bare_word_is_pow2(block_bytes) ||
        block_bytes >> (levels - 1) < 2 * sizeof(void *) ||
        (folded && (block_bytes != EMMA_BUDDY_BLOCK_BYTES || levels != EMMA_BUDDY_LEVELS)))
        return EMMA_BARE_INVALID_CONFIG;
    *min_bytes = block_bytes >> (levels - 1);
    return EMMA_BARE_OK;
}

emma_bare_error emma_buddy_region_layout(const emma_buddy_config *config, emma_layout *layout) {
    size_t min_bytes;
    emma_bare_error error = emma_buddy_min_block(config->block_bytes, config->levels, &min_bytes);
    if (error != EMMA_BARE_OK)
        return error;
    if (config->blocks == 0 || config->blocks > PTRDIFF_MAX / config->block_bytes)
        return EMMA_BARE_INVALID_CONFIG;
    *layout = (emma_layout){config->blocks * config->block_bytes, config->block_bytes};
    return EMMA_BARE_OK;
}

static size_t marks_words(const emma_buddy_config *config) {
    return emma__bitset_tier(2 * (config->blocks << (config->levels - 1)));
}

static emma_bare_error both_layouts(const emma_buddy_config *config, emma_layout *region, emma_layout *metadata) {
    emma_bare_error error = emma_buddy_region_layout(config, region);
    if (error != EMMA_BARE_OK)
        return error;
    size_t words = config->levels + marks_words(config);
    for (unsigned level = 0; level < config->levels; level++)
        words += emma__bitset_words(config->blocks << level);
    *metadata = (emma_layout){words * sizeof(size_t), sizeof(size_t)};
    return EMMA_BARE_OK;
}

emma_bare_error emma_buddy_metadata_layout(const emma_buddy_config *config, emma_layout *layout) {
    emma_layout region;
    return both_layouts(config, &region, layout);
}

static void clear(emma_buddy *buddy) {
    buddy->memory = (emma_buddy_memory){NULL, NULL};
    buddy->blocks = buddy->nonempty = buddy->capacity_bytes = buddy->used_bytes = buddy->outstanding = 0;
    buddy->block_log2 = buddy->levels = 0;
    buddy->owned = false;
}

emma_bare_error emma_buddy_init_empty(emma_buddy *buddy, const emma_buddy_config *config, emma_buddy_memory memory) {
    clear(buddy);
    emma_layout region, metadata;
    emma_bare_error error = both_layouts(config, &region, &metadata);
    if (error != EMMA_BARE_OK)
        return error;
    if (memory.metadata == NULL || !emma__bare_word_range_exists(memory.region, region.size_bytes) ||
        !emma__bare_word_range_exists(memory.metadata, metadata.size_bytes) ||
        !emma__bare_word_is_aligned((uintptr_t)memory.region, region.align_bytes) ||
        !emma__bare_word_is_aligned((uintptr_t)memory.metadata, metadata.align_bytes))
        return EMMA_BARE_INVALID_LOCATION;
    buddy->memory = memory;
    buddy->blocks = config->blocks;
    buddy->block_log2 = (unsigned char)emma__bare_word_highest(config->block_bytes);
    buddy->levels = (unsigned char)config->levels;
    emma__bare_word_clear(memory.metadata, metadata.size_bytes / sizeof(size_t));
    size_t at = config->levels + marks_words(config);
    for (unsigned level = 0; level < config->levels; level++) {
        memory.metadata[level] = at;
        at += emma__bitset_words(config->blocks << level);
    }
    return EMMA_BARE_OK;
}

emma_bare_error emma_buddy_init(emma_buddy *buddy, const emma_buddy_config *config, emma_buddy_memory memory) {
    emma_bare_error error = emma_buddy_init_empty(buddy, config, memory);
    if (error == EMMA_BARE_OK)
        error = emma_buddy_add_all_but(buddy, (emma_buddy_gaps){NULL, 0});
    if (error != EMMA_BARE_OK)
        clear(buddy);
    return error;
}

emma_bare_error emma_buddy_init_in(emma_buddy *buddy, const emma_buddy_config *config, const emma_backing *backing,
                                   emma_buddy_gaps gaps, emma_layout *refused) {
    clear(buddy);
    emma_layout region, metadata;
    emma_bare_error error = both_layouts(config, &region, &metadata);
    if (error != EMMA_BARE_OK)
        return error;
    void *region_memory, *metadata_memory = NULL;
    if (!emma__backing_take(backing, region, &region_memory, refused) ||
        !emma__backing_take(backing, metadata, &metadata_memory, refused))
        error = EMMA_BARE_ALLOC_FAILED;
    else
        error = emma_buddy_init_empty(buddy, config, (emma_buddy_memory){region_memory, metadata_memory});
    if (error == EMMA_BARE_OK)
        error = emma_buddy_add_all_but(buddy, gaps);
    emma__backing_keep(&buddy->backing, backing);
    buddy->owned = error == EMMA_BARE_OK;
    if (error != EMMA_BARE_OK) {
        emma__backing_give(backing, metadata_memory, metadata);
        emma__backing_give(backing, region_memory, region);
        clear(buddy);
    }
    return error;
}

void emma_buddy_into_raw_parts(emma_buddy *buddy, emma_buddy_parts *parts) {
    size_t block_bytes = (size_t)1 << emma__buddy_map_block_log2(buddy);
    parts->config = (emma_buddy_config){block_bytes, buddy->blocks, emma__buddy_map_levels(buddy)};
    parts->memory = buddy->memory;
    if (both_layouts(&parts->config, &parts->region_layout, &parts->metadata_layout) != EMMA_BARE_OK)
        parts->region_layout = parts->metadata_layout = (emma_layout){0, 0};
    clear(buddy);
}

void emma_buddy_release(emma_buddy *buddy) {
    bool owned = buddy->owned;
    emma_buddy_parts parts;
    emma_buddy_into_raw_parts(buddy, &parts);
    if (owned) {
        emma__backing_give(&buddy->backing, parts.memory.metadata, parts.metadata_layout);
        emma__backing_give(&buddy->backing, parts.memory.region, parts.region_layout);
    }
}
