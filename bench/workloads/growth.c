/* growth.c: does an operation cost more when more is alive? Random replacements in a live set of blocks of one size;
 * mode=array does the same reads and writes in a plain array, for the share that caches and page tables have in it.
 *
 *   mode   heap or array
 *   live   MiB alive
 *   size   bytes of a block
 *   work   millions of replacements
 */
#include <sys/mman.h>

#include "work.h"

static void *whole(size_t bytes) {
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    work_check(memory != MAP_FAILED, "no memory");
    return memory;
}

int main(int argc, char **argv) {
    int heap = strcmp(work_word(argc, argv, "mode", "heap"), "heap") == 0;
    size_t live = work_number(argc, argv, "live", 1) << 20, size = work_number(argc, argv, "size", 64);
    size_t count = live / size, steps = work_number(argc, argv, "work", 10) * 1000000;
    char **blocks = whole(count * sizeof *blocks);
    char *array = heap ? NULL : whole(count * size);
    work_random random = work_seed(120);

    for (size_t i = 0; i < count; i++) {
        blocks[i] = heap ? malloc(size) : array + i * size;
        work_stamp(blocks[i], size);
    }
    double begin = work_now();
    for (size_t step = 0; step < steps; step++) {
        size_t i = work_below(&random, count);
        work_unstamp(blocks[i], size);
        if (heap) {
            free(blocks[i]);
            blocks[i] = malloc(size);
        }
        work_stamp(blocks[i], size);
    }
    printf("work seconds=%.6f\n", work_now() - begin);
    fflush(stdout);
    return work_end(live);
}
