/* line.h: the lines of a span: which blocks start in one, and which ones may have been touched. Private to the folder.
 *
 * A line is carved as a whole: all blocks that start in it. These may reach into lines behind it. What is touched is
 * taken as a function of the fresh lines alone, and rather too much than too little, so that charging and refunding
 * agree. */
#ifndef EMMA_SPAN_LINE_H
#define EMMA_SPAN_LINE_H

#include "span/span.h"

static inline uint64_t emma__line_mask(unsigned lines) {
    return lines < 64 ? (UINT64_C(1) << lines) - 1 : ~UINT64_C(0);
}

/* All lines of a span. */
static inline uint64_t emma__line_body(unsigned class) {
    return emma__line_mask(emma__class_table[class].slices * (EMMA_SLICE_BYTES / EMMA_LINE_BYTES));
}

/* The lines in which blocks of a class start; the last of them may be one in which none does. */
static inline uint64_t emma__line_all(unsigned class) {
    const emma_class_info *info = &emma__class_table[class];
    return emma__line_mask(((info->blocks - 1u) * info->size_bytes >> EMMA_LINE_LOG2) + 1);
}

/* The blocks that start in a line: [*first, *end). */
static inline void emma__line_blocks(unsigned class, unsigned line, unsigned *first, unsigned *end) {
    uint32_t size = emma__class_table[class].size_bytes;
    unsigned blocks = emma__class_table[class].blocks;
    *first = (line * EMMA_LINE_BYTES + size - 1) / size;
    *end = ((line + 1) * EMMA_LINE_BYTES + size - 1) / size;
    *end = *end < blocks ? *end : blocks;
}

/* The lines that blocks overlap which do not start in fresh ones. */
static inline uint64_t emma__line_touched(unsigned class, uint64_t fresh) {
    uint32_t size = emma__class_table[class].size_bytes;
    uint64_t used = emma__line_all(class) & ~fresh;
    unsigned reach = !emma__bits_is_pow2(size) ? (EMMA_LINE_BYTES + size) / EMMA_LINE_BYTES
                     : size > EMMA_LINE_BYTES  ? size / EMMA_LINE_BYTES - 1
                                               : 0;
    uint64_t touched = used;
    for (unsigned i = 1; i <= reach; i++)
        touched |= used << i;
    return touched & emma__line_body(class);
}

/* The lines that are charged (region/commit.h). */
static inline uint64_t emma__line_charged(const emma_span *span, unsigned class) {
    return span->is_whole ? emma__line_body(class) : emma__line_touched(class, span->fresh_lines);
}

static inline size_t emma__line_bytes(uint64_t lines) {
    return (size_t)emma__bits_count(lines) << EMMA_LINE_LOG2;
}

#endif
