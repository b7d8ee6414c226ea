/* handler_test.c: who is told when memory runs out, when, how often, and what may be done then. */
#include <pthread.h>
#include <setjmp.h>
#include <string.h>

#include "heap/heap.h"
#include "heap_work.h"

static const size_t limit = 1 << 20;

/* What handlers do and what they saw. */
typedef struct heard {
    size_t calls;
    emma_heap *heap;
    size_t size;
    int answer;        /* of the next call; then 0 */
    void *to_free;     /* at the next call */
    size_t to_raise;   /* the limit, to this */
    size_t to_get;     /* a block from the same heap */
    size_t got;        /* how often that worked */
    emma_heap *to_use; /* another heap */
} heard;

static int hear(emma_heap *heap, size_t size, void *context) {
    heard *self = context;
    self->calls++;
    self->heap = heap;
    self->size = size;
    int answer = self->answer;
    self->answer = 0;
    if (self->to_free != NULL)
        emma_free(self->to_free);
    self->to_free = NULL;
    if (self->to_raise != 0)
        emma_heap_set_limit(heap, self->to_raise);
    if (self->to_get != 0)
        self->got += emma_heap_malloc(heap, self->to_get) != NULL;
    if (self->to_use != NULL)
        emma_heap_free(self->to_use, emma_heap_malloc(self->to_use, 1000));
    return answer;
}

static void *fill(emma_heap *heap, size_t size) {
    void *last = NULL;
    for (void *block; (block = emma_heap_malloc(heap, size)) != NULL;)
        last = block;
    return last;
}

enum { WAYS = 11 };

/* Every way to ask for memory. */
static void *get(emma_heap *heap, size_t way, void *block) {
    emma_session session;
    void *got = NULL;
    emma_session_begin(heap, &session);
    switch (way) {
    case 0:
        got = emma_heap_malloc(heap, 200000);
        break;
    case 1:
        got = emma_heap_calloc(heap, 2, 100000);
        break;
    case 2:
        got = emma_heap_aligned_alloc(heap, 4096, 200000);
        break;
    case 3:
        got = emma_heap_realloc(heap, block, 200000);
        break;
    case 4:
        got = emma_realloc(block, 200000);
        break;
    case 5:
        got = emma_session_malloc(&session, 200000);
        break;
    case 6:
        emma_heap_malloc_batch(heap, 200000, 1, &got);
        break;
    case 7: /* a class that has no span yet */
        got = emma_heap_malloc(heap, 30000);
        break;
    case 8:
        got = emma_heap_calloc(heap, 1, 30000);
        break;
    case 9:
        got = emma_heap_aligned_alloc(heap, 64, 30000);
        break;
    default:
        got = emma_session_malloc(&session, 30000);
    }
    emma_session_end(&session);
    return got;
}

/* The heap is full; the handler frees a large block, and says so. */
static void asked_by_each_way(emma_heap *heap, heard *ear) {
    for (size_t way = 0; way < WAYS; way++) {
        emma_heap_set_limit(heap, 0);
        void *small = emma_heap_malloc(heap, 100);
        void *large = emma_heap_malloc(heap, 400000);
        emma_heap_set_limit(heap, heap_work_stats(heap).committed_bytes);
        fill(heap, 16384);
        fill(heap, 100);
        *ear = (heard){.answer = 1, .to_free = large};
        void *got = get(heap, way, small);
        if (!EXPECT(got != NULL && ear->calls == 1 && ear->heap == heap && ear->size >= 30000 && ear->size <= 300000))
            storm_note("way %zu: %p, %zu calls, size %zu", way, got, ear->calls, ear->size);
        large = emma_heap_malloc(heap, 100000);
        *ear = (heard){0};
        fill(heap, 16384);
        fill(heap, 100);
        *ear = (heard){0};
        small = emma_heap_malloc(heap, 500000);
        EXPECT(small == NULL && ear->calls == 1);
    }
    EXPECT(emma_heap_malloc(heap, (size_t)PTRDIFF_MAX + 1) == NULL && ear->calls == 1);
}

static void every_way_asks(void) {
    heard ear = {0};
    emma_heap *heap =
        emma_heap_create(&(emma_heap_config){.limit_bytes = limit, .on_out_of_memory = hear, .context = &ear});
    asked_by_each_way(heap, &ear);
    emma_heap_destroy(heap);
}

static void every_way_asks_for_the_default_heap(void) {
    heard ear = {0};
    emma_set_out_of_memory(hear, &ear);
    asked_by_each_way(emma_heap_default(), &ear);
    emma_heap_set_limit(emma_heap_default(), 0);
    emma_set_out_of_memory(NULL, NULL);
}

static size_t limits_reached;

static void count_limits(emma_heap *heap, const emma_event *event, void *context) {
    (void)heap, (void)context;
    limits_reached += event->kind == EMMA_EVENT_LIMIT;
}

/* Where what idles in caches is enough, it goes back, and nobody is asked. */
static void what_idles_goes_back_first(void) {
    static void *blocks[600];
    heard ear = {0};
    emma_heap *heap =
        emma_heap_create(&(emma_heap_config){.on_out_of_memory = hear, .context = &ear, .log = count_limits});
    emma_set_out_of_memory(hear, &ear);
    emma_set_thread_out_of_memory(hear, &ear);
    for (size_t way = 0; way < WAYS; way++) {
        emma_heap_set_limit(heap, 0);
        void *small = emma_heap_malloc(heap, 100);
        for (size_t i = 0; i < STORM_COUNT(blocks); i++)
            blocks[i] = emma_heap_malloc(heap, 500 + i % 30 * 50);
        for (size_t i = 0; i < STORM_COUNT(blocks); i++)
            emma_heap_free(heap, blocks[i]);
        emma_heap_set_limit(heap, heap_work_stats(heap).committed_bytes);
        limits_reached = 0;
        void *got = get(heap, way, small);
        bool is_at_limit = limits_reached == 1 || !emma__cpu_is_on(&heap->cpu); /* other caches may leave enough */
        if (!EXPECT(got != NULL && ear.calls == 0 && is_at_limit))
            storm_note("way %zu: %p, %zu calls, limit reached %zu times", way, got, ear.calls, limits_reached);
        emma_heap_reset(heap);
        emma_heap_collect(heap);
    }
    EXPECT(emma_heap_malloc(heap, 64 * limit) == NULL && ear.calls == 1); /* the thread's: it was there all the time */
    emma_set_out_of_memory(NULL, NULL);
    emma_heap_destroy(heap);
}

static void handlers_are_asked_in_order(void) {
    heard own = {0};
    heard all = {0};
    heard once = {0};
    emma_heap *with =
        emma_heap_create(&(emma_heap_config){.limit_bytes = limit, .on_out_of_memory = hear, .context = &own});
    emma_heap *without = emma_heap_create(&(emma_heap_config){.limit_bytes = limit});
    EXPECT(emma_heap_malloc(without, 2 * limit) == NULL && emma_heap_malloc(with, 2 * limit) == NULL);
    EXPECT(own.calls == 1 && own.heap == with && own.size == 2 * limit);
    emma_set_out_of_memory(hear, &all);
    EXPECT(emma_heap_malloc(without, 2 * limit) == NULL && all.calls == 1 && all.heap == without && own.calls == 1);
    EXPECT(emma_heap_malloc(with, 2 * limit) == NULL && own.calls == 2 && all.calls == 2 && all.heap == with);
    own.answer = 1; /* it says yes, and nothing has changed: asked again, then no */
    EXPECT(emma_heap_malloc(with, 2 * limit) == NULL && own.calls == 4 && all.calls == 3);
    emma_set_thread_out_of_memory(hear, &once);
    once.answer = 1;
    EXPECT(emma_heap_malloc(with, 2 * limit) == NULL && once.calls == 1 && own.calls == 5 && all.calls == 4);
    EXPECT(emma_heap_malloc(with, 2 * limit) == NULL && once.calls == 1 && own.calls == 6 && all.calls == 5);
    emma_set_thread_out_of_memory(hear, &once);
    emma_set_thread_out_of_memory(NULL, NULL);
    EXPECT(emma_heap_malloc(with, 2 * limit) == NULL && once.calls == 1 && own.calls == 7);
    emma_set_out_of_memory(NULL, NULL);
    EXPECT(emma_heap_malloc(without, 2 * limit) == NULL && all.calls == 6);
    emma_heap_destroy(with);
    emma_heap_destroy(without);
}

static void *fail_in_thread(void *heap) {
    return emma_heap_malloc(heap, 2 * limit);
}

static void a_threads_handler_is_its_own(void) {
    heard once = {0};
    emma_heap *heap = emma_heap_create(&(emma_heap_config){.limit_bytes = limit});
    emma_set_thread_out_of_memory(hear, &once);
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, fail_in_thread, heap) == 0);
    void *got = heap;
    pthread_join(thread, &got);
    EXPECT(got == NULL && once.calls == 0);
    void *large = emma_heap_malloc(heap, 700000);
    once = (heard){.answer = 1, .to_free = large};
    EXPECT(emma_heap_malloc(heap, 600000) != NULL && once.calls == 1);
    EXPECT(emma_heap_malloc(heap, 600000) == NULL && once.calls == 1);
    emma_heap_destroy(heap);
}

static void a_handler_may_do_much(void) {
    heard ear = {0};
    emma_heap *other = emma_heap_create(NULL);
    emma_heap *heap =
        emma_heap_create(&(emma_heap_config){.limit_bytes = limit, .on_out_of_memory = hear, .context = &ear});
    ear = (heard){.answer = 1, .to_raise = 8 * limit, .to_use = other};
    EXPECT(emma_heap_malloc(heap, 4 * limit) != NULL && ear.calls == 1);
    EXPECT(heap_work_stats(heap).limit_bytes == 8 * limit);
    ear = (heard){.answer = 1, .to_get = 100};
    EXPECT(emma_heap_malloc(heap, 6 * limit) == NULL && ear.calls == 2 && ear.got == 2);
    ear = (heard){.answer = 1, .to_get = 16 * limit}; /* refused within: not asked again */
    EXPECT(emma_heap_malloc(heap, 6 * limit) == NULL && ear.calls == 2 && ear.got == 0);
    ear = (heard){0};
    void *block = emma_heap_malloc(heap, 100000);
    EXPECT(emma_heap_realloc_in_place(heap, block, 64 * limit, 64 * limit) == 0 && ear.calls == 0);
    EXPECT(emma_heap_malloc_batch(heap, limit, 100, (void *[100]){NULL}) < 100 && ear.calls == 1);
    emma_heap_destroy(heap);
    emma_heap_destroy(other);
}

static jmp_buf left;
static size_t leavings;

static int leave(emma_heap *heap, size_t size, void *context) {
    (void)heap, (void)size, (void)context;
    leavings++;
    longjmp(left, 1);
}

static void tell_and_leave(emma_heap *heap, const emma_event *event, void *context) {
    leave(heap, event->bytes, context);
}

/* Ask for what cannot be had, by one of some ways. */
static void be_left(emma_heap *heap, size_t way) {
    static void *blocks[100];
    if (setjmp(left) != 0)
        return;
    switch (way) {
    case 0:
        blocks[0] = emma_heap_malloc(heap, 2 * limit);
        break;
    case 1:
        blocks[0] = emma_heap_calloc(heap, 1, 2 * limit);
        break;
    case 2:
        emma_heap_realloc(heap, NULL, 2 * limit);
        break;
    case 3:
        emma_heap_malloc_batch(heap, 2 * limit, 100, blocks);
        break;
    default:
        while (emma_heap_malloc_batch(heap, 3000, 100, blocks) == 100)
            ;
    }
}

/* No handler is lost, and no cache. */
static void a_handler_may_be_left(void) {
    emma_heap *heap = emma_heap_create(&(emma_heap_config){.limit_bytes = limit, .on_out_of_memory = leave});
    for (size_t i = 0; i < 100; i++) {
        be_left(heap, i % 5);
        EXPECT(leavings == i + 1);
    }
    emma_heap_set_log(heap, tell_and_leave, NULL);
    emma_heap_set_limit(heap, 2 * limit);
    leavings = 0;
    for (size_t i = 0; i < 20; i++)
        be_left(heap, 4);
    EXPECT(leavings == 20);
    emma_heap_set_log(heap, NULL, NULL);
    emma_session session[4];
    for (size_t i = 0; i < 4; i++) {
        emma_session_begin(heap, &session[i]);
        EXPECT(session[i].cache != NULL);
    }
    for (size_t i = 0; i < 4; i++)
        emma_session_end(&session[i]);
    emma_heap_destroy(heap);
}

typedef struct passing {
    size_t calls;
    size_t committed;
} passing;

static void pass(emma_heap *heap, size_t committed_bytes, void *context) {
    passing *self = context;
    self->calls++;
    self->committed = committed_bytes;
    emma_heap_free(heap, emma_heap_malloc(heap, 1000)); /* it may use the heap */
}

/* The soft limit is passed by blocks of a size, got in one of the ways, and fallen below again. */
static void passed_by(size_t size, size_t way) {
    static void *blocks[100000];
    passing seen = {0};
    emma_heap *heap =
        emma_heap_create(&(emma_heap_config){.soft_limit_bytes = 2 * limit, .on_soft_limit = pass, .context = &seen});
    for (size_t round = 1; round < 4; round++) {
        size_t count = 3 * limit / size;
        emma_session session;
        emma_session_begin(heap, &session);
        for (size_t i = 0; i < count && way == 0; i++)
            blocks[i] = emma_session_malloc(&session, size);
        emma_session_end(&session);
        if (way == 1)
            EXPECT(emma_heap_malloc_batch(heap, size, count, blocks) == count);
        for (size_t i = 0; i < count && way > 1; i++)
            blocks[i] = way == 2 ? emma_heap_malloc(heap, size) : emma_heap_realloc(heap, NULL, size);
        EXPECT(seen.calls == round && seen.committed > 2 * limit && seen.committed < 2 * limit + 3 * size + 200000);
        if (seen.calls != round)
            storm_note("size %zu, way %zu, round %zu: %zu calls", size, way, round, seen.calls);
        for (size_t i = 0; i < count; i++)
            emma_heap_free(heap, blocks[i]);
        emma_heap_collect(heap);
        emma_heap_free(heap, emma_heap_malloc(heap, size)); /* who looks sees that it is below */
    }
    emma_heap_set_soft_limit(heap, 0);
    fill(heap, (size_t)1 << 40);
    EXPECT(emma_heap_malloc(heap, 8 * limit) != NULL && seen.calls == 3);
    emma_heap_destroy(heap);
}

static void soft_limit_is_told_once(void) {
    size_t sizes[] = {64, 3000, 100000, 1 << 20};
    for (size_t i = 0; i < STORM_COUNT(sizes); i++)
        for (size_t way = 0; way < 4; way++)
            passed_by(sizes[i], way);
}

/* What is freed through a session or a batch goes back as what is freed otherwise. */
static void sessions_keep_the_dirty_bound(void) {
    enum { COUNT = 60000 };
    static void *blocks[COUNT];
    size_t dirty[3];
    for (size_t way = 0; way < 3; way++) {
        emma_heap *heap = emma_heap_create(NULL);
        EXPECT(emma_heap_malloc_batch(heap, 1000, COUNT, blocks) == COUNT);
        for (size_t i = 0; i < COUNT; i++)
            memset(blocks[i], 1, 1000);
        emma_session session;
        emma_session_begin(heap, &session);
        for (size_t i = 0; i < COUNT && way != 1; i++)
            way == 0 ? emma_heap_free(heap, blocks[i]) : emma_session_free(&session, blocks[i]);
        emma_session_end(&session);
        if (way == 1)
            emma_heap_free_batch(heap, COUNT, blocks);
        dirty[way] = heap_work_stats(heap).committed_bytes;
        EXPECT(heap_work_resident(heap) <= dirty[way]);
        emma_heap_destroy(heap);
    }
    storm_note("of 60 MB kept: %zu KiB; after a batch %zu KiB, a session %zu KiB", dirty[0] >> 10, dirty[1] >> 10,
               dirty[2] >> 10);
    EXPECT(dirty[1] < dirty[0] * 2 + limit && dirty[2] < dirty[0] * 2 + limit);
}

int main(void) {
    static const storm_case cases[] = {
        {"every way to get memory asks the handler", every_way_asks, 30},
        {"and asks the one for all heaps when the default heap has a limit", every_way_asks_for_the_default_heap, 30},
        {"no handler is asked where what idles is enough", what_idles_goes_back_first, 10},
        {"handlers: the thread's once, the heap's, the one for all", handlers_are_asked_in_order, 10},
        {"a thread's handler is its own", a_threads_handler_is_its_own, 10},
        {"a handler may allocate, raise the limit, use other heaps", a_handler_may_do_much, 10},
        {"a handler may be left by longjmp", a_handler_may_be_left, 10},
        {"the soft limit is told once for each passing, by whatever way", soft_limit_is_told_once, 60},
        {"sessions and batches keep no more dirty memory", sessions_keep_the_dirty_bound, 30},
    };
    return storm_main(cases, STORM_COUNT(cases));
}
