/* pipeline.c: producers make messages of blocks, consumers free them; their numbers differ.
 *
 *   producers, consumers
 *   blocks      in a message; the message itself is a block too
 *   queue       messages waiting at most
 *   low, high   sizes in bytes
 *   work        millions of blocks, in all
 */
#include "work.h"

typedef struct message {
    size_t count;
    struct {
        void *block;
        size_t size;
    } items[];
} message;

typedef struct pipeline {
    pthread_mutex_t lock;
    pthread_cond_t not_empty, not_full;
    message **ring;
    size_t queue, head, tail; /* the ring holds [tail, head) modulo queue */
    size_t producers, producing, blocks, low, high, messages;
} pipeline;

static void put(pipeline *line, message *sent) {
    pthread_mutex_lock(&line->lock);
    while (line->head - line->tail == line->queue)
        pthread_cond_wait(&line->not_full, &line->lock);
    line->ring[line->head++ % line->queue] = sent;
    pthread_cond_signal(&line->not_empty);
    pthread_mutex_unlock(&line->lock);
}

/* Returns NULL iff the queue is empty and all producers have ended. */
static message *take(pipeline *line) {
    message *taken = NULL;
    pthread_mutex_lock(&line->lock);
    while (line->head == line->tail && line->producing > 0)
        pthread_cond_wait(&line->not_empty, &line->lock);
    if (line->head != line->tail)
        taken = line->ring[line->tail++ % line->queue];
    pthread_cond_signal(&line->not_full);
    pthread_mutex_unlock(&line->lock);
    return taken;
}

static void produce(pipeline *line, size_t number) {
    work_random random = work_seed(30 + number);
    for (size_t i = 0; i < line->messages; i++) {
        message *sent = malloc(sizeof *sent + line->blocks * sizeof sent->items[0]);
        work_check(sent != NULL, "no memory");
        sent->count = line->blocks;
        for (size_t k = 0; k < sent->count; k++) {
            sent->items[k].size = work_size(&random, line->low, line->high);
            sent->items[k].block = work_make(sent->items[k].size);
        }
        put(line, sent);
    }
    pthread_mutex_lock(&line->lock);
    line->producing--;
    pthread_cond_broadcast(&line->not_empty);
    pthread_mutex_unlock(&line->lock);
}

static void consume(pipeline *line) {
    for (message *taken; (taken = take(line)) != NULL; free(taken)) {
        for (size_t k = 0; k < taken->count; k++)
            work_drop(taken->items[k].block, taken->items[k].size);
    }
}

static void pipeline_body(size_t number, void *shared) {
    pipeline *line = shared;
    if (number < line->producers)
        produce(line, number);
    else
        consume(line);
}

int main(int argc, char **argv) {
    pipeline line = {.lock = PTHREAD_MUTEX_INITIALIZER,
                     .not_empty = PTHREAD_COND_INITIALIZER,
                     .not_full = PTHREAD_COND_INITIALIZER,
                     .queue = work_number(argc, argv, "queue", 64),
                     .producers = work_number(argc, argv, "producers", 1),
                     .blocks = work_number(argc, argv, "blocks", 100),
                     .low = work_number(argc, argv, "low", 16),
                     .high = work_number(argc, argv, "high", 512)};
    size_t consumers = work_number(argc, argv, "consumers", 3);

    line.producing = line.producers;
    line.messages = work_number(argc, argv, "work", 10) * 1000000 / line.producers / line.blocks;
    line.ring = calloc(line.queue, sizeof *line.ring);
    work_check(line.ring != NULL, "no memory");
    work_threads(line.producers + consumers, pipeline_body, &line);
    free(line.ring);
    return work_end(0);
}
