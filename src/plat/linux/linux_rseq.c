/* linux_rseq.c: what the C library has registered with the kernel: two of its symbols say so (glibc 2.35 and later);
 * where they are missing, or tell of no area, there is nothing. See plat/rseq.h. */
#include "base/atomic.h"
#include "base/bits.h"
#include "plat/linux/syscall.h"
#include "plat/rseq.h"

// NOLINTBEGIN(bugprone-reserved-identifier)
extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));
// NOLINTEND(bugprone-reserved-identifier)

enum {
    /* Where the fields lie in the area, and how much of it must be in use to hold them. */
    CPU_ID = 4,
    CPU_ID_SIZE = 20, /* with the fields that have been there from the first */
    MM_CID = 24,
    MM_CID_SIZE = 28,
    SIZE_OF_OLD = 32, /* what glibc 2.35 to 2.39 say: the size of the structure, not of what is in use */

    MASK_WORDS = 128, /* for 8192 processors, as many as any kernel has */
    SLOTS_MAX = MASK_WORDS * 64,
    SLOTS_UNIT = 64, /* the mask that the kernel writes is made of words */

    BARRIER_RSEQ = 1 << 7,
    REGISTER_RSEQ = 1 << 8,
};

/* The answer: slots / 64 in the high half, processors in the low one; 0: not asked yet. */
static _Atomic(uint32_t) known;

/* The kernel has no such barrier, or a filter forbids it. */
static _Atomic(bool) no_barrier;

/* How many numbers the kernel can give, and on how many processors this thread may run. A number of processors in a
 * process (mm_cid) is below the same limit. */
static uint32_t ask(void) {
    uint64_t mask[MASK_WORDS] = {0};
    long bytes = emma__syscall_fallible(EMMA_SYS_sched_getaffinity, 0, sizeof mask, (long)mask, 0, 0, 0);
    if (emma__syscall_failed(bytes) || bytes < 8 || bytes > (long)sizeof mask)
        return 1; /* no slots */
    uint32_t words = (uint32_t)bytes / 8;
    uint32_t cpus = 0;
    for (uint32_t i = 0; i < words; i++)
        cpus += emma__bits_count(mask[i]);
    return words << 16 | cpus;
}

bool emma__rseq_find(emma_rseq *rseq) {
    *rseq = (emma_rseq){0, 0, 0, 0, 0};
    if (!EMMA_HAS_RSEQ || &__rseq_offset == 0 || &__rseq_size == 0 || __rseq_size < CPU_ID_SIZE)
        return false;
    uint32_t answer = ATOMIC_LOAD(&known, relaxed);
    if (answer == 0) {
        answer = ask();
        ATOMIC_STORE(&known, answer,
                     relaxed); /* all find the same slots; the first answer about processors need not last */
    }
    bool has_mm_cid = __rseq_size >= MM_CID_SIZE && __rseq_size != SIZE_OF_OLD;
    rseq->area = __rseq_offset;
    rseq->id = __rseq_offset + (has_mm_cid ? MM_CID : CPU_ID);
    rseq->slots = (answer >> 16) * SLOTS_UNIT;
    rseq->cpus = answer & 0xFFFF;
    emma__rseq_open(rseq);
    return rseq->slots != 0;
}

static long membarrier(long command) {
    return emma__syscall_fallible(EMMA_SYS_membarrier, command, 0, 0, 0, 0, 0);
}

/* Restart the sequences of all threads. A process must be registered for that; children of fork are. */
static bool restart_all(void) {
    long result = membarrier(BARRIER_RSEQ);
    if (result == -EMMA_EPERM) {
        result = membarrier(REGISTER_RSEQ);
        result = result == 0 ? membarrier(BARRIER_RSEQ) : result;
    }
    if (result != 0 && result != -EMMA_ENOMEM)
        ATOMIC_STORE(&no_barrier, true, relaxed);
    return result == 0;
}

bool emma__rseq_close(emma_rseq *rseq) {
    /* Acquire: pairs with the release of who opened them last. The barrier orders the store before what sequences
     * read after it, and what they stored before it ahead of what the caller reads. */
    if (ATOMIC_LOAD(&no_barrier, relaxed) || ATOMIC_EXCHANGE(&rseq->open, 0, acquire) == 0)
        return false;
    if (restart_all())
        return true;
    emma__rseq_open(rseq);
    return false;
}
