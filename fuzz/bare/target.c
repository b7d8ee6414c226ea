/* target.c: libFuzzer's entry for the bare allocators. The program's name says which one: fuzz-bump, fuzz-slab, ... */
#include "plays.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static emma_fuzz_play *play;

int LLVMFuzzerInitialize(int *count, char ***arguments) {
    play = *count > 0 ? emma_fuzz_play_named((*arguments)[0]) : NULL;
    if (play == NULL) {
        fputs("the program's name must end with bump, slab, buddy or fit\n", stderr);
        exit(1);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    unsigned line = play(data, size);
    if (line != 0) {
        fprintf(stderr, "not so: line %u of the play\n", line);
        abort();
    }
    return 0;
}
