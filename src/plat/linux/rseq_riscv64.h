/* rseq_riscv64.h: the restartable sequences on 64-bit RISC-V; see plat/rseq.h. Between the labels 1 and 2 lies what is
 * restarted: no call, no system call. A fence makes the one store a release. At 5 all ends meet; code says how it went.
 *
 * Not asm goto: gcc before 12.4 and 13.3 goes wrong with its outputs (PR 113921), clang 14 with one that is never reached. */
#ifndef EMMA_PLAT_RSEQ_RISCV64_H
#define EMMA_PLAT_RSEQ_RISCV64_H

#include "plat/rseq.h"

enum { EMMA_HAS_RSEQ = 1 };

/* The descriptor: version and flags 0, the begin, the length, where an abort goes. Debuggers find it by the array. */
#define EMMA_RSEQ_DESCRIPTOR                                                                                           \
    ".pushsection .data.rel.ro.rseq_cs, \"aw\", @progbits\n\t"                                                         \
    ".balign 32\n"                                                                                                     \
    "3:\n\t"                                                                                                           \
    ".word 0, 0\n\t"                                                                                                   \
    ".quad 1f, 2f - 1f, 4f\n\t"                                                                                        \
    ".popsection\n\t"                                                                                                  \
    ".pushsection __rseq_cs_ptr_array, \"aw\", @progbits\n\t"                                                          \
    ".quad 3b\n\t"                                                                                                     \
    ".popsection\n\t"

/* Name the sequence in the area; then, not before, read the number. t1 becomes the way from slot 0, t0 the word's place. */
#define EMMA_RSEQ_ENTER                                                                                                \
    "li %[code], %[none]\n\t"                                                                                          \
    "lla t0, 3b\n\t"                                                                                                   \
    "sd t0, 8(%[area])\n"                                                                                              \
    "1:\n\t"                                                                                                           \
    "lwu t1, 0(%[id])\n\t"                                                                                             \
    "bgeu t1, %[slots], 5f\n\t"                                                                                        \
    "slli t1, t1, %[log2]\n\t"                                                                                         \
    "add t0, %[word], t1\n\t"

/* The kernel goes to 4; the signature stands before it: csrrw of a register that cannot be written. In line, since a jump from
 * another section might not reach. */
#define EMMA_RSEQ_LEAVE                                                                                                \
    "2:\n\t"                                                                                                           \
    "j 5f\n\t"                                                                                                         \
    ".balign 4\n\t"                                                                                                    \
    ".word 0xf1401073\n"                                                                                               \
    "4:\n\t"                                                                                                           \
    "li %[code], %[aborted]\n"                                                                                         \
    "5:"

#define EMMA_RSEQ_SEQUENCE(body) EMMA_RSEQ_DESCRIPTOR EMMA_RSEQ_ENTER body EMMA_RSEQ_LEAVE

#define EMMA_RSEQ_INPUTS                                                                                               \
    [area] "r"(thread + (uintptr_t)rseq->area), [id] "r"(thread + (uintptr_t)rseq->id),                                \
        [slots] "r"((uint64_t)rseq->slots), [log2] "i"(EMMA_RSEQ_SLOT_LOG2), [word] "r"(word),                         \
        [aborted] "i"(EMMA_RSEQ_ABORTED), [none] "i"(EMMA_RSEQ_NONE), [refused] "i"(EMMA_RSEQ_REFUSED),                \
        [done] "i"(EMMA_RSEQ_DONE)

/* code: the block, or what ended it, which is less than any address. */
static EMMA_ALWAYS_INLINE emma_rseq_end emma__rseq_pop(const emma_rseq *rseq, _Atomic(emma_chain) *word, void **block) {
    uintptr_t thread = (uintptr_t)__builtin_thread_pointer();
    uint64_t code;
    __asm__ volatile(EMMA_RSEQ_SEQUENCE("ld %[code], 0(t0)\n\t"
                                        "srli %[code], %[code], 16\n\t"
                                        "beqz %[code], 5f\n\t"
                                        "ld t1, 0(%[code])\n\t"
                                        "fence rw, w\n\t"
                                        "sd t1, 0(t0)\n")
                     : [code] "=&r"(code)
                     : EMMA_RSEQ_INPUTS
                     : "t0", "t1", "t2", "memory");
    *block = (void *)code; // NOLINT(performance-no-int-to-ptr)
    return EMMA_LIKELY(code >= EMMA_RSEQ_DONE) ? EMMA_RSEQ_DONE : (emma_rseq_end)code;
}

static EMMA_ALWAYS_INLINE emma_rseq_end emma__rseq_push(const emma_rseq *rseq, _Atomic(emma_chain) *word, void *block) {
    uintptr_t thread = (uintptr_t)__builtin_thread_pointer();
    uint64_t code;
    __asm__ volatile(EMMA_RSEQ_SEQUENCE("li %[code], %[refused]\n\t"
                                        "ld t1, 0(t0)\n\t"
                                        "andi t2, t1, 0xff\n\t"
                                        "beqz t2, 5f\n\t"
                                        "sd t1, 0(%[block])\n\t"
                                        "slli t1, t1, 48\n\t"
                                        "srli t1, t1, 48\n\t"
                                        "add t1, t1, %[head]\n\t"
                                        "addi t1, t1, -1\n\t"
                                        "li %[code], %[done]\n\t"
                                        "fence rw, w\n\t"
                                        "sd t1, 0(t0)\n")
                     : [code] "=&r"(code)
                     : EMMA_RSEQ_INPUTS, [block] "r"(block), [head] "r"((emma_chain)(uintptr_t)block << 16)
                     : "t0", "t1", "t2", "memory");
    return (emma_rseq_end)code;
}

static EMMA_ALWAYS_INLINE emma_rseq_end emma__rseq_exchange(const emma_rseq *rseq, _Atomic(emma_chain) *word,
                                                            emma_rseq_trade *trade) {
    uintptr_t thread = (uintptr_t)__builtin_thread_pointer();
    uint64_t code;
    emma_chain refuse = trade->only_empty ? ~(emma_chain)0xFFFF : 0;
    __asm__ volatile(EMMA_RSEQ_SEQUENCE("li %[code], %[refused]\n\t"
                                        "sd t1, %[way](%[trade])\n\t"
                                        "ld t1, 0(t0)\n\t"
                                        "and t2, t1, %[refuse]\n\t"
                                        "bnez t2, 5f\n\t"
                                        "sd t1, %[before](%[trade])\n\t"
                                        "li %[code], %[done]\n\t"
                                        "fence rw, w\n\t"
                                        "sd %[chain], 0(t0)\n")
                     : [code] "=&r"(code)
                     : EMMA_RSEQ_INPUTS, [chain] "r"(trade->chain), [refuse] "r"(refuse), [trade] "r"(trade),
                       [before] "i"(offsetof(emma_rseq_trade, before)), [way] "i"(offsetof(emma_rseq_trade, slot))
                     : "t0", "t1", "t2", "memory");
    return (emma_rseq_end)code;
}

/* The thread's number, which may be another one at once; not below rseq->slots: not registered. */
static inline uint32_t emma__rseq_hint(const emma_rseq *rseq) {
    uintptr_t thread = (uintptr_t)__builtin_thread_pointer();
    return *(const volatile uint32_t *)(thread + (uintptr_t)rseq->id); // NOLINT(performance-no-int-to-ptr)
}

#undef EMMA_RSEQ_DESCRIPTOR
#undef EMMA_RSEQ_ENTER
#undef EMMA_RSEQ_LEAVE
#undef EMMA_RSEQ_SEQUENCE
#undef EMMA_RSEQ_INPUTS

#endif
