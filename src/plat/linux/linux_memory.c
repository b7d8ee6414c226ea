/* linux_memory.c: mappings, by raw system calls. Constants as in the kernel's uapi headers. */
#include "base/config.h"
#include "plat/linux/syscall.h"
#include "plat/plat.h"

enum {
    PROTECTION_READ_WRITE = 1 | 2,
    MAP_PRIVATE_ANONYMOUS_NORESERVE = 0x02 | 0x20 | 0x4000,
    MAP_FIXED_NOREPLACE_BIT = 0x100000,
    REMAP_MAYMOVE_FIXED = 1 | 2,
    REMAP_MAYMOVE_FIXED_DONTUNMAP = 1 | 2 | 4,
    ADVICE_NORMAL = 0,
    ADVICE_DONTNEED = 4,
    ADVICE_HUGEPAGE = 14,
    ADVICE_NOHUGEPAGE = 15,
    ADVICE_WIPEONFORK = 18,
};

static long map(uintptr_t address, size_t size_bytes, long extra_flags) {
    return emma__syscall_fallible(EMMA_SYS_mmap, (long)address, (long)size_bytes, PROTECTION_READ_WRITE,
                                  MAP_PRIVATE_ANONYMOUS_NORESERVE | extra_flags, -1, 0);
}

size_t emma__plat_page_bytes(void) {
    if (EMMA_FIXED_PAGE_BYTES != 0)
        return EMMA_FIXED_PAGE_BYTES;
    /* Advice on no bytes does nothing, but the kernel first checks that the address is a multiple of the page size. */
    size_t page_bytes = 4096;
    while (page_bytes < 65536 &&
           emma__syscall_failed(emma__syscall(EMMA_SYS_madvise, (long)page_bytes, 0, ADVICE_NORMAL, 0, 0, 0)))
        page_bytes *= 2;
    return page_bytes;
}

emma_map_result emma__plat_map_at(uintptr_t address, size_t size_bytes) {
    long result = map(address, size_bytes, MAP_FIXED_NOREPLACE_BIT);
    if (result == (long)address)
        return EMMA_MAP_DONE;
    if (!emma__syscall_failed(result)) { /* before Linux 4.17 the flag is unknown and the address a mere hint */
        emma__plat_unmap((uintptr_t)result, size_bytes);
        return EMMA_MAP_OCCUPIED;
    }
    return result == -EMMA_EEXIST ? EMMA_MAP_OCCUPIED : EMMA_MAP_REFUSED;
}

uintptr_t emma__plat_map(size_t size_bytes) {
    long result = map(0, size_bytes, 0);
    if (emma__syscall_failed(result))
        return 0;
    if ((uintptr_t)result + size_bytes > (uintptr_t)1 << EMMA_ADDRESS_LOG2) {
        emma__plat_unmap((uintptr_t)result, size_bytes);
        return 0;
    }
    return (uintptr_t)result;
}

bool emma__plat_unmap(uintptr_t address, size_t size_bytes) {
    return emma__syscall_fallible(EMMA_SYS_munmap, (long)address, (long)size_bytes, 0, 0, 0, 0) == 0;
}

static bool advise(uintptr_t address, size_t size_bytes, long advice) {
    return emma__syscall_fallible(EMMA_SYS_madvise, (long)address, (long)size_bytes, advice, 0, 0, 0) == 0;
}

bool emma__plat_purge(uintptr_t address, size_t size_bytes) {
    return advise(address, size_bytes, ADVICE_DONTNEED);
}

bool emma__plat_huge_pages(uintptr_t address, size_t size_bytes, bool wanted) {
    return advise(address, size_bytes, wanted ? ADVICE_HUGEPAGE : ADVICE_NOHUGEPAGE);
}

bool emma__plat_wipe_on_fork(uintptr_t address, size_t size_bytes) {
    return advise(address, size_bytes, ADVICE_WIPEONFORK);
}

bool emma__plat_resize(uintptr_t address, size_t old_bytes, size_t new_bytes) {
    return emma__syscall_fallible(EMMA_SYS_mremap, (long)address, (long)old_bytes, (long)new_bytes, 0, 0, 0) ==
           (long)address;
}

/* The kernel unmaps the target first; what it may find missing after that are pages, locked ones or a mapping. */
static emma_move_result move(uintptr_t from, size_t old_bytes, uintptr_t to, size_t new_bytes, long flags) {
    long result =
        emma__syscall_fallible(EMMA_SYS_mremap, (long)from, (long)old_bytes, (long)new_bytes, flags, (long)to, 0);
    if (result == (long)to)
        return EMMA_MOVE_DONE;
    if (result != -EMMA_ENOMEM && result != -EMMA_EAGAIN && result != -EMMA_EFAULT)
        return EMMA_MOVE_REFUSED;
    return emma__plat_map_at(to, new_bytes) == EMMA_MAP_DONE ? EMMA_MOVE_REFUSED : EMMA_MOVE_LOST;
}

emma_move_result emma__plat_move_mapping(uintptr_t from, size_t old_bytes, uintptr_t to, size_t new_bytes) {
    return move(from, old_bytes, to, new_bytes, REMAP_MAYMOVE_FIXED);
}

emma_move_result emma__plat_move_pages(uintptr_t from, uintptr_t to, size_t size_bytes) {
    return move(from, size_bytes, to, size_bytes, REMAP_MAYMOVE_FIXED_DONTUNMAP);
}
