/* number_test.c: how heaps go, and how many there may be: destroyed, nothing is left of them, however much lived in them. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heap/heap.h"
#include "heap_work.h"

static void *room(size_t bytes) {
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    EXPECT(at != MAP_FAILED);
    return at;
}

/* A heap with so many blocks in total bytes, all of their pages touched. */
static emma_heap *full_heap(size_t blocks, size_t total) {
    emma_heap *heap = emma_heap_create(NULL);
    for (size_t i = 0; i < blocks; i++) {
        char *block = emma_heap_malloc(heap, total / blocks);
        for (size_t at = 0; at < total / blocks; at += 4096)
            block[at] = 1;
        if (!EXPECT(block != NULL))
            break;
    }
    return heap;
}

static void nothing_is_left(void) {
    heap_work_maps_hash(); /* whatever libc maps at its first use */
    heap_work_map_records();
    uint64_t before = heap_work_maps_hash();
    size_t resident = storm_resident_bytes();
    uint64_t random = storm_seed();
    for (size_t round = 0; round < 20; round++) {
        emma_heap *heap = emma_heap_create(NULL);
        heap_work work = heap_work_new(heap, storm_random(&random));
        work.most_bytes = (size_t)1 << (10 + round % 5 * 4); /* to 64 MiB: tracts and huge blocks */
        heap_work_run(&work, work.most_bytes > (1 << 20) ? 300 : 3000);
        heap_work_check(&work);
        emma_heap_destroy(heap);
        EXPECT(heap_work_maps_hash() == before);
    }
    emma_heap *heap = full_heap(1000000, 1000000 * 48);
    EXPECT(heap_work_stats(heap).of.allocated_bytes == 1000000 * 48);
    emma_heap_destroy(heap);
    EXPECT(heap_work_maps_hash() == before && storm_resident_bytes() < resident + (1 << 20));
}

static double seconds_to(void change(emma_heap *), size_t blocks) {
    double least = 1e9;
    for (size_t i = 0; i < 7; i++) {
        emma_heap *heap = full_heap(blocks, (size_t)48 << 20);
        double start = storm_seconds();
        change(heap);
        double seconds = storm_seconds() - start;
        least = seconds < least ? seconds : least;
        if (change != emma_heap_destroy)
            emma_heap_destroy(heap);
    }
    return least;
}

/* The same pages, a few blocks or a million of them. */
/* The least of a few tries: others may use the machine. */
static double least_seconds_to(void (*end)(emma_heap *heap), size_t blocks) {
    double least = seconds_to(end, blocks);
    for (unsigned try = 0; try < 3; try++) {
        double seconds = seconds_to(end, blocks);
        least = seconds < least ? seconds : least;
    }
    return least;
}

static void costs_nothing_for_each_block(void) {
    double few = least_seconds_to(emma_heap_destroy, 48);
    double many = least_seconds_to(emma_heap_destroy, 1 << 20);
    storm_note("destroy 48 MiB: 48 blocks %.2f ms, 1,048,576 blocks %.2f ms", few * 1e3, many * 1e3);
    EXPECT(many < few * 4 + 0.005);
    few = least_seconds_to(emma_heap_reset, 48);
    many = least_seconds_to(emma_heap_reset, 1 << 20);
    storm_note("reset 48 MiB: 48 blocks %.3f ms, 1,048,576 blocks %.3f ms", few * 1e3, many * 1e3);
    EXPECT(many < 0.005);
}

/* How many system calls a child makes between two that it marks by getppid. */
static size_t calls_to_destroy(size_t blocks, size_t block_bytes) {
    pid_t child = fork();
    if (child == 0) {
        emma_heap *heap = full_heap(blocks, blocks * block_bytes);
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        emma_heap_destroy(heap);
        _exit(0);
    }
    int status = 0;
    size_t stops = 0;
    waitpid(child, &status, 0);
    ptrace(PTRACE_SETOPTIONS, child, NULL, (void *)PTRACE_O_TRACESYSGOOD);
    while (ptrace(PTRACE_SYSCALL, child, NULL, NULL) == 0 && waitpid(child, &status, 0) == child && WIFSTOPPED(status))
        stops++;
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return stops / 2; /* each call stops twice; the end of raise and the exit once */
}

static void makes_few_calls(void) {
    size_t empty = calls_to_destroy(1, 16);
    size_t many = calls_to_destroy(1000000, 48); /* 48 MB: one tract */
    size_t two = calls_to_destroy(100000, 1000); /* 100 MB: two */
    size_t huge = calls_to_destroy(5, (size_t)40 << 20);
    storm_note("system calls to destroy: empty %zu, 10^6 blocks %zu, two tracts %zu, five huge blocks %zu", empty, many,
               two, huge);
    EXPECT(many == empty && two == empty + 1 && huge == empty + 5);
}

/* Alive at once, each with a block. Heaps go in the order of (i * step) % count. */
static void alive_at_once(size_t count, size_t step) {
    emma_heap **heaps = room(count * sizeof(emma_heap *));
    char **blocks = room(count * sizeof(char *));
    emma_heap_destroy(emma_heap_create(NULL));
    size_t maps = heap_work_maps();
    size_t resident = storm_resident_bytes();
    double start = storm_seconds();
    for (size_t i = 0; i < count; i++) {
        heaps[i] = emma_heap_create(NULL);
        blocks[i] = heaps[i] != NULL ? emma_heap_malloc(heaps[i], 100) : NULL;
        if (!EXPECT(blocks[i] != NULL && emma_heap_of(blocks[i]) == heaps[i])) {
            storm_note("heap %zu of %zu, %zu mappings", i, count, heap_work_maps());
            return;
        }
        heap_work_fill((unsigned char *)blocks[i], 100, heaps[i]);
    }
    double made = storm_seconds();
    size_t maps_then = heap_work_maps();
    storm_note("%zu heaps: %zu mappings, %zu KiB resident for each, %.2f us to make", count, maps_then - maps,
               (storm_resident_bytes() - resident) / count >> 10, (made - start) * 1e6 / (double)count);
    EXPECT(maps_then < 60000);
    EXPECT(storm_resident_bytes() - resident < count * 40960);
    for (size_t i = 0; i < count; i++) {
        size_t next = i * step % count;
        EXPECT(heap_work_is_filled((unsigned char *)blocks[next], 100, heaps[next]));
        emma_heap_destroy(heaps[next]);
        if (i == count / 2) { /* room is found among those that went */
            emma_heap *heap = emma_heap_create(NULL);
            EXPECT(heap != NULL && emma_heap_malloc(heap, (size_t)100 << 20) != NULL);
            EXPECT(heap_work_maps() < 65000);
            emma_heap_destroy(heap);
        }
    }
    storm_note("gone, each %zuth: %.2f us for each, %zu mappings more than before, %zu KiB resident", step,
               (storm_seconds() - made) * 1e6 / (double)count, heap_work_maps() - maps,
               (storm_resident_bytes() - resident) >> 10);
    EXPECT(storm_resident_bytes() < resident + (4 << 20));
    EXPECT(heap_work_maps() <= maps + 8);
    heap_work work = heap_work_new(emma_heap_create(NULL), 1);
    heap_work_run(&work, 1000);
    heap_work_end(&work);
    emma_heap_destroy(work.heap);
}

static void many_alive(void) {
    alive_at_once(storm_amount(100000, 100000), 1);
}

/* Scattered: 3 has no factor in common with the number. */
static void many_alive_go_scattered(void) {
    alive_at_once(storm_amount(30000, 100000), 7919);
}

/* Where heaps are many, so that each is mapped whole, and the system refuses as much: a heap needs much less. */
static void made_where_tracts_are_refused(void) {
    if (STORM_SANITIZER)
        storm_skip("sanitizers need address space of their own");
    emma_heap_destroy(emma_heap_create(NULL));
    atomic_fetch_add(&emma__heap_directory(emma_heap_default())->made, 1 << 20);
    struct rlimit all;
    EXPECT(getrlimit(RLIMIT_AS, &all) == 0);
    char text[64] = "";
    FILE *file = fopen("/proc/self/statm", "r");
    EXPECT(file != NULL && fgets(text, sizeof text, file) != NULL);
    struct rlimit few = {strtoull(text, NULL, 10) * (rlim_t)sysconf(_SC_PAGESIZE) + ((rlim_t)32 << 20), all.rlim_max};
    EXPECT(setrlimit(RLIMIT_AS, &few) == 0);
    emma_heap *heap = emma_heap_create(NULL);
    EXPECT(heap != NULL && emma_heap_malloc(heap, 1000) != NULL && emma_heap_malloc(heap, 1 << 20) != NULL);
    EXPECT(setrlimit(RLIMIT_AS, &all) == 0);
    if (file != NULL)
        fclose(file);
    emma_heap_destroy(heap);
}

/* Each with a block, if that is to have any bytes. */
static void come_and_go(size_t rounds, size_t bytes) {
    heap_work_map_records();
    size_t maps = heap_work_maps();
    size_t resident = storm_resident_bytes();
    double start = storm_seconds();
    size_t gone = 0;
    for (size_t i = 0; i < rounds; i++) {
        emma_heap *heap = emma_heap_create(NULL);
        char *block = heap != NULL && bytes != 0 ? emma_heap_malloc(heap, bytes) : NULL;
        if (heap == NULL || (block == NULL && bytes != 0))
            break;
        if (block != NULL)
            *block = 1;
        emma_heap_destroy(heap);
        gone++;
    }
    EXPECT(gone == rounds);
    storm_note("%zu rounds with %zu bytes: %.2f us each", rounds, bytes,
               (storm_seconds() - start) * 1e6 / (double)rounds);
    size_t resident_then = storm_resident_bytes();
    size_t maps_then = heap_work_maps();
    if (!EXPECT(maps_then == maps && resident_then < resident + (2 << 20)))
        storm_note("%zu mappings, before %zu; %zu KiB resident, before %zu", maps_then, maps, resident_then >> 10,
                   resident >> 10);
}

static void rounds_leave_nothing(void) {
    come_and_go(1000000, 0);
    come_and_go(storm_amount(100000, 1000000), 100);
    come_and_go(storm_amount(20000, 1000000), 100000);
    come_and_go(storm_amount(5000, 200000), (size_t)40 << 20);
}

static void *rounds_of_thread(void *argument) {
    (void)argument;
    for (size_t i = 0; i < storm_amount(3000, 300000) && !storm_failed(); i++) {
        emma_heap *heap = emma_heap_create(&(emma_heap_config){.limit_bytes = 1 << 20});
        void *block = heap != NULL ? emma_heap_malloc(heap, 1000) : NULL;
        EXPECT(block != NULL && emma_heap_of(block) == heap);
        emma_heap_destroy(heap);
    }
    return NULL;
}

static void threads_make_and_destroy(void) {
    size_t maps = 0;
    for (size_t round = 0; round < 2; round++) {
        heap_work_in_threads(8, rounds_of_thread);
        EXPECT(round == 0 || heap_work_maps() <= maps + 16); /* libc's arenas and stacks */
        maps = heap_work_maps();
    }
}

int main(void) {
    static const storm_case cases[] = {
        {"destroyed: the mappings are as before", nothing_is_left, 60},
        {"destroy and reset take no step for each block", costs_nothing_for_each_block, 60},
        {"destroy: a call for each 64 MiB and each huge block", makes_few_calls, 60},
        {"100,000 heaps alive", many_alive, 120},
        {"many heaps that go scattered", many_alive_go_scattered, 120},
        {"made where a whole tract is refused", made_where_tracts_are_refused, 10},
        {"a million made and destroyed, nothing grows", rounds_leave_nothing, 180},
        {"made and destroyed by eight threads", threads_make_and_destroy, 120},
    };
    return storm_main(cases, STORM_COUNT(cases));
}
