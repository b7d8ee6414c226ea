/* alone.c: for machines with one processor. */
#include "port.h"

unsigned emma_port_workers(void) {
    return 1;
}

void emma_port_parallel(void (*work)(unsigned worker)) {
    work(0);
}
