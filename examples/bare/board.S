/* board.S: where each hart of the board begins, and the sleep; see board.c. */
.section .text.start, "ax"
.globl _start
_start:
    .option push
    .option norelax
    la gp, __global_pointer$
    .option pop
    la t0, trap
    csrw mtvec, t0
    li t0, 8 /* a software interrupt ends wfi; it is never taken */
    csrw mie, t0
    csrr a0, mhartid
    addi t0, a0, 1
    slli t0, t0, 14 /* the stack of hart n is the n-th; they have 16 KiB each */
    la sp, board_stacks
    add sp, sp, t0
    j board_start

.balign 4
trap:
    j board_fell

.text
.globl board_sleep
board_sleep:
    wfi
    ret
