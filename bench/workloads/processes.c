/* processes.c: processes that do nothing but start, one after the other; each is this program again.
 *
 *   mode   nothing, one (a block), or classes (20 sizes)
 *   work   processes
 */
#include <spawn.h>
#include <sys/wait.h>

#include "work.h"

extern char **environ;

static void be_one(const char *mode) {
    size_t blocks = strcmp(mode, "classes") == 0 ? 20 : strcmp(mode, "one") == 0 ? 1 : 0;
    for (size_t i = 0; i < blocks; i++)
        work_make(16 + 48 * i);
}

int main(int argc, char **argv) {
    const char *mode = work_word(argc, argv, "mode", "nothing");
    size_t count = work_number(argc, argv, "work", 0);
    char word[32];
    char *arguments[] = {argv[0], word, NULL};

    if (count == 0) {
        be_one(mode);
        return work_end(0);
    }
    snprintf(word, sizeof word, "mode=%s", mode);
    for (size_t i = 0; i < count; i++) {
        pid_t child;
        int status = 0;
        work_check(posix_spawn(&child, "/proc/self/exe", NULL, NULL, arguments, environ) == 0, "posix_spawn");
        work_check(waitpid(child, &status, 0) == child && status == 0, "a child");
    }
    return 0;
}
