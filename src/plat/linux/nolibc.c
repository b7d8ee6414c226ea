/* nolibc.c: the four functions that compilers call by themselves, for programs that have no libc. Plain loops: the
 * compiler turns them into what the target does best, and -fno-tree-loop-distribute-patterns keeps it from turning them
 * into calls of themselves. Not part of the libraries. */
#include "base/compiler.h"

void *memcpy(void *restrict to, const void *restrict from, size_t size_bytes);
void *memmove(void *to, const void *from, size_t size_bytes);
void *memset(void *to, int value, size_t size_bytes);
int memcmp(const void *a, const void *b, size_t size_bytes);

void *memcpy(void *restrict to, const void *restrict from, size_t size_bytes) {
    for (size_t i = 0; i < size_bytes; i++)
        ((uint8_t *)to)[i] = ((const uint8_t *)from)[i];
    return to;
}

void *memmove(void *to, const void *from, size_t size_bytes) {
    uint8_t *target = to;
    const uint8_t *source = from;
    if (target < source) {
        for (size_t i = 0; i < size_bytes; i++)
            target[i] = source[i];
    } else {
        for (size_t i = size_bytes; i > 0; i--)
            target[i - 1] = source[i - 1];
    }
    return to;
}

void *memset(void *to, int value, size_t size_bytes) {
    for (size_t i = 0; i < size_bytes; i++)
        ((uint8_t *)to)[i] = (uint8_t)value;
    return to;
}

int memcmp(const void *a, const void *b, size_t size_bytes) {
    const uint8_t *x = a;
    const uint8_t *y = b;
    for (size_t i = 0; i < size_bytes; i++)
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    return 0;
}
