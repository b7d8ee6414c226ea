/* cpu.h: CPU caches: a cache for each processor instead of each thread, for heaps that many threads share.
 *
 *     slot of a processor:  loaded[class]    popped from and pushed to
 *                           spare[class][i]  0, or a magazine, usually full, that waits to be loaded
 *
 *     loaded runs empty:  the last spare -> loaded;  no spare: a magazine from the depot -> loaded
 *     loaded runs full:   an empty one -> loaded, the full one -> the first free spare;  none is free: the last spare
 *                         -> depot
 *
 * Every change of a word is a restartable sequence (plat/rseq.h) that ends with one store. What takes several steps is
 * done with the chain in hand, each step on the processor that the thread then is on: a chain that finds its place
 * taken goes to the next one, at last to the depot. So a signal handler may come in anywhere and use the same slot, and
 * what is lost by a thread that stops for ever, or vanishes in a fork, is the chain in its hand (four in a closer look
 * at a doubtful free), and one magazine in the account of a slot.
 *
 * The capacity of a class is fixed for a heap, so a chain word tells how many blocks the chain has: capacity less room.
 * Chains from the depot that were made with another capacity are made anew. How much a class has in a slot is a matter
 * of its spares. All magazines of a slot may hold EMMA_CPU_BUDGET_BYTES / processors together; then those of other
 * classes leave, one by one, going round, so that a class which needs them more often gets them. Classes of which that
 * is less than eight magazines are never cached here: the shared cache has them.
 *
 * Slots lie in memory that is handed to emma__cpu_init; those of processors that never came by are never touched.
 *
 * All slots are drained at once: closed, emptied word by word, and opened again. Each word of a slot goes into one hand
 * by one exchange, so who has a chain in hand meanwhile finds no place for it, or a place that is empty, and goes on.
 * Everybody else uses the shared cache while they are closed. If the drainer stops for ever, is left by longjmp, or is
 * missing in a child of fork, that is for ever: slower, and what is not drained yet idles until the heap is reset.
 *
 * Not available where there are no restartable sequences, for threads that are not registered, while the slots are
 * closed, and in an operation that was interrupted EMMA_CPU_TRIES times in a row (single steps): the shared cache is
 * used then. Not for use in a child of vfork. */
#ifndef EMMA_CACHE_CPU_H
#define EMMA_CACHE_CPU_H

#include "cache/magazines.h"
#include "plat/rseq.h"

enum {
    EMMA_CPU_TRIES = 64,
    EMMA_CPU_SPARES = 3,
    EMMA_CPU_BUDGET_BYTES = 4 << 20,    /* for all slots together */
    EMMA_CPU_SLOT_BUDGET_MAX = 1 << 20, /* for one */
    EMMA_CPU_SLOT_BUDGET_MIN = 4096,
    EMMA_CPU_MAGAZINE_MAX_BLOCKS = 64,
    EMMA_CPU_MAGAZINE_MAX_BYTES = 8192,
    EMMA_CPU_MAGAZINE_PART = 32, /* a magazine may be this part of its slot's budget */
    EMMA_CPU_PARTS = 64,         /* of the slots: the bits of used */
};

typedef struct emma_cpu_slot {
    _Atomic(emma_chain) loaded[EMMA_CLASS_COUNT];
    _Atomic(emma_chain) spare[EMMA_CLASS_COUNT][EMMA_CPU_SPARES];
    _Atomic(int32_t) held_bytes; /* what its magazines have room for: sum of capacity * size. Added after a magazine
                                  * came, so who takes it away first makes it negative for a while */
    _Atomic(uint32_t) hand;      /* the class that is to give something up next */
} __attribute__((aligned(EMMA_RSEQ_SLOT_BYTES))) emma_cpu_slot;

EMMA_STATIC_ASSERT(sizeof(emma_cpu_slot) == EMMA_RSEQ_SLOT_BYTES, "plat/rseq.h finds the slots");

/* The CPU caches of a heap. All zero: it has none. */
typedef struct emma_cpu {
    _Atomic(emma_cpu_slot *) slots; /* 0: none. Published last, with a release: who sees it sees the rest */
    emma_rseq rseq;
    uint32_t budget_bytes;  /* of a slot */
    _Atomic(uint64_t) used; /* bit i: one of the i-th part of the slots has been used; set before it is true, but by who
                             * is moved at the first use of a part */
} emma_cpu;

/* How much memory the CPU caches of a heap need; a heap that is used on few processors touches little of it.
 * Returns: 0 iff there are none here: no restartable sequences. Cost: the first call makes one system call. */
size_t emma__cpu_bytes(void);

/* Begin to use CPU caches. Requires: memory is emma__cpu_bytes() zeroed bytes, not 0, at a multiple of
 * EMMA_RSEQ_SLOT_BYTES, and stays as long as the heap; cpu is all zero; called once. Others may use cpu already.
 * most_bytes: what all slots may hold together, if that is less than EMMA_CPU_BUDGET_BYTES, which 0
 * stands for. */
void emma__cpu_init(emma_cpu *cpu, uintptr_t memory, size_t most_bytes);

/* Whether there are slots. That a thread can use them is told by the functions below. */
static inline bool emma__cpu_is_on(const emma_cpu *cpu) {
    return ATOMIC_LOAD(&cpu->slots, relaxed) != 0;
}

/* The fast path: a block of this class from the slot of this processor. Returns: NULL iff emma__cpu_alloc is to be
 * asked.
 * Threads, signals, fork: any, wait-free. Class may be EMMA_CLASS_NONE, which has nothing. Cost on x86-64: 23
 * instructions. */
static EMMA_ALWAYS_INLINE void *emma__cpu_pop(emma_cpu *cpu, size_t class) {
    emma_cpu_slot *slots = ATOMIC_LOAD(&cpu->slots, acquire); /* pairs with the release in emma__cpu_init */
    void *block;
    if (EMMA_UNLIKELY(slots == 0) ||
        EMMA_UNLIKELY(emma__rseq_pop(&cpu->rseq, &slots->loaded[class], &block) != EMMA_RSEQ_DONE))
        return 0;
    emma__chain_unmark(block);
    return block;
}

/* The fast path: take back a block of this class. Returns: false iff emma__cpu_free is to be asked; the first word of
 * the block may have been written to. Requires: the caller has looked whether the block looks free (base/chain.h). */
static EMMA_ALWAYS_INLINE bool emma__cpu_push(emma_cpu *cpu, size_t class, void *block) {
    emma_cpu_slot *slots = ATOMIC_LOAD(&cpu->slots, acquire); /* as above */
    return EMMA_LIKELY(slots != 0) &&
           EMMA_LIKELY(emma__rseq_push(&cpu->rseq, &slots->loaded[class], block) == EMMA_RSEQ_DONE);
}

/* A block of this class; all of the way. *available: false: nothing was done, the shared cache is to be asked; true:
 * NULL iff no memory can be had. Requires: class is not EMMA_CLASS_NONE. Threads, signals, fork: any, lock-free.
 * Cost: two or three sequences; at worst a depot exchange or a refill, and as much for each magazine that others
 * give up. */
void *emma__cpu_alloc(emma_cpu *cpu, emma_depot *depot, unsigned class, bool *available);

/* Take back a block of this class; all of the way. Returns: false iff nothing was done: the shared cache is to take it.
 * Requires, threads: as above. Cost: one to five sequences; at worst a depot put, and as above. */
bool emma__cpu_free(emma_cpu *cpu, emma_depot *depot, unsigned class, void *block);

/* Send home what is in the slot of the calling thread's processor (in parts of several, if it is moved meanwhile).
 * Others may go on. */
void emma__cpu_flush(emma_cpu *cpu, emma_depot *depot);

/* Send home what is in all slots; others may go on, with the shared cache meanwhile. Returns: false iff nothing was
 * done: somebody else is at it, or the kernel cannot.
 * Threads: any, also those not registered. Cost: as emma__rseq_close, and a few exchanges for each used slot. */
bool emma__cpu_drain(emma_cpu *cpu, emma_depot *depot);

/* Send home what is in all slots, and have them open. Requires: nobody else uses the heap. */
void emma__cpu_empty(emma_cpu *cpu, emma_depot *depot);

/* How many blocks of a class are in all slots. Exact when nobody uses them. Cost: a few loads for each used slot. */
size_t emma__cpu_count(const emma_cpu *cpu, unsigned class);

/* Whether a block is in the slot of the calling thread's processor. Takes its chains in hand and puts them back, so it
 * may be called while others go on. Cost: eight sequences and a step for each block. */
bool emma__cpu_contain(emma_cpu *cpu, emma_depot *depot, unsigned class, const void *block);

/* How many blocks a magazine of this class has; 0: the class is not cached here. */
unsigned emma__cpu_capacity(const emma_cpu *cpu, unsigned class);

/* What one magazine of it takes. */
static inline int32_t emma__cpu_magazine_bytes(const emma_cpu *cpu, unsigned class) {
    return (int32_t)(emma__cpu_capacity(cpu, class) * emma__class_size(class));
}

/* How many blocks a chain of these caches has: with its room they are a capacity. */
static inline unsigned emma__cpu_count_of(const emma_cpu *cpu, unsigned class, emma_chain chain) {
    return chain != 0 ? emma__cpu_capacity(cpu, class) - emma__chain_room(chain) : 0;
}

/* A chain leaves these caches for the spans; it may be empty. */
static inline void emma__cpu_send_home(emma_depot *depot, unsigned class, emma_chain chain) {
    if (!emma__chain_is_empty(chain))
        emma__spans_take_home(&depot->spans, class, chain);
}

/* Whether a block is in a chain of any slot. Exact when nobody else uses the heap; may be called while others do: a
 * link is followed only from what is a block of this class. Cost: a step for each cached block of the class. */
bool emma__cpu_peek(const emma_cpu *cpu, const emma_regions *regions, unsigned class, const void *block);

/* Whether every chain has as many blocks as its word tells, and every account is right. Requires: nobody else uses the
 * heap. Cost: walks all. */
bool emma__cpu_valid(const emma_cpu *cpu);

#endif
