/* linux_s390x.S: entry and two system calls; see linux.c. Big-endian. */
.text
.globl _start
/* Below its stack pointer a caller leaves 160 bytes for the callee to save registers in. */
_start:
    lghi %r11, 0
    aghi %r15, -160
    xc 0(8, %r15), 0(%r15)
    brasl %r14, emma_port_start

.globl emma_port_sys_write
emma_port_sys_write:
    lgr %r4, %r3
    lgr %r3, %r2
    lghi %r2, 1
    svc 4
    br %r14

.globl emma_port_sys_exit
emma_port_sys_exit:
    svc 248
    j .

.section .note.GNU-stack, "", %progbits
