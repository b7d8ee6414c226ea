/* nolibc_rseq.c: restartable sequences for programs that have no libc, if they ask: they link this, and each thread
 * calls emma__rseq_register (plat/rseq.h). Not part of the libraries: a C library registers by itself. */
#include "plat/linux/syscall.h"
#include "plat/rseq.h"

enum {
    AREA_BYTES = 32,
    FIELDS_BYTES = 20, /* in use: the fields that have been there from the first */
    CPU_ID_WORD = 1,
    CPU_ID_UNKNOWN = -1,
#if defined(__x86_64__)
    SIGNATURE = 0x53053053,
#elif defined(__aarch64__)
    SIGNATURE = (int)0xd428bc00,
#else
    SIGNATURE = (int)0xf1401073,
#endif
};

/* As a C library defines them; linux_rseq.c looks there. */
// NOLINTBEGIN(bugprone-reserved-identifier)
extern const ptrdiff_t __rseq_offset;
extern unsigned int __rseq_size;
const ptrdiff_t __rseq_offset = EMMA_RSEQ_NOLIBC_OFFSET;
unsigned int __rseq_size = 0;
// NOLINTEND(bugprone-reserved-identifier)

static uintptr_t thread_pointer(void) {
#if defined(__x86_64__)
    uintptr_t pointer;
    __asm__("movq %%fs:0, %0" : "=r"(pointer));
    return pointer;
#else
    return (uintptr_t)__builtin_thread_pointer();
#endif
}

bool emma__rseq_register(void) {
    uintptr_t address = thread_pointer() + EMMA_RSEQ_NOLIBC_OFFSET;
    int32_t *area = (int32_t *)address; // NOLINT(performance-no-int-to-ptr)
    long result = emma__syscall(EMMA_SYS_rseq, (long)address, AREA_BYTES, 0, SIGNATURE, 0, 0);
    if (emma__syscall_failed(result)) {
        if (result != -EMMA_EBUSY) /* which is: this thread is registered */
            area[CPU_ID_WORD] = CPU_ID_UNKNOWN;
        return false;
    }
    if (__rseq_size == 0) /* the same for every thread */
        __atomic_store_n(&__rseq_size, FIELDS_BYTES, __ATOMIC_RELAXED);
    return true;
}
