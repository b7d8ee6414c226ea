/* shadow.c: see shadow.h. */
#include "shadow.h"

#include <stdlib.h>
#include <string.h>

enum { FULL_BYTES = 16384, STRIDE_BYTES = 256 };

static uint64_t pattern(uint64_t seed, size_t offset) {
    uint64_t x = (seed ^ offset) * UINT64_C(0x9E3779B97F4A7C15);
    return x ^ x >> 29;
}

/* The next offset that carries a word of the pattern. */
static size_t next_offset(size_t offset, size_t bytes) {
    size_t step = bytes <= FULL_BYTES || offset < 1024 || offset + 1024 >= bytes ? 8 : STRIDE_BYTES;
    return offset + step;
}

void model_fill(const model_block *block) {
    size_t bytes = block->usable_bytes;
    for (size_t offset = 0; offset + 8 <= bytes; offset = next_offset(offset, bytes)) {
        uint64_t word = pattern(block->seed, offset);
        memcpy(block->at + offset, &word, 8);
    }
}

bool model_holds(const model_block *block, size_t bytes) {
    size_t usable = block->usable_bytes;
    bool holds = true;
    for (size_t offset = 0; offset < bytes && offset + 8 <= usable; offset = next_offset(offset, usable)) {
        uint64_t word = pattern(block->seed, offset);
        holds &= memcmp(block->at + offset, &word, bytes - offset < 8 ? bytes - offset : 8) == 0;
    }
    return holds;
}

bool model_is_zero(const unsigned char *at, size_t bytes) {
    return bytes == 0 || (at[0] == 0 && memcmp(at, at + 1, bytes - 1) == 0);
}

static int by_address(const void *a, const void *b) {
    const model_block *left = a;
    const model_block *right = b;
    return left->at < right->at ? -1 : left->at > right->at;
}

bool model_disjoint(model_block *blocks, size_t count) {
    qsort(blocks, count, sizeof *blocks, by_address);
    bool disjoint = true;
    for (size_t i = 1; i < count; i++)
        disjoint &= blocks[i - 1].at + blocks[i - 1].usable_bytes <= blocks[i].at;
    return disjoint;
}
