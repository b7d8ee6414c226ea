/* heaps.c: heaps that are made and destroyed, measured. One run is one test with one maker (maker.h); its figures are lines
 * "name value". heaps.py runs all, interleaved, and compares.
 *
 *     LD_PRELOAD=build/libemma.so heaps emma cycle
 *
 * Times of one thread are of its processor, so that who else uses the machine counts less. */
#include "../workloads/work.h"
#include "maker.h"

enum { KIB = 1024, MIB = 1024 * KIB, HEAPS = 1000 };

/* Ten sizes of small blocks. */
static const size_t ten_sizes[] = {16, 32, 48, 64, 96, 128, 192, 256, 384, 512};

static maker by;

static double cpu_now(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double thread_now(void) {
    return cpu_now(CLOCK_THREAD_CPUTIME_ID);
}

static void say(const char *name, double value) {
    printf("%s %.4f\n", name, value);
}

static int by_value(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double median(double *values, size_t count) {
    qsort(values, count, sizeof *values, by_value);
    return values[count / 2];
}

static void *get(maker_heap heap, size_t size) {
    void *block = by.get(heap, size);
    work_check(block != NULL, "no memory");
    *(volatile char *)block = 1;
    return block;
}

static void leave(void) {
    if (by.leave != NULL)
        by.leave();
}

static void get_hundred(maker_heap heap) {
    for (size_t i = 0; i < 100; i++)
        memset(get(heap, ten_sizes[i % 10]), 1, ten_sizes[i % 10]);
}

/* cycle: create and destroy, with nothing in it, and with 100 blocks of ten sizes. */
static double cycle_us(void (*fill)(maker_heap)) {
    enum { BATCHES = 21, TURNS = 50 };
    double times[BATCHES];
    for (size_t batch = 0; batch < BATCHES; batch++) {
        double began = thread_now();
        for (size_t i = 0; i < TURNS; i++) {
            maker_heap heap = by.create();
            if (fill != NULL)
                fill(heap);
            by.destroy(heap);
        }
        times[batch] = (thread_now() - began) / TURNS * 1e6;
    }
    return median(times, BATCHES);
}

static void cycle(void) {
    say("cycle_empty_us", cycle_us(NULL));
    say("cycle_hundred_us", cycle_us(get_hundred));
}

/* million: a heap with a million blocks is destroyed; another one's are freed one by one, in the order they came. */
static void million(void) {
    enum { BLOCKS = 1000000, ROUNDS = 3 };
    static void *blocks[BLOCKS];
    double destroyed[ROUNDS], freed[ROUNDS];
    for (size_t round = 0; round < 2 * ROUNDS; round++) {
        work_random random = work_seed(1);
        maker_heap heap = by.create();
        for (size_t i = 0; i < BLOCKS; i++)
            blocks[i] = get(heap, work_size(&random, 16, 128));
        double began = thread_now();
        for (size_t i = 0; round % 2 != 0 && i < BLOCKS; i++)
            by.put(heap, blocks[i]);
        double between = thread_now();
        by.destroy(heap);
        *(round % 2 != 0 ? &freed[round / 2] : &destroyed[round / 2]) =
            (round % 2 != 0 ? between - began : thread_now() - between) * 1e3;
    }
    say("million_destroy_ms", median(destroyed, ROUNDS));
    say("million_free_ms", median(freed, ROUNDS));
}

/* many: threads that each replace blocks at random in 100 heaps which all of them use. */
enum { MANY_HEAPS = 100, MANY_THREADS = 4, MANY_SLOTS = 2000, MANY_STEPS = 500000 };

static void replace_in_many(size_t number, void *shared) {
    const maker_heap *heaps = shared;
    static __thread void *blocks[MANY_SLOTS];
    work_random random = work_seed(number);
    for (size_t step = 0; step < MANY_STEPS + MANY_SLOTS; step++) {
        size_t slot = step < MANY_STEPS ? work_below(&random, MANY_SLOTS) : step - MANY_STEPS;
        maker_heap heap = heaps[slot % MANY_HEAPS];
        if (blocks[slot] != NULL)
            by.put(heap, blocks[slot]);
        blocks[slot] = step < MANY_STEPS ? get(heap, work_size(&random, 16, 512)) : NULL;
    }
    leave();
}

static void many(void) {
    maker_heap heaps[MANY_HEAPS];
    for (size_t i = 0; i < MANY_HEAPS; i++)
        heaps[i] = by.create();
    double began = work_now(), used = cpu_now(CLOCK_PROCESS_CPUTIME_ID);
    work_threads(MANY_THREADS, replace_in_many, heaps);
    double steps = (double)MANY_STEPS * MANY_THREADS;
    say("many_wall_ns", (work_now() - began) / steps * 1e9);
    say("many_cpu_ns", (cpu_now(CLOCK_PROCESS_CPUTIME_ID) - used) / steps * 1e9);
    for (size_t i = 0; i < MANY_HEAPS; i++)
        by.destroy(heaps[i]);
}

/* memory: of a thousand heaps, each of them: resident, and the kernel's page tables, which do not count as resident. */
static double status_kib(const char *key) {
    char text[4096];
    FILE *file = fopen("/proc/self/status", "r");
    size_t length = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
    work_check(length != 0, "/proc/self/status");
    (void)fclose(file);
    text[length] = '\0';
    const char *found = strstr(text, key);
    work_check(found != NULL, key);
    return strtod(found + strlen(key), NULL);
}

static void memory(void) {
    static maker_heap heaps[HEAPS];
    status_kib("VmRSS:"); /* libc's own buffers */
    by.destroy(by.create());
    double resident = status_kib("VmRSS:"), tables = status_kib("VmPTE:");
    for (size_t i = 0; i < HEAPS; i++)
        heaps[i] = by.create();
    say("memory_empty_kib", (status_kib("VmRSS:") - resident) / HEAPS);
    say("memory_empty_tables_kib", (status_kib("VmPTE:") - tables) / HEAPS);
    for (size_t i = 0; i < HEAPS; i++)
        get_hundred(heaps[i]);
    say("memory_hundred_kib", (status_kib("VmRSS:") - resident) / HEAPS);
    say("memory_hundred_tables_kib", (status_kib("VmPTE:") - tables) / HEAPS);
    for (size_t i = 0; i < HEAPS; i++)
        by.destroy(heaps[i]);
    say("memory_after_kib", (status_kib("VmRSS:") - resident) / HEAPS);
}

/* single: one thread in a made heap and, in turns, in the default heap: pairs of 64 bytes; random blocks replaced. */
enum { SINGLE_BATCHES = 41, SINGLE_PAIRS = 100000, SINGLE_SLOTS = 1000 };

static maker_heap default_heap; /* what stands for it: a heap that is nobody's */

static void *get_of(maker_heap heap, size_t size) {
    return heap == default_heap ? by.get_default(size) : by.get(heap, size);
}

static void put_of(maker_heap heap, void *block) {
    if (heap == default_heap)
        by.put_default(block);
    else
        by.put(heap, block);
}

static double pairs_ns(maker_heap heap) {
    double began = thread_now();
    for (size_t i = 0; i < SINGLE_PAIRS; i++) {
        void *block = get_of(heap, 64);
        *(volatile char *)block = 1;
        put_of(heap, block);
    }
    return (thread_now() - began) / SINGLE_PAIRS * 1e9;
}

static double replaced_ns(maker_heap heap) {
    static void *blocks[SINGLE_SLOTS];
    work_random random = work_seed(7);
    double began = thread_now();
    for (size_t i = 0; i < SINGLE_PAIRS; i++) {
        void **slot = &blocks[work_below(&random, SINGLE_SLOTS)];
        if (*slot != NULL)
            put_of(heap, *slot);
        *slot = get_of(heap, work_size(&random, 16, 512));
        *(volatile char *)*slot = 1;
    }
    double ns = (thread_now() - began) / SINGLE_PAIRS * 1e9;
    for (size_t i = 0; i < SINGLE_SLOTS; i++) {
        if (blocks[i] != NULL)
            put_of(heap, blocks[i]);
        blocks[i] = NULL;
    }
    return ns;
}

static void compare_single(const char *name, double (*run)(maker_heap)) {
    double made[SINGLE_BATCHES], usual[SINGLE_BATCHES], ratio[SINGLE_BATCHES];
    char line[64];
    maker_heap heap = by.create();
    for (size_t i = 0; i < SINGLE_BATCHES; i++) {
        made[i] = run(heap);
        usual[i] = run(default_heap);
        ratio[i] = made[i] / usual[i];
    }
    by.destroy(heap);
    (void)snprintf(line, sizeof line, "single_%s_made_ns", name);
    say(line, median(made, SINGLE_BATCHES));
    (void)snprintf(line, sizeof line, "single_%s_default_ns", name);
    say(line, median(usual, SINGLE_BATCHES));
    (void)snprintf(line, sizeof line, "single_%s_ratio", name);
    say(line, median(ratio, SINGLE_BATCHES));
}

static void single(void) {
    default_heap = UINTPTR_MAX;
    compare_single("pairs", pairs_ns);
    compare_single("replaced", replaced_ns);
}

/* crowd: 64 threads in one made heap and, in turns, in the default heap. */
enum { CROWD_THREADS = 64, CROWD_SLOTS = 200, CROWD_STEPS = 100000, CROWD_ROUNDS = 5 };

static void replace_in_one(size_t number, void *shared) {
    maker_heap heap = *(maker_heap *)shared;
    void *blocks[CROWD_SLOTS] = {NULL};
    work_random random = work_seed(number);
    for (size_t step = 0; step < CROWD_STEPS + CROWD_SLOTS; step++) {
        size_t slot = step < CROWD_STEPS ? work_below(&random, CROWD_SLOTS) : step - CROWD_STEPS;
        if (blocks[slot] != NULL)
            put_of(heap, blocks[slot]);
        blocks[slot] = step < CROWD_STEPS ? get_of(heap, work_size(&random, 16, 512)) : NULL;
        if (blocks[slot] != NULL)
            *(volatile char *)blocks[slot] = 1;
    }
    leave();
}

static void crowd(void) {
    double wall[2][CROWD_ROUNDS], cpu[2][CROWD_ROUNDS], ratio[CROWD_ROUNDS];
    default_heap = UINTPTR_MAX;
    maker_heap heaps[2] = {by.create(), default_heap};
    double steps = (double)CROWD_THREADS * CROWD_STEPS / 1e9;
    for (size_t round = 0; round < 2 * CROWD_ROUNDS; round++) {
        size_t which = round % 2;
        double began = work_now(), used = cpu_now(CLOCK_PROCESS_CPUTIME_ID);
        work_threads(CROWD_THREADS, replace_in_one, &heaps[which]);
        wall[which][round / 2] = (work_now() - began) / steps;
        cpu[which][round / 2] = (cpu_now(CLOCK_PROCESS_CPUTIME_ID) - used) / steps;
    }
    for (size_t i = 0; i < CROWD_ROUNDS; i++)
        ratio[i] = cpu[0][i] / cpu[1][i];
    say("crowd_ratio", median(ratio, CROWD_ROUNDS));
    for (size_t i = 0; i < CROWD_ROUNDS; i++)
        ratio[i] = wall[0][i] / wall[1][i];
    say("crowd_wall_ratio", median(ratio, CROWD_ROUNDS));
    say("crowd_made_cpu_ns", median(cpu[0], CROWD_ROUNDS));
    say("crowd_default_cpu_ns", median(cpu[1], CROWD_ROUNDS));
    by.destroy(heaps[0]);
}

/* limited: a thousand heaps of 1 MiB are filled until they refuse; and as many blocks in heaps without a limit. */
enum { LIMITED_BYTES = MIB, LIMITED_BLOCKS = 960 };

static size_t fill(maker_heap heap, size_t most) {
    work_random random = work_seed(3);
    size_t count = 0;
    for (void *block; count < most && (block = by.get(heap, work_size(&random, 256, 1024))) != NULL; count++)
        *(volatile char *)block = 1;
    return count;
}

static void limited(void) {
    static maker_heap heaps[HEAPS];
    static size_t counts[HEAPS];
    for (size_t limit = LIMITED_BYTES;; limit = 0) {
        if (limit != 0 && by.create_limited == NULL)
            continue;
        double resident = status_kib("VmRSS:"), began = thread_now(), blocks = 0;
        for (size_t i = 0; i < HEAPS; i++) {
            heaps[i] = limit != 0 ? by.create_limited(limit) : by.create();
            size_t most = limit != 0 ? SIZE_MAX : counts[i] != 0 ? counts[i] : LIMITED_BLOCKS;
            blocks += (double)(counts[i] = fill(heaps[i], most));
        }
        double filled = thread_now();
        double grown = status_kib("VmRSS:") - resident;
        work_check(limit == 0 || grown < HEAPS * (double)limit / KIB, "a limit was exceeded");
        double ended = thread_now();
        for (size_t i = 0; i < HEAPS; i++)
            by.destroy(heaps[i]);
        double gone = thread_now();
        say(limit != 0 ? "limited_fill_us" : "unlimited_fill_us", (filled - began) / HEAPS * 1e6);
        say(limit != 0 ? "limited_destroy_us" : "unlimited_destroy_us", (gone - ended) / HEAPS * 1e6);
        say(limit != 0 ? "limited_kib" : "unlimited_kib", grown / HEAPS);
        say(limit != 0 ? "limited_blocks" : "unlimited_blocks", blocks / HEAPS);
        if (limit == 0)
            return;
    }
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(void);
    } tests[] = {{"cycle", cycle},   {"million", million}, {"many", many},      {"memory", memory},
                 {"single", single}, {"crowd", crowd},     {"limited", limited}};
    if (argc == 3) {
        by = maker_find(argv[1]);
        for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
            if (strcmp(tests[i].name, argv[2]) == 0) {
                tests[i].run();
                return 0;
            }
        }
    }
    (void)fputs("usage: heaps emma|mimalloc|jemalloc cycle|million|many|memory|single|crowd|limited\n", stderr);
    return 2;
}
