/* cgroup_test.c: which memory limit is read from files such as Linux has, of control groups of both versions. What emma
 * reads is wrapped when the program is linked (ld --wrap); last comes a group of the system's own, where one may be made. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../storm/storm.h"
#include "emma_heap.h"
#include "plat/plat.h"

enum { MIB = 1 << 20 };

typedef struct said {
    const char *path;
    const char *text;
} said;

static const said *files; /* ends with a path of NULL; NULL: the system's own */

// NOLINTBEGIN(bugprone-reserved-identifier)
size_t __wrap_emma__plat_read_file(const char *path, char *buffer, size_t size_bytes);
size_t __real_emma__plat_read_file(const char *path, char *buffer, size_t size_bytes);

size_t __wrap_emma__plat_read_file(const char *path, char *buffer, size_t size_bytes) {
    if (files == NULL)
        return __real_emma__plat_read_file(path, buffer, size_bytes);
    for (const said *at = files; at->path != NULL; at++) {
        if (strcmp(at->path, path) != 0)
            continue;
        size_t length = strlen(at->text);
        memcpy(buffer, at->text, length < size_bytes ? length : size_bytes);
        return length < size_bytes ? length : size_bytes;
    }
    return 0;
}
// NOLINTEND(bugprone-reserved-identifier)

#define LIMIT_IS(bytes, ...)                                                                                           \
    do {                                                                                                               \
        static const said now[] = {__VA_ARGS__, {NULL, NULL}};                                                         \
        files = now;                                                                                                   \
        EXPECT(emma_cgroup_limit() == (bytes));                                                                        \
    } while (0)

#define V1 "/sys/fs/cgroup/memory"
#define V2 "/sys/fs/cgroup"

static void version_2(void) {
    LIMIT_IS(0, {"/proc/self/cgroup", "0::/a\n"});
    LIMIT_IS(0, {"/proc/self/cgroup", "0::/a\n"}, {V2 "/a/memory.max", "max\n"});
    LIMIT_IS(123456, {"/proc/self/cgroup", "0::/a\n"}, {V2 "/a/memory.max", "123456\n"});
    LIMIT_IS(123456, {"/proc/self/cgroup", "0::/a/b/c\n"}, {V2 "/a/b/c/memory.max", "max\n"},
             {V2 "/a/b/memory.max", "200000\n"}, {V2 "/a/memory.max", "123456\n"});
    LIMIT_IS(77, {"/proc/self/cgroup", "0::/a/b\n"}, {V2 "/a/b/memory.max", "77\n"}, {V2 "/a/memory.max", "123\n"});
    LIMIT_IS(500, {"/proc/self/cgroup", "0::/\n"}, {V2 "/memory.max", "500\n"}); /* in a container */
    LIMIT_IS(500, {"/proc/self/cgroup", "0::/../x\n"}, {V2 "/memory.max", "500\n"});
}

static void version_1(void) {
    LIMIT_IS(9000, {"/proc/self/cgroup", "8:pids:/a\n4:memory:/a/b\n1:cpu,cpuacct:/\n0::/\n"},
             {V1 "/a/b/memory.limit_in_bytes", "9000\n"}, {V1 "/memory.limit_in_bytes", "9223372036854771712\n"});
    LIMIT_IS(9000, {"/proc/self/cgroup", "4:hugetlb,memory,pids:/a\n"}, {V1 "/a/memory.limit_in_bytes", "9000\n"});
    LIMIT_IS(0, {"/proc/self/cgroup", "4:memory:/a\n"}, {V1 "/a/memory.limit_in_bytes", "9223372036854771712\n"});
    LIMIT_IS(0, {"/proc/self/cgroup", "4:notmemory:/a\n5:memoryless:/a\n"}, {V1 "/a/memory.limit_in_bytes", "1000\n"});
    LIMIT_IS(700, {"/proc/self/cgroup", "0::/a\n4:memory:/b\n"}, {V2 "/a/memory.max", "700\n"},
             {V1 "/b/memory.limit_in_bytes", "800\n"});
}

static void nothing_to_read(void) {
    LIMIT_IS(0, {"/proc/self/other", ""});
    LIMIT_IS(0, {"/proc/self/cgroup", ""});
    LIMIT_IS(0, {"/proc/self/cgroup", "\n\n:\n::\n0::\n0:\n4:memory\n"});
    LIMIT_IS(0, {"/proc/self/cgroup", "0::/a\n"}, {V2 "/a/memory.max", ""});
    LIMIT_IS(0, {"/proc/self/cgroup", "0::/a\n"}, {V2 "/a/memory.max", "99999999999999999999999999\n"});
    static char long_line[9000];
    memset(long_line, 'x', sizeof long_line - 1);
    memcpy(long_line, "0::/", 4);
    static const said now[] = {{"/proc/self/cgroup", long_line}, {NULL, NULL}};
    files = now;
    EXPECT(emma_cgroup_limit() == 0);
}

/* Returns: whether all of the text could be written. */
static bool write_to(const char *path, const char *text) {
    int file = open(path, O_WRONLY | O_CLOEXEC);
    bool done = file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text);
    if (file >= 0)
        close(file);
    return done;
}

/* A group with a limit, this process in it, which then goes to the topmost and ends. */
static void a_group_of_the_system(void) {
    static const char *const groups[][3] = {
        {V1 "/emma_test", V1 "/emma_test/memory.limit_in_bytes", V1 "/cgroup.procs"},
        {V2 "/emma_test", V2 "/emma_test/memory.max", V2 "/cgroup.procs"},
    };
    for (size_t i = 0; i < STORM_COUNT(groups); i++) {
        char procs[64] = "";
        strcat(strcat(procs, groups[i][0]), "/cgroup.procs");
        bool done = mkdir(groups[i][0], 0700) == 0 && write_to(groups[i][1], "123731968") && write_to(procs, "0");
        if (done) {
            EXPECT(emma_cgroup_limit() == 123731968);
            EXPECT(emma_configure("limit=cgroup") == NULL);
            void *fits = emma_malloc((size_t)100 * MIB);
            EXPECT(fits != NULL && emma_malloc((size_t)12 * MIB) == NULL);
            emma_free(fits);
        }
        write_to(groups[i][2], "0");
        rmdir(groups[i][0]);
        if (done)
            return;
    }
    storm_skip("no control group can be made here");
}

int main(void) {
    static const storm_case cases[] = {
        {"version 2: the least of the group and those above it", version_2, 10},
        {"version 1, and both", version_1, 10},
        {"nothing to read, or nonsense", nothing_to_read, 10},
        {"a group of the system, and limit=cgroup", a_group_of_the_system, 10},
    };
    return storm_main(cases, STORM_COUNT(cases));
}
