/* replay.c: play recorded inputs without a fuzzer, with any compiler. TAP, one line for each folder of inputs:
 *
 *   replay FOLDER/bump FOLDER/slab FOLDER/buddy FOLDER/fit
 *
 * The last part of a folder's name says which play it is for. */
#define _POSIX_C_SOURCE 200809L /* opendir */

#include "plays.h"

#include <dirent.h>
#include <stdio.h>

enum { INPUT_MAX = 65536, PATH_BYTES = 4096 };

/* Returns: false iff the file cannot be read or an expectation of its play failed. */
static bool replay(const char *path, emma_fuzz_play *play) {
    static uint8_t input[INPUT_MAX];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        printf("# cannot read %s\n", path);
        return false;
    }
    size_t size = fread(input, 1, sizeof input, file);
    fclose(file);
    unsigned line = play(input, size);
    if (line != 0)
        printf("# %s: line %u of the play\n", path, line);
    return line == 0;
}

/* Returns: every input passed, and there was one. */
static bool replay_folder(const char *folder, unsigned *inputs) {
    emma_fuzz_play *play = emma_fuzz_play_named(folder);
    DIR *entries = play != NULL ? opendir(folder) : NULL;
    if (entries == NULL)
        return false;
    bool passed = true;
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        char path[PATH_BYTES];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        passed = replay(path, play) && passed;
        ++*inputs;
    }
    closedir(entries);
    return passed && *inputs != 0;
}

int main(int count, char **folders) {
    int failed = 0;
    for (int i = 1; i < count; i++) {
        unsigned inputs = 0;
        bool passed = replay_folder(folders[i], &inputs);
        failed |= !passed;
        printf("%s %d - %u inputs of %s\n", passed ? "ok" : "not ok", i, inputs, folders[i]);
    }
    printf("1..%d\n", count - 1);
    return failed;
}
