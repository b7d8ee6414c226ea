/* registry.h: the thread caches' records: who owns which, and what becomes of those whose owner is gone.
 *
 * A record is a cache with an owner word { generation:32 | takes:10 | thread id:22 }; thread id 0: nobody's. Records
 * are made in blocks that are never unmapped, so that a record may be looked at at any time. A thread takes one at its
 * first slow path and gives it back, empty, when it ends. Threads that end without a word are found out: who needs a
 * record first judges two owners (tgkill with signal 0), and takes over where the thread is gone; what it left goes
 * home. A thread id in use again only delays that; it never costs a live thread its record: each taking counts in the
 * owner word, so who judged a word before that takes nothing with it (unless it is stopped while the record is taken
 * 1024 times, at last by that very id).
 *
 * fork: one page of the registry is wiped in children (MADV_WIPEONFORK). Who finds it wiped, in a slow path, begins a
 * new generation. Records of an older generation belong to threads that do not exist in the child, but for the one that
 * called fork: it (its own thread state carries the older generation) renames its records and empties the others. If it
 * has none, its first slow path does so: the one thread of a new process is that whose id is the process's. Where the
 * kernel cannot wipe pages, the records of vanished threads stay as they are: a bounded leak.
 *
 * A process id other than the generation's without a wiped page is a vfork child or its like: it shares the memory but
 * not the threads, so it neither judges nor takes a record.
 *
 * Threads, signals, fork: any; lock-free. Cost of taking a record: O(records), a few system calls. */
#ifndef EMMA_CACHE_REGISTRY_H
#define EMMA_CACHE_REGISTRY_H

#include "cache/magazines.h"

enum {
    EMMA_RECORDS_PER_BLOCK = 56,
    EMMA_JANITOR_STACKS = 2,
    EMMA_OWNER_ID_BITS = 22, /* Linux gives no greater thread ids: PID_MAX_LIMIT is 4 Mi */
};

typedef struct emma_record {
    emma_magazines magazines; /* first: a thread's cache word is the address of its magazines */
    _Atomic(uintptr_t) word;  /* where that word is, that names this record; its thread may be gone */
    uint64_t seen;            /* by the last visitor */
    _Atomic(emma_chain) aside[EMMA_CLASS_COUNT]; /* by a visitor (idle.h) */
} __attribute__((aligned(64))) emma_record;

typedef struct emma_record_block {
    _Atomic(struct emma_record_block *) next;
    _Atomic(uint64_t) owner[EMMA_RECORDS_PER_BLOCK];
    emma_record record[EMMA_RECORDS_PER_BLOCK];
} emma_record_block;

/* What fork clears in children. */
typedef struct emma_wiped {
    _Atomic(uint32_t) generation;
    _Atomic(uint32_t) janitor;                         /* an emma_janitor_state (purge/purge.h) */
    _Atomic(uint32_t) stack_user[EMMA_JANITOR_STACKS]; /* the thread on each of the janitor's stacks; 0: none */
} emma_wiped;

typedef struct emma_registry {
    _Atomic(emma_record_block *) first;
    _Atomic(emma_wiped *) wiped;  /* 0: not made yet */
    _Atomic(uint32_t) generation; /* counts forks; 0: not begun */
    _Atomic(uint32_t) process_id; /* of this generation */
    _Atomic(uint32_t) judged;     /* where judging goes on */
    _Atomic(uint32_t) threads;    /* records ever taken in this process: 0, 1, or more */
    _Atomic(uint32_t) visiting;   /* 0, or the generation of who is at it (idle.h) */
    _Atomic(uint32_t) swept;      /* the generation whose first thread has swept; the first needs none */
    _Atomic(bool) visits;         /* the system tells of forks, and has refused nothing that visits need */
} emma_registry;

/* The generation, begun anew if this is a child of fork. Returns: 0 iff memory is refused.
 * Cost: two loads; at the first call and after a fork, system calls. */
uint32_t emma__registry_generation(emma_registry *registry);

/* A record for the calling thread. Returns: NULL iff none can be had, or the thread id is no 22-bit number. */
emma_record *emma__registry_take(emma_registry *registry, uint32_t generation, uint32_t thread_id);

/* Whether a record was ever taken: the memory of others is not worth a touch. */
static inline bool emma__registry_was_used(const emma_record_block *block, unsigned i) {
    return ATOMIC_LOAD(&block->owner[i], relaxed) != 0;
}

/* A record that is nobody's or whose owner is gone is sent home and given back. Returns: whether it was.
 * Cost: two system calls. Requires: signals are blocked, as the caller is its owner meanwhile. */
bool emma__registry_bury(emma_registry *registry, emma_depot *depot, emma_record_block *block, unsigned i,
                         uint32_t generation);

/* Give a record back, after it was emptied. */
void emma__registry_give(emma_registry *registry, const emma_record *record);

/* The thread that called fork, in the child: keep my records under my new id, empty all others' of older generations,
 * and end visits of these. old_thread_id: 0 if there are none of mine. */
void emma__registry_sweep(emma_registry *registry, emma_depot *depot, uint32_t old_thread_id, uint32_t generation,
                          uint32_t thread_id);

/* How many blocks of a class are in records, owned or not. Exact when their owners are idle. */
size_t emma__registry_count(const emma_registry *registry, unsigned class);

#endif
