/* mps2.c: Cortex-M3 on the mps2-an385 board, as QEMU has it, with nothing under it.
 *
 * Text goes out through the first serial port. The end is told to QEMU by semihosting. SysTick counts processor cycles
 * down; with -icount every instruction is worth the same time, so it counts instructions. */
#include "port.h"

#include <stdint.h>

typedef struct uart {
    volatile uint32_t data, state, control;
} uart;

typedef struct systick {
    volatile uint32_t control, reload, current;
} systick;

enum { UART_FULL = 1, UART_TRANSMIT = 1, SYSTICK_ON = 5, SYSTICK_MASK = 0xFFFFFF };

/* mps2.S: the vector table names the first two. */
_Noreturn void emma_port_start(void);
_Noreturn void emma_port_fault(void);
void emma_port_semihost(uint32_t operation, const uint32_t *block);

#define UART0   ((uart *)0x40004000)
#define SYSTICK ((systick *)0xE000E010)

/* With -icount shift=ICOUNT_SHIFT an instruction takes 2^shift ns; the clock has 40 ns. */
enum { ICOUNT_SHIFT = 10, CYCLE_NS = 40 };

void emma_port_write(const char *text, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        while ((UART0->state & UART_FULL) != 0) {
        }
        UART0->data = (unsigned char)text[i];
    }
}

void emma_port_exit(int status) {
    enum { EXIT_EXTENDED = 0x20, STOPPED = 0x20026 };
    const uint32_t block[2] = {STOPPED, (uint32_t)status};
    for (;;)
        emma_port_semihost(EXIT_EXTENDED, block);
}

unsigned long emma_port_instructions(void) {
    static uint32_t last, cycles;
    uint32_t now = SYSTICK->current;
    cycles += (last - now) & SYSTICK_MASK;
    last = now;
    return (unsigned long)(((uint64_t)cycles * CYCLE_NS + (1u << (ICOUNT_SHIFT - 1))) >> ICOUNT_SHIFT);
}

void emma_port_start(void) {
    SYSTICK->reload = SYSTICK_MASK;
    SYSTICK->current = 0;
    SYSTICK->control = SYSTICK_ON;
    UART0->control = UART_TRANSMIT;
    emma_port_exit(emma_port_main());
}

void emma_port_fault(void) {
    static const char text[] = "Bail out! processor fault\n";
    emma_port_write(text, sizeof text - 1);
    emma_port_exit(1);
}
