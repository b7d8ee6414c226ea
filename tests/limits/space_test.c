/* space_test.c: address space that is short or becomes short: ulimit -v, RLIMIT_AS at run time, strict overcommit, and
 * strangers' mappings in the way. malloc and free of the drop-in, preloaded. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../storm/storm.h"
#include "limits.h"

#pragma weak emma_owns
#pragma weak emma_realloc_in_place

enum { MIB = 1 << 20, THREADS = 4, GROWING_SECONDS = 4 };
static char a_failure;

static void runs_on_emma(void) {
    void *block = calloc(1, 1);
    EXPECT(emma_owns != NULL && emma_owns(block) == 1);
    free(block);
}

/* --- ulimit -v 65536 from the start --- */

/* Blocks of a size until there is no more; each holds the address of the one before. Returns: the last. */
static void **exhaust(size_t size, size_t most, size_t *count) {
    void **last = NULL;
    for (*count = 0; *count < most; ++*count) {
        void **block = malloc(size);
        if (block == NULL)
            break;
        *block = last;
        last = block;
    }
    return last;
}

static void free_all(void **last) {
    while (last != NULL) {
        void **before = *last;
        free(last);
        last = before;
    }
}

/* Returns: NULL iff all went well. */
static void *fill_and_free(void *failed) {
    void *result = NULL;
    for (size_t size = 16; size <= 4 * MIB; size *= 2) {
        size_t count = 0;
        errno = 0;
        void **last = exhaust(size, 1000000, &count);
        if (count != 1000000 && errno != ENOMEM)
            result = failed;
        free_all(last);
        char *zeroed = calloc(1, 100);
        if (zeroed != NULL && (zeroed[0] != 0 || zeroed[99] != 0))
            result = failed;
        free(zeroed);
    }
    return result;
}

/* What the program does that is started with 64 MiB: threads with stacks of 8 MiB. */
static int small_program(void) {
    pthread_t thread[THREADS];
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 8 * MIB);
    for (unsigned i = 0; i < THREADS; i++)
        if (pthread_create(&thread[i], &attributes, fill_and_free, &a_failure) != 0)
            return 10;
    bool all = true;
    for (unsigned i = 0; i < THREADS; i++) {
        void *result = NULL;
        all &= pthread_join(thread[i], &result) == 0 && result == NULL;
    }
    void *block = malloc(100000);
    if (block == NULL)
        return 11;
    free(block);
    return all ? 0 : 12;
}

static void ulimit_64_mib(void) {
    pid_t child = fork();
    if (child == 0) {
        EXPECT(setrlimit(RLIMIT_AS, &(struct rlimit){64 * MIB, 64 * MIB}) == 0);
        setenv("EMMA_TEST_ROLE", "small", 1);
        execl("/proc/self/exe", "space_test", (char *)NULL);
        _exit(9);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (!EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0))
        storm_note("status 0x%x", (unsigned)status);
}

/* --- limits set at run time --- */

static void *nothing(void *unused) {
    free(malloc(1000));
    return unused;
}

static bool can_make_thread(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, nothing, NULL) != 0)
        return false;
    pthread_join(thread, NULL);
    return true;
}

static void limit(int which, size_t bytes) {
    struct rlimit now;
    getrlimit((unsigned)which, &now);
    now.rlim_cur = bytes;
    EXPECT(setrlimit((unsigned)which, &now) == 0);
}

/* realloc, of which the compiler does not know what it does with the block. */
static void *(*volatile grow)(void *, size_t) = realloc;

static void all_functions_refuse(void *block, size_t size) {
    memset(block, 1, 100);
    void *place = &place;
    errno = 0;
    EXPECT(malloc(size) == NULL && errno == ENOMEM);
    errno = 0;
    EXPECT(calloc(size / 8, 8) == NULL && errno == ENOMEM);
    errno = 0;
    EXPECT(grow(block, size) == NULL && errno == ENOMEM);
    errno = 0;
    EXPECT(aligned_alloc(4096, size) == NULL && errno == ENOMEM);
    EXPECT(posix_memalign(&place, 64, size) == ENOMEM && place == &place);
    EXPECT(((char *)block)[99] == 1);
}

/* A gigabyte in blocks of all kinds, some of it freed again. */
enum { KINDS = 4, PER_KIND = 256 * MIB };
static const size_t kind_bytes[KINDS] = {200, 5000, 300000, 80 * MIB};
static void **held[KINDS];

static void use_kinds(unsigned kinds) {
    for (unsigned i = 0; i < kinds; i++) {
        size_t count;
        held[i] = exhaust(kind_bytes[i], PER_KIND / kind_bytes[i], &count);
        EXPECT(count == PER_KIND / kind_bytes[i]);
    }
}

static void use_a_gigabyte(void) {
    use_kinds(KINDS);
}

static void drop_the_gigabyte(void) {
    for (unsigned i = 0; i < KINDS; i++) {
        free_all(held[i]);
        held[i] = NULL;
    }
}

static void limit_after_a_gigabyte(int which) {
    use_a_gigabyte();
    void *block = malloc(100);
    limit(which, limits_used_bytes(which) + 16 * MIB);
    all_functions_refuse(block, 64 * MIB);
    size_t count;
    void **small = exhaust(1000, 1000000, &count);
    EXPECT(errno == ENOMEM && count < 1000000);
    all_functions_refuse(block, 64 * MIB + 1);
    errno = 0;
    drop_the_gigabyte();
    free_all(small);
    free(block);
    EXPECT(errno == 0);
    EXPECT(can_make_thread()); /* by what the huge blocks gave back */
    for (unsigned i = 0; i < 3; i++) {
        use_kinds(KINDS - 1); /* all but the huge ones: the thread's stack has taken a part of their place */
        drop_the_gigabyte();
    }
    EXPECT(can_make_thread());
    limit(which, RLIM_INFINITY);
    void *large = malloc(512 * MIB);
    EXPECT(large != NULL);
    free(large);
    use_a_gigabyte();
    drop_the_gigabyte();
    EXPECT(can_make_thread());
}

static void address_space_limit(void) {
    limit_after_a_gigabyte(RLIMIT_AS);
}

/* What strict overcommit does: every private writable mapping counts when it is made, MAP_NORESERVE or not. */
static void data_limit(void) {
    limit_after_a_gigabyte(RLIMIT_DATA);
}

/* Small blocks alone fill the address space; the program frees them and wants threads. */
static void threads_after_exhaustion(void) {
    limit(RLIMIT_AS, limits_used_bytes(RLIMIT_AS) + 64 * MIB);
    size_t count;
    free_all(exhaust(1000, 1000000, &count));
    EXPECT(count > 50000);
    bool can = can_make_thread();
    storm_note("after 64 MiB of small blocks came and went, a thread with a stack of 8 MiB can%s be made",
               can ? "" : "not");
    limit(RLIMIT_AS, RLIM_INFINITY);
    EXPECT(can_make_thread());
}

static void limit_below_use(void) {
    use_a_gigabyte();
    void *block = malloc(100);
    limit(RLIMIT_AS, 100 * MIB);
    all_functions_refuse(block, 64 * MIB);
    free(block);
    drop_the_gigabyte();
    for (unsigned i = 0; i < 1000; i++)
        free(malloc(i * 100)); /* from what is mapped already */
    limit(RLIMIT_AS, RLIM_INFINITY);
    EXPECT(can_make_thread());
}

static _Atomic(bool) grown_enough;

/* Blocks that grow until that is refused, and keep what was in them. Returns: NULL iff they did. */
static void *grow_again_and_again(void *seed) {
    uint64_t random = (uintptr_t)seed;
    while (!atomic_load(&grown_enough)) {
        unsigned char *block = NULL;
        size_t size = 0;
        for (size_t next = 1 + storm_below(&random, MIB); next < 40 * MIB; next += 1 + storm_below(&random, next)) {
            unsigned char *moved = realloc(block, next);
            block = moved != NULL ? moved : block;
            for (size_t i = 0; i < size; i += 4096)
                if (block[i] != i / 4096 % 251)
                    return &a_failure;
            if (moved == NULL)
                break;
            size = next;
            for (size_t i = 0; i < size; i += 4096)
                block[i] = (unsigned char)(i / 4096 % 251);
        }
        free(block);
    }
    return NULL;
}

static void limit_that_moves(void) {
    uint64_t random = storm_seed();
    pthread_t thread[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        EXPECT(pthread_create(&thread[i], NULL, grow_again_and_again, (void *)(uintptr_t)(random + i)) == 0); // NOLINT
    for (double until = storm_seconds() + GROWING_SECONDS; storm_seconds() < until; usleep(100))
        limit(RLIMIT_AS, limits_used_bytes(RLIMIT_AS) - 16 * MIB + storm_below(&random, 32 * MIB));
    atomic_store(&grown_enough, true);
    for (size_t i = 0; i < THREADS; i++) {
        void *failed = &a_failure;
        EXPECT(pthread_join(thread[i], &failed) == 0 && failed == NULL);
    }
    limit(RLIMIT_AS, RLIM_INFINITY);
}

/* --- strict overcommit, by the machine's own switch --- */

static const char overcommit[] = "/proc/sys/vm/overcommit_memory";

static bool set_overcommit(char mode) {
    int file = open(overcommit, O_WRONLY | O_CLOEXEC);
    bool done = file >= 0 && write(file, &mode, 1) == 1;
    if (file >= 0)
        close(file);
    return done;
}

/* A process that sets strict overcommit and puts the mode back when the other end of its pipe is closed (by whatever end
 * of the test), at the latest after two seconds. */
static pid_t start_guard(int *end, char mode) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    pid_t guard = fork();
    if (guard == 0) {
        setsid();
        for (int number = 1; number < 32; number++)
            signal(number, SIG_IGN);
        close(ends[1]);
        if (set_overcommit('2'))
            poll(&(struct pollfd){ends[0], POLLIN, 0}, 1, 2000);
        _exit(set_overcommit(mode) ? 0 : 1);
    }
    close(ends[0]);
    *end = ends[1];
    return guard;
}

static char overcommit_mode(void) {
    char mode = '\0';
    int file = open(overcommit, O_RDONLY | O_CLOEXEC);
    if (file >= 0 && read(file, &mode, 1) != 1)
        mode = '\0';
    close(file);
    return mode;
}

static void strict_overcommit(void) {
    const char *allowed = getenv("EMMA_TEST_MACHINE");
    if (allowed != NULL && strcmp(allowed, "0") == 0)
        storm_skip("EMMA_TEST_MACHINE=0 forbids to change the overcommit mode of the machine");
    char mode = overcommit_mode();
    if (mode == '\0' || access(overcommit, W_OK) != 0)
        storm_skip("/proc/sys/vm/overcommit_memory is not writable: needs root");
    int end = -1;
    pid_t guard = start_guard(&end, mode);
    EXPECT(guard > 0);
    for (int i = 0; i < 100 && overcommit_mode() != '2'; i++)
        usleep(10000);
    bool strict = overcommit_mode() == '2';
    size_t count;
    void **large = exhaust(256 * MIB, 4096, &count); /* what is promised counts, not what is used */
    int refused = errno;
    free(malloc(100));
    free_all(large);
    void *again = malloc(MIB);
    bool thread = can_make_thread();
    close(end);
    EXPECT(storm_reap(guard) && overcommit_mode() == mode);
    if (!strict)
        storm_skip("/proc/sys/vm/overcommit_memory refuses the mode 2");
    EXPECT(count > 0 && count < 4096 && refused == ENOMEM);
    EXPECT(again != NULL && thread);
    free(again);
    storm_note("under overcommit_memory=2: %zu blocks of 256 MiB", count);
}

/* --- strangers --- */

static void stranger_behind_the_heap(void) {
    char *first = malloc(64);
    uintptr_t end = limits_mapping_end((uintptr_t)first);
    enum { STRANGER = 65536 };
    uintptr_t tract = (uintptr_t)64 << 20;
    uintptr_t place[] = {end, (end & ~(tract - 1)) + tract, (end & ~(tract - 1)) + 2 * tract + 5 * MIB,
                         (end & ~(tract - 1)) + 4 * tract};
    for (size_t i = 0; i < STORM_COUNT(place); i++) {
        // NOLINTNEXTLINE(performance-no-int-to-ptr)
        void *got = mmap((void *)place[i], STRANGER, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        if (!EXPECT(got == (void *)place[i])) // NOLINT(performance-no-int-to-ptr)
            return;
        memset(got, 0x5A, STRANGER);
    }
    size_t small;
    size_t large;
    size_t huge;
    void **lists[3] = {exhaust(1000, 300000, &small), exhaust(MIB, 300, &large), exhaust(100 * MIB, 8, &huge)};
    EXPECT(small == 300000 && large == 300 && huge == 8);
    char *grown = malloc(70 * MIB);
    for (size_t size = 100 * MIB; size <= 600 * (size_t)MIB && grown != NULL; size += 100 * MIB)
        grown = realloc(grown, size);
    EXPECT(grown != NULL);
    free(grown);
    for (size_t i = 0; i < 3; i++)
        free_all(lists[i]);
    malloc_trim(0);
    for (size_t i = 0; i < STORM_COUNT(place); i++)
        for (size_t byte = 0; byte < STRANGER; byte += 512)
            EXPECT(((char *)place[i])[byte] == 0x5A); // NOLINT(performance-no-int-to-ptr)
    free(first);
}

int main(void) {
    static const storm_case cases[] = {
        {"runs on emma", runs_on_emma, 10},
        {"ulimit -v 65536, 4 threads with stacks of 8 MiB", ulimit_64_mib, 60},
        {"RLIMIT_AS after a gigabyte", address_space_limit, 60},
        {"RLIMIT_AS below what is used", limit_below_use, 60},
        {"RLIMIT_AS moves while blocks grow", limit_that_moves, 60},
        {"threads after small blocks filled the address space", threads_after_exhaustion, 60},
        {"strict overcommit for this process: RLIMIT_DATA after a gigabyte", data_limit, 60},
        {"strict overcommit of the machine", strict_overcommit, 60},
        {"strangers where the heap would grow", stranger_behind_the_heap, 60},
    };
    const char *role = getenv("EMMA_TEST_ROLE");
    if (role != NULL && strcmp(role, "small") == 0)
        return small_program();
    return storm_main(cases, STORM_COUNT(cases));
}
