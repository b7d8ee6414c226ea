/* linux.c: Linux without libc, on any architecture: two system calls. The entry is in linux_<architecture>.c. */
#include "linux.h"

#include "port.h"

void emma_port_write(const char *text, size_t bytes) {
    while (bytes != 0) {
        long written = emma_port_syscall(EMMA_PORT_WRITE, 1, (long)text, (long)bytes);
        if (written <= 0)
            emma_port_exit(1);
        text += written;
        bytes -= (size_t)written;
    }
}

void emma_port_exit(int status) {
    for (;;)
        emma_port_syscall(EMMA_PORT_EXIT_GROUP, status, 0, 0);
}

unsigned long emma_port_instructions(void) {
    return 0;
}

_Noreturn void emma_port_start(void) {
    emma_port_exit(emma_port_main());
}
