/* linux.c: Linux without libc, on any architecture. Entry and system calls are in linux_<architecture>.S. */
#include "port.h"

/* Returns: bytes written, or a negative error. */
long emma_port_sys_write(const char *text, size_t bytes);
_Noreturn void emma_port_sys_exit(int status);

/* Jumped to by _start, on an aligned stack. */
_Noreturn void emma_port_start(void);

void emma_port_write(const char *text, size_t bytes) {
    while (bytes != 0) {
        long written = emma_port_sys_write(text, bytes);
        if (written <= 0)
            emma_port_exit(1);
        text += written;
        bytes -= (size_t)written;
    }
}

void emma_port_exit(int status) {
    emma_port_sys_exit(status);
}

unsigned long emma_port_instructions(void) {
    return 0;
}

void emma_port_start(void) {
    emma_port_exit(emma_port_main());
}
