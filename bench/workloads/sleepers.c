/* sleepers.c: many threads of which most sleep. Each uses some memory, frees it and goes to sleep; two stay awake and
 * work on. What the sleepers' caches keep, nobody can use.
 *
 *   threads     that use memory and sleep
 *   each        KiB that each of them uses and frees
 *   low, high   sizes in bytes
 *   work        millions of replacements by the two that stay awake
 */
#include "work.h"

#define AWAKE      2
#define BLOCKS_MAX 65536
#define LIVE       10000

typedef struct sleepers {
    pthread_barrier_t asleep, over;
    pthread_mutex_t turn;
    size_t threads, each_bytes, low, high, steps;
} sleepers;

static void use_once(const sleepers *plan, work_random *random) {
    void **blocks = calloc(BLOCKS_MAX, sizeof *blocks);
    size_t *sizes = calloc(BLOCKS_MAX, sizeof *sizes);
    size_t count = 0;

    work_check(blocks && sizes, "no memory");
    for (size_t bytes = 0; bytes < plan->each_bytes && count < BLOCKS_MAX; bytes += sizes[count++]) {
        sizes[count] = work_size(random, plan->low, plan->high);
        blocks[count] = work_make(sizes[count]);
    }
    while (count-- > 0)
        work_drop(blocks[count], sizes[count]);
    free(sizes);
    free(blocks);
}

static void stay_awake(const sleepers *plan, work_random *random) {
    void **blocks = calloc(LIVE, sizeof *blocks);
    size_t *sizes = calloc(LIVE, sizeof *sizes);

    work_check(blocks && sizes, "no memory");
    for (size_t step = 0; step < plan->steps + LIVE; step++) {
        size_t i = step < plan->steps ? work_below(random, LIVE) : step - plan->steps;
        if (blocks[i])
            work_drop(blocks[i], sizes[i]);
        sizes[i] = work_size(random, plan->low, plan->high);
        blocks[i] = step < plan->steps ? work_make(sizes[i]) : NULL;
    }
    free(sizes);
    free(blocks);
}

static void sleepers_body(size_t number, void *shared) {
    sleepers *plan = shared;
    work_random random = work_seed(80 + number);

    if (number < plan->threads) {
        pthread_mutex_lock(&plan->turn);
        use_once(plan, &random);
        pthread_mutex_unlock(&plan->turn);
    }
    pthread_barrier_wait(&plan->asleep);
    if (number >= plan->threads)
        stay_awake(plan, &random);
    pthread_barrier_wait(&plan->over);
    if (number == 0)
        work_end(0);
    pthread_barrier_wait(&plan->over);
}

int main(int argc, char **argv) {
    static sleepers plan;
    plan.threads = work_number(argc, argv, "threads", 200);
    plan.each_bytes = work_number(argc, argv, "each", 1024) << 10;
    plan.low = work_number(argc, argv, "low", 16);
    plan.high = work_number(argc, argv, "high", 1023);
    plan.steps = work_number(argc, argv, "work", 4) * 1000000 / AWAKE;
    pthread_mutex_init(&plan.turn, NULL);
    pthread_barrier_init(&plan.asleep, NULL, (unsigned)plan.threads + AWAKE);
    pthread_barrier_init(&plan.over, NULL, (unsigned)plan.threads + AWAKE);
    work_threads(plan.threads + AWAKE, sleepers_body, &plan);
    return 0;
}
