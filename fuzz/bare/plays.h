/* plays.h: the plays of tests/bare by name. */
#ifndef EMMA_FUZZ_BARE_PLAYS_H
#define EMMA_FUZZ_BARE_PLAYS_H

#include "../../tests/bare/bare_shadow.h"

#include <string.h>

typedef unsigned emma_fuzz_play(const uint8_t *data, size_t size);

/* Returns: the play whose name the text ends with: "bump", "slab", "buddy" or "fit". NULL when there is none. */
static inline emma_fuzz_play *emma_fuzz_play_named(const char *text) {
    static const struct {
        const char *name;
        emma_fuzz_play *play;
    } plays[] = {
        {"bump", emma_play_bump},
        {"slab", emma_play_slab},
        {"buddy", emma_play_buddy},
        {"fit", emma_play_fit},
    };
    for (size_t i = 0; i < sizeof plays / sizeof plays[0]; i++) {
        size_t bytes = strlen(plays[i].name), length = strlen(text);
        if (length >= bytes && strcmp(text + length - bytes, plays[i].name) == 0)
            return plays[i].play;
    }
    return NULL;
}

#endif
