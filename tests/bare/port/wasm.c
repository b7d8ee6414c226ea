/* wasm.c: WebAssembly, with two functions from the host that runs it (wasm_run.mjs). */
#include "port.h"

void host_write(const char *text, size_t bytes);
void host_exit(int status);

/* Called by the host. Returns: the status. */
int run(void);

void emma_port_write(const char *text, size_t bytes) {
    host_write(text, bytes);
}

void emma_port_exit(int status) {
    host_exit(status);
    __builtin_trap();
}

unsigned long emma_port_instructions(void) {
    return 0;
}

int run(void) {
    return emma_port_main();
}
