/* limits.c: see limits.h. */
#include "limits.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../storm/storm.h"

size_t limits_used_bytes(int which) {
    char text[4096];
    int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ssize_t length = file >= 0 ? read(file, text, sizeof text - 1) : 0;
    close(file);
    text[length > 0 ? length : 0] = '\0';
    const char *name = which == RLIMIT_AS ? "VmSize:" : "VmData:";
    const char *at = strstr(text, name);
    return at != NULL ? (size_t)strtoull(at + strlen(name), NULL, 10) * 1024 : 0;
}

typedef struct lines {
    int file;
    size_t from;
    size_t to;
    char bytes[8192];
} lines;

/* The next line, without its end. Returns: false at the end of the file. A line is shorter than the buffer. */
static bool next_line(lines *in, const char **line) {
    for (;;) {
        char *end = memchr(in->bytes + in->from, '\n', in->to - in->from);
        if (end != NULL) {
            *end = '\0';
            *line = in->bytes + in->from;
            in->from = (size_t)(end - in->bytes) + 1;
            return true;
        }
        memmove(in->bytes, in->bytes + in->from, in->to - in->from);
        in->to -= in->from;
        in->from = 0;
        ssize_t got = read(in->file, in->bytes + in->to, sizeof in->bytes - in->to);
        if (got <= 0)
            return false;
        in->to += (size_t)got;
    }
}

size_t limits_any_size(uint64_t *random) {
    switch (storm_below(random, 16)) {
    case 0:
        return storm_below(random, (size_t)40 << 20);
    case 1:
        return storm_below(random, 8) == 0 ? storm_below(random, (size_t)130 << 20) : 1;
    case 2:
    case 3:
        return storm_below(random, (size_t)2 << 20);
    default:
        return storm_below(random, 40000);
    }
}

size_t limits_mappings(void) {
    static lines in;
    in = (lines){.file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC)};
    size_t count = 0;
    const char *line;
    while (next_line(&in, &line))
        count++;
    close(in.file);
    return count;
}

uintptr_t limits_mapping_end(uintptr_t address) {
    static lines in;
    in = (lines){.file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC)};
    uintptr_t end = 0;
    const char *line;
    while (next_line(&in, &line)) {
        char *rest;
        uintptr_t from = strtoull(line, &rest, 16);
        uintptr_t to = strtoull(rest + 1, NULL, 16);
        if ((from <= address && address < to) || (end != 0 && from == end))
            end = to;
    }
    close(in.file);
    return end;
}
