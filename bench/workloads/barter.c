/* barter.c: threads that exchange whole batches, after the pattern of sh6 and sh8: each thread makes a batch of blocks
 * whose sizes walk over a range, puts it into a random slot of a shared table, and frees the batch that it finds there.
 *
 *   threads     how many
 *   slots       batches that wait in the table
 *   batch       blocks in a batch
 *   low, high   sizes in bytes
 *   work        millions of blocks, in all
 */
#include <stdatomic.h>

#include "work.h"

#define SLOTS_MAX 1024

typedef struct batch {
    size_t count, first_size, step;
    void *blocks[];
} batch;

typedef struct barter {
    _Atomic(batch *) table[SLOTS_MAX];
    size_t slots, batch_blocks, low, high, batches;
} barter;

static batch *batch_make(const barter *plan, size_t turn) {
    batch *made = malloc(sizeof *made + plan->batch_blocks * sizeof made->blocks[0]);
    work_check(made != NULL, "no memory");
    made->count = plan->batch_blocks;
    made->first_size = plan->low + turn * 16 % (plan->high - plan->low + 1);
    made->step = 1 + turn % 4;
    for (size_t i = 0; i < made->count; i++)
        made->blocks[i] = work_make(made->first_size + i * made->step % 32);
    return made;
}

static void batch_drop(batch *old) {
    for (size_t i = 0; old && i < old->count; i++)
        work_drop(old->blocks[i], old->first_size + i * old->step % 32);
    free(old);
}

static void barter_body(size_t number, void *shared) {
    barter *plan = shared;
    work_random random = work_seed(40 + number);
    for (size_t turn = 0; turn < plan->batches; turn++) {
        batch *mine = batch_make(plan, turn + number);
        batch_drop(atomic_exchange(&plan->table[work_below(&random, plan->slots)], mine));
    }
}

int main(int argc, char **argv) {
    static barter plan;
    size_t threads = work_number(argc, argv, "threads", 2);
    plan.slots = work_number(argc, argv, "slots", 32);
    plan.batch_blocks = work_number(argc, argv, "batch", 200);
    plan.low = work_number(argc, argv, "low", 16);
    plan.high = work_number(argc, argv, "high", 400);
    plan.batches = work_number(argc, argv, "work", 10) * 1000000 / threads / plan.batch_blocks;
    work_check(plan.slots <= SLOTS_MAX, "slots");
    work_threads(threads, barter_body, &plan);
    for (size_t i = 0; i < plan.slots; i++)
        batch_drop(atomic_load(&plan.table[i]));
    return work_end(0);
}
