/* support.c: the functions behind the headers in support/, for glibc's malloc tests.
 *
 * The test runs in a child, so that a test that must die by a signal can be judged. Failures are counted in memory
 * that all processes of the test share. The child stays in the process group of the parent: whoever started the test
 * kills what it leaves behind by killing the group.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "support/check.h"
#include "support/support.h"
#include "support/temp_file.h"
#include "support/test-driver.h"
#include "support/xsignal.h"
#include "support/xthread.h"
#include "support/xunistd.h"

enum { TEMP_FILES_MAX = 8, PATH_BYTES = 512 };

/* Names are kept here, not in allocated memory: the tests watch the heap. */
static char temp_paths[TEMP_FILES_MAX][PATH_BYTES];
static int temp_count;
static int *failures; /* shared by the processes of the test */
static pid_t test_pid;

static void complain(const char *file, int line, const char *format, va_list arguments) {
    printf("%s:%d: error: ", file, line);
    vprintf(format, arguments);
    printf("\n");
    if (failures)
        __atomic_add_fetch(failures, 1, __ATOMIC_RELAXED); /* pairs with the load in judge() */
}

void support_fail(const char *file, int line, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    complain(file, line, format, arguments);
    va_end(arguments);
}

void support_fail_exit(int status, const char *file, int line, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    complain(file, line, format, arguments);
    va_end(arguments);
    exit(status);
}

/* An error number from a pthread function ends the test. */
static void expect_zero(const char *function, int error) {
    if (error)
        support_fail_exit(1, function, 0, "%s", strerror(error));
}

static void expect(const char *function, int good) {
    if (!good)
        expect_zero(function, errno ? errno : EINVAL);
}

static void remove_temp_files(void) {
    for (int i = 0; i < temp_count; ++i)
        unlink(temp_paths[i]);
}

static void time_is_up(int number) {
    (void)number;
    write_message("error: time limit of the test reached\n");
    kill(test_pid, SIGKILL);
}

/* The verdict is the last line of the output; what the test itself said stands before it. */
static int judge(int status, int expected_signal, int expected_status) {
    int code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) {
        if (WTERMSIG(status) == expected_signal)
            return 0;
        printf("verdict: died by signal %d (%s)\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
    } else if (code == EXIT_UNSUPPORTED) {
        return EXIT_UNSUPPORTED;
    } else if (expected_signal) {
        printf("verdict: ended with %d instead of signal %d\n", code, expected_signal);
    } else if (code != expected_status) {
        printf("verdict: ended with %d instead of %d\n", code, expected_status);
    } else {
        int count = __atomic_load_n(failures, __ATOMIC_RELAXED); /* pairs with the addition in complain() */
        if (count == 0)
            return 0;
        printf("verdict: %d failed assertions\n", count);
    }
    return 1;
}

int support_run(int (*test)(void), int expected_signal, int expected_status, unsigned limit_seconds) {
    int status;
    setvbuf(stdout, NULL, _IONBF, 0); /* nothing is lost when the test dies */
    failures = support_shared_allocate(sizeof *failures);
    test_pid = xfork();
    if (test_pid == 0)
        exit(test());
    xsignal(SIGALRM, time_is_up);
    alarm(limit_seconds);
    while (waitpid(test_pid, &status, 0) < 0)
        expect("waitpid", errno == EINTR);
    return judge(status, expected_signal, expected_status);
}

void *xmalloc(size_t size) {
    void *block = malloc(size);
    expect("malloc", block != NULL);
    return block;
}

void *xcalloc(size_t count, size_t size) {
    void *block = calloc(count, size);
    expect("calloc", block != NULL);
    return block;
}

/* The size is kept in front, as support_shared_free() is not told it; 64 bytes keep any alignment. */
enum { SHARED_HEADER_BYTES = 64 };

void *support_shared_allocate(size_t size) {
    size_t total = size + SHARED_HEADER_BYTES;
    char *memory = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    expect("mmap", memory != MAP_FAILED);
    memcpy(memory, &total, sizeof total);
    return memory + SHARED_HEADER_BYTES;
}

void support_shared_free(void *memory) {
    size_t total;
    char *start = (char *)memory - SHARED_HEADER_BYTES;
    memcpy(&total, start, sizeof total);
    expect("munmap", munmap(start, total) == 0);
}

void write_message(const char *message) {
    ssize_t written = write(STDOUT_FILENO, message, strlen(message));
    (void)written;
}

void ignore_stderr(void) {
    int nowhere = xopen("/dev/null", O_WRONLY, 0);
    expect("dup2", dup2(nowhere, STDERR_FILENO) >= 0);
}

int create_temp_file(const char *base, char **path) {
    const char *folder = getenv("TMPDIR");
    char *name = temp_paths[temp_count];
    if (temp_count == TEMP_FILES_MAX)
        return -1;
    if (snprintf(name, PATH_BYTES, "%s/%sXXXXXX", folder ? folder : "/tmp", base) >= PATH_BYTES)
        return -1;
    int descriptor = mkstemp(name);
    if (descriptor < 0)
        return -1;
    if (temp_count++ == 0)
        atexit(remove_temp_files);
    if (path)
        *path = strdup(name);
    return descriptor;
}

void (*xsignal(int number, void (*handler)(int)))(int) {
    void (*old)(int) = signal(number, handler);
    expect("signal", old != SIG_ERR);
    return old;
}

pid_t xfork(void) {
    pid_t child = fork();
    expect("fork", child >= 0);
    return child;
}

int xopen(const char *path, int flags, mode_t mode) {
    int descriptor = open(path, flags, mode);
    expect("open", descriptor >= 0);
    return descriptor;
}

void *xmmap(void *address, size_t size, int protection, int flags, int descriptor) {
    void *memory = mmap(address, size, protection, flags, descriptor, 0);
    expect("mmap", memory != MAP_FAILED);
    return memory;
}

long xsysconf(int name) {
    errno = 0;
    long value = sysconf(name);
    expect("sysconf", value >= 0 || errno == 0);
    return value;
}

pthread_t xpthread_create(pthread_attr_t *attributes, void *(*function)(void *), void *argument) {
    pthread_t thread;
    expect_zero("pthread_create", pthread_create(&thread, attributes, function, argument));
    return thread;
}

void *xpthread_join(pthread_t thread) {
    void *result;
    expect_zero("pthread_join", pthread_join(thread, &result));
    return result;
}

void xpthread_kill(pthread_t thread, int signal_number) {
    expect_zero("pthread_kill", pthread_kill(thread, signal_number));
}

void xpthread_barrier_init(pthread_barrier_t *barrier, pthread_barrierattr_t *attributes, unsigned count) {
    expect_zero("pthread_barrier_init", pthread_barrier_init(barrier, attributes, count));
}

void xpthread_barrier_destroy(pthread_barrier_t *barrier) {
    expect_zero("pthread_barrier_destroy", pthread_barrier_destroy(barrier));
}

int xpthread_barrier_wait(pthread_barrier_t *barrier) {
    int result = pthread_barrier_wait(barrier);
    if (result == PTHREAD_BARRIER_SERIAL_THREAD)
        return 1;
    expect_zero("pthread_barrier_wait", result);
    return 0;
}

void xpthread_barrierattr_init(pthread_barrierattr_t *attributes) {
    expect_zero("pthread_barrierattr_init", pthread_barrierattr_init(attributes));
}

void xpthread_barrierattr_destroy(pthread_barrierattr_t *attributes) {
    expect_zero("pthread_barrierattr_destroy", pthread_barrierattr_destroy(attributes));
}

void xpthread_barrierattr_setpshared(pthread_barrierattr_t *attributes, int shared) {
    expect_zero("pthread_barrierattr_setpshared", pthread_barrierattr_setpshared(attributes, shared));
}
