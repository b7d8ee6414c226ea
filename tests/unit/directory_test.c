/* directory_test.c: region/directory.h: what lies at an address. */
#include "region/directory.h"

#include "../tap.h"
#include "unit.h"

#define GRANULE ((uintptr_t)1 << EMMA_TRACT_LOG2)
#define END     ((uintptr_t)1 << EMMA_ADDRESS_LOG2)

static emma_directory directory;

static void knows_nothing_at_first(void) {
    IS(emma__directory_get(&directory, 0), EMMA_GRANULE_NONE);
    IS(emma__directory_get(&directory, (uintptr_t)&directory), EMMA_GRANULE_NONE);
    IS(emma__directory_get(&directory, END - 1), EMMA_GRANULE_NONE);
}

static void answers_for_any_value(void) {
    IS(emma__directory_get(&directory, END), EMMA_GRANULE_NONE);
    IS(emma__directory_get(&directory, UINTPTR_MAX), EMMA_GRANULE_NONE);
    IS(emma__directory_get(&directory, UINTPTR_MAX / 2 + 1), EMMA_GRANULE_NONE);
    emma__directory_set(&directory, 0, EMMA_GRANULE_TRACT);
    for (unsigned bit = EMMA_ADDRESS_LOG2; bit < 64; bit++)
        IS(emma__directory_get(&directory, (uintptr_t)1 << bit), EMMA_GRANULE_NONE); /* no wrapping to entry 0 */
    emma__directory_set(&directory, 0, EMMA_GRANULE_NONE);
}

static void sets_one_granule(void) {
    static const uintptr_t places[] = {0, GRANULE, 20 * ((uintptr_t)1 << 40), END - GRANULE};
    static const emma_granule kinds[] = {EMMA_GRANULE_TRACT, EMMA_GRANULE_HUGE, EMMA_GRANULE_HUGE_REST};
    for (unsigned i = 0; i < sizeof places / sizeof places[0]; i++) {
        for (unsigned kind = 0; kind < 3; kind++) {
            uintptr_t place = places[i];
            emma__directory_set(&directory, place + kind, kinds[kind]); /* any address of it */
            IS(emma__directory_get(&directory, place), kinds[kind]);
            IS(emma__directory_get(&directory, place + GRANULE - 1), kinds[kind]);
            IS(emma__directory_get(&directory, place + GRANULE), EMMA_GRANULE_NONE);
            IS(emma__directory_get(&directory, place - 1), EMMA_GRANULE_NONE);
            emma__directory_set(&directory, place, EMMA_GRANULE_NONE);
            IS(emma__directory_get(&directory, place), EMMA_GRANULE_NONE);
        }
    }
}

static void covers_the_address_space(void) {
    IS(sizeof directory.entry / sizeof directory.entry[0], END / GRANULE);
}

TAP_MAIN({"all zero, it knows nothing", knows_nothing_at_first},
         {"any value may be asked for; what lies above user addresses is not ours", answers_for_any_value},
         {"a granule is set and cleared, its neighbours stay", sets_one_granule},
         {"an entry for every granule of the address space", covers_the_address_space})
