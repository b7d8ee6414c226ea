/* virt.S: where each hart of the riscv64 virt board begins, and what C cannot say; see virt.c. */
.section .text.start, "ax"
.globl _start
_start:
    .option push
    .option norelax
    la gp, __global_pointer$
    .option pop
    la t0, fault
    csrw mtvec, t0
    li t0, 8 /* a software interrupt ends wfi; it is never taken */
    csrw mie, t0
    csrr a0, mhartid
    addi t0, a0, 1
    slli t0, t0, 16 /* the stack of hart n is the n-th; they have 64 KiB each */
    la sp, emma_port_stacks
    add sp, sp, t0
    j emma_port_start

.balign 4
fault:
    j emma_port_fell

.text
.globl emma_port_instructions
emma_port_instructions:
    csrr a0, minstret
    ret

.globl emma_port_sleep
emma_port_sleep:
    wfi
    ret
