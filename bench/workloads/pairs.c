/* pairs.c: many small blocks, last in first out: `depth` blocks up, then down again.
 *
 *   low, high   sizes in bytes
 *   depth       blocks alive at once
 *   work        millions of blocks
 */
#include "work.h"

#define DEPTH_MAX 4096

int main(int argc, char **argv) {
    size_t low = work_number(argc, argv, "low", 16), high = work_number(argc, argv, "high", 128);
    size_t depth = work_number(argc, argv, "depth", 1);
    size_t total = work_number(argc, argv, "work", 10) * 1000000;
    static void *blocks[DEPTH_MAX];
    static size_t sizes[DEPTH_MAX];
    work_random random = work_seed(1);

    work_check(depth >= 1 && depth <= DEPTH_MAX, "depth");
    for (size_t i = 0; i < DEPTH_MAX; i++)
        sizes[i] = work_size(&random, low, high);
    for (size_t made = 0; made < total; made += depth) {
        const size_t *size = sizes + (depth == 1 ? made % DEPTH_MAX : 0);
        for (size_t i = 0; i < depth; i++)
            blocks[i] = work_make(size[i]);
        for (size_t i = depth; i-- > 0;)
            work_drop(blocks[i], size[i]);
    }
    return work_end(0);
}
