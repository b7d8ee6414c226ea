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

/* Whether a move was refused before anything was done. The kernel unmaps the target first; what it may find missing
 * after that are pages, locked ones or a mapping. */
static bool is_refused_early(long result) {
    return result != -EMMA_ENOMEM && result != -EMMA_EAGAIN && result != -EMMA_EFAULT;
}

static emma_move_result after_refusal(uintptr_t to, size_t size_bytes) {
    return emma__plat_map_at(to, size_bytes) == EMMA_MAP_DONE ? EMMA_MOVE_REFUSED : EMMA_MOVE_LOST;
}

emma_move_result emma__plat_move_mapping(uintptr_t from, size_t old_bytes, uintptr_t to, size_t new_bytes) {
    long result = emma__syscall_fallible(EMMA_SYS_mremap, (long)from, (long)old_bytes, (long)new_bytes,
                                         REMAP_MAYMOVE_FIXED, (long)to, 0);
    if (result == (long)to)
        return EMMA_MOVE_DONE;
    return is_refused_early(result) ? EMMA_MOVE_REFUSED : after_refusal(to, new_bytes);
}

/* How many bytes from address on are mapped without a gap, at most size: by advice that changes nothing. */
static size_t mapped_bytes(uintptr_t address, size_t size_bytes, size_t page_bytes) {
    size_t mapped = 0;
    size_t beyond = size_bytes / page_bytes + 1; /* in pages */
    while (beyond - mapped > 1) {
        size_t middle = mapped + (beyond - mapped) / 2;
        if (advise(address, middle * page_bytes, ADVICE_NORMAL))
            mapped = middle;
        else
            beyond = middle;
    }
    return mapped * page_bytes;
}

static bool is_zero(const uint64_t *word, size_t size_bytes) {
    size_t i = 0;
    while (i < size_bytes / sizeof *word && word[i] == 0)
        i++;
    return i == size_bytes / sizeof *word;
}

/* Linux 6.17 moves several mappings one after the other, lowest first, and where it refuses one, those before it are
 * moved: these read as zero now, and what was in them is copied back. The target's pages were never touched. (What
 * another thread maps at the target in this very moment would be taken for them, if the block began with a page of
 * zeroes.) */
static void move_back(uintptr_t from, uintptr_t to, size_t size_bytes) {
    size_t page_bytes = emma__plat_page_bytes();
    size_t mapped = mapped_bytes(to, size_bytes, page_bytes);
    size_t moved = 0;
    for (size_t at = 0; at < mapped && is_zero((uint64_t *)(from + at), page_bytes); at += page_bytes) { // NOLINT
        if (is_zero((uint64_t *)(to + at), page_bytes)) // NOLINT(performance-no-int-to-ptr)
            continue;
        __builtin_memcpy((void *)(from + at), (void *)(to + at), page_bytes); // NOLINT(performance-no-int-to-ptr)
        moved = at + page_bytes;
    }
    if (moved != 0)
        emma__plat_purge(to, moved);
}

emma_move_result emma__plat_move_pages(uintptr_t from, uintptr_t to, size_t size_bytes) {
    long result = emma__syscall_fallible(EMMA_SYS_mremap, (long)from, (long)size_bytes, (long)size_bytes,
                                         REMAP_MAYMOVE_FIXED_DONTUNMAP, (long)to, 0);
    if (result == (long)to)
        return EMMA_MOVE_DONE;
    if (is_refused_early(result))
        return EMMA_MOVE_REFUSED;
    move_back(from, to, size_bytes);
    return after_refusal(to, size_bytes);
}
