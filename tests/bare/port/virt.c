/* virt.c: the riscv64 virt board, as QEMU has it, with nothing under it: four processors ("harts") in machine mode.
 *
 * Hart 0 runs the tests. The others sleep until there is parallel work, and are woken by a software interrupt, which is
 * never taken: it only ends the sleep. */
#include "port.h"

#include "base/atomic.h"

#include <stdint.h>

enum { HARTS = 4, STACK_BYTES = 65536, FINISHER_PASS = 0x5555, FINISHER_FAIL = 0x3333 };

#define UART     ((volatile uint8_t *)0x10000000)
#define FINISHER ((volatile uint32_t *)0x100000)
#define WAKE     ((volatile uint32_t *)0x2000000) /* one word a hart */

enum { UART_STATE = 5, UART_EMPTY = 0x20 };

_Alignas(16) unsigned char emma_port_stacks[HARTS][STACK_BYTES];

/* virt.S: it jumps to the first two. */
_Noreturn void emma_port_start(unsigned long hart);
_Noreturn void emma_port_fell(void);
void emma_port_sleep(void);

void emma_port_write(const char *text, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        while ((UART[UART_STATE] & UART_EMPTY) == 0) {
        }
        UART[0] = (uint8_t)text[i];
    }
}

void emma_port_exit(int status) {
    *FINISHER = status == 0 ? FINISHER_PASS : (uint32_t)status << 16 | FINISHER_FAIL;
    for (;;) {
    }
}

_Noreturn void emma_port_fell(void) {
    static const char text[] = "Bail out! processor fault\n";
    emma_port_write(text, sizeof text - 1);
    emma_port_exit(1);
}

static void (*work_of_all)(unsigned worker);
static atomic_uint round_begun, harts_done;

unsigned emma_port_workers(void) {
    return HARTS;
}

void emma_port_parallel(void (*work)(unsigned worker)) {
    work_of_all = work;
    ATOMIC_STORE(&harts_done, 0, relaxed);
    ATOMIC_ADD(&round_begun, 1, release); /* pairs with the load in wait_for_work: work_of_all is seen */
    for (unsigned hart = 1; hart < HARTS; hart++)
        WAKE[hart] = 1;
    work(0);
    while (ATOMIC_LOAD(&harts_done, acquire) != HARTS - 1) { /* pairs with the add there: the work is seen */
    }
}

static _Noreturn void wait_for_work(unsigned hart) {
    for (unsigned round = 1;; round++) {
        while (ATOMIC_LOAD(&round_begun, acquire) != round)
            emma_port_sleep();
        WAKE[hart] = 0;
        work_of_all(hart);
        ATOMIC_ADD(&harts_done, 1, release);
    }
}

_Noreturn void emma_port_start(unsigned long hart) {
    if (hart != 0)
        wait_for_work((unsigned)hart);
    emma_port_exit(emma_port_main());
}
