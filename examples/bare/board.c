/* board.c: see board.h. Hart 0 runs the kernel; the others sleep until there is work for all. */
#include "board.h"

#include <stdatomic.h>
#include <stdint.h>

enum { STACK_BYTES = 16384, UART_STATE = 5, UART_EMPTY = 0x20, OFF = 0x5555, OFF_FAILED = 0x13333 };

#define UART   ((volatile uint8_t *)0x10000000)
#define SWITCH ((volatile uint32_t *)0x100000)
#define WAKE   ((volatile uint32_t *)0x2000000) /* one word a hart */

_Alignas(16) unsigned char board_stacks[BOARD_HARTS][STACK_BYTES];

/* board.S: it jumps to the first two. */
void board_start(unsigned long hart);
void board_fell(void);
void board_sleep(void);

static _Noreturn void switch_off(uint32_t how) {
    *SWITCH = how;
    for (;;) {
    }
}

void board_fell(void) {
    board_fail("a trap");
}

void board_say(const char *text) {
    for (; *text != '\0'; text++) {
        while ((UART[UART_STATE] & UART_EMPTY) == 0) {
        }
        UART[0] = (uint8_t)*text;
    }
}

void board_number(size_t number) {
    char digits[21];
    unsigned at = sizeof digits;
    digits[--at] = '\0';
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    board_say(&digits[at]);
}

void board_print(const char *text, size_t number) {
    board_say(text);
    board_number(number);
    board_say("\n");
}

void board_fail(const char *what) {
    board_say("failed: ");
    board_say(what);
    board_say("\n");
    switch_off(OFF_FAILED);
}

void board_acquire(board_lock *lock) {
    while (atomic_exchange_explicit(lock, 1, memory_order_acquire) != 0) { /* pairs with the store in release */
    }
}

void board_release(board_lock *lock) {
    atomic_store_explicit(lock, 0, memory_order_release); /* pairs with the exchange in acquire */
}

static void (*work_of_all)(unsigned hart);
static atomic_uint rounds, finished;

void board_parallel(void (*work)(unsigned hart)) {
    work_of_all = work;
    atomic_store_explicit(&finished, 0, memory_order_relaxed);
    atomic_fetch_add_explicit(&rounds, 1, memory_order_release); /* pairs with the load in board_start */
    for (unsigned hart = 1; hart < BOARD_HARTS; hart++)
        WAKE[hart] = 1;
    work(0);
    while (atomic_load_explicit(&finished, memory_order_acquire) != BOARD_HARTS - 1) { /* pairs with the add there */
    }
}

void board_start(unsigned long hart) {
    if (hart == 0) {
        kernel_main();
        switch_off(OFF);
    }
    for (unsigned round = 1;; round++) {
        while (atomic_load_explicit(&rounds, memory_order_acquire) != round)
            board_sleep();
        WAKE[hart] = 0;
        work_of_all((unsigned)hart);
        atomic_fetch_add_explicit(&finished, 1, memory_order_release);
    }
}
