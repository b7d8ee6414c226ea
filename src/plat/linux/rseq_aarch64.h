/* rseq_aarch64.h: the instructions of the restartable sequences on 64-bit ARM; rseq_generic64.h makes functions of
 * them. The one store is a store-release. x17 becomes the way from slot 0, x16 the word's place. */
#ifndef EMMA_PLAT_RSEQ_AARCH64_H
#define EMMA_PLAT_RSEQ_AARCH64_H

#define EMMA_RSEQ_CLOBBERED "x16", "x17", "memory", "cc"

/* Name the sequence in the area; then, not before, read the number. */
#define EMMA_RSEQ_ENTER                                                                                                \
    "mov %[code], %[none]\n\t"                                                                                         \
    "adrp x16, 3b\n\t"                                                                                                 \
    "add x16, x16, :lo12:3b\n\t"                                                                                       \
    "str x16, [%[area], #8]\n"                                                                                         \
    "1:\n\t"                                                                                                           \
    "ldr w17, [%[id]]\n\t"                                                                                             \
    "ldar w16, [%[open]]\n\t"                                                                                          \
    "cmp w17, w16\n\t"                                                                                                 \
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

#define EMMA_RSEQ_POP                                                                                                  \
    "ldr %[code], [x16]\n\t"                                                                                           \
    "lsr %[code], %[code], #16\n\t"                                                                                    \
    "cbz %[code], 5f\n\t"                                                                                              \
    "ldr x17, [%[code]]\n\t"                                                                                           \
    "stlr x17, [x16]\n"

#define EMMA_RSEQ_PUSH                                                                                                 \
    "mov %[code], %[refused]\n\t"                                                                                      \
    "ldr x17, [x16]\n\t"                                                                                               \
    "tst x17, #0xff\n\t"                                                                                               \
    "b.eq 5f\n\t"                                                                                                      \
    "str x17, [%[block]]\n\t"                                                                                          \
    "and x17, x17, #0xffff\n\t"                                                                                        \
    "add x17, x17, %[head]\n\t"                                                                                        \
    "sub x17, x17, #1\n\t"                                                                                             \
    "mov %[code], %[done]\n\t"                                                                                         \
    "stlr x17, [x16]\n"

#define EMMA_RSEQ_EXCHANGE                                                                                             \
    "mov %[code], %[refused]\n\t"                                                                                      \
    "str x17, [%[trade], %[way]]\n\t"                                                                                  \
    "ldr x17, [x16]\n\t"                                                                                               \
    "tst x17, %[refuse]\n\t"                                                                                           \
    "b.ne 5f\n\t"                                                                                                      \
    "str x17, [%[trade], %[before]]\n\t"                                                                               \
    "mov %[code], %[done]\n\t"                                                                                         \
    "stlr %[chain], [x16]\n"

#include "plat/linux/rseq_generic64.h"

#endif
