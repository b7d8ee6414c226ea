/* measure.c: runs one command under one allocator and says what it cost.
 *
 *   measure FD LIBRARY COMMAND [ARGUMENT...]        LIBRARY is preloaded; "-" preloads nothing
 *
 * Writes to FD the line "pid N" when the command runs, and at its end
 *   "end STATUS WALL USER SYSTEM PEAK_KIB MINOR MAJOR"      (seconds; faults; STATUS is 128 + signal when killed)
 * of the command and all descendants it waited for; PEAK_KIB is that of the largest process among them.
 *
 * It is a program of its own, and linked statically, because a process inherits the peak of the one that starts it:
 * started by a script interpreter, small programs would all seem as large as the interpreter.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double seconds(struct timeval t) {
    return (double)t.tv_sec + (double)t.tv_usec * 1e-6;
}

int main(int argc, char **argv) {
    struct rusage cost;
    int status = 0;

    if (argc < 4) {
        fprintf(stderr, "usage: measure FD LIBRARY COMMAND [ARGUMENT...]\n");
        return 2;
    }
    int fd = atoi(argv[1]);
    double begin = now();
    pid_t child = fork();
    if (child == 0) {
        close(fd);
        if (strcmp(argv[2], "-") != 0)
            setenv("LD_PRELOAD", argv[2], 1);
        execvp(argv[3], argv + 3);
        perror(argv[3]);
        _exit(127);
    }
    if (child < 0)
        return 1;
    dprintf(fd, "pid %d\n", (int)child);
    if (wait4(child, &status, 0, &cost) != child)
        return 1;
    dprintf(fd, "end %d %.6f %.6f %.6f %ld %ld %ld\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
            now() - begin, seconds(cost.ru_utime), seconds(cost.ru_stime), cost.ru_maxrss, cost.ru_minflt,
            cost.ru_majflt);
    return 0;
}
