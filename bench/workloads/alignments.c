/* alignments.c: aligned blocks of random sizes and lifetimes.
 *
 *   live        blocks alive
 *   high        bytes of the largest block
 *   align       largest alignment; each power of two from 32 on is as likely as the next
 *   work        millions of blocks
 */
#include "work.h"

int main(int argc, char **argv) {
    size_t live = work_number(argc, argv, "live", 2000), high = work_number(argc, argv, "high", 4096);
    size_t align_max = work_number(argc, argv, "align", 4096);
    size_t total = work_number(argc, argv, "work", 4) * 1000000;
    void **blocks = calloc(live, sizeof *blocks);
    size_t *sizes = calloc(live, sizeof *sizes);
    work_random random = work_seed(100);
    size_t steps = 1;

    work_check(blocks && sizes, "no memory");
    while (((size_t)32 << steps) <= align_max)
        steps++;
    for (size_t made = 0; made < total; made++) {
        size_t i = work_below(&random, live), align = (size_t)32 << work_below(&random, steps);
        if (blocks[i])
            work_drop(blocks[i], sizes[i]);
        sizes[i] = work_size(&random, 16, high);
        work_check(posix_memalign(&blocks[i], align, sizes[i]) == 0, "no memory");
        work_check(((uintptr_t)blocks[i] & (align - 1)) == 0, "the alignment of a block");
        work_stamp(blocks[i], sizes[i]);
    }
    work_drop_all(blocks, sizes, live);
    free(sizes);
    free(blocks);
    return work_end(0);
}
