/* handoff.c: a server that hands its objects from thread to thread, after the pattern of larson: a thread inherits a
 * set of blocks made by its predecessor, replaces random ones for a while, starts a successor with the set, and ends.
 *
 *   lines       chains of threads running side by side
 *   live        blocks in a set
 *   low, high   sizes in bytes
 *   lives       threads in each chain, one after the other
 *   work        millions of replacements, in all
 */
#include "work.h"

typedef struct line {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    size_t lives_left, live, low, high, steps;
    work_random random;
    void **blocks;
    size_t *sizes;
} line;

static void *line_life(void *argument);

static void line_pass_on(line *self) {
    pthread_t successor;
    pthread_mutex_lock(&self->lock);
    if (--self->lives_left > 0) {
        work_check(pthread_create(&successor, NULL, line_life, self) == 0, "pthread_create");
        pthread_detach(successor);
    } else {
        pthread_cond_signal(&self->ended);
    }
    pthread_mutex_unlock(&self->lock);
}

static void *line_life(void *argument) {
    line *self = argument;
    for (size_t step = 0; step < self->steps; step++) {
        size_t i = work_below(&self->random, self->live);
        work_drop(self->blocks[i], self->sizes[i]);
        self->sizes[i] = work_size(&self->random, self->low, self->high);
        self->blocks[i] = work_make(self->sizes[i]);
    }
    line_pass_on(self);
    return NULL;
}

static void line_body(size_t number, void *shared) {
    line self = *(const line *)shared;
    size_t lives = self.lives_left;
    pthread_t first;

    pthread_mutex_init(&self.lock, NULL);
    pthread_cond_init(&self.ended, NULL);
    self.random = work_seed(20 + number);
    self.blocks = calloc(self.live, sizeof *self.blocks);
    self.sizes = calloc(self.live, sizeof *self.sizes);
    work_check(self.blocks && self.sizes && lives > 0, "no memory");
    for (size_t i = 0; i < self.live; i++) {
        self.sizes[i] = work_size(&self.random, self.low, self.high);
        self.blocks[i] = work_make(self.sizes[i]);
    }
    pthread_mutex_lock(&self.lock);
    work_check(pthread_create(&first, NULL, line_life, &self) == 0, "pthread_create");
    pthread_detach(first);
    while (self.lives_left > 0)
        pthread_cond_wait(&self.ended, &self.lock);
    pthread_mutex_unlock(&self.lock);
    work_drop_all(self.blocks, self.sizes, self.live);
    free(self.sizes);
    free(self.blocks);
}

int main(int argc, char **argv) {
    size_t lines = work_number(argc, argv, "lines", 2), lives = work_number(argc, argv, "lives", 100);
    line plan = {.lives_left = lives,
                 .live = work_number(argc, argv, "live", 1000),
                 .low = work_number(argc, argv, "low", 8),
                 .high = work_number(argc, argv, "high", 1000),
                 .steps = work_number(argc, argv, "work", 10) * 1000000 / lines / lives};
    work_threads(lines, line_body, &plan);
    return work_end(0);
}
