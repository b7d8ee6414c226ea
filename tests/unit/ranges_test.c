/* ranges_test.c: region/ranges.c: the table of what is lent to whom. */
#include "region/ranges.h"

#include "../tap.h"

static void ranges_come_and_go(void) {
    static emma_ranges ranges;
    emma_range found;
    int owners[2];
    enum { COUNT = 1000 };
    for (unsigned round = 0; round < 3; round++) {
        for (uintptr_t i = 1; i <= COUNT; i++)
            OK(emma__ranges_add(&ranges, (emma_range){i * 4096, i * 4096 + 64, &owners[i % 2]}, i % 3 == 0));
        IS(ranges.count, COUNT);
        for (uintptr_t i = 1; i <= COUNT; i++)
            OK(emma__ranges_find(&ranges, i * 4096 + 63, &found) && found.owner == &owners[i % 2] &&
               found.from == i * 4096);
        OK(!emma__ranges_find(&ranges, 4096 + 64, &found));
        OK(emma__ranges_overlap(&ranges, 4000, 4097) && !emma__ranges_overlap(&ranges, 4000, 4096) &&
           !emma__ranges_overlap(&ranges, 4096 + 64, 8192));
        emma__ranges_remove(&ranges, &owners[0], 0, UINTPTR_MAX);
        IS(ranges.count, COUNT / 2);
        OK(!emma__ranges_find(&ranges, 2 * 4096, &found) && emma__ranges_find(&ranges, 3 * 4096, &found));
        emma__ranges_remove(&ranges, &owners[1], 0, UINTPTR_MAX);
        IS(ranges.count + ranges.nested, 0);
    }
}

TAP_MAIN({"added, found, removed, used again", ranges_come_and_go})
