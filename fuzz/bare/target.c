/* target.c: libFuzzer's entry for one bare allocator: the play of tests/bare (shadow.h) that -DEMMA_FUZZ_PLAY names. */
#include "shadow.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    unsigned line = EMMA_FUZZ_PLAY(data, size);
    if (line != 0) {
        fprintf(stderr, "not so: line %u of the play\n", line);
        abort();
    }
    return 0;
}
