/* vectors.c: vectors that grow by realloc while others grow beside them.
 *
 *   vectors   that grow side by side; a vector that is full is dropped and begun again
 *   limit     bytes of a full vector at most (each has a random limit, small ones more often)
 *   factor    percent by which a vector grows when it has no room
 *   push      bytes appended at once
 *   work      millions of pushes
 */
#include "work.h"

typedef struct vector {
    unsigned char *bytes;
    size_t length, room, limit;
} vector;

static void vector_drop(vector *self) {
    if (self->length)
        work_check(self->bytes[0] == (unsigned char)self->limit && self->bytes[self->length - 1] == 0xA5, "a vector");
    free(self->bytes);
    *self = (vector){0};
}

static void vector_push(vector *self, size_t push, size_t factor) {
    if (self->length + push > self->room) {
        self->room = self->room * factor / 100 + push;
        self->bytes = realloc(self->bytes, self->room);
        work_check(self->bytes != NULL, "no memory");
    }
    memset(self->bytes + self->length, 0xA5, push);
    self->length += push;
    if (self->length == push)
        self->bytes[0] = (unsigned char)self->limit;
}

int main(int argc, char **argv) {
    size_t count = work_number(argc, argv, "vectors", 100), limit = work_number(argc, argv, "limit", 1 << 20);
    size_t factor = work_number(argc, argv, "factor", 150), push = work_number(argc, argv, "push", 24);
    size_t pushes = work_number(argc, argv, "work", 10) * 1000000;
    vector *vectors = calloc(count, sizeof *vectors);
    work_random random = work_seed(50);

    work_check(vectors != NULL, "no memory");
    for (size_t i = 0; i < pushes; i++) {
        vector *one = vectors + work_below(&random, count);
        if (one->limit == 0)
            one->limit = work_size(&random, 256, limit);
        vector_push(one, push, factor);
        if (one->length >= one->limit)
            vector_drop(one);
    }
    for (size_t i = 0; i < count; i++)
        vector_drop(vectors + i);
    free(vectors);
    return work_end(0);
}
