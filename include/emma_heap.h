/* emma_heap.h: heaps of your own: as many as you like, for any thread, limited, gone at once.
 *
 * What one can do with emma's default heap, one can do with a heap that one made; but options (emma_configure), all but
 * the limit, and the janitor are the default heap's. A heap has its own memory, limit, handlers and figures; destroying
 * it gives back everything in it, whatever is still allocated.
 *
 *     emma_heap *heap = emma_heap_create(&(emma_heap_config){.limit_bytes = 1 << 20});
 *     char *text = emma_heap_malloc(heap, 100);
 *     emma_heap_destroy(heap);
 *
 * For every function here, unless it says otherwise, what emma.h says holds: any number of threads at once, none of
 * which waits for another; signal handlers; fork; NULL (or 0) where memory is refused. A heap belongs to no thread. A
 * child that shares its parent's memory (vfork) may use only heaps with EMMA_HEAP_NO_CPU_CACHES, and the default one
 * unless cache=cpu.
 *
 * Licence: MIT OR Apache-2.0. */
#ifndef EMMA_HEAP_H
#define EMMA_HEAP_H

#include "emma.h"
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct emma_heap emma_heap;

/* No memory for a block of so many bytes: the heap's limit is reached, or the system refuses, and giving back what is
 * not in use did not help. The handler may free something, or raise the limit. Returns: 1 to try again, 0 to let the
 * allocation fail (NULL). It is not called while it runs in the same thread. It may be left by longjmp, but not by an
 * exception of C++: nothing is held while it runs, but the sessions that the caller has begun. The thread's next
 * request asks it again, if it does not come from deeper in the stack (some hundred bytes) than the one that it was
 * left for; otherwise a later one does.
 * Not asked for sizes above PTRDIFF_MAX, and not by emma_heap_sbrk, emma_heap_realloc_in_place and emma_free_range. */
typedef int emma_out_of_memory(emma_heap *heap, size_t size, void *context);

/* The soft limit was passed, upwards: once, until committed memory is below it again. Found by the next operation that
 * is no hit in a cache. Not called from what it, or a log, does in the same thread. It may be left by longjmp as
 * emma_heap_log. */
typedef void emma_soft_limit(emma_heap *heap, size_t committed_bytes, void *context);

enum {
    /* Blocks, and what realloc cuts off them, are cleared when they are freed; the first word of a free block is
     * emma's. Resetting and destroying clear nothing. */
    EMMA_HEAP_ZERO_ON_FREE = 1,
    /* No cache for each processor: 4 KiB less for each of them, slower with many threads. */
    EMMA_HEAP_NO_CPU_CACHES = 2,
};

/* What a heap did. */
typedef enum emma_event_kind {
    EMMA_EVENT_GREW,          /* committed memory is so many bytes more than was told last, or less: in steps of */
    EMMA_EVENT_SHRANK,        /* EMMA_EVENT_STEP_BYTES at least */
    EMMA_EVENT_DONATED,       /* bytes at address are the heap's now */
    EMMA_EVENT_LIMIT,         /* a block of so many bytes found no room below the limit; what is not in use goes back */
    EMMA_EVENT_OUT_OF_MEMORY, /* and could not be had in the end */
    EMMA_EVENT_RESET,
    EMMA_EVENT_DESTROYED, /* the heap is a mere name by now */
    EMMA_EVENT_MISUSE,    /* a block at address was freed twice, or the like; the process ends after this */
} emma_event_kind;

#define EMMA_EVENT_STEP_BYTES ((size_t)64 * 1024)

typedef struct emma_event {
    emma_event_kind kind;
    size_t bytes;
    const void *address;
} emma_event;

/* Told after it has happened, by the thread that did it, from slow paths only. It may use any heap; what this heap does
 * meanwhile in the same thread is not told. It may be left by longjmp as emma_out_of_memory; a block that was about to
 * be returned is lost then. */
typedef void emma_heap_log(emma_heap *heap, const emma_event *event, void *context);

/* Where a heap gets memory from, other than the system. It asks for pieces of 1 MiB, doubling to 64 MiB, or for as much
 * as a block needs and an eighth more; the heap itself lies in the first. A piece that is empty goes back when a second
 * one is, at emma_heap_collect, and with the heap. Blocks are as those of donated memory (emma_heap_donate).
 * These functions may be called by any thread that uses the heap, by several at once; never while emma holds a claim,
 * so they may use any heap, but must not need this one to make progress. */
typedef struct emma_source {
    size_t size; /* sizeof(emma_source), for later versions; 0: as of this version */

    /* Returns: so many bytes at a multiple of align, or NULL. *zeroed is 0: to be set if they read as zero once they
     * are committed; that is believed. */
    void *(*reserve)(size_t bytes, size_t align, int *zeroed, void *context);

    /* These three may be NULL; without decommit and release pieces stay with the heap. They get what reserve returned,
     * whole. Return: 1 iff done; only commit's answer matters. */
    int (*commit)(void *memory, size_t bytes, void *context);   /* make it readable and writable; before it is used */
    int (*decommit)(void *memory, size_t bytes, void *context); /* before release; contents are of no use any more */
    int (*release)(void *memory, size_t bytes, void *context);
    void *context;
} emma_source;

/* What a heap may be told when it is made; it keeps a copy, of source too. All zero is valid: the defaults. */
typedef struct emma_heap_config {
    size_t size;             /* sizeof(emma_heap_config), for later versions; 0: as of this version */
    size_t limit_bytes;      /* of committed memory, never exceeded; 0: none. At least EMMA_HEAP_LEAST_BYTES */
    size_t soft_limit_bytes; /* 0: none */
    emma_soft_limit *on_soft_limit;
    emma_out_of_memory *on_out_of_memory;
    void *context;  /* for all of these */
    unsigned flags; /* EMMA_HEAP_... */

    /* A heap over memory of the caller's: it lies in it and takes no other, but what is donated later; limits do not
     * concern it. The memory is readable and writable, begins anywhere, and stays the caller's: destroying the heap
     * leaves it as it is. NULL: memory of the system. */
    void *memory;
    size_t memory_bytes; /* EMMA_HEAP_LEAST_MEMORY_BYTES are enough */

    /* A heap whose memory comes from these functions, and what is donated. limit_bytes is of what is reserved. Not
     * together with memory. NULL: none. */
    const emma_source *source;

    emma_heap_log *log; /* NULL: none. Gets context */
} emma_heap_config;

/* The least limit: what a heap needs for itself, and a little. */
#define EMMA_HEAP_LEAST_BYTES ((size_t)272 * 1024)

/* So much memory of the caller's is enough for a heap to lie in. It needs less than 6 KiB of that for itself. */
#define EMMA_HEAP_LEAST_MEMORY_BYTES ((size_t)8 * 1024)

/* Make a heap. config NULL: all defaults.
 * Returns: NULL iff memory is refused; the limit is too low; the memory given is too small, or lies in a small block of
 * emma_malloc; or config, or the source, asks for what this version does not know.
 * Owns: the caller, until emma_heap_destroy. Cost: one system call; the first in a process makes one more. */
EMMA_API emma_heap *emma_heap_create(const emma_heap_config *config) EMMA_NOEXCEPT;

/* Give back everything that the heap holds; all of its blocks are gone. NULL: nothing happens.
 * Requires: nobody uses the heap or its blocks any more, and every session of it has ended. No function checks that a
 * heap is not NULL or destroyed, unless it says so. The default heap cannot be destroyed: that is reported.
 * What emma notes of blocks above 32 MiB stays: a mapping of 40 KiB, of which little is touched, for each 64 GiB of
 * addresses in which the process ever had one.
 * Cost: a system call for each 64 MiB and each huge block, however many blocks there are. */
EMMA_API void emma_heap_destroy(emma_heap *heap) EMMA_NOEXCEPT;

/* All blocks of the heap are gone, and the range of emma_heap_sbrk; its memory stays for the next ones, resident as it
 * is, but for that of blocks above 32 MiB. Limit and handlers stay.
 * Requires: as emma_heap_destroy. Cost: O(memory in use), no step for each block. */
EMMA_API void emma_heap_reset(emma_heap *heap) EMMA_NOEXCEPT;

/* Lend a heap memory, of any kind: a static array, the end of an init section, a mapping. The heap hands it out where
 * its own memory is refused or its limit reached, before handlers are asked; blocks of it that are freed return there.
 * It counts against no limit and is never given back to anybody before the heap is destroyed, which leaves it as it is.
 * Returns: 1 iff it is the heap's now; 0 iff it is too small (64 bytes at a multiple of 8 are enough, less than 512
 * GiB), is lent already in part, lies in a small block of emma_malloc, or there is no memory to note one more range.
 * Requires: readable and writable memory that nobody else uses before the heap is destroyed.
 * Cost: O(ranges lent); so much is also freeing a block of it, or one of unknown origin.
 *
 * Blocks of lent memory cost 8 bytes each, and are cut out by good fit. Lent memory is for one thread at a time, for
 * less than a microsecond: a free that comes meanwhile is left to that thread; who wants a block tries again for about
 * half a second at most, and is then refused, which happens where the other thread was stopped, and in a signal handler
 * that interrupted it.
 * fork: as all memory; in a child, what is lent is out of use where another thread was just at it. A heap over shared
 * memory (at one address in all processes that fork from the one that made it) may be used by all of them, if they use
 * no threads when they fork. Each learns of what it was lent before the fork only. */
EMMA_API int emma_heap_donate(emma_heap *heap, void *memory, size_t size) EMMA_NOEXCEPT;

/* The heap of emma_malloc. */
EMMA_API emma_heap *emma_heap_default(void) EMMA_NOEXCEPT;

/* As the functions of emma.h without heap_, from this heap. emma_free, emma_realloc, emma_usable_size and
 * emma_realloc_in_place work for a block of any heap, and emma_realloc leaves it in its heap. */
EMMA_API void *emma_heap_malloc(emma_heap *heap, size_t size) EMMA_NOEXCEPT EMMA_RETURNS_BLOCK;
EMMA_API void *emma_heap_calloc(emma_heap *heap, size_t count, size_t size) EMMA_NOEXCEPT EMMA_RETURNS_BLOCK;
EMMA_API void *emma_heap_realloc(emma_heap *heap, void *block, size_t size) EMMA_NOEXCEPT;

/* A block at a multiple of alignment, which may be any number but 0. A block at a multiple of what is not a power of
 * two is given back by emma_free_aligned_sized with that alignment. */
EMMA_API void *emma_heap_aligned_alloc(emma_heap *heap, size_t alignment, size_t size) EMMA_NOEXCEPT EMMA_RETURNS_BLOCK;
EMMA_API size_t emma_heap_realloc_in_place(emma_heap *heap, void *block, size_t min, size_t want) EMMA_NOEXCEPT;

/* Take back a block of this heap; one of another heap is reported, as any foreign pointer. NULL: nothing happens. */
EMMA_API void emma_heap_free(emma_heap *heap, void *block) EMMA_NOEXCEPT;
EMMA_API void emma_heap_free_sized(emma_heap *heap, void *block, size_t size) EMMA_NOEXCEPT;

/* Fill blocks with up to count blocks of size bytes. Returns: how many there are; fewer only where memory is
 * refused. */
EMMA_API size_t emma_heap_malloc_batch(emma_heap *heap, size_t size, size_t count, void **blocks) EMMA_NOEXCEPT;

/* Take back count blocks of this heap; NULLs among them are passed over. */
EMMA_API void emma_heap_free_batch(emma_heap *heap, size_t count, void *const *blocks) EMMA_NOEXCEPT;

/* The heap of a block, or of any address in its memory. Returns: NULL for any other address, and in the range of
 * emma_heap_sbrk.
 * Requires: that heap is not being destroyed. Cost: a few loads. */
EMMA_API emma_heap *emma_heap_of(const void *address) EMMA_NOEXCEPT;

/* Change the limits; 0: none. A limit below what is committed holds for what comes. It is never exceeded but by memory
 * that the system does not take back (locked, mlock(2)).
 * Committed memory is counted in pages that may be resident: carved pages of spans, whole slices (64 KiB) of large
 * blocks and of freed memory that is kept, and for the heap itself EMMA_HEAP_LEAST_BYTES / 2 and 4 KiB for each
 * processor, where it has CPU caches. A limit of the default heap is for before memory is used: where that has huge
 * pages already, these are resident as a whole.
 * Cost: who finds no room below a limit first gives back what is not in use: O(heap), for each request. */
EMMA_API void emma_heap_set_limit(emma_heap *heap, size_t limit_bytes) EMMA_NOEXCEPT;
EMMA_API void emma_heap_set_soft_limit(emma_heap *heap, size_t soft_limit_bytes) EMMA_NOEXCEPT;

/* Limits for all heaps of this copy of emma together, the default one and all that are made; 0: none. What is lent to
 * heaps, and what comes from sources of theirs, does not count, nor do some tables of emma's own (records of thread
 * caches and huge blocks, headers of regions, the default heap's slots of CPU caches): some KiB for each. So
 * emma_set_limit(emma_cgroup_limit() / 10 * 9) keeps a process that is alone in its control group below the group's
 * limit, as long as a tenth is enough for that and for what is not emma's; with libemma-malloc EMMA_CONF=limit=cgroup
 * does it. Both are best set before much memory is used, as emma_heap_set_limit says.
 * At the limit, the heap that is asked and the default heap give back what they do not use; then handlers are asked,
 * then NULL is returned (of several threads at the limit at once one gives back what is not in use, and another may be
 * refused meanwhile); emma_heap_create asks none. The soft limit's handler gets the heap whose operation found it
 * passed, and what all have committed. NULL: none. */
EMMA_API void emma_set_limit(size_t limit_bytes) EMMA_NOEXCEPT;
EMMA_API void emma_set_soft_limit(size_t soft_limit_bytes, emma_soft_limit *handler, void *context) EMMA_NOEXCEPT;

/* What counts against these limits. Cost: one load. */
EMMA_API size_t emma_committed_bytes(void) EMMA_NOEXCEPT;

/* Another log, or none (NULL), for any heap, the default one too. Who is at telling something meanwhile may still tell
 * the old log, or the new one with the old context. */
EMMA_API void emma_heap_set_log(emma_heap *heap, emma_heap_log *log, void *context) EMMA_NOEXCEPT;

/* Handlers for all heaps that have none, or whose own said 0; NULL: none. */
EMMA_API void emma_set_out_of_memory(emma_out_of_memory *handler, void *context) EMMA_NOEXCEPT;

/* A handler for the calling thread, asked instead of all others; once: it is taken away before it is called. */
EMMA_API void emma_set_thread_out_of_memory(emma_out_of_memory *handler, void *context) EMMA_NOEXCEPT;

/* The memory limit that the process's control group sets (cgroup v2 and v1, all levels).
 * Returns: 0 iff there is none or it cannot be read. Cost: a few system calls. */
EMMA_API size_t emma_cgroup_limit(void) EMMA_NOEXCEPT;

/* Figures of a heap, exact when nobody else uses it. */
typedef struct emma_heap_stats {
    emma_stats of;          /* as emma_stats_read */
    size_t committed_bytes; /* that count against the limit */
    size_t peak_bytes;      /* most that were committed */
    size_t limit_bytes;     /* 0: none */
    size_t lent_bytes;      /* memory of the caller's; in it lies the heap, if it was made over memory */
    size_t lent_used_bytes; /* of that, what live blocks take */
} emma_heap_stats;

EMMA_API void emma_heap_stats_read(emma_heap *heap, emma_heap_stats *stats) EMMA_NOEXCEPT;

/* Give back to the system what the heap does not use. Returns: bytes. */
EMMA_API size_t emma_heap_collect(emma_heap *heap) EMMA_NOEXCEPT;

typedef enum emma_block_state {
    EMMA_NO_BLOCK, /* not in emma's memory, or not in a block */
    EMMA_FREE_BLOCK,
    EMMA_LIVE_BLOCK,
} emma_block_state;

typedef enum emma_block_kind {
    EMMA_BLOCK_NONE,
    EMMA_BLOCK_SMALL, /* of a size class: it lies in a span among others of its size */
    EMMA_BLOCK_LARGE, /* slices of 64 KiB of its own */
    EMMA_BLOCK_HUGE,  /* a mapping of its own */
    EMMA_BLOCK_LENT,  /* in donated memory, the heap's buffer, or memory from its source */
} emma_block_kind;

/* What an address is. */
typedef struct emma_description {
    emma_heap *heap; /* NULL: not in emma's memory */
    void *start;     /* of the block that holds the address */
    size_t size;     /* its usable bytes */
    /* A small block is told free by its contents; what looks free is looked up in its span and the caches. Where these
     * are in use by others at the moment, LIVE is said. */
    emma_block_state state;
    emma_block_kind kind; /* of a small block, size says which class */
} emma_description;

/* Describe an address; any value may be asked for, but not in a heap that is being destroyed.
 * Returns: 1 iff it lies in a block. Cost: a few loads; for what looks free, a walk through its span. */
EMMA_API int emma_describe(const void *address, emma_description *description) EMMA_NOEXCEPT;

/* Called for each block, in no order; returns 0 to go on, else the walk ends. It may use any heap, and free the
 * block. */
typedef int emma_walker(const emma_description *block, void *context);

/* Visit the live blocks of a heap. Exact when nobody else changes the heap; else each block that lives throughout, and
 * is not reallocated meanwhile, is visited, and none twice that does. Blocks in caches are sent home first, where that
 * can be done without waiting; what cannot is visited as live.
 * Returns: what the walker returned last; 0 at the end. Cost: O(memory in use). */
EMMA_API int emma_heap_walk(emma_heap *heap, emma_walker *walker, void *context) EMMA_NOEXCEPT;

/* A run of memory that holds blocks of one size; a large or huge block is one by itself. */
typedef struct emma_span_description {
    void *start;
    size_t bytes;       /* of its address range; of a large or huge block, what its holder may use */
    size_t block_bytes; /* of each block */
    size_t blocks;      /* that it has room for */
    size_t used_blocks; /* that live, or lie in a cache */
    emma_block_kind kind;
} emma_span_description;

typedef int emma_span_walker(const emma_span_description *span, void *context);

/* Visit the spans of a heap, and its large and huge blocks; lent memory has none. Exact as emma_heap_walk; caches are
 * sent home first, as there. Pages of a span are touched when a block in them is first used. */
EMMA_API int emma_heap_walk_spans(emma_heap *heap, emma_span_walker *walker, void *context) EMMA_NOEXCEPT;

/* Free a part of a block: the bytes [from, from + size). When all usable bytes of the block (emma_usable_size; asked
 * before the first part is freed) have been freed so, in any order, the block is free. size may reach beyond the end of
 * the block. Whole pages of large blocks go back at once, but count against the limit until the block is gone. A byte
 * freed twice is reported, and so is NULL.
 * Requires: the block is freed by parts only from then on. Returns: 1 iff the block is gone now, 0 if not (yet: where
 * other threads free parts in this heap meanwhile, one of them may finish it a moment later), -1 iff there is no memory
 * for a note of 32 bytes, which a part needs that lies beside no other (nothing happens then).
 * Cost: O(such parts in the heap). */
EMMA_API int emma_free_range(void *from, size_t size) EMMA_NOEXCEPT;

/* A growing and shrinking range of the heap's, as sbrk(2) without the process's break. delta > 0: the range is longer
 * by so many bytes, which read as zero, but those of the page of the old end that the range had before: they are as
 * they were; delta < 0: shorter, whole pages go back. It begins at a page; a delta of 0 tells where it ends.
 * All of it counts against the limit, and in no other figure than committed_bytes. No block lies in it: emma_heap_of
 * does not know it. Where a limit refuses, what the heap does not use goes back first, once; no handler is asked.
 * Returns: the old end of the range; NULL iff memory is refused, the range is 4 GiB long (less where so much address
 * space is refused), or has not so many bytes, the heap is one over memory or a source, or the range belongs to another
 * thread's call that was stopped: it is for one at a time, for a system call at most; others try again for about half a
 * second, and in a handler that interrupted such a call that is in vain. NULL changes nothing.
 * Cost: a system call; at the limit O(heap). */
EMMA_API void *emma_heap_sbrk(emma_heap *heap, ptrdiff_t delta) EMMA_NOEXCEPT;

/* A session: one cache of the heap, claimed once. What is done through it costs no claim, no restartable sequence and
 * no thread-local storage. For one thread at a time; not for a handler that interrupted a function of the same session.
 * At most four of a heap have a cache at one time; further ones work as the functions of the heap. Others do not see
 * into the cache: what it holds is in cached_bytes, but is not collected, and is walked and described as live, until
 * the session ends: before the heap is reset or destroyed. One that has ended works as the functions of the heap. */
typedef struct emma_session {
    emma_heap *heap;
    void *cache; /* NULL: none could be had; the functions work, slower */
} emma_session;

EMMA_API void emma_session_begin(emma_heap *heap, emma_session *session) EMMA_NOEXCEPT;
EMMA_API void *emma_session_malloc(emma_session *session, size_t size) EMMA_NOEXCEPT EMMA_RETURNS_BLOCK;
EMMA_API void emma_session_free(emma_session *session, void *block) EMMA_NOEXCEPT;
EMMA_API void emma_session_end(emma_session *session) EMMA_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
