/* stepped.c: x86-64 Linux with libc, counting instructions: the trap flag makes each one raise a signal. */
#define _POSIX_C_SOURCE 200809L /* sigaction */

#include "port.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { TRAP_FLAG = 0x100 };

static volatile unsigned long count;

static void step(int signal) {
    (void)signal;
    count++;
}

void emma_port_write(const char *text, size_t bytes) {
    fwrite(text, 1, bytes, stdout);
}

void emma_port_exit(int status) {
    exit(status);
}

unsigned long emma_port_instructions(void) {
    return count;
}

int main(void) {
    struct sigaction action = {.sa_handler = step};
    sigaction(SIGTRAP, &action, NULL);
    __asm__ volatile("subq $128, %%rsp\n    pushfq\n    orq %0, (%%rsp)\n    popfq\n    addq $128, %%rsp"
                     :
                     : "i"(TRAP_FLAG)
                     : "memory", "cc");
    int status = emma_port_main();
    __asm__ volatile("subq $128, %%rsp\n    pushfq\n    andq %0, (%%rsp)\n    popfq\n    addq $128, %%rsp"
                     :
                     : "i"(~TRAP_FLAG)
                     : "memory", "cc");
    emma_port_exit(status);
}
