/* cgroup.c: see cgroup.h. A group's limit holds for those below it, so the least on the way up counts.
 *
 *     /proc/self/cgroup:   0::/a/b            v2: /sys/fs/cgroup/a/b/memory.max, /sys/fs/cgroup/a/memory.max, ...
 *                          7:memory:/a/b      v1: /sys/fs/cgroup/memory/a/b/memory.limit_in_bytes, ... */
#include "ctl/cgroup.h"

#include "base/text.h"
#include "plat/plat.h"

enum { PATH_BYTES = 1024, FILE_BYTES = 4096, NUMBER_BYTES = 32 };

/* No limit is "max" in v2, and a number near the end of the range in v1. */
static size_t number_in(const char *bytes, size_t length) {
    size_t value = 0;
    for (size_t i = 0; i < length && bytes[i] >= '0' && bytes[i] <= '9'; i++)
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, bytes[i] - '0', &value))
            return 0;
    return value < PTRDIFF_MAX / 2 ? value : 0;
}

static size_t least(size_t a, size_t b) {
    return b != 0 && (a == 0 || b < a) ? b : a;
}

/* The limit that one group's file says. */
static size_t limit_of(const char *root, const char *group, size_t group_bytes, const char *file) {
    char path[PATH_BYTES];
    char number[NUMBER_BYTES];
    emma_text text = emma__text_in(path, sizeof path - 1);
    emma__text_str(&text, root);
    for (size_t i = 0; i < group_bytes; i++)
        emma__text_char(&text, group[i]);
    emma__text_str(&text, file);
    path[text.length_bytes] = 0;
    size_t length = emma__plat_read_file(path, number, sizeof number);
    return number_in(number, length);
}

/* The group and all above it. */
static size_t limit_on_the_way_up(const char *root, const char *group, size_t group_bytes, const char *file) {
    size_t limit = 0;
    while (group_bytes > 1) {
        limit = least(limit, limit_of(root, group, group_bytes, file));
        while (group_bytes > 1 && group[group_bytes - 1] != '/')
            group_bytes--;
        group_bytes--;
    }
    return least(limit, limit_of(root, "", 0, file)); /* in a namespace, or a container, this is the group's own */
}

/* Where a part of a line begins, behind so many colons; end if there are not so many. */
static const char *behind(const char *line, const char *end, unsigned colons) {
    while (line < end && colons != 0)
        colons -= *line++ == ':';
    return line;
}

static bool says_memory(const char *controllers, const char *end) {
    static const char memory[] = "memory";
    unsigned same = 0;
    for (; controllers < end && *controllers != ':'; controllers++) {
        same = *controllers == ','                                        ? 0
               : same < sizeof memory - 1 && *controllers == memory[same] ? same + 1
                                                                          : sizeof memory;
        if (same == sizeof memory - 1 && (controllers[1] == ',' || controllers[1] == ':'))
            return true;
    }
    return false;
}

size_t emma__cgroup_limit(void) {
    char lines[FILE_BYTES];
    size_t length = emma__plat_read_file("/proc/self/cgroup", lines, sizeof lines);
    size_t limit = 0;
    const char *end;
    for (const char *line = lines; line < lines + length; line = end + 1) {
        for (end = line; end < lines + length && *end != '\n'; end++)
            ;
        const char *group = behind(line, end, 2);
        size_t group_bytes = (size_t)(end - group);
        if (line[0] == '0' && line[1] == ':')
            limit = least(limit, limit_on_the_way_up("/sys/fs/cgroup", group, group_bytes, "/memory.max"));
        else if (says_memory(behind(line, end, 1), end))
            limit = least(limit,
                          limit_on_the_way_up("/sys/fs/cgroup/memory", group, group_bytes, "/memory.limit_in_bytes"));
    }
    return limit;
}
