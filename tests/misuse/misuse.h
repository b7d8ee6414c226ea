/* misuse.h: a table of program errors, each run in a process of its own, and what emma must say to it.
 *
 *     static void twice(void) { void *block = mark(storm_malloc(64)); storm_free(block); storm_free(block); }
 *     {"a block freed twice", twice, DIES, "double free"}
 *
 * DIES: the process ends by SIGABRT, and all that it wrote to standard error is "emma: <message> at 0x<marked>\n".
 * Compiled twice: for emma's own functions (linked), and with STORM_DROP_IN for malloc and free (preloaded). */
#ifndef EMMA_MISUSE_H
#define EMMA_MISUSE_H

#include "../storm/storm.h"

/* Of these the preloaded program learns when it is started. */
#if STORM_DROP_IN
#pragma weak emma_owns
#pragma weak emma_malloc
#pragma weak emma_calloc
#pragma weak emma_realloc
#pragma weak emma_realloc_in_place
#pragma weak emma_aligned_alloc
#pragma weak emma_free
#pragma weak emma_free_sized
#pragma weak emma_free_aligned_sized
#pragma weak emma_usable_size
#pragma weak emma_good_size
#endif

typedef enum misuse_end {
    DIES,          /* with the message and the marked address */
    DIES_ANYWHERE, /* with the message and some address */
    CRASHES,       /* by whatever signal, without a message of any other kind */
    PASSES,        /* exits with 0, silently */
    DIES_OR_PASSES,
} misuse_end;

typedef struct misuse {
    const char *name;
    void (*run)(void);
    misuse_end end;
    const char *message;
} misuse;

/* The address that the message must show. Returns: it, and the compiler forgets what it knows of it. */
void *mark(void *block);

/* A condition within a misuse: if it does not hold, the process exits with a line of its own, and the case fails. */
#define MUST(condition) misuse_must(condition, #condition, __LINE__)
void misuse_must(bool condition, const char *text, int line);

/* Send home what is cached. */
void collect(void);

/* Blocks of a size; every one is live. */
void make_blocks(void **blocks, size_t count, size_t size);
void free_blocks(void **blocks, size_t count);

extern const misuse misuse_frees[];
extern const size_t misuse_frees_count;
extern const misuse misuse_sizes[];
extern const size_t misuse_sizes_count;
extern const misuse misuse_writes[];
extern const size_t misuse_writes_count;

#endif
