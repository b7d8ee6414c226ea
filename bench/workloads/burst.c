/* burst.c: a burst of blocks, all freed at random, then nothing: does the memory go back? The threads stay alive.
 *
 *   threads     how many
 *   peak        MiB alive at the top of a burst, in all threads together
 *   low, high   sizes in bytes
 *   work        bursts
 */
#include "work.h"

typedef struct burst {
    pthread_barrier_t over;
    size_t peak_bytes, low, high, bursts;
} burst;

static void one_burst(const burst *plan, work_random *random, void **blocks, size_t *sizes) {
    size_t count = 0;
    for (size_t bytes = 0; bytes < plan->peak_bytes; bytes += sizes[count++]) {
        sizes[count] = work_size(random, plan->low, plan->high);
        blocks[count] = work_make(sizes[count]);
    }
    while (count > 0) {
        size_t i = work_below(random, count--);
        work_drop(blocks[i], sizes[i]);
        blocks[i] = blocks[count];
        sizes[i] = sizes[count];
    }
}

static void burst_body(size_t number, void *shared) {
    burst *plan = shared;
    work_random random = work_seed(90 + number);
    size_t most = plan->peak_bytes / plan->low + 1;

    for (size_t i = 0; i < plan->bursts; i++) {
        void **blocks = malloc(most * sizeof *blocks);
        size_t *sizes = malloc(most * sizeof *sizes);
        work_check(blocks && sizes, "no memory");
        one_burst(plan, &random, blocks, sizes);
        free(sizes);
        free(blocks);
    }
    pthread_barrier_wait(&plan->over);
    if (number == 0)
        work_end(0);
    pthread_barrier_wait(&plan->over);
}

int main(int argc, char **argv) {
    static burst plan;
    size_t threads = work_number(argc, argv, "threads", 1);
    plan.peak_bytes = (work_number(argc, argv, "peak", 256) << 20) / threads;
    plan.low = work_number(argc, argv, "low", 16);
    plan.high = work_number(argc, argv, "high", 8191);
    plan.bursts = work_number(argc, argv, "work", 3);
    pthread_barrier_init(&plan.over, NULL, (unsigned)threads);
    work_threads(threads, burst_body, &plan);
    return 0;
}
