/* rseq_descriptor.h: what names a restartable sequence to the kernel, the same on every architecture: at label 3,
 * version and flags, both 0; the begin, at 1; the length, to 2; where an abort goes, 4. Debuggers find it by the array.
 * Source: include/uapi/linux/rseq.h. */
#ifndef EMMA_PLAT_RSEQ_DESCRIPTOR_H
#define EMMA_PLAT_RSEQ_DESCRIPTOR_H

enum { EMMA_HAS_RSEQ = 1 };

#define EMMA_RSEQ_DESCRIPTOR                                                                                           \
    ".pushsection .data.rel.ro.rseq_cs, \"aw\", @progbits\n\t"                                                         \
    ".balign 32\n"                                                                                                     \
    "3:\n\t"                                                                                                           \
    ".long 0, 0\n\t"                                                                                                   \
    ".quad 1f, 2f - 1f, 4f\n\t"                                                                                        \
    ".popsection\n\t"                                                                                                  \
    ".pushsection __rseq_cs_ptr_array, \"aw\", @progbits\n\t"                                                          \
    ".quad 3b\n\t"                                                                                                     \
    ".popsection\n\t"

#endif
