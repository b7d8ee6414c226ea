/* config.h: the geometry of memory and the choices of the build. The only file where they are written down.
 *
 *     region   a window of addresses, up to EMMA_REGION_TRACTS tracts
 *     tract    1024 slices: 64 MiB at a multiple of 64 MiB; its first slices hold the tract's own metadata
 *     chunk    32 slices: 2 MiB, whose free slices are the bits of one word
 *     slice    64 KiB: the unit that spans and large blocks are made of
 *     line     4 KiB of a span: the unit of carving and of giving pages back
 *
 * The torture build (-DEMMA_TORTURE=1) makes everything small, so that every edge is met all the time. */
#ifndef EMMA_BASE_CONFIG_H
#define EMMA_BASE_CONFIG_H

#ifndef EMMA_TORTURE
#define EMMA_TORTURE 0
#endif
#ifndef EMMA_DEBUG
#define EMMA_DEBUG EMMA_TORTURE
#endif

/* The name of this copy, in messages and in the environment (make PREFIX_SYM=foo_). */
#ifndef EMMA_NAME
#define EMMA_NAME       "emma"
#define EMMA_NAME_UPPER "EMMA"
#endif

/* Thread-local storage by the compiler's _Thread_local; 0 for targets without a thread pointer. */
#ifndef EMMA_HAS_TLS
#define EMMA_HAS_TLS 1
#endif
#if EMMA_HAS_TLS
#define EMMA_THREAD_LOCAL _Thread_local
#else
#define EMMA_THREAD_LOCAL
#endif

enum {
    EMMA_SLICE_LOG2 = EMMA_TORTURE ? 14 : 16,
    EMMA_CHUNK_LOG2 = EMMA_SLICE_LOG2 + 5,
    EMMA_TRACT_LOG2 = EMMA_SLICE_LOG2 + (EMMA_TORTURE ? 7 : 10),
    EMMA_LINE_LOG2 = 12,

    EMMA_SLICE_BYTES = 1 << EMMA_SLICE_LOG2,
    EMMA_CHUNK_BYTES = 1 << EMMA_CHUNK_LOG2,
    EMMA_TRACT_BYTES = 1 << EMMA_TRACT_LOG2,
    EMMA_LINE_BYTES = 1 << EMMA_LINE_LOG2,

    EMMA_CHUNK_SLICES = 32,
    EMMA_TRACT_SLICES = EMMA_TRACT_BYTES / EMMA_SLICE_BYTES,
    EMMA_TRACT_CHUNKS = EMMA_TRACT_BYTES / EMMA_CHUNK_BYTES,
    EMMA_REGION_TRACTS = 4096,

    /* The least alignment of every block, and the step of the small classes. */
    EMMA_BLOCK_ALIGN = 16,
};

/* User addresses lie below this power of two; a heap refuses memory above it. */
#if defined(__x86_64__) || (defined(__riscv) && __riscv_xlen == 64)
enum { EMMA_ADDRESS_LOG2 = 47 };
#else
enum { EMMA_ADDRESS_LOG2 = 48 };
#endif

#endif
