/* start.c: where a program without libc begins: the kernel jumps to _start with nothing set up but the stack. */
#include "plat/linux/syscall.h"

#if defined(__x86_64__)
enum { SYS_exit_group = 231 };
__asm__(".globl _start\n"
        "_start:\n\t"
        "xorl %ebp, %ebp\n\t"
        "andq $-16, %rsp\n\t"
        "call emma_test_start\n");
#elif defined(__aarch64__)
enum { SYS_exit_group = 94 };
__asm__(".globl _start\n"
        "_start:\n\t"
        "mov x29, #0\n\t"
        "mov x30, #0\n\t"
        "bl emma_test_start\n");
#else
enum { SYS_exit_group = 94 };
__asm__(".globl _start\n"
        "_start:\n\t"
        ".option push\n\t"
        ".option norelax\n\t"
        "la gp, __global_pointer$\n\t"
        ".option pop\n\t"
        "call emma_test_start\n");
#endif

int main(void);
_Noreturn void emma_test_start(void);

_Noreturn void emma_test_start(void) {
    int status = main();
    for (;;)
        emma__syscall(SYS_exit_group, status, 0, 0, 0, 0, 0);
}
