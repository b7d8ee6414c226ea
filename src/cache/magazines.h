/* magazines.h: a cache: per class two magazines, loaded and spare, and what its owner does when they run out or over.
 *
 *     of[class].loaded   popped from and pushed to by the fast path
 *     of[class].spare    0, or a magazine (usually full) that takes the loaded one's place
 *
 *     loaded runs empty:  spare -> loaded;  no spare: a magazine from the depot -> loaded
 *     loaded runs full:   loaded -> spare;  a spare is there: the spare -> depot, loaded -> spare
 *
 * Every change is one store of one word, and what moves is taken out of the old place before it is put into the new one
 * (law 2): a child of fork, or a handler that never returns, finds two sound magazines and at most one chain lost. The
 * store of a chain's new head is a release: a fork's snapshot never holds the head without the link behind it.
 *
 * Capacities grow by use: a class starts with a few blocks and doubles each time the depot is reached, up to 64 blocks
 * or 16 KiB, and up to 255 blocks where the depot is too small for it and no other class pays; not by frees while the
 * class shrinks. When the cache as a whole would hold more than its budget, a class grows only after it missed so often
 * that it gains more than others lose, and these are halved in turn: the bytes go where they save most visits to the
 * depot. The budget is earned: it doubles after it was too little for a while, out of what all caches of the heap may
 * earn together, so a thread that works much has a large cache, one that works a little and sleeps has not, and many do
 * not keep much. What is earned is not for ever: where others have wanted more than there is often enough, it counts for
 * half as much, and who works gives the other half up, and may earn it again; so what sleepers have does not keep others
 * from it. While a janitor sends home what sleepers have (idle.h), all may earn more. The next owner earns half of what
 * this one had at once, if there is so much.
 *
 * Several blocks lie in one line of the processor's caches, and threads that write to the same line slow each other
 * down (false sharing). So a thread begins with blocks of a page that nobody has blocks of, and what it frees of a
 * class of which it has asked for nothing yet is a stranger's and goes home; but not for ever, as a thread that only
 * frees needs magazines.
 *
 * One owner at a time, or a visitor (idle.h); others may read the words for statistics. */
#ifndef EMMA_CACHE_MAGAZINES_H
#define EMMA_CACHE_MAGAZINES_H

#include "depot/depot.h"

enum {
    EMMA_MAGAZINE_MAX_BLOCKS = 255,
    EMMA_MAGAZINE_LARGE_BLOCKS = 64, /* more than that is seldom worth the memory */
    EMMA_MAGAZINE_MAX_BYTES = 16384,
    EMMA_MAGAZINE_MIN_BLOCKS = 2,
    EMMA_MAGAZINE_FIRST_BYTES = 1024, /* a class begins with so much, at most 16 blocks */
    EMMA_MAGAZINE_FIRST_BLOCKS = 16,
    EMMA_MAGAZINE_MISS_BYTES = 1024,     /* the cache being full, a class earns so much each time it runs out or over */
    EMMA_CACHE_BUDGET_BYTES = 32 * 1024, /* what the magazines of one cache may hold together, at first */
    EMMA_CACHE_EARNED_BYTES = 2 << 20,   /* what all that work may earn together beyond that */
    EMMA_CACHE_EARNED_MOST_BYTES = 16 << 20, /* the same while what sleepers have is sent home (purge/janitor.c) */
    EMMA_CACHE_REFUSALS = 1024, /* so often somebody must want more than there is until what was earned is halved */
    EMMA_CACHE_BUDGET_PATIENCE = 512, /* so often it must have been too little before it doubles */
    EMMA_CACHE_STRANGERS_MAX = 256,   /* so many blocks of strangers go home one by one */
    EMMA_CACHE_SHARED_BYTES = 64,     /* blocks below that size share a line of the processor's caches */
};

typedef struct emma_magazine_pair {
    _Atomic(emma_chain) loaded;
    _Atomic(emma_chain) spare;
} emma_magazine_pair;

typedef struct emma_magazines {
    emma_magazine_pair of[EMMA_CLASS_COUNT];
    /* Slow path only; all zero at first. */
    struct {
        uint8_t capacity;                 /* of the next magazine; 0: not used yet */
        _Atomic(uint8_t) loaded_capacity; /* blocks + room of the loaded one */
        _Atomic(uint8_t) spare_count;
        uint8_t misses; /* the cache being full, since the class last grew at the cost of others */
    } shape[EMMA_CLASS_COUNT];
    uint32_t earned_bytes;    /* of budget */
    uint32_t halvings;        /* of what all have earned, that this is after */
    uint32_t heritage_bytes;  /* what the next owner earns first, if there is so much */
    uint32_t too_little;      /* how often the budget was too little since the last one */
    uint32_t granted_bytes;   /* sum of 2 * capacity * size */
    uint32_t hand;            /* the class that shrinks next */
    uint32_t strangers;       /* blocks that were freed before their class was used */
    bool is_visitable;        /* a thread's, that somebody may empty from outside (idle.h) */
    _Atomic(bool) is_visited; /* somebody does: the owner keeps out */
} emma_magazines;

/* Whether the slow path may not touch them: somebody else is at it. Owner only. */
static inline bool emma__magazines_are_visited(const emma_magazines *magazines) {
    return ATOMIC_LOAD(&magazines->is_visited, acquire); /* pairs with the visitor's release when it goes */
}

/* What the two magazines of a class may hold together. */
static inline uint32_t emma__magazines_pair_bytes(unsigned class, unsigned capacity) {
    return (uint32_t)(2 * (size_t)capacity * emma__class_size(class));
}

/* The hit path: pop from the loaded magazine of a class. Returns: NULL iff it is empty. Requires: the caller owns the
 * cache. */
static EMMA_ALWAYS_INLINE void *emma__magazines_pop(emma_magazine_pair *pair) {
    emma_chain chain = ATOMIC_LOAD(&pair->loaded, relaxed);
    if (EMMA_UNLIKELY(emma__chain_is_empty(chain)))
        return 0;
    void *block = emma__chain_first(chain);
    ATOMIC_STORE(&pair->loaded, emma__chain_rest(chain), release); /* see the banner: fork */
    emma__chain_unmark(block);
    return block;
}

/* The spare takes the place of the loaded magazine, where that is empty and there is a spare. Returns: whether it did.
 * Requires: the caller owns the cache, or it is closed (thread.h). */
bool emma__magazines_load_spare(emma_magazines *magazines, unsigned class);

/* If the loaded magazine is full, it becomes the spare, and an empty one is loaded. Returns: false iff it is not, there
 * is a spare, or the class is not used or has shrunk. Requires: the caller owns the cache, or it is closed. */
bool emma__magazines_spare_loaded(emma_magazines *magazines, unsigned class);

/* A block of this class. Requires: the caller owns the cache; class is not EMMA_CLASS_NONE.
 * Returns: NULL iff no memory can be had. Cost: pop; at worst a depot exchange or a refill. */
void *emma__magazines_alloc(emma_magazines *magazines, emma_depot *depot, unsigned class);

/* Take back a block of this class. Requires: as above. Cost: push; at worst a depot put. */
void emma__magazines_free(emma_magazines *magazines, emma_depot *depot, unsigned class, void *block);

/* Send everything away, and let each class begin anew: full magazines to the depot, the rest home. keep_depot false:
 * all of it home. */
void emma__magazines_flush(emma_magazines *magazines, emma_depot *depot, bool keep_depot);

/* The owner is gone, or sleeps: send everything away, give back what was earned, and begin anew, with a heritage. keep_depot
 * false where the owner may have stopped in the middle of an operation: the counts, which the depot needs, may then be
 * wrong; the chains are not. */
void emma__magazines_end(emma_magazines *magazines, emma_depot *depot, bool keep_depot);

/* How many blocks of a class are in it; exact when its owner is idle. */
size_t emma__magazines_count(const emma_magazines *magazines, unsigned class);

/* Whether a block is in one of the magazines of a class. Owner only. Cost: a step for each block. */
bool emma__magazines_contain(const emma_magazines *magazines, unsigned class, const void *block);

#endif
