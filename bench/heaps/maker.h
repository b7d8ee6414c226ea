/* maker.h: who makes heaps: emma, mimalloc or jemalloc, whichever library is preloaded. Its functions are looked up when the
 * program runs; nothing of a rival is needed to build. */
#ifndef BENCH_MAKER_H
#define BENCH_MAKER_H

#include <stddef.h>
#include <stdint.h>

typedef uintptr_t maker_heap; /* a pointer, or the number of an arena */

typedef struct maker {
    const char *name;
    maker_heap (*create)(void);
    void (*destroy)(maker_heap heap);
    void *(*get)(maker_heap heap, size_t size);
    void (*put)(maker_heap heap, void *block);
    void *(*get_default)(size_t size); /* from the heap that need not be made */
    void (*put_default)(void *block);
    void (*leave)(void);                              /* a thread's last act; NULL: nothing */
    maker_heap (*create_limited)(size_t limit_bytes); /* NULL: has no limits */
} maker;

/* Returns: the maker of that name. Ends the program, with a line that says why, if its library is not preloaded. */
maker maker_find(const char *name);

#endif
