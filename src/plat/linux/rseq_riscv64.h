/* rseq_riscv64.h: the instructions of the restartable sequences on 64-bit RISC-V; rseq_generic64.h makes functions of
 * them. A fence makes the one store a release. t1 becomes the way from slot 0, t0 the word's place. */
#ifndef EMMA_PLAT_RSEQ_RISCV64_H
#define EMMA_PLAT_RSEQ_RISCV64_H

#define EMMA_RSEQ_CLOBBERED "t0", "t1", "t2", "memory"

/* Name the sequence in the area; then, not before, read the number. */
#define EMMA_RSEQ_ENTER                                                                                                \
    "li %[code], %[none]\n\t"                                                                                          \
    "lla t0, 3b\n\t"                                                                                                   \
    "sd t0, 8(%[area])\n"                                                                                              \
    "1:\n\t"                                                                                                           \
    "lwu t1, 0(%[id])\n\t"                                                                                             \
    "lwu t0, 0(%[open])\n\t"                                                                                           \
    "fence r, rw\n\t"                                                                                                  \
    "bgeu t1, t0, 5f\n\t"                                                                                              \
    "slli t1, t1, %[log2]\n\t"                                                                                         \
    "add t0, %[word], t1\n\t"

/* The kernel goes to 4; the signature stands before it: csrrw of a register that cannot be written. In line, since a
 * jump from another section might not reach. */
#define EMMA_RSEQ_LEAVE                                                                                                \
    "2:\n\t"                                                                                                           \
    "j 5f\n\t"                                                                                                         \
    ".balign 4\n\t"                                                                                                    \
    ".word 0xf1401073\n"                                                                                               \
    "4:\n\t"                                                                                                           \
    "li %[code], %[aborted]\n"                                                                                         \
    "5:"

#define EMMA_RSEQ_POP                                                                                                  \
    "ld %[code], 0(t0)\n\t"                                                                                            \
    "srli %[code], %[code], 16\n\t"                                                                                    \
    "beqz %[code], 5f\n\t"                                                                                             \
    "ld t1, 0(%[code])\n\t"                                                                                            \
    "fence rw, w\n\t"                                                                                                  \
    "sd t1, 0(t0)\n"

#define EMMA_RSEQ_PUSH                                                                                                 \
    "li %[code], %[refused]\n\t"                                                                                       \
    "ld t1, 0(t0)\n\t"                                                                                                 \
    "andi t2, t1, 0xff\n\t"                                                                                            \
    "beqz t2, 5f\n\t"                                                                                                  \
    "sd t1, 0(%[block])\n\t"                                                                                           \
    "slli t1, t1, 48\n\t"                                                                                              \
    "srli t1, t1, 48\n\t"                                                                                              \
    "add t1, t1, %[head]\n\t"                                                                                          \
    "addi t1, t1, -1\n\t"                                                                                              \
    "li %[code], %[done]\n\t"                                                                                          \
    "fence rw, w\n\t"                                                                                                  \
    "sd t1, 0(t0)\n"

#define EMMA_RSEQ_EXCHANGE                                                                                             \
    "li %[code], %[refused]\n\t"                                                                                       \
    "sd t1, %[way](%[trade])\n\t"                                                                                      \
    "ld t1, 0(t0)\n\t"                                                                                                 \
    "and t2, t1, %[refuse]\n\t"                                                                                        \
    "bnez t2, 5f\n\t"                                                                                                  \
    "sd t1, %[before](%[trade])\n\t"                                                                                   \
    "li %[code], %[done]\n\t"                                                                                          \
    "fence rw, w\n\t"                                                                                                  \
    "sd %[chain], 0(t0)\n"

#include "plat/linux/rseq_generic64.h"

#endif
