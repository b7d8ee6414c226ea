/* memory.c: the four functions that a compiler may call even where there is no libc. The tests' code needs them, the
 * allocators do not: that is checked on their objects. */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);

typedef size_t __attribute__((may_alias)) word;

void *memcpy(void *restrict to, const void *restrict from, size_t bytes) {
    size_t i = 0;
    if ((((uintptr_t)to | (uintptr_t)from) & (sizeof(word) - 1)) == 0) {
        for (; i + sizeof(word) <= bytes; i += sizeof(word))
            ((word *)to)[i / sizeof(word)] = ((const word *)from)[i / sizeof(word)];
    }
    for (; i < bytes; i++)
        ((unsigned char *)to)[i] = ((const unsigned char *)from)[i];
    return to;
}

void *memmove(void *to, const void *from, size_t bytes) {
    unsigned char *target = to;
    const unsigned char *source = from;
    if (target < source)
        return memcpy(to, from, bytes);
    while (bytes-- > 0)
        target[bytes] = source[bytes];
    return to;
}

void *memset(void *to, int value, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        ((unsigned char *)to)[i] = (unsigned char)value;
    return to;
}

int memcmp(const void *a, const void *b, size_t bytes) {
    const unsigned char *left = a, *right = b;
    for (size_t i = 0; i < bytes; i++) {
        if (left[i] != right[i])
            return left[i] - right[i];
    }
    return 0;
}
