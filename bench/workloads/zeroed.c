/* zeroed.c: calloc. Every block is checked to be zero (a byte in each line, beyond 4 KiB in each page), then written.
 *
 *   live        blocks alive
 *   low, high   sizes in bytes
 *   work        thousands of blocks
 */
#include "work.h"

static void check_zero(const unsigned char *block, size_t size) {
    unsigned char seen = block[size - 1];
    for (size_t at = 0; at < size && at < 4096; at += 64)
        seen |= block[at];
    for (size_t at = 4096; at < size; at += 4096)
        seen |= block[at];
    work_check(seen == 0, "a block from calloc");
}

int main(int argc, char **argv) {
    size_t live = work_number(argc, argv, "live", 1000), total = work_number(argc, argv, "work", 4000) * 1000;
    size_t low = work_number(argc, argv, "low", 16), high = work_number(argc, argv, "high", 4096);
    void **blocks = calloc(live, sizeof *blocks);
    size_t *sizes = calloc(live, sizeof *sizes);
    work_random random = work_seed(110);

    work_check(blocks && sizes, "no memory");
    for (size_t made = 0; made < total; made++) {
        size_t i = work_below(&random, live);
        if (blocks[i])
            work_drop(blocks[i], sizes[i]);
        sizes[i] = work_size(&random, low, high);
        blocks[i] = calloc(1, sizes[i]);
        work_check(blocks[i] != NULL, "no memory");
        check_zero(blocks[i], sizes[i]);
        work_stamp(blocks[i], sizes[i]);
    }
    work_drop_all(blocks, sizes, live);
    free(sizes);
    free(blocks);
    return work_end(0);
}
