/* lent_storm_test.c: lent memory under several threads, and shared by several processes. Hosted only. */
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../tap.h"
#include "emma_heap.h"
#include "heap/heap.h"
#include "heap/lent_claim.h"
#include "unit.h"

enum { THREADS = 4, HELD = 32, STEPS = 100000, BUFFER_BYTES = 512 * 1024, EXCHANGED = 64 };

static _Alignas(16) unsigned char buffer[BUFFER_BYTES];
static _Alignas(16) unsigned char more[64][1024];
static emma_heap *heap;

/* What those who use one heap have in common: several threads this one, several processes one in shared memory. */
typedef struct common {
    _Atomic(unsigned) wrong;
    _Atomic(unsigned) refused;
    _Atomic(uint64_t) seeds;
    _Atomic(void *) exchanged[EXCHANGED];
} common;

static common of_threads = {.seeds = 1};
static common *all = &of_threads;

static bool is_whole(void) {
    bool whole = emma__lent_claim(&heap->lent) && emma_fit_valid(heap->lent.fit) && heap->lent.fit->outstanding == 0;
    emma__lent_unclaim(&heap->lent);
    return whole;
}

static void *storm(void *unused) {
    uint64_t state = ATOMIC_ADD(&all->seeds, 77, relaxed) * UINT64_C(0x9E3779B97F4A7C15) | 1;
    void *held[HELD] = {0};
    size_t size[HELD] = {0};
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned i = (unsigned)(unit_random(&state) % HELD);
        if (held[i] == 0) {
            size[i] = 8 + (size_t)(unit_random(&state) % 1000);
            held[i] = emma_heap_malloc(heap, size[i]);
            if (held[i] == 0)
                ATOMIC_ADD(&all->refused, 1, relaxed);
            else
                unit_fill(held[i], size[i], (uintptr_t)held[i]);
            continue;
        }
        if (!unit_is_filled(held[i], size[i], (uintptr_t)held[i]) || emma_usable_size(held[i]) < size[i])
            ATOMIC_ADD(&all->wrong, 1, relaxed);
        if (step % 8 == 0) { /* another thread frees it */
            emma_free(ATOMIC_EXCHANGE(&all->exchanged[step / 8 % EXCHANGED], held[i], acq_rel));
        } else if (step % 8 == 1) {
            uint64_t was = (uintptr_t)held[i];
            size_t fewer = size[i] / 2 + 1;
            void *moved = emma_realloc(held[i], fewer);
            if (moved == 0 || !unit_is_filled(moved, fewer, was))
                ATOMIC_ADD(&all->wrong, 1, relaxed);
            emma_free(moved);
        } else {
            emma_heap_free(heap, held[i]);
        }
        held[i] = 0;
    }
    for (unsigned i = 0; i < HELD; i++)
        emma_free(held[i]);
    return unused;
}

static void *donate(void *unused) {
    for (unsigned i = 0; i < sizeof more / sizeof more[0]; i++) {
        if (!emma_heap_donate(heap, more[i], sizeof more[i]))
            ATOMIC_ADD(&all->wrong, 1, relaxed);
        usleep(200);
    }
    return unused;
}

static void four_threads_on_one_lent_heap(void) {
    pthread_t threads[THREADS + 1];
    heap = emma_heap_create(&(emma_heap_config){.memory = buffer, .memory_bytes = sizeof buffer});
    for (unsigned i = 0; i <= THREADS; i++)
        OK(pthread_create(&threads[i], 0, i < THREADS ? storm : donate, 0) == 0);
    for (unsigned i = 0; i <= THREADS; i++)
        OK(pthread_join(threads[i], 0) == 0);
    for (unsigned i = 0; i < EXCHANGED; i++)
        emma_free(ATOMIC_EXCHANGE(&all->exchanged[i], 0, acquire));
    IS(all->wrong, 0);
    IS(all->refused, 0);
    OK(is_whole());
    IS(heap->lent.fit->capacity_bytes > sizeof buffer, 1);
    emma_heap_destroy(heap);
}

static _Atomic(unsigned) reserved;
static _Atomic(unsigned) released;

static void *reserve(size_t bytes, size_t align, int *zeroed, void *unused) {
    (void)unused;
    void *memory = mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *zeroed = 1;
    ATOMIC_ADD(&reserved, 1, relaxed);
    return memory != MAP_FAILED && (uintptr_t)memory % align == 0 ? memory : 0;
}

static int release(void *memory, size_t bytes, void *unused) {
    (void)unused;
    ATOMIC_ADD(&released, 1, relaxed);
    return munmap(memory, bytes) == 0;
}

static void *storm_of_large(void *unused) {
    uint64_t state = ATOMIC_ADD(&all->seeds, 77, relaxed) * UINT64_C(0x9E3779B97F4A7C15) | 1;
    void *held[HELD] = {0};
    for (unsigned step = 0; step < STEPS / 50; step++) {
        unsigned i = (unsigned)(unit_random(&state) % HELD);
        emma_free(held[i]);
        held[i] = 0;
        if (step % 3 == 0)
            continue;
        size_t size = (size_t)(unit_random(&state) % (3 << 20));
        held[i] = emma_heap_calloc(heap, 1, size);
        if (held[i] == 0 || !unit_is_zero(held[i], size < 5000 ? size : 5000))
            ATOMIC_ADD(&all->wrong, 1, relaxed);
        else
            unit_fill(held[i], size < 10000 ? size : 10000, step);
    }
    for (unsigned i = 0; i < HELD; i++)
        emma_free(held[i]);
    return unused;
}

static void four_threads_on_a_heap_over_functions(void) {
    pthread_t threads[THREADS];
    emma_source source = {.reserve = reserve, .release = release};
    heap = emma_heap_create(&(emma_heap_config){.source = &source});
    for (unsigned i = 0; i < THREADS; i++)
        OK(pthread_create(&threads[i], 0, storm_of_large, 0) == 0);
    for (unsigned i = 0; i < THREADS; i++)
        OK(pthread_join(threads[i], 0) == 0);
    IS(all->wrong, 0);
    OK(is_whole());
    emma_heap_collect(heap);
    IS(reserved, released + 1);
    emma_heap_destroy(heap);
    IS(reserved, released);
    tap_note("pieces", reserved);
}

/* A handler that interrupts the thread that has the claim is refused in the end, and frees all the same. */
static void *from_handler;
static void *to_free;
static void use_in_handler(int number) {
    (void)number;
    from_handler = emma_heap_malloc(heap, 100);
    emma_free(to_free);
}

static void a_handler_is_not_stuck(void) {
    heap = emma_heap_create(&(emma_heap_config){.memory = buffer, .memory_bytes = sizeof buffer});
    to_free = emma_heap_malloc(heap, 100);
    signal(SIGUSR1, use_in_handler);
    emma__lent_claim(&heap->lent);
    raise(SIGUSR1);
    emma__lent_unclaim(&heap->lent);
    OK(from_handler == 0);
    OK(is_whole());
    to_free = 0;
    raise(SIGUSR1);
    OK(from_handler != 0);
    emma_free(from_handler);
    emma_heap_destroy(heap);
}

/* A list in shared memory, to which parent and child append in turn, and from which both free what the other allocated. */
typedef struct item {
    struct item *next;
    unsigned number;
} item;

typedef struct shared {
    item *items;
    unsigned count;
} shared;

enum { TURNS = 20, PER_TURN = 50 };

static void take_turn(shared *list) {
    for (unsigned i = 0; i < PER_TURN; i++) {
        item *new = emma_heap_malloc(heap, sizeof(item) + i);
        if (new == 0)
            _exit(2);
        *new = (item){list->items, list->count++};
        list->items = new;
    }
    for (unsigned i = 0; i < PER_TURN / 2; i++) { /* the second last, so that what remains is of both */
        item *freed = list->items->next;
        if (freed == 0)
            break;
        list->items->next = freed->next;
        emma_free(freed);
    }
}

enum { SHARED_BYTES = 1 << 20 };

/* Returns: NULL iff the case is skipped. */
static void *map_shared(void) {
    void *place = unit_pointer(EMMA_THREAD_SANITIZER ? UINT64_C(0x7ec000000000) : UINT64_C(0x100000000000));
    void *memory =
        mmap(place, SHARED_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (memory != MAP_FAILED)
        return memory;
    tap_skip("the address is not free");
    return 0;
}

static void used_in_turn(void) {
    void *memory = map_shared();
    if (memory == 0)
        return;
    heap = emma_heap_create(&(emma_heap_config){.memory = memory, .memory_bytes = SHARED_BYTES});
    OK(heap == memory);
    shared *list = emma_heap_calloc(heap, 1, sizeof *list);
    for (unsigned turn = 0; turn < TURNS; turn++) {
        take_turn(list);
        pid_t child = fork();
        if (child == 0) {
            take_turn(list);
            _exit(emma_heap_of(list) == heap ? 0 : 1);
        }
        int status = -1;
        OK(waitpid(child, &status, 0) == child && status == 0);
    }
    IS(list->count, TURNS * PER_TURN * 2);
    unsigned left = 0;
    for (item *next, *at = list->items; at != 0; at = next, left++) {
        next = at->next;
        OK(at->number < list->count);
        emma_free(at);
    }
    IS(left, TURNS * (PER_TURN - PER_TURN / 2) * 2);
    emma_free(list);
    OK(is_whole());
    emma_heap_destroy(heap);
    munmap(memory, SHARED_BYTES);
}

/* All at once: blocks of one process are freed by another, while each has blocks of its own. */
static void used_at_once(void) {
    enum { CHILDREN = 2, ROUNDS = 3 };
    void *memory = map_shared();
    if (memory == 0)
        return;
    heap = emma_heap_create(&(emma_heap_config){.memory = memory, .memory_bytes = SHARED_BYTES});
    all = emma_heap_calloc(heap, 1, sizeof *all);
    all->seeds = 1;
    for (unsigned round = 0; round < ROUNDS; round++) {
        pid_t child[CHILDREN];
        for (unsigned i = 0; i < CHILDREN; i++) {
            child[i] = fork();
            if (child[i] == 0) {
                alarm(60);
                storm(0);
                _exit(0);
            }
        }
        storm(0);
        for (unsigned i = 0; i < CHILDREN; i++) {
            int status = -1;
            OK(waitpid(child[i], &status, 0) == child[i] && status == 0);
        }
    }
    IS(all->wrong, 0);
    IS(all->refused, 0);
    for (unsigned i = 0; i < EXCHANGED; i++)
        emma_free(all->exchanged[i]);
    emma_free(all);
    all = &of_threads;
    OK(is_whole());
    emma_heap_destroy(heap);
    munmap(memory, SHARED_BYTES);
}

TAP_MAIN({"four threads on one lent heap, a fifth donates", four_threads_on_one_lent_heap},
         {"four threads on a heap over functions, large blocks and small", four_threads_on_a_heap_over_functions},
         {"a handler that interrupts the holder of the claim", a_handler_is_not_stuck},
         {"a heap in shared memory, used by parent and child in turn", used_in_turn},
         {"and by parent and children at once", used_at_once})
