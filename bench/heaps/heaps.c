/* heaps.c: heaps that are made and destroyed, measured. One run is one test with one maker (maker.h); its figures are lines
 * "name value". heaps.py runs all, interleaved, and compares.
 *
 *     LD_PRELOAD=build/libemma.so heaps emma cycle
 *
 * Times of one thread are of its processor, so that who else uses the machine counts less. */
#include "../workloads/work.h"
#include "floor.h"
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

static void say_of(const char *test, const char *name, double value) {
    printf("%s_%s %.4f\n", test, name, value);
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
    void *block = by.made.get(heap, size);
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

/* cycle: create and destroy, with nothing in it, and with 100 blocks of ten sizes; and the floor for an empty one. */
static void cycle_empty(void) {
    by.destroy(by.create());
}

static void cycle_hundred(void) {
    maker_heap heap = by.create();
    get_hundred(heap);
    by.destroy(heap);
}

static double batch_us(void (*turn)(void)) {
    enum { TURNS = 50 };
    double began = thread_now();
    for (size_t i = 0; i < TURNS; i++)
        turn();
    return (thread_now() - began) / TURNS * 1e6;
}

static void cycle(void) {
    enum { BATCHES = 21 };
    double empty[BATCHES], hundred[BATCHES], least[BATCHES];
    if (by.maps_each) {
        maker_heap heap = by.create();
        floor_look(heap);
        by.destroy(heap);
    }
    for (size_t i = 0; i < BATCHES; i++) {
        empty[i] = batch_us(cycle_empty);
        hundred[i] = batch_us(cycle_hundred);
        least[i] = by.maps_each ? batch_us(floor_once) : 0;
    }
    say("cycle_empty_us", median(empty, BATCHES));
    say("cycle_hundred_us", median(hundred, BATCHES));
    if (by.maps_each)
        say("cycle_floor_us", median(least, BATCHES));
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
            by.made.put(heap, blocks[i]);
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
            by.made.put(heap, blocks[slot]);
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

/* single: one thread in a made heap, in the default heap and in what else there is, in turns: pairs of 64 bytes; random
 * blocks replaced. */
enum { SINGLE_BATCHES = 41, SINGLE_PAIRS = 100000, SINGLE_SLOTS = 1000 };

/* A way, and what it is asked with. */
typedef struct place {
    const char *name;
    maker_way way;
    maker_heap heap;
} place;

static double pairs_ns(const place *in) {
    double began = thread_now();
    for (size_t i = 0; i < SINGLE_PAIRS; i++) {
        void *block = in->way.get(in->heap, 64);
        *(volatile char *)block = 1;
        in->way.put(in->heap, block);
    }
    return (thread_now() - began) / SINGLE_PAIRS * 1e9;
}

static double replaced_ns(const place *in) {
    static void *blocks[SINGLE_SLOTS];
    work_random random = work_seed(7);
    double began = thread_now();
    for (size_t i = 0; i < SINGLE_PAIRS; i++) {
        void **slot = &blocks[work_below(&random, SINGLE_SLOTS)];
        if (*slot != NULL)
            in->way.put(in->heap, *slot);
        *slot = in->way.get(in->heap, work_size(&random, 16, 512));
        *(volatile char *)*slot = 1;
    }
    double ns = (thread_now() - began) / SINGLE_PAIRS * 1e9;
    for (size_t i = 0; i < SINGLE_SLOTS; i++) {
        if (blocks[i] != NULL)
            in->way.put(in->heap, blocks[i]);
        blocks[i] = NULL;
    }
    return ns;
}

/* The first place is what the others are compared with. */
static void compare_single(const char *name, double (*run)(const place *in), const place *places, size_t count) {
    enum { PLACES_MAX = 4 };
    double ns[PLACES_MAX][SINGLE_BATCHES], ratio[PLACES_MAX][SINGLE_BATCHES];
    char line[64];
    for (size_t i = 0; i < SINGLE_BATCHES; i++) {
        for (size_t k = 0; k < count; k++) {
            ns[k][i] = run(&places[k]);
            ratio[k][i] = ns[k][i] / ns[0][i];
        }
    }
    for (size_t k = 0; k < count; k++) {
        (void)snprintf(line, sizeof line, "single_%s_%s", name, places[k].name);
        say_of(line, "ns", median(ns[k], SINGLE_BATCHES));
        say_of(line, "ratio", median(ratio[k], SINGLE_BATCHES));
    }
}

static void single(void) {
    maker_heap heap = by.create();
    bool has_more = by.begin != NULL;
    place places[] = {{"default", by.usual, heap},
                      {"made", by.made, heap},
                      {"any", by.any, heap},
                      {"session", by.session, has_more ? by.begin(heap) : heap}};
    compare_single("pairs", pairs_ns, places, has_more ? 4 : 2);
    compare_single("replaced", replaced_ns, places, has_more ? 4 : 2);
    if (has_more)
        by.end(places[3].heap);
    by.destroy(heap);
}

/* crowd: 64 threads in one made heap and, in turns, in the default heap. They live for about a millisecond; brief ones end
 * before their caches have grown, long ones take turns on the processors. */
enum { CROWD_THREADS = 64, CROWD_SLOTS = 200, CROWD_ROUNDS = 5 };

static size_t crowd_steps;

static void replace_in_one(size_t number, void *shared) {
    const place *in = shared;
    void *blocks[CROWD_SLOTS] = {NULL};
    work_random random = work_seed(number);
    for (size_t step = 0; step < crowd_steps + CROWD_SLOTS; step++) {
        size_t slot = step < crowd_steps ? work_below(&random, CROWD_SLOTS) : step - crowd_steps;
        if (blocks[slot] != NULL)
            in->way.put(in->heap, blocks[slot]);
        blocks[slot] = step < crowd_steps ? in->way.get(in->heap, work_size(&random, 16, 512)) : NULL;
        if (blocks[slot] != NULL)
            *(volatile char *)blocks[slot] = 1;
    }
    leave();
}

static void compare_crowd(const char *name, size_t steps) {
    double wall[2][CROWD_ROUNDS], cpu[2][CROWD_ROUNDS], cpu_ratio[CROWD_ROUNDS], wall_ratio[CROWD_ROUNDS];
    maker_heap heap = by.create();
    place places[2] = {{"made", by.made, heap}, {"default", by.usual, heap}};
    crowd_steps = steps;
    double done = (double)(CROWD_THREADS * steps) / 1e9;
    for (size_t round = 0; round < 2 * CROWD_ROUNDS; round++) {
        size_t which = round % 2;
        double began = work_now(), used = cpu_now(CLOCK_PROCESS_CPUTIME_ID);
        work_threads(CROWD_THREADS, replace_in_one, &places[which]);
        wall[which][round / 2] = (work_now() - began) / done;
        cpu[which][round / 2] = (cpu_now(CLOCK_PROCESS_CPUTIME_ID) - used) / done;
    }
    for (size_t i = 0; i < CROWD_ROUNDS; i++) {
        cpu_ratio[i] = cpu[0][i] / cpu[1][i];
        wall_ratio[i] = wall[0][i] / wall[1][i];
    }
    say_of(name, "cpu_ratio", median(cpu_ratio, CROWD_ROUNDS));
    say_of(name, "wall_ratio", median(wall_ratio, CROWD_ROUNDS));
    say_of(name, "made_cpu_ns", median(cpu[0], CROWD_ROUNDS));
    say_of(name, "made_wall_ns", median(wall[0], CROWD_ROUNDS));
    say_of(name, "default_cpu_ns", median(cpu[1], CROWD_ROUNDS));
    say_of(name, "default_wall_ns", median(wall[1], CROWD_ROUNDS));
    by.destroy(heap);
}

static void crowd_brief(void) {
    compare_crowd("crowd_brief", 6250);
}

static void crowd(void) {
    compare_crowd("crowd", 100000);
}

static void crowd_long(void) {
    compare_crowd("crowd_long", 400000);
}

/* limited: a thousand heaps of 1 MiB are filled until they refuse; and as many blocks in heaps without a limit. */
enum { LIMITED_BYTES = MIB, LIMITED_BLOCKS = 960 };

static size_t fill(maker_heap heap, size_t most) {
    work_random random = work_seed(3);
    size_t count = 0;
    for (void *block; count < most && (block = by.made.get(heap, work_size(&random, 256, 1024))) != NULL; count++)
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
    } tests[] = {{"cycle", cycle},   {"million", million},       {"many", many},
                 {"memory", memory}, {"single", single},         {"crowd_brief", crowd_brief},
                 {"crowd", crowd},   {"crowd_long", crowd_long}, {"limited", limited}};
    if (argc == 3) {
        by = maker_find(argv[1]);
        for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
            if (strcmp(tests[i].name, argv[2]) == 0) {
                tests[i].run();
                return 0;
            }
        }
    }
    (void)fputs("usage: heaps MAKER TEST\n", stderr);
    return 2;
}
