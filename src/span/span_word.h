/* span_word.h: the word of a span's record, taken apart and put together; see span.h. Private to the folder. */
#ifndef EMMA_SPAN_SPAN_WORD_H
#define EMMA_SPAN_SPAN_WORD_H

#include "base/check.h"
#include "span/span.h"

typedef enum emma_span_state { EMMA_SPAN_IDLE, EMMA_SPAN_OFFERED, EMMA_SPAN_OWNED } emma_span_state;

typedef struct emma_span_word {
    uint16_t head;
    uint16_t out;
    uint8_t class;
    uint8_t state;
} emma_span_word;

static inline emma_span_word emma__span_word_unpack(uint64_t word) {
    return (emma_span_word){(uint16_t)word, (uint16_t)(word >> 16), (uint8_t)(word >> 32), (uint8_t)(word >> 40)};
}

static inline uint64_t emma__span_word_pack(emma_span_word word) {
    return (uint64_t)word.head | (uint64_t)word.out << 16 | (uint64_t)word.class << 32 | (uint64_t)word.state << 40;
}

/* The first word of a block at home: the next one of its chain, beside the tag of free blocks. */
static inline uint64_t emma__span_word_link(uint16_t next) {
    return (uint64_t)next << 16 | (uint64_t)EMMA_CHAIN_TAG << 8;
}

static inline uint16_t emma__span_word_of_offset(uintptr_t offset_bytes) {
    return (uint16_t)(offset_bytes / EMMA_BLOCK_ALIGN);
}

static inline void *emma__span_word_block(uintptr_t start, uint16_t offset) {
    return (void *)(start + (uintptr_t)offset * EMMA_BLOCK_ALIGN); // NOLINT(performance-no-int-to-ptr)
}

/* The block after this one in a chain of blocks at home. Ends the process if the link was overwritten. */
static inline uint16_t emma__span_word_next(const void *block, unsigned class) {
    uint64_t link = *(const uint64_t *)block;
    uint16_t next = (uint16_t)(link >> 16);
    bool sound = link == emma__span_word_link(next) &&
                 (next == EMMA_SPAN_NO_BLOCK || emma__class_is_start(class, (uintptr_t)next * EMMA_BLOCK_ALIGN));
    CHECK(sound, "a free block was written to", block);
    return next;
}

/* Owners only. Take the chain of blocks that came home. Returns: its first. */
uint16_t emma__span_take_head(emma_span *span);

/* Owners only: be done with a span, having given count of its blocks out. It is offered again if any are left, and its
 * slices go back if none is out. Release: pairs with the acquire of the next owner. */
void emma__span_disown(emma_spans *spans, emma_span *span, uintptr_t start, unsigned count);

#endif
