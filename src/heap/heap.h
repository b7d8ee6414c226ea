/* heap.h: the instance. A heap contains its layers one within the other (depot > spans > regions), the records of its
 * thread caches and its shared caches. EMMA_HEAP_INITIAL is a valid heap that has not started: the first operation
 * that needs memory opens a region.
 *
 * The functions here are the slow paths. Those that take a thread and a cache word are called with the word taken
 * (thread.h) and give it back in every case; thread is NULL where there is no thread-local storage, and then the shared
 * cache is used. Each may be called by any thread, in a signal handler that interrupted any of them, and in a child of
 * fork. None waits for another thread.
 *
 * Where memory is refused they return NULL (false) and nothing is changed or lost. */
#ifndef EMMA_HEAP_HEAP_H
#define EMMA_HEAP_HEAP_H

#include "cache/cpu.h"
#include "cache/thread.h"
#include "emma_heap.h"
#include "heap/break.h"
#include "heap/lent.h"
#include "heap/parts.h"
#include "region/huge.h"

/* What the purge layer remembers of a heap; see purge.h. */
typedef struct emma_purge_state {
    _Atomic(size_t) ticked_slices;   /* slices freed, ever, at the last tick */
    _Atomic(size_t) ticked_bytes;    /* bytes that came home, ever, then; less, where the next tick is to come sooner */
    _Atomic(uint32_t) ticked_second; /* of the last tick */
    _Atomic(size_t) out_peak_bytes;  /* most bytes out of spans since the last compaction */
    _Atomic(size_t) collected_peak_bytes; /* the same since caches and depot were emptied last */
    _Atomic(uint32_t) collected_second;   /* when a tick last did that, and no more */
    _Atomic(uint32_t) waves;              /* of late: how often next to nothing was left of what lived at the peak */
    _Atomic(uint32_t) has_risen;          /* half of that has lived since the last one */
    _Atomic(size_t) used_peak_slices;     /* most slices used, lately */
    _Atomic(size_t) claimed_seen;     /* clean slices claimed, or carved again line by line, ever, at the last tick */
    _Atomic(size_t) purged_slices;    /* lately, and not claimed again */
    _Atomic(size_t) regretted_slices; /* purged and claimed again, since last judged */
    _Atomic(size_t) freed_seen;       /* slices freed, ever, when last judged */
    _Atomic(size_t) warm_slices;      /* dirty ones that a reset left, and nobody has claimed since */
    _Atomic(uint32_t) patience;       /* grows as purges are regretted */
    _Atomic(uint32_t) compacting;     /* claimed by a try: the generation (registry.h) of the process that claimed it */
    _Atomic(size_t) janitor;          /* when it may be started: 0 off, 1 threads, 2 on (ctl/options.h) */
    _Atomic(size_t) dirty_bytes;      /* the part of the bound that does not depend on what is used */
    _Atomic(size_t) dirty_seconds;
    _Atomic(uintptr_t) janitor_stack[EMMA_JANITOR_STACKS];
} emma_purge_state;

/* The default settings; the rest of a heap begins as zero. */
#define EMMA_PURGE_INITIAL                                                                                             \
    { .dirty_bytes = EMMA_TORTURE ? 65536 : 4 << 20, .dirty_seconds = 10 }

/* fit_of: for memory that will be lent; 0: none may be. */
#define EMMA_HEAP_INITIAL(directory, shelves, fit_of)                                                                  \
    {                                                                                                                  \
        .depot.spans.regions = EMMA_REGIONS_INITIAL(directory), .depot.shelf = (shelves), .purge = EMMA_PURGE_INITIAL, \
        .lent.fit = (fit_of)                                                                                           \
    }

/* What was asked of a heap, by its maker or later. */
typedef struct emma_heap_wishes {
    unsigned flags;        /* EMMA_HEAP_... of emma_heap.h */
    _Atomic(size_t) cache; /* of the default heap: 0 thread caches, 1 CPU caches, if there can be any (ctl/options.h) */
    _Atomic(uint32_t) cpu_begun;
    void *context;
    emma_out_of_memory *on_out_of_memory;
    emma_soft_limit *on_soft_limit;
    _Atomic(size_t) soft_limit_bytes; /* 0: none */
    _Atomic(uint32_t) soft_passed;    /* on_soft_limit was called, and what is committed has not been below since */
    _Atomic(emma_heap_log *) log;     /* 0: none */
    _Atomic(void *) log_context;
    _Atomic(size_t) told_bytes; /* committed, when the log was told last */
} emma_heap_wishes;

typedef struct emma_heap {
    emma_registry registry; /* of thread caches; not used by made heaps */
    emma_shared shared;
    emma_cpu cpu; /* of made heaps, and of the default heap with cache=cpu */
    emma_purge_state purge;
    emma_heap_wishes wishes;
    emma_parts parts;
    emma_break brk;
    emma_lent lent;
    emma_depot depot; /* last: a heap over lent memory only ends before it */
} emma_heap;

/* The heap that these regions are of. */
static inline emma_heap *emma__heap_with(emma_regions *regions) {
    return (emma_heap *)(void *)((char *)regions - offsetof(emma_heap, depot.spans.regions));
}

typedef struct emma_block {
    emma_heap *heap;
    emma_block_kind kind;
    unsigned class;      /* of a small block */
    size_t usable_bytes; /* from its start on */
} emma_block;

/* Requires: the heap has memory of its own. */
static inline emma_regions *emma__heap_regions(emma_heap *heap) {
    return &heap->depot.spans.regions;
}

/* It has lent memory only: no caches, depot, spans or regions, nor room for them. */
static inline bool emma__heap_is_lent(const emma_heap *heap) {
    return heap->lent.directory != 0;
}

static inline emma_directory *emma__heap_directory(const emma_heap *heap) {
    return emma__heap_is_lent(heap) ? heap->lent.directory : heap->depot.spans.regions.directory;
}

/* What an address is to this copy of emma. NONE: not the start of a block that may be live. (That a small block is live
 * cannot be told from its address; its holder knows.) Any value may be asked for, also while others free. Cost: a few
 * loads. */
emma_block emma__heap_find(emma_heap *heap, const void *block);

/* The heap that this address is lent to. Returns: 0 for any other. */
emma_heap *emma__heap_lent_at(const emma_directory *directory, uintptr_t address);

/* The heap in whose memory an address lies. Returns: 0 for any other. */
emma_heap *emma__heap_of(const emma_directory *directory, uintptr_t address);

/* Whether an address lies in memory of this copy of emma. Any value may be asked for, also while others free.
 * Cost: one or two loads. */
bool emma__heap_owns(emma_heap *heap, const void *block);

/* A block of at least size bytes. Returns: NULL iff size is above PTRDIFF_MAX or memory is refused. */
void *emma__heap_alloc(emma_heap *heap, emma_thread *thread, emma_magazine_pair *cache, size_t size_bytes);

/* The same at a multiple of align. Requires: align a power of two. */
void *emma__heap_alloc_aligned(emma_heap *heap, emma_thread *thread, emma_magazine_pair *cache, size_t size_bytes,
                               size_t align_bytes);

/* The same, holding zeroes; fresh pages are not touched. Above EMMA_SMALL_MAX_BYTES only; smaller ones are alloc and
 * memset. */
void *emma__heap_alloc_zeroed_large(emma_heap *heap, emma_thread *thread, size_t size_bytes);

/* Take back a block of any heap, or nothing (NULL). class: what emma__span_class_fast said. Ends the process with a
 * message if block is not the start of a block, or is free already and that can be seen. Returns: the heap that it was
 * of, or heap. */
emma_heap *emma__heap_free(emma_heap *heap, emma_thread *thread, emma_magazine_pair *cache, void *block, size_t class);

/* Change the usable size of a live block without moving it, to between min and want bytes, want if that can be had.
 * Returns: false iff min cannot be had in place. Requires: 1 <= min <= want. */
bool emma__heap_resize(emma_heap *heap, void *block, size_t min_bytes, size_t want_bytes);

/* Move a large block to where size bytes fit by moving its pages. Returns: NULL iff that cannot be done; the block then
 * is as it was. */
void *emma__heap_move(emma_heap *heap, void *block, size_t size_bytes);

/* Make a heap that lies in its own memory. limit_bytes 0: none. Returns: 0 iff refused. Cost: one mapping. */
emma_heap *emma__heap_make(emma_directory *directory, size_t limit_bytes, unsigned flags);

/* Give all of it back. Requires: a made heap; nobody uses it any more. */
void emma__heap_destroy(emma_heap *heap);

/* Take back every block. Requires: a made heap; nobody uses it meanwhile. Cost: a step for each span, none for
 * blocks. */
void emma__heap_reset(emma_heap *heap);

/* What a heap takes, and its limit. Returns: 0 for a heap over memory of the caller's, which has none. */
emma_commit *emma__heap_commit(emma_heap *heap);

/* Whether a limit holds for it, its own or that of all. */
bool emma__heap_is_limited(emma_heap *heap);

/* The heap's log (log.c): another one; tell it, if there is one; tell it how much is committed, if that has changed
 * much. */
void emma__heap_set_log(emma_heap *heap, emma_heap_log *log, void *context);
void emma__heap_tell(emma_heap *heap, const emma_event *event);
void emma__heap_tell_size(emma_heap *heap);

/* What is said of a block that is taken back and is not live. */
#define EMMA_NOT_LIVE "free of what is not a live block (double free, or not from " EMMA_NAME ")"

/* A program error in this heap (0: in none): told to its log, then the end of the process with this message. */
_Noreturn void emma__heap_misuse(emma_heap *heap, const char *message, uintptr_t address);

/* What lies at an address, as emma_describe says. */
bool emma__heap_describe(const emma_directory *directory, uintptr_t address, emma_description *description);

/* Visit the live blocks, as emma_heap_walk says; the calling thread's own cache is sent home first, if given. */
int emma__heap_walk(emma_heap *heap, emma_thread *thread, emma_walker *walker, void *context);
int emma__heap_walk_spans(emma_heap *heap, emma_thread *thread, emma_span_walker *walker, void *context);

/* Whether the CPU caches of a heap are used instead of thread caches: those of the default heap begin here. */
bool emma__heap_uses_cpu(emma_heap *heap);

/* Send home what lies in the depot, the shared caches and those of processors, and in the calling thread's own cache
 * where thread is given. Others may go on meanwhile. */
void emma__heap_collect(emma_heap *heap, emma_thread *thread);

/* The same, and what other threads have cached that are in no operation (cache/idle.h). */
void emma__heap_collect_from_all(emma_heap *heap, emma_thread *thread);

/* Whether a small block is in a cache, in the depot or at home, as far as the calling thread can see: an exact no false
 * alarm, not an exact no. Cost: walks chains; for use after emma__chain_looks_free. */
bool emma__heap_is_free(emma_heap *heap, const emma_magazines *magazines, unsigned class, const void *block);

#endif
