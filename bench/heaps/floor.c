/* floor.c: see floor.h. */
#include "floor.h"

#include <sys/mman.h>

#include "../workloads/work.h"

static struct {
    char *start;
    size_t bytes;
    size_t page[64], pages; /* where those lie that are touched */
} mapping;

void floor_look(uintptr_t address) {
    static unsigned char resident[16384];
    unsigned long from = 0, to = 0;
    char line[256];
    FILE *file = fopen("/proc/self/maps", "r");
    work_check(file != NULL, "/proc/self/maps");
    while (to <= address && fgets(line, sizeof line, file) != NULL)
        work_check(sscanf(line, "%lx-%lx", &from, &to) == 2, line);
    (void)fclose(file);
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE), pages = (to - from) / page_bytes;
    work_check(from <= address && address < to && pages <= sizeof resident, "the mapping of a heap");
    mapping.start = (char *)from;
    mapping.bytes = to - from;
    mapping.pages = 0;
    work_check(mincore(mapping.start, mapping.bytes, resident) == 0, "mincore");
    for (size_t i = 0; i < pages && mapping.pages < sizeof mapping.page / sizeof *mapping.page; i++)
        if (resident[i] != 0)
            mapping.page[mapping.pages++] = i * page_bytes;
}

void floor_once(void) {
    char *start = mmap(mapping.start, mapping.bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    work_check(start == mapping.start, "mmap");
    for (size_t i = 0; i < mapping.pages; i++)
        *(volatile char *)(start + mapping.page[i]) = 1;
    munmap(start, mapping.bytes);
}
