/* heap_storm_test.c: many heaps by many threads: made, used by all, reset and destroyed at random times; and forks among it.
 *
 * Each place holds a heap and a board of its live blocks. A block is in the board or in one thread's hand; its begin says
 * how long it is, the rest is filled with the pattern. Who destroys a heap waits until nobody uses it, as the contract asks. */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "heap_work.h"

enum { PLACES = 24, THREADS = 6, BOARD = 128, HEADER = 16, CLOSED = 1 << 20 };

typedef struct place {
    _Atomic(int) users; /* + CLOSED while the heap is being changed */
    _Atomic(emma_heap *) heap;
    _Atomic(unsigned char *) board[BOARD];
} place;

static place places[PLACES];
static _Atomic(bool) is_over;
static _Atomic(size_t) done;
static _Atomic(size_t) lives;

static bool enter(place *at) {
    if (atomic_fetch_add(&at->users, 1) < CLOSED && atomic_load(&at->heap) != NULL)
        return true;
    atomic_fetch_sub(&at->users, 1);
    return false;
}

static void leave(place *at) {
    atomic_fetch_sub(&at->users, 1);
}

static size_t size_of(const unsigned char *block) {
    size_t size;
    memcpy(&size, block, sizeof size);
    return size;
}

static void write_block(unsigned char *block, size_t size, const emma_heap *heap) {
    memcpy(block, &size, sizeof size);
    heap_work_fill(block + HEADER, size - HEADER, heap);
}

static void check_block(const unsigned char *block, const emma_heap *heap) {
    size_t size = size_of(block);
    EXPECT(emma_heap_of(block) == heap && emma_usable_size(block) >= size);
    EXPECT(heap_work_is_filled(block + HEADER, size - HEADER, heap));
}

static size_t random_size(uint64_t *random) {
    size_t most = (size_t)32 << storm_below(random, storm_below(random, 200) == 0 ? 18 : 11);
    return HEADER + 1 + storm_below(random, most);
}

static unsigned char *allocate(emma_heap *heap, uint64_t *random) {
    size_t size = random_size(random);
    emma_session session;
    unsigned char *block = NULL;
    switch (storm_below(random, 8)) {
    case 0:
        block = emma_heap_calloc(heap, 1, size);
        EXPECT(block == NULL || heap_work_is_zero(block, size));
        break;
    case 1:
        block = emma_heap_aligned_alloc(heap, (size_t)1 << storm_below(random, 13), size);
        break;
    case 2:
        emma_session_begin(heap, &session);
        block = emma_session_malloc(&session, size);
        emma_session_end(&session);
        break;
    default:
        block = emma_heap_malloc(heap, size);
    }
    if (block != NULL)
        write_block(block, size, heap);
    return block;
}

static void release(emma_heap *heap, unsigned char *block, uint64_t *random) {
    check_block(block, heap);
    void *one = block;
    if (storm_below(random, 4) == 0)
        emma_heap_free_batch(heap, 1, &one);
    else if (storm_below(random, 2) == 0)
        emma_free(block);
    else
        emma_heap_free(heap, block);
}

static unsigned char *resize(emma_heap *heap, unsigned char *block, uint64_t *random) {
    check_block(block, heap);
    size_t size = random_size(random);
    size_t before = size_of(block);
    unsigned char *moved = emma_realloc(block, size);
    if (moved == NULL)
        return block;
    EXPECT(emma_heap_of(moved) == heap && size_of(moved) == before);
    write_block(moved, size, heap);
    return moved;
}

/* A block in this thread's hand, looked for by a walk. */
typedef struct sought {
    emma_heap *heap;
    const unsigned char *block;
    size_t times;
} sought;

static int seek(const emma_description *block, void *context) {
    sought *self = context;
    self->times += block->start == self->block;
    EXPECT(block->heap == self->heap && block->state == EMMA_LIVE_BLOCK && block->size != 0);
    return 0;
}

/* Describe, walk, read the figures, while others allocate and free: what lives throughout is told as it is, and what
 * does not is told as something that it may have been. */
static void look(place *at, emma_heap *heap, uint64_t *random) {
    emma_heap_stats stats = heap_work_stats(heap);
    EXPECT(stats.limit_bytes == 0 ||
           (stats.peak_bytes <= stats.limit_bytes && stats.committed_bytes <= stats.peak_bytes));
    for (size_t i = 0; i < BOARD; i++) {
        const unsigned char *address = atomic_load(&at->board[i]);
        emma_description found;
        if (address == NULL || emma_describe(address + storm_below(random, 100), &found) == 0)
            continue;
        EXPECT(found.heap != NULL && found.size != 0 && found.state != EMMA_NO_BLOCK);
    }
    unsigned char *block = allocate(heap, random);
    if (block == NULL)
        return;
    sought own = {heap, block, 0};
    emma_description found;
    EXPECT(emma_describe(block + storm_below(random, size_of(block)), &found) == 1 && found.start == block);
    EXPECT(found.heap == heap && found.state == EMMA_LIVE_BLOCK && found.size == emma_usable_size(block));
    EXPECT(emma_heap_walk(heap, seek, &own) == 0 && own.times == 1);
    release(heap, block, random);
}

/* A block goes from the board through this thread's hand, perhaps into another heap's as a copy. */
static void use(place *at, place *other, uint64_t *random) {
    emma_heap *heap = atomic_load(&at->heap);
    _Atomic(unsigned char *) *slot = &at->board[storm_below(random, BOARD)];
    unsigned char *block = atomic_exchange(slot, NULL);
    size_t what = storm_below(random, 8);
    if (block == NULL)
        block = allocate(heap, random);
    else if (what < 2)
        block = resize(heap, block, random);
    else if (what < 5) {
        release(heap, block, random);
        block = NULL;
    } else if (what == 5 && other != NULL) {
        emma_heap *to = atomic_load(&other->heap);
        size_t size = size_of(block);
        unsigned char *copy = emma_heap_malloc(to, size);
        release(heap, block, random);
        if (copy != NULL)
            write_block(copy, size, to);
        block = atomic_exchange(&other->board[storm_below(random, BOARD)], copy);
        if (block != NULL)
            release(to, block, random);
        block = NULL;
    }
    if (block != NULL && (block = atomic_exchange(slot, block)) != NULL)
        release(heap, block, random);
}

/* Requires: the place is closed to others. */
static void empty_board(place *at, emma_heap *heap, bool free_all, uint64_t *random) {
    for (size_t i = 0; i < BOARD; i++) {
        unsigned char *block = atomic_exchange(&at->board[i], NULL);
        if (block == NULL)
            continue;
        check_block(block, heap);
        if (free_all)
            release(heap, block, random);
    }
}

/* End what lives there, in one of several ways, and perhaps make a new heap. */
static void change(place *at, uint64_t *random) {
    int none = 0;
    if (!atomic_compare_exchange_strong(&at->users, &none, CLOSED))
        return;
    emma_heap *heap = atomic_load(&at->heap);
    size_t what = storm_below(random, 4);
    if (heap != NULL) {
        empty_board(at, heap, what == 0, random);
        EXPECT(what != 0 || heap_work_stats(heap).of.allocated_bytes == 0);
        emma_heap_stats stats = heap_work_stats(heap);
        EXPECT(stats.limit_bytes == 0 || stats.peak_bytes <= stats.limit_bytes);
        if (what == 1) {
            emma_heap_reset(heap);
            EXPECT(heap_work_stats(heap).of.allocated_bytes == 0);
        } else {
            atomic_store(&at->heap, NULL);
            emma_heap_destroy(heap);
            heap = NULL;
        }
    }
    if (heap == NULL && what != 3) {
        size_t limit = storm_below(random, 2) == 0 ? 0 : EMMA_HEAP_LEAST_BYTES + storm_below(random, 8 << 20);
        unsigned flags = storm_below(random, 8) == 0 ? EMMA_HEAP_ZERO_ON_FREE : 0;
        heap = emma_heap_create(&(emma_heap_config){.limit_bytes = limit, .flags = flags});
        EXPECT(heap != NULL);
        atomic_store(&at->heap, heap);
        atomic_fetch_add(&lives, 1);
    }
    atomic_fetch_sub(&at->users, CLOSED);
}

static void storm_step(uint64_t *random) {
    place *at = &places[storm_below(random, PLACES)];
    place *other = &places[storm_below(random, PLACES)];
    if (storm_below(random, 8) == 0) {
        change(at, random);
        return;
    }
    if (!enter(at))
        return;
    bool both = enter(other);
    for (size_t i = storm_below(random, 200); i > 0; i--)
        use(at, both ? other : NULL, random);
    if (storm_below(random, 100) == 0)
        emma_heap_collect(atomic_load(&at->heap));
    if (storm_below(random, 50) == 0)
        look(at, atomic_load(&at->heap), random);
    if (both)
        leave(other);
    leave(at);
    atomic_fetch_add(&done, 1);
}

static void *run(void *argument) {
    uint64_t random = storm_seed() + (uintptr_t)argument;
    while (!atomic_load(&is_over) && !storm_failed())
        storm_step(&random);
    return NULL;
}

static void start(pthread_t *threads, size_t count) {
    for (size_t i = 0; i < count; i++)
        EXPECT(pthread_create(&threads[i], NULL, run, (void *)(i * 1000)) == 0); // NOLINT
}

static void stop(pthread_t *threads, size_t count) {
    atomic_store(&is_over, true);
    for (size_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

static void end_all(void) {
    uint64_t random = 1;
    for (size_t i = 0; i < PLACES; i++) {
        emma_heap *heap = atomic_load(&places[i].heap);
        EXPECT(atomic_load(&places[i].users) == 0);
        if (heap == NULL)
            continue;
        empty_board(&places[i], heap, true, &random);
        EXPECT(heap_work_stats(heap).of.allocated_bytes == 0);
        emma_heap_destroy(heap);
        atomic_store(&places[i].heap, NULL);
    }
}

static void by_all_threads(void) {
    pthread_t threads[THREADS];
    size_t maps = heap_work_maps();
    start(threads, THREADS);
    double until = storm_seconds() + (double)(STORM_THREAD_SANITIZER ? storm_amount(20, 600) : storm_amount(60, 1800));
    while (storm_seconds() < until && !storm_failed())
        usleep(100000);
    stop(threads, THREADS);
    end_all();
    storm_note("%zu turns, %zu heaps made", atomic_load(&done), atomic_load(&lives));
    EXPECT(atomic_load(&lives) > 100);
    EXPECT(STORM_SANITIZER || heap_work_maps() <= maps + 3 * THREADS + 8); /* stacks and arenas of libc */
}

/* What a child finds: heaps that others were using stay usable; those nobody used are whole. */
static void in_child(uint64_t random) {
    for (size_t i = 0; i < PLACES; i++) {
        emma_heap *heap = atomic_load(&places[i].heap);
        int users = atomic_load(&places[i].users);
        if (heap == NULL || users >= CLOSED || storm_below(&random, 4) != 0)
            continue;
        for (size_t j = 0; j < 100; j++)
            use(&places[i], NULL, &random);
        look(&places[i], heap, &random);
        if (users == 0)
            empty_board(&places[i], heap, true, &random);
        if (storm_below(&random, 2) == 0)
            emma_heap_reset(heap);
        heap_work work = heap_work_new(heap, random);
        heap_work_run(&work, 200);
        heap_work_check(&work);
        emma_heap_destroy(heap);
    }
    heap_work work = heap_work_new(emma_heap_create(NULL), random);
    heap_work_run(&work, 1000);
    EXPECT(work.refused == 0 && heap_work_stats(work.heap).of.allocated_bytes == work.live_bytes);
    heap_work_end(&work);
    emma_heap_destroy(work.heap);
}

/* Signals may come meanwhile: to the parent only. */
static void forks_meanwhile(void) {
    if (STORM_THREAD_SANITIZER)
        storm_skip("ThreadSanitizer cannot follow a fork of a process with threads");
    pthread_t threads[3];
    start(threads, STORM_COUNT(threads));
    uint64_t random = storm_seed();
    double until = storm_seconds() + (double)storm_amount(12, 600);
    size_t forks = 0;
    for (; storm_seconds() < until && !storm_failed(); forks++) {
        usleep((useconds_t)storm_below(&random, 3000));
        pid_t child = forks % 3 == 0   ? fork()
                      : forks % 3 == 1 ? _Fork()
                                       : (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
        if (child == 0) {
            alarm(60);
            in_child(storm_random(&random));
            _exit(storm_failed());
        }
        EXPECT(child > 0 && storm_reap(child));
    }
    stop(threads, STORM_COUNT(threads));
    end_all();
    storm_note("%zu forks", forks);
    EXPECT(forks > 20);
}

/* Children of children: each uses the heap of its parent, whose caches were held when it was forked. */
static void generation(emma_heap *heap, size_t left) {
    heap_work work = heap_work_new(heap, left);
    heap_work_run(&work, 300);
    emma_session sessions[3];
    for (size_t i = 0; i < STORM_COUNT(sessions); i++) {
        emma_session_begin(heap, &sessions[i]);
        emma_session_free(&sessions[i], emma_session_malloc(&sessions[i], 100 * i));
    }
    if (left != 0) {
        pid_t child = fork();
        if (child == 0) {
            generation(heap, left - 1);
            _exit(storm_failed());
        }
        EXPECT(storm_reap(child));
    }
    heap_work_end(&work);
    EXPECT(emma_heap_malloc(heap, 1 << 20) != NULL);
    emma_heap_destroy(heap);
}

static void generations(void) {
    if (STORM_THREAD_SANITIZER)
        storm_skip("ThreadSanitizer cannot follow generations of forks");
    generation(emma_heap_create(NULL), storm_amount(40, 200));
}

int main(void) {
    static const storm_case cases[] = {
        {"heaps made, used and destroyed by six threads", by_all_threads, 200},
        {"forks while threads use made heaps", forks_meanwhile, 120},
        {"generations of forks with sessions held", generations, 60},
    };
    return storm_main(cases, STORM_COUNT(cases));
}
