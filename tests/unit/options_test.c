/* options_test.c: ctl/options.h: options are parsed whole, or named. */
#include "ctl/options.h"

#include "../tap.h"
#include "unit.h"

static emma_heap heap = EMMA_HEAP_INITIAL(&unit_directory, unit_shelves, 0);

static void options_are_set(void) {
    unit_heap_reset(&heap);
    OK(emma__options_apply(&heap, "") == 0 && emma__options_apply(&heap, 0) == 0);
    OK(emma__options_apply(&heap, "dirty_bytes=5M,dirty_seconds=7,janitor=on") == 0);
    OK(heap.purge.dirty_bytes == 5 << 20 && heap.purge.dirty_seconds == 7 && heap.purge.janitor == 2);
    OK(emma__options_apply(&heap, "janitor=threads") == 0 && heap.purge.janitor == 1);
    OK(emma__options_apply(&heap, "janitor=off,") == 0 && heap.purge.janitor == 0);
    OK(emma__options_apply(&heap, "dirty_bytes=12345") == 0 && heap.purge.dirty_bytes == 12345);
    OK(emma__options_apply(&heap, "dirty_bytes=3K") == 0 && heap.purge.dirty_bytes == 3072);
    OK(emma__options_apply(&heap, "dirty_bytes=2G") == 0 && heap.purge.dirty_bytes == (size_t)2 << 30);
    OK(emma__options_apply(&heap, "dirty_bytes=18446744073709551615") == 0 && heap.purge.dirty_bytes == SIZE_MAX);
    OK(emma__options_apply(&heap, "dirty_bytes=0") == 0 && heap.purge.dirty_bytes == 0);
    OK(emma__options_apply(&heap, "dirty_seconds=4294967296") == 0 && heap.purge.dirty_seconds == UINT32_MAX);
    OK(emma__options_apply(&heap, "huge_pages=3M,,cache=cpu") == 0);
    OK(heap.depot.spans.regions.huge_pages_bytes == 3 << 20 && heap.wishes.cache == 1);
    OK(emma__options_apply(&heap, "cache=thread,huge_pages=0") == 0);
    OK(heap.depot.spans.regions.huge_pages_bytes == 0 && heap.wishes.cache == 0);
    OK(emma__options_apply(&heap, "limit=1G") == 0 && unit_directory.all.limit_bytes == 1 << 30);
    OK(emma__options_apply(&heap, "limit=0") == 0 && unit_directory.all.limit_bytes == 0);
}

/* What is not understood is named by its place and changes nothing; what comes before it is set. */
static void bad_options_are_named(void) {
    static const char *const bad[] = {"x",
                                      "janitor",
                                      "janitor=",
                                      "janitor=onx",
                                      "janitor=On",
                                      " janitor=on",
                                      "dirty_bytes=",
                                      "dirty_bytes=K",
                                      "dirty_bytes=-1",
                                      "dirty_bytes=1KK",
                                      "dirty_bytes=1T",
                                      "dirty_bytes=1 ",
                                      "dirty_bytes=18446744073709551616",
                                      "dirty_bytes=18014398509481984K",
                                      "dirty_seconds=1K",
                                      "cache=cpus",
                                      "limit=cgroups",
                                      "limit=-1",
                                      "dirty_byte=1",
                                      "dirty_bytess=1"};
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        unit_heap_reset(&heap);
        emma_purge_state before = heap.purge;
        OK(emma__options_apply(&heap, bad[i]) == bad[i]);
        OK(__builtin_memcmp((const void *)&before, (const void *)&heap.purge, sizeof before) == 0);
    }
    static const char mixed[] = "dirty_seconds=3,nonsense=1,janitor=on";
    OK(emma__options_apply(&heap, mixed) == mixed + 16);
    OK(heap.purge.dirty_seconds == 3 && heap.purge.janitor == 0);
}

#define COUNT_ONE(key, word, kind, help) +1

static void help_names_every_option(void) {
    static char buffer[2000];
    unit_heap_reset(&heap);
    emma__options_apply(&heap, "dirty_bytes=77,janitor=threads,cache=cpu");
    emma_text text = emma__text_in(buffer, sizeof buffer);
    emma__options_help(&heap, &text);
    OK(text.length_bytes > 100 && text.length_bytes < sizeof buffer && buffer[text.length_bytes - 1] == '\n');
    unsigned lines = 0;
    for (size_t i = 0; i < text.length_bytes; i++)
        lines += buffer[i] == '\n';
    IS(lines, 0 EMMA_OPTIONS(COUNT_ONE));
    OK(__builtin_memcmp(buffer, "janitor=threads ", 16) == 0);
    size_t whole = text.length_bytes;
    text = emma__text_in(buffer, 20); /* what does not fit is cut */
    emma__options_help(&heap, &text);
    OK(text.length_bytes <= 20 && whole > 20);
}

TAP_MAIN({"options are set", options_are_set}, {"options that are not understood are named", bad_options_are_named},
         {"the help has a line for every option", help_names_every_option})
