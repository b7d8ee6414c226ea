/* rseq.h: restartable sequences: a few instructions on memory of the processor that a thread runs on, without an atomic
 * one.
 *
 * The kernel keeps, in an area that the C library registers for each thread, the number of the processor that the
 * thread is on. A sequence names itself in that area, reads the number, works on the slot of that number, and ends with
 * one store. Whenever the thread is preempted, moved or gets a signal before that store, the kernel sends it to the
 * sequence's abort label instead of the next instruction. So who reaches the store was alone in the slot from begin to
 * end, and what a word of the slot leads to may be read: it was there in every instant.
 *
 *     slot:      0              1              2                 EMMA_RSEQ_SLOT_BYTES apart; a word is named by its
 *            [ ...word... ][ ...word... ][ ...word... ] ...      address in slot 0
 *
 *     sequence     refused iff                               the one store
 *     -----------+-----------------------------------------+------------------------------
 *     pop        | the chain is empty                      | word := rest of the chain
 *     push       | the chain has no room                   | word := block before the chain
 *     exchange   | only_empty, and the chain is not empty  | word := another chain
 *
 * Sequences also read, before anything of a slot, whether the slots are open. Who closes them has all to himself, once
 * a barrier of the kernel's (membarrier, Linux 5.10) has restarted what was under way on any processor:
 *
 *     close:     open := 0;  barrier          each sequence has ended before the barrier, or begins anew after it and
 *                                             reads 0: it ends with NONE, as for a thread that is not registered
 *     open:      open := slots, a release     pairs with the acquire by which sequences read it
 *
 * Nobody waits for anybody by that, but for the kernel: the caller, until each processor that runs a thread of this
 * process has been interrupted once.
 *
 * The store is a release: a child of fork never finds the head of a chain without the link behind it. Sequences may
 * stop anywhere and are then as if they had never begun, but that push may have written to its block.
 *
 * Here for Linux on x86-64, aarch64 and riscv64, where the C library registers (glibc 2.35); everywhere else, also in
 * builds for ThreadSanitizer, which cannot see them, emma__rseq_find finds nothing. Emma never registers by itself, but
 * in programs without libc that ask (emma__rseq_register), and writes only the field that is a sequence's to write. A
 * process that shares its memory with another one but not its threads (a child of vfork) uses an area that nobody
 * keeps: there these functions must not be used, and it cannot be seen.
 *
 * Source: rseq(2), include/uapi/linux/rseq.h; the signatures are those that glibc registers. */
#ifndef EMMA_PLAT_RSEQ_H
#define EMMA_PLAT_RSEQ_H

#include "base/atomic.h"
#include "base/chain.h"

enum { EMMA_RSEQ_SLOT_LOG2 = 12, EMMA_RSEQ_SLOT_BYTES = 1 << EMMA_RSEQ_SLOT_LOG2 };

/* Where a thread finds its area and its number, from its thread pointer; the same for all threads of a process. */
typedef struct emma_rseq {
    intptr_t area;
    intptr_t id;            /* of the field that holds the number */
    uint32_t slots;         /* every number is below that, but for a thread that is not registered */
    uint32_t cpus;          /* on which this process may run; a thread may be told otherwise later */
    _Atomic(uint32_t) open; /* numbers that are not below that have no slot: slots, or 0 while they are closed */
} emma_rseq;

typedef enum emma_rseq_end {
    EMMA_RSEQ_REFUSED,
    EMMA_RSEQ_ABORTED, /* interrupted; it may be tried again */
    EMMA_RSEQ_NONE,    /* this thread is not registered, or the slots are closed */
    EMMA_RSEQ_DONE,    /* the last: no block has an address below it */
} emma_rseq_end;

/* An exchange, and what came of it. */
typedef struct emma_rseq_trade {
    emma_chain chain;  /* in: what goes into the word */
    bool only_empty;   /* in: only if the chain there is empty */
    emma_chain before; /* out: what was there */
    uintptr_t slot;    /* out: in which slot, in bytes from slot 0 */
} emma_rseq_trade;

/* What the C library has registered. Returns: false iff there are no restartable sequences. Threads that are not
 * registered although others are find out by themselves. Cost: the first call makes one system call. */
bool emma__rseq_find(emma_rseq *rseq);

/* For programs that have no libc, in linux/nolibc_rseq.c: register the calling thread, before it makes or uses a
 * heap. All threads that use heaps do that then; the first before there are others.
 * Requires: its thread pointer leads to memory of EMMA_RSEQ_NOLIBC_OFFSET + 32 bytes, at a multiple of 32, that is the
 * thread's as long as it lives, and zero but for the thread pointer's own words; on x86-64 (%fs) the first word is its
 * own address, as everywhere. On aarch64 and riscv64 the program's thread-local variables would lie there: it has none.
 * Returns: false iff the kernel has no such thing, or a filter forbids it, or the thread is registered already. */
enum { EMMA_RSEQ_NOLIBC_OFFSET = 32 };
bool emma__rseq_register(void);

/* Close the slots: what they hold is the caller's alone, until emma__rseq_open. Returns: false iff they are closed
 * already, or the kernel has no such barrier or no memory for it: nothing was done.
 * Threads, signals: any, also those that are not registered. Fork: a child that begins meanwhile finds them closed for
 * ever. Cost: one system call that interrupts the processors which run this process; the first one in a process
 * registers it, which takes milliseconds if there are threads. One that is not known or not permitted is not tried
 * again. */
bool emma__rseq_close(emma_rseq *rseq);

/* Requires: the caller has closed them; or nobody else uses them. */
static inline void emma__rseq_open(emma_rseq *rseq) {
    ATOMIC_STORE(&rseq->open, rseq->slots, release); /* pairs with the sequences' acquire */
}

#if defined(__linux__) && defined(__x86_64__) && !EMMA_THREAD_SANITIZER
#include "plat/linux/rseq_x86_64.h"
#elif defined(__linux__) && defined(__aarch64__) && !EMMA_THREAD_SANITIZER
#include "plat/linux/rseq_aarch64.h"
#elif defined(__linux__) && defined(__riscv) && __riscv_xlen == 64 && !EMMA_THREAD_SANITIZER
#include "plat/linux/rseq_riscv64.h"
#else

enum { EMMA_HAS_RSEQ = 0 };

static inline emma_rseq_end emma__rseq_pop(const emma_rseq *rseq, _Atomic(emma_chain) *word, void **block) {
    (void)rseq, (void)word, (void)block;
    return EMMA_RSEQ_NONE;
}

static inline emma_rseq_end emma__rseq_push(const emma_rseq *rseq, _Atomic(emma_chain) *word, void *block) {
    (void)rseq, (void)word, (void)block;
    return EMMA_RSEQ_NONE;
}

static inline emma_rseq_end emma__rseq_exchange(const emma_rseq *rseq, _Atomic(emma_chain) *word,
                                                emma_rseq_trade *trade) {
    (void)rseq, (void)word, (void)trade;
    return EMMA_RSEQ_NONE;
}

static inline uint32_t emma__rseq_hint(const emma_rseq *rseq) {
    (void)rseq;
    return UINT32_MAX;
}

#endif

#endif
