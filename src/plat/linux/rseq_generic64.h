/* rseq_generic64.h: the restartable sequences of plat/rseq.h where the compiler can read the thread pointer: functions
 * around the instructions of the architecture's header, which defines these and then includes this one. Between the
 * labels 1 and 2 lies what is restarted: no call, no system call. At 5 all ends meet; code says how it went.
 *
 *     EMMA_RSEQ_ENTER        names the sequence that 3 describes, and begins at 1; to 5 if the number is no slot's
 *     EMMA_RSEQ_POP          code := the first block, and the rest of the chain is stored; to 5 with 0 if there is none
 *     EMMA_RSEQ_PUSH         what is there goes into %[block], %[head] and the room less one is stored; to 5 if full
 *     EMMA_RSEQ_EXCHANGE     way and what is there are noted, %[chain] is stored; to 5 if a bit of %[refuse] is there
 *     EMMA_RSEQ_LEAVE        2, the signature, 4 where the kernel goes, and 5
 *     EMMA_RSEQ_CLOBBERED    the registers of all these, and memory
 *
 * Not asm goto: gcc before 12.4 and 13.3 goes wrong with its outputs (PR 113921), clang 14 with one that is never
 * reached. */
#ifndef EMMA_PLAT_RSEQ_GENERIC64_H
#define EMMA_PLAT_RSEQ_GENERIC64_H

#include "plat/linux/rseq_descriptor.h"
#include "plat/rseq.h"

#ifdef EMMA_RSEQ_ENTER

#define EMMA_RSEQ_SEQUENCE(body) EMMA_RSEQ_DESCRIPTOR EMMA_RSEQ_ENTER body EMMA_RSEQ_LEAVE

#define EMMA_RSEQ_INPUTS                                                                                               \
    [area] "r"(thread + (uintptr_t)rseq->area), [id] "r"(thread + (uintptr_t)rseq->id), [open] "r"(&rseq->open),       \
        [log2] "i"(EMMA_RSEQ_SLOT_LOG2), [word] "r"(word), [aborted] "i"(EMMA_RSEQ_ABORTED),                           \
        [none] "i"(EMMA_RSEQ_NONE), [refused] "i"(EMMA_RSEQ_REFUSED), [done] "i"(EMMA_RSEQ_DONE)

/* code: the block, or what ended it, which is less than any address. */
static EMMA_ALWAYS_INLINE emma_rseq_end emma__rseq_pop(const emma_rseq *rseq, _Atomic(emma_chain) *word, void **block) {
    uintptr_t thread = (uintptr_t)__builtin_thread_pointer();
    uint64_t code;
    __asm__ volatile(EMMA_RSEQ_SEQUENCE(EMMA_RSEQ_POP) : [code] "=&r"(code) : EMMA_RSEQ_INPUTS : EMMA_RSEQ_CLOBBERED);
    *block = (void *)code; // NOLINT(performance-no-int-to-ptr)
    return EMMA_LIKELY(code >= EMMA_RSEQ_DONE) ? EMMA_RSEQ_DONE : (emma_rseq_end)code;
}

static EMMA_ALWAYS_INLINE emma_rseq_end emma__rseq_push(const emma_rseq *rseq, _Atomic(emma_chain) *word, void *block) {
    uintptr_t thread = (uintptr_t)__builtin_thread_pointer();
    uint64_t code;
    __asm__ volatile(EMMA_RSEQ_SEQUENCE(EMMA_RSEQ_PUSH)
                     : [code] "=&r"(code)
                     : EMMA_RSEQ_INPUTS, [block] "r"(block), [head] "r"((emma_chain)(uintptr_t)block << 16)
                     : EMMA_RSEQ_CLOBBERED);
    return (emma_rseq_end)code;
}

static EMMA_ALWAYS_INLINE emma_rseq_end emma__rseq_exchange(const emma_rseq *rseq, _Atomic(emma_chain) *word,
                                                            emma_rseq_trade *trade) {
    uintptr_t thread = (uintptr_t)__builtin_thread_pointer();
    uint64_t code;
    emma_chain refuse = trade->only_empty ? ~(emma_chain)0xFFFF : 0;
    __asm__ volatile(EMMA_RSEQ_SEQUENCE(EMMA_RSEQ_EXCHANGE)
                     : [code] "=&r"(code)
                     : EMMA_RSEQ_INPUTS, [chain] "r"(trade->chain), [refuse] "r"(refuse), [trade] "r"(trade),
                       [before] "i"(offsetof(emma_rseq_trade, before)), [way] "i"(offsetof(emma_rseq_trade, slot))
                     : EMMA_RSEQ_CLOBBERED);
    return (emma_rseq_end)code;
}

/* The thread's number, which may be another one at once; not below rseq->slots: not registered. */
static inline uint32_t emma__rseq_hint(const emma_rseq *rseq) {
    uintptr_t thread = (uintptr_t)__builtin_thread_pointer();
    return *(const volatile uint32_t *)(thread + (uintptr_t)rseq->id); // NOLINT(performance-no-int-to-ptr)
}

#undef EMMA_RSEQ_SEQUENCE
#undef EMMA_RSEQ_INPUTS
#undef EMMA_RSEQ_ENTER
#undef EMMA_RSEQ_LEAVE
#undef EMMA_RSEQ_POP
#undef EMMA_RSEQ_PUSH
#undef EMMA_RSEQ_EXCHANGE
#undef EMMA_RSEQ_CLOBBERED

#endif

#endif
