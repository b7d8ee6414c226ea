/* plat.h: the platform contract: all that emma asks of the system under it.
 *
 * Every function may be called by any thread, in a signal handler and in a child of fork; none allocates, locks, waits
 * (but for the kernel's own address-space lock) or touches errno. Memory functions may fail at any call; a failure
 * changes nothing. Addresses and sizes are multiples of the page size.
 *
 * Implementations: plat/linux (raw system calls, no libc). docs/SYSCALLS.md lists the calls with their arguments. */
#ifndef EMMA_PLAT_PLAT_H
#define EMMA_PLAT_PLAT_H

#include "base/compiler.h"

/* Size of a page. Cost: one system call where it is not fixed by the architecture. */
size_t emma__plat_page_bytes(void);

typedef enum emma_map_result {
    EMMA_MAP_DONE,
    EMMA_MAP_OCCUPIED, /* something is mapped there */
    EMMA_MAP_REFUSED,  /* no memory, a limit, a filter */
} emma_map_result;

/* Map readable, writable, zeroed, private memory at exactly this address; never over another mapping. Reserves no swap.
 * Source: mmap(2), MAP_FIXED_NOREPLACE; where the kernel is too old to know it, a mapping elsewhere is undone. */
emma_map_result emma__plat_map_at(uintptr_t address, size_t size_bytes);

/* The same anywhere. Returns: the address, or 0. */
uintptr_t emma__plat_map(size_t size_bytes);

/* Give a mapping back. Returns: false iff the system refused (too many mappings). */
bool emma__plat_unmap(uintptr_t address, size_t size_bytes);

/* Give the pages back and keep the addresses, which read as zero afterwards. Returns: false iff refused (locked
 * memory); the contents are then unknown. */
bool emma__plat_purge(uintptr_t address, size_t size_bytes);

/* Ask for huge pages where memory is touched next, or for none any more: then the system does not make them of small
 * ones either. Returns: false iff it cannot; nothing is lost then. Linux: transparent huge pages, where they are not
 * forbidden (Documentation/admin-guide/mm/transhuge). */
bool emma__plat_huge_pages(uintptr_t address, size_t size_bytes, bool wanted);

/* Write to the first page of memory that nobody has touched or sees. Returns: the nanoseconds of processor time that
 * the kernel, and a hypervisor below it, took to find the page; 0 where the clock is refused. Cost: two more calls. */
uint64_t emma__plat_touch_ns(uintptr_t address);

/* Have the pages of this range cleared in children of fork. Returns: false iff the kernel cannot (before 4.14). */
bool emma__plat_wipe_on_fork(uintptr_t address, size_t size_bytes);

typedef enum emma_move_result {
    EMMA_MOVE_DONE,
    EMMA_MOVE_REFUSED, /* nothing moved, and the target is the caller's still; what was in it may be gone */
    EMMA_MOVE_LOST, /* nothing moved, but the target was perhaps unmapped, and somebody else's mapping may be there */
} emma_move_result;

/* Move the mapping [from, from + old) to [to, to + new), a mapping of the caller's that is replaced. Nothing is mapped
 * at the old place then. */
emma_move_result emma__plat_move_mapping(uintptr_t from, size_t old_bytes, uintptr_t to, size_t new_bytes);

/* Change the size of the last part of a mapping without moving it. Returns: false iff what follows is occupied or
 * memory is refused. */
bool emma__plat_resize(uintptr_t address, size_t old_bytes, size_t new_bytes);

/* Move the pages of [from, from + size) to [to, to + size), a mapping of the caller's that is replaced and was never
 * touched. Afterwards the old range is still mapped and reads as zero (MREMAP_DONTUNMAP, Linux 5.7). What moved before
 * the rest was refused is copied back. */
emma_move_result emma__plat_move_pages(uintptr_t from, uintptr_t to, size_t size_bytes);

/* A number that differs between processes and calls as far as the system randomises addresses. No system call. */
uint64_t emma__plat_random_hint(void);

/* Seconds of a coarse monotonic clock. Cost: one system call. */
uint32_t emma__plat_seconds(void);

uint32_t emma__plat_process_id(void);
uint32_t emma__plat_thread_id(void);

/* Whether a thread of this process has this id. Returns: true when in doubt. */
bool emma__plat_thread_exists(uint32_t process_id, uint32_t thread_id);

/* Block all signals of the calling thread, and set those that were blocked before. */
uint64_t emma__plat_block_signals(void);
void emma__plat_set_signals(uint64_t blocked);

/* Have each thread of this process pass a full memory barrier between the call and the return. Returns: false iff the
 * system cannot. Source: membarrier(2), private expedited (Linux 4.14). Cost: a system call, and an interrupt of each
 * processor on which a thread of the process runs. */
bool emma__plat_barrier(void);

/* Whether 32 bits of memory hold a value: memory of another thread, that may be gone. Returns: false where it is, or
 * the system does not tell. Source: futex(2), FUTEX_CMP_REQUEUE of nobody. Cost: a system call. */
bool emma__plat_holds(uintptr_t address, uint32_t value);

/* Read the beginning of a file. Returns: how many bytes; 0 where it cannot be read. */
size_t emma__plat_read_file(const char *path, char *buffer, size_t size_bytes);

/* Write to standard error, as far as it takes it. */
void emma__plat_write_error(const char *bytes, size_t size_bytes);

/* Run entry(argument) in a thread of its own that shares the address space and nothing of libc: its own thread pointer,
 * all signals blocked. When the thread has ended and its stack is no longer used, the kernel stores 0 to *word, which
 * holds its thread id meanwhile.
 * Requires: stack_bytes of writable memory at stack, that live as long; entry never touches thread-local storage.
 * Returns: false iff the system refused; *word is then unchanged. */
bool emma__plat_thread_start(void (*entry)(void *), void *argument, uintptr_t stack, size_t stack_bytes,
                             _Atomic(uint32_t) *word);

/* Sleep for about so long; may return early. */
void emma__plat_sleep(uint32_t milliseconds);

/* The process runs with more rights than its caller (set-user-id and the like), or may have changed its ids. */
bool emma__plat_is_privileged(void);

#endif
