/* bulky.c: large blocks that live for random times.
 *
 *   live        blocks alive at once
 *   low, high   sizes in bytes, each doubling as likely as the next
 *   work        blocks, in thousands
 */
#include "work.h"

#define LIVE_MAX 1024

int main(int argc, char **argv) {
    size_t live = work_number(argc, argv, "live", 20), total = work_number(argc, argv, "work", 2) * 1000;
    size_t low = work_number(argc, argv, "low", 32 << 10), high = work_number(argc, argv, "high", 32 << 20);
    static void *blocks[LIVE_MAX];
    static size_t sizes[LIVE_MAX];
    work_random random = work_seed(60);

    work_check(live <= LIVE_MAX, "live");
    for (size_t made = 0; made < total; made++) {
        size_t i = work_below(&random, live);
        if (blocks[i])
            work_drop(blocks[i], sizes[i]);
        sizes[i] = work_size(&random, low, high);
        blocks[i] = work_make(sizes[i]);
    }
    work_drop_all(blocks, sizes, live);
    return work_end(0);
}
