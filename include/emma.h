/* emma.h: emma, an embeddable memory allocator.
 *
 * A general-purpose malloc that needs no libc, makes its own mappings only, and lives beside any other allocator in the
 * same process. C11 and C++17. Link with libemma.a or libemma.so; to replace malloc itself, preload or link
 * libemma-malloc instead.
 *
 * For every function here, unless it says otherwise:
 *   Threads           any number at once; no thread ever waits for another.
 *   Signals and fork  may be called in a signal handler, also one that interrupted any of them, and in a child of fork
 *                     at once, however it was forked. No handler needs to be registered.
 *   Errors            NULL (or 0) where memory is refused or a size is above PTRDIFF_MAX; nothing is changed then,
 *                     errno is not touched. A program error that can be seen (a double free, a foreign pointer) is one
 *                     line on standard error, and abort.
 *   Sizes             in bytes. Alignments are powers of two. Every block is aligned to 16.
 *   Cost              small blocks (to 32 KiB): constant, no system call, no atomic instruction, as long as the
 *                     thread's own magazines last. Large blocks: a search; a system call where the heap grows.
 *
 * Licence: MIT OR Apache-2.0. */
#ifndef EMMA_H
#define EMMA_H

#include <stddef.h>

#define EMMA_VERSION_MAJOR 0
#define EMMA_VERSION_MINOR 1
#define EMMA_VERSION_PATCH 0

#ifdef __cplusplus
extern "C" {
#define EMMA_NOEXCEPT noexcept
#else
#define EMMA_NOEXCEPT
#endif

#if defined(__GNUC__)
#define EMMA_API           __attribute__((visibility("default")))
#define EMMA_RETURNS_BLOCK __attribute__((malloc, warn_unused_result))
#else
#define EMMA_API
#define EMMA_RETURNS_BLOCK
#endif

/* A block of at least size bytes. size 0 gives a block of its own. C11 7.22.3.4. */
EMMA_API void *emma_malloc(size_t size) EMMA_NOEXCEPT EMMA_RETURNS_BLOCK;

/* A block for count things of size bytes, all of its usable bytes zero. Returns: NULL also where count * size
 * overflows. C11 7.22.3.2.
 * Cost: fresh pages, which are zero already, are not touched. */
EMMA_API void *emma_calloc(size_t count, size_t size) EMMA_NOEXCEPT EMMA_RETURNS_BLOCK;

/* The block with another size; its contents are kept up to the smaller of both. block NULL: as emma_malloc. size 0: a
 * block of the least size. Returns: the block, perhaps moved; NULL leaves the old one as it was. C11 7.22.3.5.
 * Cost: in place where the class stays or the space behind is free; else pages are moved, or bytes copied. */
EMMA_API void *emma_realloc(void *block, size_t size) EMMA_NOEXCEPT;

/* Change the size of a block where it lies, to want bytes if they can be had, at least to min.
 * Returns: the usable size then, which may be less than before; 0 iff min bytes cannot be had in place, or block is
 * NULL or not the start of a block (nothing is changed).
 * Requires: no block that was freed; 1 <= min <= want. Cost: bits of neighbouring slices, or one mremap; nothing is
 * copied. */
EMMA_API size_t emma_realloc_in_place(void *block, size_t min, size_t want) EMMA_NOEXCEPT;

/* A block at a multiple of alignment. size need not be a multiple of it. Returns: NULL also where alignment is not a
 * power of two. C11 7.22.3.1, as amended by DR 460. */
EMMA_API void *emma_aligned_alloc(size_t alignment, size_t size) EMMA_NOEXCEPT EMMA_RETURNS_BLOCK;

/* Take back a block. NULL: nothing happens. C11 7.22.3.3. */
EMMA_API void emma_free(void *block) EMMA_NOEXCEPT;

/* The same; size is what the block was allocated with. C23 7.24.3.4. */
EMMA_API void emma_free_sized(void *block, size_t size) EMMA_NOEXCEPT;

/* The same for a block of emma_aligned_alloc. C23 7.24.3.5. */
EMMA_API void emma_free_aligned_sized(void *block, size_t alignment, size_t size) EMMA_NOEXCEPT;

/* How many bytes of a live block may be used: at least what was asked for. Any address may be asked for, but not one in
 * a heap that is being destroyed. Returns: 0 for NULL and for what is not the start of a block; a small block that was
 * freed is not told from a live one. Cost: a few loads. */
EMMA_API size_t emma_usable_size(const void *block) EMMA_NOEXCEPT;

/* The usable size that a block of emma_malloc(size) would have. Returns: 0 iff size is above PTRDIFF_MAX.
 * Cost: arithmetic. */
EMMA_API size_t emma_good_size(size_t size) EMMA_NOEXCEPT;

/* Whether address lies in memory of this copy of emma, in a block or not. Any value may be asked for. Returns: 1 or 0.
 * Cost: one or two loads. */
EMMA_API int emma_owns(const void *address) EMMA_NOEXCEPT;

/* Give back to the system what the default heap does not use: caches of all threads that are in no operation at this
 * instant (Linux 4.14; else the calling thread's), the shared ones, those of processors, free slices, free pages of
 * spans. Returns: how many bytes went back. Cost: O(heap), many system calls; the first one in a process with threads
 * may take milliseconds. Signals: finds less in a handler that interrupted another operation; a handler must not leave
 * it by longjmp, or pages of spans stay from then on. */
EMMA_API size_t emma_collect(void) EMMA_NOEXCEPT;

/* The calling thread ends: what its cache holds is for others. Later operations of this thread still work, slower.
 * libemma-malloc calls it by itself; with libemma, let it be a thread's last act. Without it, threads that start later
 * find out that this one is gone.
 * Signals: not in a handler. */
EMMA_API void emma_thread_exit(void) EMMA_NOEXCEPT;

/* Figures of the default heap, exact when other threads are idle (made heaps: emma_heap_stats_read). What is cached, in
 * spans and dirty: docs/ARCHITECTURE.md. active_bytes is what allocated, cached and not yet used blocks lie in; mapped_bytes is active, dirty and clean
 * memory. */
typedef struct emma_stats {
    size_t allocated_bytes; /* in live blocks, by their usable sizes */
    size_t cached_bytes;    /* in free blocks of caches and the depot */
    size_t active_bytes;    /* in spans, large and huge blocks */
    size_t dirty_bytes;     /* in free slices that are not given back */
    size_t mapped_bytes;    /* address space */
    size_t large_blocks;    /* live blocks above the small classes */
    size_t large_bytes;
} emma_stats;

/* Fill in the figures. Cost: O(heap), no system call. */
EMMA_API void emma_stats_read(emma_stats *stats) EMMA_NOEXCEPT;

/* Set options: "key=value,key=value", as docs/TUNING.md has them; at any time, by any thread. NULL sets nothing.
 * Returns: NULL if all was understood, else where in options it was not; what comes before that is set. */
EMMA_API const char *emma_configure(const char *options) EMMA_NOEXCEPT;

/* Write a line for each option into buffer: key, present value, meaning; what does not fit is cut, and no NUL is added.
 * Returns: bytes written, at most size; 1024 are enough. */
EMMA_API size_t emma_options_help(char *buffer, size_t size) EMMA_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
