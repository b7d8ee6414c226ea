/* rseq_x86_64.h: the restartable sequences on x86-64; see plat/rseq.h. The thread pointer is the base of %fs; each
 * store is a release. Between the labels 1 and 2 lies what is restarted: no call, no system call. At 5 all ends meet:
 * the zero flag says that the sequence did nothing, and code then says why.
 *
 * Not asm goto: gcc before 12.4 and 13.3 goes wrong with its outputs (PR 113921), clang 14 with one that is never
 * reached. */
#ifndef EMMA_PLAT_RSEQ_X86_64_H
#define EMMA_PLAT_RSEQ_X86_64_H

#include "plat/linux/rseq_descriptor.h"
#include "plat/rseq.h"

/* Name the sequence in the area; then, not before, read the number. %rcx becomes the way from slot 0. */
#define EMMA_RSEQ_ENTER                                                                                                \
    "leaq 3b(%%rip), %%rcx\n\t"                                                                                        \
    "movq %%rcx, %%fs:8(%[area])\n"                                                                                    \
    "1:\n\t"                                                                                                           \
    "movl %%fs:(%[id]), %%ecx\n\t"                                                                                     \
    "cmpl %[open], %%ecx\n\t"                                                                                          \
    "jae 7f\n\t"                                                                                                       \
    "shlq %[log2], %%rcx\n\t"

/* The kernel goes to 4; the signature stands before it, as the operand of ud1. To 7 goes who has no slot, to 8 who is
 * refused. */
#define EMMA_RSEQ_LEAVE                                                                                                \
    "2:\n\t"                                                                                                           \
    ".pushsection __rseq_failure, \"ax\", @progbits\n\t"                                                               \
    ".byte 0x0f, 0xb9, 0x3d\n\t"                                                                                       \
    ".long 0x53053053\n"                                                                                               \
    "4:\n\t"                                                                                                           \
    "movl %[aborted], %k[code]\n\t"                                                                                    \
    "jmp 9f\n"                                                                                                         \
    "7:\n\t"                                                                                                           \
    "movl %[none], %k[code]\n"                                                                                         \
    "9:\n\t"                                                                                                           \
    "cmpl %k[code], %k[code]\n\t"                                                                                      \
    "jmp 5f\n"                                                                                                         \
    "8:\n\t"                                                                                                           \
    "xorl %k[code], %k[code]\n\t"                                                                                      \
    "jmp 5f\n\t"                                                                                                       \
    ".popsection\n"                                                                                                    \
    "5:"

#define EMMA_RSEQ_SEQUENCE(body) EMMA_RSEQ_DESCRIPTOR EMMA_RSEQ_ENTER body EMMA_RSEQ_LEAVE

#define EMMA_RSEQ_INPUTS                                                                                               \
    [area] "r"(rseq->area), [id] "r"(rseq->id), [open] "m"(rseq->open), [log2] "i"(EMMA_RSEQ_SLOT_LOG2),               \
        [word] "r"(word), [aborted] "i"(EMMA_RSEQ_ABORTED), [none] "i"(EMMA_RSEQ_NONE)

/* code: the block, or what ended it, which is less than any address. */
static EMMA_ALWAYS_INLINE emma_rseq_end emma__rseq_pop(const emma_rseq *rseq, _Atomic(emma_chain) *word, void **block) {
    bool nothing;
    uint64_t code;
    __asm__ volatile(EMMA_RSEQ_SEQUENCE("movq (%[word], %%rcx), %[code]\n\t"
                                        "shrq $16, %[code]\n\t"
                                        "jz 8f\n\t"
                                        "movq (%[code]), %%rax\n\t"
                                        "movq %%rax, (%[word], %%rcx)\n")
                     : [code] "=&r"(code), "=@ccz"(nothing)
                     : EMMA_RSEQ_INPUTS
                     : "rax", "rcx", "memory");
    *block = (void *)code; // NOLINT(performance-no-int-to-ptr)
    return EMMA_UNLIKELY(nothing) ? (emma_rseq_end)code : EMMA_RSEQ_DONE;
}

static EMMA_ALWAYS_INLINE emma_rseq_end emma__rseq_push(const emma_rseq *rseq, _Atomic(emma_chain) *word, void *block) {
    bool nothing;
    uint64_t code;
    __asm__ volatile(EMMA_RSEQ_SEQUENCE("movq (%[word], %%rcx), %%rax\n\t"
                                        "testb %%al, %%al\n\t"
                                        "jz 8f\n\t"
                                        "movq %%rax, (%[block])\n\t"
                                        "movzwl %%ax, %%eax\n\t"
                                        "leaq -1(%[head], %%rax), %%rax\n\t"
                                        "movq %%rax, (%[word], %%rcx)\n")
                     : [code] "=&a"(code), "=@ccz"(nothing)
                     : EMMA_RSEQ_INPUTS, [block] "r"(block), [head] "r"((emma_chain)(uintptr_t)block << 16)
                     : "rcx", "memory");
    return EMMA_UNLIKELY(nothing) ? (emma_rseq_end)code : EMMA_RSEQ_DONE;
}

static EMMA_ALWAYS_INLINE emma_rseq_end emma__rseq_exchange(const emma_rseq *rseq, _Atomic(emma_chain) *word,
                                                            emma_rseq_trade *trade) {
    bool nothing;
    uint64_t code;
    emma_chain refuse = trade->only_empty ? ~(emma_chain)0xFFFF : 0;
    __asm__ volatile(EMMA_RSEQ_SEQUENCE("movq (%[word], %%rcx), %%rax\n\t"
                                        "testq %[refuse], %%rax\n\t"
                                        "jnz 8f\n\t"
                                        "movq %%rax, %c[before](%[trade])\n\t"
                                        "movq %%rcx, %c[way](%[trade])\n\t"
                                        "testq %%rsp, %%rsp\n\t"
                                        "movq %[chain], (%[word], %%rcx)\n")
                     : [code] "=&a"(code), "=@ccz"(nothing)
                     : EMMA_RSEQ_INPUTS, [chain] "r"(trade->chain), [refuse] "r"(refuse), [trade] "r"(trade),
                       [before] "i"(offsetof(emma_rseq_trade, before)), [way] "i"(offsetof(emma_rseq_trade, slot))
                     : "rcx", "memory");
    return EMMA_UNLIKELY(nothing) ? (emma_rseq_end)code : EMMA_RSEQ_DONE;
}

/* The thread's number, which may be another one at once; not below rseq->slots: not registered. */
static inline uint32_t emma__rseq_hint(const emma_rseq *rseq) {
    uint32_t id;
    __asm__ volatile("movl %%fs:(%[at]), %[id]" : [id] "=r"(id) : [at] "r"(rseq->id));
    return id;
}

#undef EMMA_RSEQ_ENTER
#undef EMMA_RSEQ_LEAVE
#undef EMMA_RSEQ_SEQUENCE
#undef EMMA_RSEQ_INPUTS

#endif
