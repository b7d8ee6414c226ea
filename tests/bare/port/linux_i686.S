/* linux_i686.S: entry and two system calls; see linux.c. Arguments are on the stack. */
.text
.globl _start
_start:
    xor %ebp, %ebp
    and $-16, %esp
    call emma_port_start

.globl emma_port_sys_write
emma_port_sys_write:
    push %ebx
    mov 8(%esp), %ecx
    mov 12(%esp), %edx
    mov $1, %ebx
    mov $4, %eax
    int $0x80
    pop %ebx
    ret

.globl emma_port_sys_exit
emma_port_sys_exit:
    mov 4(%esp), %ebx
    mov $252, %eax
    int $0x80
    hlt

.section .note.GNU-stack, "", %progbits
