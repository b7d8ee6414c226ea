/* churn.c: random sizes and random lifetimes: each step replaces a random block of the live set by one of a random
 * size.
 *
 *   threads     how many do so, each with a live set of its own
 *   live        blocks alive in each thread
 *   low, high   sizes in bytes, each doubling as likely as the next
 *   work        millions of replacements, in all threads together
 */
#include "work.h"

typedef struct churn {
    size_t live, low, high, steps;
} churn;

static void churn_body(size_t number, void *shared) {
    const churn *plan = shared;
    work_random random = work_seed(10 + number);
    void **blocks = calloc(plan->live, sizeof *blocks);
    size_t *sizes = calloc(plan->live, sizeof *sizes);

    work_check(blocks && sizes, "no memory");
    for (size_t step = 0; step < plan->steps; step++) {
        size_t i = work_below(&random, plan->live);
        if (blocks[i])
            work_drop(blocks[i], sizes[i]);
        sizes[i] = work_size(&random, plan->low, plan->high);
        blocks[i] = work_make(sizes[i]);
    }
    work_drop_all(blocks, sizes, plan->live);
    free(sizes);
    free(blocks);
}

int main(int argc, char **argv) {
    size_t threads = work_number(argc, argv, "threads", 1);
    churn plan = {.live = work_number(argc, argv, "live", 10000),
                  .low = work_number(argc, argv, "low", 16),
                  .high = work_number(argc, argv, "high", 1024),
                  .steps = work_number(argc, argv, "work", 10) * 1000000 / threads};
    work_threads(threads, churn_body, &plan);
    return work_end(0);
}
