/* class.c: the table of size classes, written out by the preprocessor. */
#include "span/class.h"

#define SPAN_SLICES(size) (((size)*EMMA_SPAN_BLOCKS_MIN + EMMA_SLICE_BYTES - 1) / EMMA_SLICE_BYTES)
#define CLASS(size)                                                                                                    \
    {                                                                                                                  \
        .reciprocal = (UINT64_C(1) << EMMA_RECIPROCAL_LOG2) / (size) + 1, .size_bytes = (size),                        \
        .blocks = SPAN_SLICES(size) * EMMA_SLICE_BYTES / (size), .slices = SPAN_SLICES(size),                          \
    }
#define EIGHT(from, step)                                                                                              \
    CLASS((from) + (step)), CLASS((from) + 2 * (step)), CLASS((from) + 3 * (step)), CLASS((from) + 4 * (step)),        \
        CLASS((from) + 5 * (step)), CLASS((from) + 6 * (step)), CLASS((from) + 7 * (step)), CLASS((from) + 8 * (step))

const emma_class_info emma__class_table[EMMA_CLASS_COUNT] = {
    {0},
    EIGHT(0, 16),
    EIGHT(128, 16),
    EIGHT(256, 16),
    EIGHT(384, 16),
    EIGHT(512, 16),
    EIGHT(640, 16),
    EIGHT(768, 16),
    EIGHT(896, 16),
    EIGHT(1024, 128),
    EIGHT(2048, 256),
    EIGHT(4096, 512),
    EIGHT(8192, 1024),
    EIGHT(16384, 2048),
};
