/* shift.c: a long fragmenting run. The bytes alive stay the same, the sizes of the blocks shift: in each phase old
 * blocks are freed at random and new ones, of the phase's sizes, take their place, but a few of each phase stay for
 * ever.
 *
 *   live     MiB alive
 *   stay     of a thousand blocks, so many are never freed
 *   work     phases
 */
#include "work.h"

typedef struct item {
    void *block;
    size_t size;
} item;

typedef struct live_set {
    item *items;
    size_t count, room, bytes;
} live_set;

static const struct {
    size_t low, high;
} phases[] = {{16, 63}, {200, 399}, {1000, 3999}, {64, 127}, {8000, 32000}, {24, 1000}, {40000, 400000}};

static void add(live_set *set, size_t size) {
    if (set->count == set->room) {
        set->room = set->room * 2 + 1024;
        set->items = realloc(set->items, set->room * sizeof *set->items);
        work_check(set->items != NULL, "no memory");
    }
    set->items[set->count++] = (item){work_make(size), size};
    set->bytes += size;
}

static void drop(live_set *set, size_t index) {
    work_drop(set->items[index].block, set->items[index].size);
    set->bytes -= set->items[index].size;
    set->items[index] = set->items[--set->count];
}

int main(int argc, char **argv) {
    size_t limit = work_number(argc, argv, "live", 64) << 20, stay = work_number(argc, argv, "stay", 20);
    size_t count = work_number(argc, argv, "work", 14);
    live_set set = {0}, staying = {0};
    work_random random = work_seed(70);

    for (size_t phase = 0; phase < count; phase++) {
        size_t low = phases[phase % 7].low, high = phases[phase % 7].high;
        for (size_t fresh = 0; fresh < limit * 2;) {
            size_t size = work_size(&random, low, high);
            while (set.count && set.bytes + staying.bytes + size > limit)
                drop(&set, work_below(&random, set.count));
            add(staying.bytes < limit / 4 && work_below(&random, 1000) < stay ? &staying : &set, size);
            fresh += size;
        }
    }
    size_t live_bytes = set.bytes + staying.bytes + (set.room + staying.room) * sizeof(item);
    int status = work_end(live_bytes);
    while (set.count)
        drop(&set, set.count - 1);
    while (staying.count)
        drop(&staying, staying.count - 1);
    free(set.items);
    free(staying.items);
    return status;
}
