/* log_test.c: heap/log.c: what a heap's log is told, when, and what it may do. */
#include "../tap.h"
#include "emma_heap.h"
#include "plat/plat.h"
#include "unit.h"

static _Alignas(64) unsigned char buffer[64 * 1024];
static _Alignas(64) unsigned char lent[8192];

enum { TOLD = 64 };
static struct {
    emma_event event[TOLD];
    unsigned count;
} told;

static void tell(emma_heap *heap, const emma_event *event, void *context) {
    if (told.count < TOLD)
        told.event[told.count++] = *event;
    if (event->kind != EMMA_EVENT_DESTROYED && event->kind != EMMA_EVENT_MISUSE) /* it may use the heap */
        emma_free(emma_heap_malloc(heap, 100));
    if (context != 0)
        *(unsigned *)context += 1;
}

static unsigned times(emma_event_kind kind, size_t *bytes) {
    unsigned count = 0;
    *bytes = 0;
    for (unsigned i = 0; i < told.count; i++) {
        count += told.event[i].kind == kind;
        *bytes += told.event[i].kind == kind ? told.event[i].bytes : 0;
    }
    return count;
}

static void a_log_is_told(void) {
    size_t bytes;
    unsigned count = 0;
    emma_heap *heap =
        emma_heap_create(&(emma_heap_config){.limit_bytes = EMMA_HEAP_LEAST_BYTES * 4, .log = tell, .context = &count});
    told.count = 0;
    void *large = emma_heap_malloc(heap, 200000);
    OK(times(EMMA_EVENT_GREW, &bytes) == 1 && bytes >= 200000);
    emma_free(large);
    emma_heap_collect(heap);
    emma_free(emma_heap_malloc(heap, 10));
    OK(times(EMMA_EVENT_SHRANK, &bytes) == 1 && bytes >= 200000);
    IS(times(EMMA_EVENT_LIMIT, &bytes), 0);
    OK(emma_heap_malloc(heap, EMMA_HEAP_LEAST_BYTES * 4) == 0);
    OK(times(EMMA_EVENT_LIMIT, &bytes) >= 1 && bytes >= EMMA_HEAP_LEAST_BYTES * 4);
    IS(times(EMMA_EVENT_OUT_OF_MEMORY, &bytes), 1);
    IS(bytes, EMMA_HEAP_LEAST_BYTES * 4);
    OK(emma_heap_donate(heap, lent, sizeof lent));
    OK(times(EMMA_EVENT_DONATED, &bytes) == 1 && bytes == sizeof lent);
    emma_heap_reset(heap);
    IS(times(EMMA_EVENT_RESET, &bytes), 1);
    emma_heap_destroy(heap);
    IS(times(EMMA_EVENT_DESTROYED, &bytes), 1);
    IS(count, told.count);
    emma_heap_set_log(emma_heap_default(), tell, &count);
    told.count = 0;
    large = emma_malloc(1 << 20);
    emma_free(large);
    OK(times(EMMA_EVENT_GREW, &bytes) == 1);
    emma_heap_set_log(emma_heap_default(), 0, 0);
}

static void tell_misuse(emma_heap *heap, const emma_event *event, void *context) {
    (void)context;
    if (event->kind == EMMA_EVENT_MISUSE && emma_heap_of(event->address) == heap)
        emma__plat_write_error("told: ", 6);
}

static void misuse_told(void) {
    emma_heap *heap =
        emma_heap_create(&(emma_heap_config){.memory = buffer, .memory_bytes = sizeof buffer, .log = tell_misuse});
    void *a = emma_heap_malloc(heap, 100);
    emma_free(a);
    emma_free(a);
}

static void misuse_is_told(void) {
    OK(unit_dies(misuse_told, "told: emma: free of what is not a live block"));
}

TAP_MAIN({"a log is told what the heap did, and may use it", a_log_is_told},
         {"a log is told of misuse before the end", misuse_is_told})
