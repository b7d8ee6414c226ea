/* sharing.c: does the allocator make threads share cache lines?
 *
 * Active: each thread makes small blocks of its own and writes them often; an allocator that cuts blocks for two
 * threads out of one line makes them slow. Passive: the threads start with blocks that another thread made side by
 * side; they free these and then work as above, so an allocator that gives strangers' blocks out again stays slow.
 *
 *   mode      active or passive
 *   threads   how many
 *   size      bytes of a block
 *   blocks    in one thread's hand at once
 *   writes    to each block while it lives
 *   work      millions of blocks, in all
 */
#include "work.h"

typedef struct sharing {
    char ***given; /* per thread: the blocks it starts with, or NULL */
    size_t size, blocks, writes, rounds;
} sharing;

static void write_often(char *block, size_t writes) {
    for (size_t i = 0; i < writes; i++)
        ((volatile char *)block)[0] = (char)(block[0] + 1);
}

static void sharing_body(size_t number, void *shared) {
    const sharing *plan = shared;
    char **hand = calloc(plan->blocks, sizeof *hand);

    work_check(hand != NULL, "no memory");
    for (size_t i = 0; plan->given && i < plan->blocks; i++) {
        write_often(plan->given[number][i], plan->writes);
        free(plan->given[number][i]);
    }
    for (size_t round = 0; round < plan->rounds; round++) {
        for (size_t i = 0; i < plan->blocks; i++) {
            hand[i] = malloc(plan->size);
            work_check(hand[i] != NULL, "no memory");
            hand[i][0] = (char)i;
        }
        for (size_t i = 0; i < plan->blocks; i++)
            write_often(hand[i], plan->writes);
        for (size_t i = 0; i < plan->blocks; i++) {
            work_check(hand[i][0] == (char)(i + plan->writes), "a block written by one thread");
            free(hand[i]);
        }
    }
    free(hand);
}

static char ***deal(size_t threads, size_t blocks, size_t size) {
    char ***given = calloc(threads, sizeof *given);
    for (size_t t = 0; given && t < threads; t++)
        given[t] = calloc(blocks, sizeof *given[t]);
    for (size_t i = 0; given && i < blocks; i++) {
        for (size_t t = 0; t < threads; t++) {
            given[t][i] = malloc(size);
            work_check(given[t][i] != NULL, "no memory");
            memset(given[t][i], 0, size);
        }
    }
    return given;
}

int main(int argc, char **argv) {
    size_t threads = work_number(argc, argv, "threads", 2);
    sharing plan = {.size = work_number(argc, argv, "size", 16),
                    .blocks = work_number(argc, argv, "blocks", 100),
                    .writes = work_number(argc, argv, "writes", 50)};

    plan.rounds = work_number(argc, argv, "work", 4) * 1000000 / plan.blocks / threads;
    if (strcmp(work_word(argc, argv, "mode", "active"), "passive") == 0)
        plan.given = deal(threads, plan.blocks, plan.size);
    work_threads(threads, sharing_body, &plan);
    return work_end(0);
}
