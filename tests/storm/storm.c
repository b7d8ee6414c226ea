/* storm.c: see storm.h. Nothing here allocates after storm_main has begun a case. */
#include "storm.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Shared with the processes that cases make. */
typedef struct verdict {
    _Atomic(size_t) expected;
    _Atomic(size_t) failed;
    char skipped[200];
} verdict;

static verdict *shared;
static uint64_t seed;

static void write_all(int file, const char *text, size_t bytes) {
    while (bytes != 0) {
        ssize_t written = write(file, text, bytes);
        if (written <= 0 && errno != EINTR)
            return;
        if (written > 0) {
            text += written;
            bytes -= (size_t)written;
        }
    }
}

void storm_note(const char *format, ...) {
    char line[400] = "# ";
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line + 2, sizeof line - 3, format, arguments);
    va_end(arguments);
    size_t bytes = length < 0 ? 2 : 2 + ((size_t)length < sizeof line - 4 ? (size_t)length : sizeof line - 4);
    line[bytes++] = '\n';
    write_all(STDOUT_FILENO, line, bytes);
}

bool storm_expect(bool condition, const char *text, const char *file, int line) {
    atomic_fetch_add(&shared->expected, 1);
    if (!condition && atomic_fetch_add(&shared->failed, 1) < 5)
        storm_note("%s:%d: not so: %s", file, line, text);
    return condition;
}

bool storm_failed(void) {
    return atomic_load(&shared->failed) != 0;
}

_Noreturn void storm_skip(const char *reason) {
    snprintf(shared->skipped, sizeof shared->skipped, "%s", reason);
    _exit(0);
}

static bool is_set(const char *name) {
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' && strcmp(value, "0") != 0;
}

size_t storm_amount(size_t amount_short, size_t amount_long) {
    if (is_set("EMMA_TEST_LONG"))
        return amount_long;
    return STORM_MADE && amount_short > 4 ? amount_short / 4 : amount_short;
}

uint64_t storm_seed(void) {
    return seed;
}

uint64_t storm_random(uint64_t *state) {
    uint64_t x = *state += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

double storm_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The number after a name in a file of /proc. Returns: 0 iff it is not there. */
static size_t number_in(const char *path, const char *name) {
    char text[4096];
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    text[length > 0 ? length : 0] = '\0';
    const char *at = strstr(text, name);
    return at != NULL ? (size_t)strtoull(at + strlen(name), NULL, 10) : 0;
}

size_t storm_resident_bytes(void) {
    /* Not VmRSS of status: that is a sum of counters that lag. */
    return number_in("/proc/self/smaps_rollup", "Rss:") * 1024;
}

size_t storm_threads(void) {
    return number_in("/proc/self/status", "Threads:");
}

bool storm_reap(int process) {
    int status = 0;
    while (waitpid(process, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

storm_end storm_run_apart(void (*function)(void *), void *argument) {
    storm_end end = {0, 0, ""};
    int ends[2];
    if (pipe(ends) != 0)
        return (storm_end){-1, -1, "no pipe"};
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        function(argument);
        _exit(0);
    }
    close(ends[1]);
    size_t length = 0;
    ssize_t got;
    char rest[256];
    while ((got = length < sizeof end.text - 1 ? read(ends[0], end.text + length, sizeof end.text - 1 - length)
                                               : read(ends[0], rest, sizeof rest)) > 0)
        length += length < sizeof end.text - 1 ? (size_t)got : 0;
    end.text[length] = '\0';
    close(ends[0]);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    end.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    end.status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    return end;
}

/* Run a case in a process group of its own. Returns: how it ended, as waitpid says. */
static int run_case(const storm_case *one) {
    pid_t child = fork();
    if (child == 0) {
        setpgid(0, 0);
        one->run();
        _exit(0);
    }
    setpgid(child, child);
    int status = 0;
    size_t seconds = storm_amount(one->seconds * 3, one->seconds * 30); /* others may use the machine as well */
    double until = storm_seconds() + (double)seconds;
    while (waitpid(child, &status, WNOHANG) == 0) {
        if (storm_seconds() > until) {
            storm_note("hung: ended after %zu s", seconds);
            kill(-child, SIGKILL);
            waitpid(child, &status, 0);
            break;
        }
        nanosleep(&(struct timespec){0, 5000000}, NULL);
    }
    kill(-child, SIGKILL); /* what it left behind */
    return status;
}

static bool run_and_print(const storm_case *one, size_t number) {
    memset(shared, 0, sizeof *shared);
    double start = storm_seconds();
    int status = 0;
    if (is_set("EMMA_TEST_NO_FORK"))
        one->run();
    else
        status = run_case(one);
    bool skipped = shared->skipped[0] != '\0';
    bool passed = status == 0 && atomic_load(&shared->failed) == 0 && (skipped || atomic_load(&shared->expected) != 0);
    if (WIFSIGNALED(status))
        storm_note("ended by signal %d", WTERMSIG(status));
    if (!passed)
        storm_note("repeat with EMMA_TEST_SEED=%llu EMMA_TEST_CASE=%zu", (unsigned long long)seed, number);
    printf("%sok %zu - %s%s%s # %.1f s\n", passed ? "" : "not ", number, one->name, skipped ? " # SKIP " : "",
           shared->skipped, storm_seconds() - start);
    fflush(stdout);
    return passed;
}

int storm_main(const storm_case *cases, size_t count) {
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 1;
    setvbuf(stdout, NULL, _IOLBF, 0);
    seed = is_set("EMMA_TEST_SEED") ? strtoull(getenv("EMMA_TEST_SEED"), NULL, 10) : 20240229;
    size_t only = is_set("EMMA_TEST_CASE") ? strtoull(getenv("EMMA_TEST_CASE"), NULL, 10) : 0;
    if (only > count || (only == 0 && is_set("EMMA_TEST_CASE"))) {
        fprintf(stderr, "EMMA_TEST_CASE is the number of a case, 1 to %zu\n", count);
        return 2;
    }
    bool all_passed = true;
    printf("1..%zu\n", count);
    for (size_t i = 1; i <= count; i++) {
        if (only == 0 || only == i)
            all_passed &= run_and_print(&cases[i - 1], i);
        else
            printf("ok %zu - %s # SKIP EMMA_TEST_CASE\n", i, cases[i - 1].name);
    }
    return !all_passed;
}
