/* linux_x86_64.S: entry and two system calls; see linux.c. */
.text
.globl _start
_start:
    xor %ebp, %ebp
    and $-16, %rsp
    call emma_port_start

.globl emma_port_sys_write
emma_port_sys_write:
    mov %rsi, %rdx
    mov %rdi, %rsi
    mov $1, %edi
    mov $1, %eax
    syscall
    ret

.globl emma_port_sys_exit
emma_port_sys_exit:
    mov $231, %eax
    syscall
    hlt

.section .note.GNU-stack, "", %progbits
