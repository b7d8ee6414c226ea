/* maker.h: who makes heaps: emma, mimalloc or jemalloc, whichever library is preloaded. Its functions are looked up when the
 * program runs; nothing of a rival is needed to build. */
#ifndef BENCH_MAKER_H
#define BENCH_MAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uintptr_t maker_heap; /* a pointer, or the number of an arena */

/* How blocks are got and put back. */
typedef struct maker_way {
    void *(*get)(maker_heap heap, size_t size);
    void (*put)(maker_heap heap, void *block);
} maker_way;

typedef struct maker {
    const char *name;
    maker_heap (*create)(void);
    void (*destroy)(maker_heap heap);
    maker_way made;      /* a made heap */
    maker_way usual;     /* the default heap, which need not be made; any heap stands for it */
    void (*leave)(void); /* a thread's last act; NULL: nothing */

    /* What emma alone has; NULL, false: not there. */
    bool maps_each; /* a heap is one mapping of its own */
    maker_heap (*create_limited)(size_t limit_bytes);
    maker_heap (*begin)(maker_heap heap); /* a session; one at a time */
    void (*end)(maker_heap session);
    maker_way session;
    maker_way any; /* a made heap's blocks are put back by a function that takes blocks of any heap */
} maker;

/* Returns: the maker of that name. Ends the program, with a line that says why, if its library is not preloaded. */
maker maker_find(const char *name);

#endif
