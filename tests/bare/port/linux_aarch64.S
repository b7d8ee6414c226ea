/* linux_aarch64.S: entry and two system calls; see linux.c. */
.text
.globl _start
_start:
    mov x29, #0
    mov x30, #0
    b emma_port_start

.globl emma_port_sys_write
emma_port_sys_write:
    mov x2, x1
    mov x1, x0
    mov x0, #1
    mov x8, #64
    svc #0
    ret

.globl emma_port_sys_exit
emma_port_sys_exit:
    mov x8, #94
    svc #0
    brk #0

.section .note.GNU-stack, "", %progbits
