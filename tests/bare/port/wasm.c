/* wasm.c: WebAssembly, with two functions from the host that runs it (wasm_run.mjs). */
#include "port.h"

__attribute__((import_module("host"), import_name("write"))) void host_write(const char *text, size_t bytes);
__attribute__((import_module("host"), import_name("exit"))) void host_exit(int status);

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

__attribute__((export_name("run"))) int run(void);
int run(void) {
    return emma_port_main();
}
