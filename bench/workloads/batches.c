/* batches.c: batches of blocks of one size, freed in the order they were made, in reverse, or at random.
 *
 *   size    bytes of a block
 *   batch   blocks in a batch
 *   order   fifo, lifo or random
 *   work    millions of blocks
 */
#include "work.h"

static void make_order(size_t *order, size_t count, const char *kind) {
    work_random random = work_seed(2);
    for (size_t i = 0; i < count; i++)
        order[i] = strcmp(kind, "lifo") == 0 ? count - 1 - i : i;
    for (size_t i = count; strcmp(kind, "random") == 0 && i > 1; i--) {
        size_t other = work_below(&random, i), kept = order[i - 1];
        order[i - 1] = order[other];
        order[other] = kept;
    }
}

int main(int argc, char **argv) {
    size_t size = work_number(argc, argv, "size", 64), batch = work_number(argc, argv, "batch", 10000);
    size_t total = work_number(argc, argv, "work", 10) * 1000000;
    void **blocks = calloc(batch, sizeof *blocks);
    size_t *order = calloc(batch, sizeof *order);

    work_check(blocks && order, "no memory");
    make_order(order, batch, work_word(argc, argv, "order", "fifo"));
    for (size_t made = 0; made < total; made += batch) {
        for (size_t i = 0; i < batch; i++)
            blocks[i] = work_make(size);
        for (size_t i = 0; i < batch; i++)
            work_drop(blocks[order[i]], size);
    }
    free(order);
    free(blocks);
    return work_end(0);
}
