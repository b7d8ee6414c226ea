/* replay.c: play recorded inputs without a fuzzer, with any compiler. TAP, one line for each folder of inputs:
 *
 *   replay FOLDER/bump FOLDER/slab FOLDER/buddy FOLDER/fit
 *
 * The last part of a folder's name says which play it is for. */
#define _POSIX_C_SOURCE 200809L /* opendir */

#include "shadow.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

enum { INPUT_MAX = 65536, PATH_MAX_BYTES = 4096 };

static const struct {
    const char *name;
    unsigned (*play)(const uint8_t *data, size_t size);
} plays[] = {
    {"bump", emma_play_bump},
    {"slab", emma_play_slab},
    {"buddy", emma_play_buddy},
    {"fit", emma_play_fit},
};

/* Returns: false iff the file cannot be read or an expectation of its play failed. */
static bool replay(const char *path, unsigned (*play)(const uint8_t *data, size_t size)) {
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

static bool replay_folder(const char *folder, unsigned *inputs) {
    const char *slash = strrchr(folder, '/');
    const char *name = slash != NULL ? slash + 1 : folder;
    for (size_t i = 0; i < sizeof plays / sizeof plays[0]; i++) {
        if (strcmp(plays[i].name, name) != 0)
            continue;
        DIR *entries = opendir(folder);
        bool passed = entries != NULL;
        for (struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;) {
            char path[PATH_MAX_BYTES];
            if (entry->d_name[0] == '.')
                continue;
            snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
            passed = replay(path, plays[i].play) && passed;
            ++*inputs;
        }
        if (entries != NULL)
            closedir(entries);
        return passed && *inputs != 0;
    }
    return false;
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
