/* mps2.S: where a Cortex-M3 begins, and the one instruction of semihosting; see mps2.c. */
.syntax unified
.cpu cortex-m3
.thumb

/* The vector table: stack, reset, faults. */
.section .vectors, "a"
    .word emma_port_stack_top
    .word emma_port_start
    .rept 14
    .word emma_port_fault
    .endr

.text
.globl emma_port_semihost
.thumb_func
emma_port_semihost:
    bkpt 0xAB
    bx lr
