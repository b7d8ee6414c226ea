/* rseq_aarch64.h: the restartable sequences on 64-bit ARM; see plat/rseq.h. Between the labels 1 and 2 lies what is restarted:
 * no call, no system call. The one store is a store-release. At 5 all ends meet; code says how it went.
 *
 * Not asm goto: gcc before 12.4 and 13.3 goes wrong with its outputs (PR 113921), clang 14 with one that is never reached. */
#ifndef EMMA_PLAT_RSEQ_AARCH64_H
#define EMMA_PLAT_RSEQ_AARCH64_H

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

/* Name the sequence in the area; then, not before, read the number. x17 becomes the way from slot 0, x16 the word's place. */
#define EMMA_RSEQ_ENTER                                                                                                \
    "mov %[code], %[none]\n\t"                                                                                         \
    "adrp x16, 3b\n\t"                                                                                                 \
    "add x16, x16, :lo12:3b\n\t"                                                                                       \
    "str x16, [%[area], #8]\n"                                                                                         \
    "1:\n\t"                                                                                                           \
    "ldr w17, [%[id]]\n\t"                                                                                             \
    "cmp w17, %w[slots]\n\t"                                                                                           \
    "b.hs 5f\n\t"                                                                                                      \
    "lsl x17, x17, %[log2]\n\t"                                                                                        \
    "add x16, %[word], x17\n\t"

/* The kernel goes to 4; the signature stands before it, as the operand of brk. */
#define EMMA_RSEQ_LEAVE                                                                                                \
    "2:\n\t"                                                                                                           \
    ".pushsection __rseq_failure, \"ax\", @progbits\n\t"                                                               \
    ".inst 0xd428bc00\n"                                                                                               \
    "4:\n\t"                                                                                                           \
    "mov %[code], %[aborted]\n\t"                                                                                      \
    "b 5f\n\t"                                                                                                         \
    ".popsection\n"                                                                                                    \
    "5:"

#define EMMA_RSEQ_SEQUENCE(body) EMMA_RSEQ_DESCRIPTOR EMMA_RSEQ_ENTER body EMMA_RSEQ_LEAVE

#define EMMA_RSEQ_INPUTS                                                                                               \
    [area] "r"(thread + (uintptr_t)rseq->area), [id] "r"(thread + (uintptr_t)rseq->id), [slots] "r"(rseq->slots),      \
        [log2] "i"(EMMA_RSEQ_SLOT_LOG2), [word] "r"(word), [aborted] "i"(EMMA_RSEQ_ABORTED),                           \
        [none] "i"(EMMA_RSEQ_NONE), [refused] "i"(EMMA_RSEQ_REFUSED), [done] "i"(EMMA_RSEQ_DONE)

/* code: the block, or what ended it, which is less than any address. */
static EMMA_ALWAYS_INLINE emma_rseq_end emma__rseq_pop(const emma_rseq *rseq, _Atomic(emma_chain) *word, void **block) {
    uintptr_t thread = (uintptr_t)__builtin_thread_pointer();
    uint64_t code;
    __asm__ volatile(EMMA_RSEQ_SEQUENCE("ldr %[code], [x16]\n\t"
                                        "lsr %[code], %[code], #16\n\t"
                                        "cbz %[code], 5f\n\t"
                                        "ldr x17, [%[code]]\n\t"
                                        "stlr x17, [x16]\n")
                     : [code] "=&r"(code)
                     : EMMA_RSEQ_INPUTS
                     : "x16", "x17", "memory", "cc");
    *block = (void *)code; // NOLINT(performance-no-int-to-ptr)
    return EMMA_LIKELY(code >= EMMA_RSEQ_DONE) ? EMMA_RSEQ_DONE : (emma_rseq_end)code;
}

static EMMA_ALWAYS_INLINE emma_rseq_end emma__rseq_push(const emma_rseq *rseq, _Atomic(emma_chain) *word, void *block) {
    uintptr_t thread = (uintptr_t)__builtin_thread_pointer();
    uint64_t code;
    __asm__ volatile(EMMA_RSEQ_SEQUENCE("mov %[code], %[refused]\n\t"
                                        "ldr x17, [x16]\n\t"
                                        "tst x17, #0xff\n\t"
                                        "b.eq 5f\n\t"
                                        "str x17, [%[block]]\n\t"
                                        "and x17, x17, #0xffff\n\t"
                                        "add x17, x17, %[head]\n\t"
                                        "sub x17, x17, #1\n\t"
                                        "mov %[code], %[done]\n\t"
                                        "stlr x17, [x16]\n")
                     : [code] "=&r"(code)
                     : EMMA_RSEQ_INPUTS, [block] "r"(block), [head] "r"((emma_chain)(uintptr_t)block << 16)
                     : "x16", "x17", "memory", "cc");
    return (emma_rseq_end)code;
}

static EMMA_ALWAYS_INLINE emma_rseq_end emma__rseq_exchange(const emma_rseq *rseq, _Atomic(emma_chain) *word,
                                                            emma_rseq_trade *trade) {
    uintptr_t thread = (uintptr_t)__builtin_thread_pointer();
    uint64_t code;
    emma_chain refuse = trade->only_empty ? ~(emma_chain)0xFFFF : 0;
    __asm__ volatile(EMMA_RSEQ_SEQUENCE("mov %[code], %[refused]\n\t"
                                        "str x17, [%[trade], %[way]]\n\t"
                                        "ldr x17, [x16]\n\t"
                                        "tst x17, %[refuse]\n\t"
                                        "b.ne 5f\n\t"
                                        "str x17, [%[trade], %[before]]\n\t"
                                        "mov %[code], %[done]\n\t"
                                        "stlr %[chain], [x16]\n")
                     : [code] "=&r"(code)
                     : EMMA_RSEQ_INPUTS, [chain] "r"(trade->chain), [refuse] "r"(refuse), [trade] "r"(trade),
                       [before] "i"(offsetof(emma_rseq_trade, before)), [way] "i"(offsetof(emma_rseq_trade, slot))
                     : "x16", "x17", "memory", "cc");
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
