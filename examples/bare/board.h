/* board.h: what the kernel needs of the riscv64 virt board as QEMU has it: text, a lock, all harts at once, an end. */
#ifndef EMMA_EXAMPLE_BOARD_H
#define EMMA_EXAMPLE_BOARD_H

#include <stdbool.h>
#include <stddef.h>

enum { BOARD_HARTS = 4 };

void board_say(const char *text);

void board_number(size_t number);

/* text, number, end of line. */
void board_print(const char *text, size_t number);

/* Say what failed, and switch off. */
_Noreturn void board_fail(const char *what);

/* Go on if it is so. */
static inline void board_check(bool condition, const char *what) {
    if (!condition)
        board_fail(what);
}

typedef _Atomic unsigned board_lock;
void board_acquire(board_lock *lock);
void board_release(board_lock *lock);

/* Run work(0) .. work(BOARD_HARTS - 1) at once; return when all have returned. */
void board_parallel(void (*work)(unsigned hart));

/* Called on hart 0 with the board ready; the board is switched off when it returns. */
void kernel_main(void);

#endif
