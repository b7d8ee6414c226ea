/* heaps.c: the public functions for heaps. Contracts in emma_heap.h. */
#include "api/fast.h"
#include "base/check.h"
#include "ctl/cgroup.h"
#include "ctl/stats.h"
#include "emma_heap.h"
#include "heap/source.h"
#include "purge/purge.h"

enum { KNOWN_FLAGS = EMMA_HEAP_ZERO_ON_FREE | EMMA_HEAP_NO_CPU_CACHES };

EMMA_STATIC_ASSERT((size_t)EMMA_FOUNDED_BYTES * 2 <= EMMA_HEAP_LEAST_BYTES,
                   "a heap of the least limit has room for blocks");

static emma_directory *directory(void) {
    return emma__heap_regions(&emma__default_heap)->directory;
}

static bool is_default(const emma_heap *heap) {
    return heap == &emma__default_heap;
}

/* Take over a config of any version: what an earlier one did not have is zero; what a later one added is not known
 * here, but may be there if it asks for nothing. Returns: whether it can be fulfilled. */
static bool understand(const emma_heap_config *given, emma_heap_config *config) {
    size_t size = given->size != 0 ? given->size : sizeof *config;
    for (size_t i = sizeof *config; i < size; i++)
        if (((const unsigned char *)given)[i] != 0)
            return false;
    *config = (emma_heap_config){0};
    __builtin_memcpy(config, given, size < sizeof *config ? size : sizeof *config);
    if ((config->memory_bytes != 0 && config->memory == 0) || (config->memory != 0 && config->source != 0))
        return false;
    return (config->flags & ~(unsigned)KNOWN_FLAGS) == 0 &&
           (config->limit_bytes == 0 || config->limit_bytes >= EMMA_HEAP_LEAST_BYTES);
}

/* Whether blocks of this memory could be told from those of a heap whose blocks have one size. */
static bool can_be_lent(const void *memory) {
    return emma__span_class_fast(emma__heap_regions(&emma__default_heap), (uintptr_t)memory) == EMMA_CLASS_NONE;
}

static emma_heap *make_own(const emma_heap_config *config) {
    emma_heap *heap = emma__heap_make(directory(), config->limit_bytes, config->flags);
    if (EMMA_LIKELY(heap != 0) || ATOMIC_LOAD(&directory()->all.limit_bytes, relaxed) == 0)
        return heap;
    emma_collect();
    return emma__heap_make(directory(), config->limit_bytes, config->flags);
}

static emma_heap *make(const emma_heap_config *config) {
    if (config->source != 0)
        return emma__source_make(directory(), config->source, config->limit_bytes);
    if (config->memory == 0)
        return make_own(config);
    return can_be_lent(config->memory) ? emma__lent_make(directory(), (uintptr_t)config->memory, config->memory_bytes)
                                       : 0;
}

emma_heap *emma_heap_create(const emma_heap_config *given) {
    static const emma_heap_config none;
    emma_heap_config config;
    if (!understand(given != 0 ? given : &none, &config))
        return 0;
    emma_heap *heap = make(&config);
    if (heap == 0)
        return 0;
    heap->wishes.flags = config.flags;
    heap->wishes.context = config.context;
    heap->wishes.on_out_of_memory = config.on_out_of_memory;
    heap->wishes.on_soft_limit = config.on_soft_limit;
    emma_heap_set_limit(heap, config.limit_bytes);
    emma_heap_set_soft_limit(heap, config.soft_limit_bytes);
    emma__heap_set_log(heap, config.log, config.context);
    return heap;
}

int emma_heap_donate(emma_heap *heap, void *memory, size_t size) {
    if (!can_be_lent(memory) || !emma__lent_add(heap, (uintptr_t)memory, size))
        return 0;
    emma__tell(heap, (emma_event){EMMA_EVENT_DONATED, size, memory});
    return 1;
}

void emma_heap_destroy(emma_heap *heap) {
    CHECK(!is_default(heap), "the default heap cannot be destroyed", heap);
    if (heap == 0)
        return;
    emma_heap_log *log = ATOMIC_LOAD(&heap->wishes.log, acquire);
    void *context = ATOMIC_LOAD(&heap->wishes.log_context, acquire);
    const emma_commit *commit = emma__heap_commit(heap);
    emma_event event = {EMMA_EVENT_DESTROYED, commit != 0 ? ATOMIC_LOAD(&commit->bytes, relaxed) : 0, 0};
    emma__heap_destroy(heap);
    if (log != 0)
        log(heap, &event, context);
}

void emma_heap_reset(emma_heap *heap) {
    CHECK(!is_default(heap), "the default heap cannot be reset", heap);
    emma__heap_reset(heap);
    emma__tell(heap, (emma_event){EMMA_EVENT_RESET, 0, 0});
}

void emma_heap_set_log(emma_heap *heap, emma_heap_log *log, void *context) {
    emma__heap_set_log(heap, log, context);
}

emma_heap *emma_heap_default(void) {
    return &emma__default_heap;
}

emma_heap *emma_heap_of(const void *address) {
    return emma__heap_of(directory(), (uintptr_t)address);
}

void emma_heap_set_limit(emma_heap *heap, size_t limit_bytes) {
    emma_commit *commit = emma__heap_commit(heap);
    if (commit != 0)
        ATOMIC_STORE(&commit->limit_bytes, limit_bytes, relaxed);
}

void emma_heap_set_soft_limit(emma_heap *heap, size_t soft_limit_bytes) {
    ATOMIC_STORE(&heap->wishes.soft_limit_bytes, soft_limit_bytes, relaxed);
}

void emma_set_limit(size_t limit_bytes) {
    ATOMIC_STORE(&directory()->all.limit_bytes, limit_bytes, relaxed);
}

size_t emma_committed_bytes(void) {
    return ATOMIC_LOAD(&directory()->all.bytes, relaxed);
}

static void *get_once(emma_heap *heap, size_t size, size_t align) {
    return align <= EMMA_BLOCK_ALIGN ? emma__heap_alloc(heap, 0, 0, size)
                                     : emma__heap_alloc_aligned(heap, 0, 0, size, align);
}

void *emma__heap_get(emma_heap *heap, size_t size, size_t align) {
    if (is_default(heap))
        return align <= EMMA_BLOCK_ALIGN ? emma_malloc(size) : emma_aligned_alloc(align, size);
    void *block = get_once(heap, size, align);
    for (unsigned round = 0; EMMA_UNLIKELY(block == 0) && emma__exhausted(heap, size, &round);)
        block = get_once(heap, size, align);
    emma__heap_tick(heap);
    return block;
}

static void *get_zeroed_once(emma_heap *heap, size_t size) {
    if (emma__heap_is_lent(heap))
        return emma__lent_alloc_zeroed(heap, size);
    if (size > EMMA_SMALL_MAX_BYTES)
        return emma__heap_alloc_zeroed_large(heap, 0, size);
    void *block = emma__heap_alloc(heap, 0, 0, size);
    return block != 0 ? __builtin_memset(block, 0, emma__class_size(emma__class_of(size != 0 ? size : 1))) : 0;
}

void *emma__heap_get_zeroed(emma_heap *heap, size_t size) {
    if (is_default(heap))
        return emma_calloc(1, size);
    void *block = get_zeroed_once(heap, size);
    for (unsigned round = 0; EMMA_UNLIKELY(block == 0) && emma__exhausted(heap, size, &round);)
        block = get_zeroed_once(heap, size);
    emma__heap_tick(heap);
    return block;
}

void emma__heap_put(emma_heap *heap, void *block) {
    if (is_default(heap)) {
        emma_free(block);
        return;
    }
    emma__heap_free(heap, 0, 0, block, EMMA_CLASS_NONE);
    emma__heap_tick(heap);
}

/* A small block from the processor's cache, which the default heap has with the option cache=cpu only. */
void *emma_heap_malloc(emma_heap *heap, size_t size) {
    size_t class = (size + EMMA_BLOCK_ALIGN - 1) / EMMA_BLOCK_ALIGN; /* 0 where it overflows, and for size 0 */
    void *block = EMMA_LIKELY(class <= EMMA_CLASS_FINE) ? emma__cpu_pop(&heap->cpu, class) : 0;
    return EMMA_LIKELY(block != 0) ? block : emma__heap_get(heap, size, 1);
}

void *emma_heap_calloc(emma_heap *heap, size_t count, size_t size) {
    size_t bytes;
    return __builtin_mul_overflow(count, size, &bytes) ? 0 : emma__heap_get_zeroed(heap, bytes);
}

/* Any other alignment: a block with room for the worst case; its free finds where it begins. */
static void *get_at_multiple(emma_heap *heap, size_t alignment, size_t size) {
    size_t bytes;
    size += size == 0; /* so that the address lies within the block */
    if (alignment == 0 || __builtin_add_overflow(size, alignment - 1, &bytes))
        return 0;
    uintptr_t block = (uintptr_t)emma__heap_get(heap, bytes, 1);
    return (void *)(block == 0 ? 0
                               : (block + alignment - 1) / alignment * alignment); // NOLINT(performance-no-int-to-ptr)
}

void *emma_heap_aligned_alloc(emma_heap *heap, size_t alignment, size_t size) {
    return emma__bits_is_pow2(alignment) ? emma__heap_get(heap, size, alignment)
                                         : get_at_multiple(heap, alignment, size);
}

/* A block that the caller says is this heap's. */
static void check_own(const emma_heap *heap, const void *block) {
    emma_heap *owner = emma_heap_of(block);
    CHECK(owner != 0, EMMA_NOT_LIVE, block);
    if (EMMA_UNLIKELY(owner != heap))
        emma__heap_misuse(owner, "free of a block of another heap", (uintptr_t)block);
}

static EMMA_NOINLINE void free_slow(emma_heap *heap, void *block) {
    if (block == 0)
        return;
    check_own(heap, block);
    emma__heap_put(heap, block);
}

/* A small block that is this heap's and does not look free goes to the processor's cache. */
void emma_heap_free(emma_heap *heap, void *block) {
    unsigned class = emma__cpu_is_on(&heap->cpu) ? emma__plain_class(heap, block) : (unsigned)EMMA_CLASS_NONE;
    if (EMMA_UNLIKELY(class == EMMA_CLASS_NONE || !emma__cpu_push(&heap->cpu, class, block)))
        free_slow(heap, block);
}

void emma_heap_free_sized(emma_heap *heap, void *block, size_t size) {
    (void)size;
    emma_heap_free(heap, block);
}

void *emma_heap_realloc(emma_heap *heap, void *block, size_t size) {
    if (block == 0)
        return emma_heap_malloc(heap, size);
    check_own(heap, block);
    return emma_realloc(block, size);
}

size_t emma_heap_realloc_in_place(emma_heap *heap, void *block, size_t min, size_t want) {
    if (emma_heap_of(block) == 0)
        return 0;
    check_own(heap, block);
    return emma_realloc_in_place(block, min, want);
}

void emma_heap_stats_read(emma_heap *heap, emma_heap_stats *stats) {
    *stats = (emma_heap_stats){.lent_bytes = ATOMIC_LOAD(&heap->lent.lent_bytes, relaxed),
                               .lent_used_bytes = ATOMIC_LOAD(&heap->lent.used_bytes, relaxed)};
    emma__stats_read(heap, &stats->of);
    const emma_commit *commit = emma__heap_commit(heap);
    if (commit == 0)
        return;
    stats->committed_bytes = ATOMIC_LOAD(&commit->bytes, relaxed);
    size_t peak = ATOMIC_LOAD(&commit->peak_bytes, relaxed);
    stats->peak_bytes = peak > stats->committed_bytes ? peak : stats->committed_bytes;
    stats->limit_bytes = ATOMIC_LOAD(&commit->limit_bytes, relaxed);
}

size_t emma_heap_collect(emma_heap *heap) {
    if (emma__heap_is_lent(heap))
        return emma__lent_collect(heap);
    return is_default(heap) ? emma_collect() : emma__purge_all(heap, 0);
}

int emma_describe(const void *address, emma_description *description) {
    return emma__heap_describe(directory(), (uintptr_t)address, description);
}

int emma_heap_walk(emma_heap *heap, emma_walker *walker, void *context) {
    return emma__heap_walk(heap, is_default(heap) ? emma__thread_here() : 0, walker, context);
}

int emma_heap_walk_spans(emma_heap *heap, emma_span_walker *walker, void *context) {
    return emma__heap_walk_spans(heap, is_default(heap) ? emma__thread_here() : 0, walker, context);
}

int emma_free_range(void *from, size_t size) {
    emma_heap *heap = emma_heap_of(from);
    CHECK(heap != 0, "free of a part of what is not a live block", from);
    int result = emma__heap_free_range(heap, (uintptr_t)from, size);
    emma__heap_tick(heap);
    return result;
}

/* At the limit what is not in use goes back: outside the range's claim, which is not held for so long. Others may take
 * what became free meanwhile, and somebody else may be giving back, so it is tried again once, whatever came of it. */
void *emma_heap_sbrk(emma_heap *heap, ptrdiff_t delta) {
    bool at_limit;
    if (emma__heap_is_lent(heap))
        return 0;
    uintptr_t end = emma__heap_break(heap, delta, &at_limit);
    if (EMMA_UNLIKELY(at_limit)) {
        emma__tell(heap, (emma_event){EMMA_EVENT_LIMIT, (size_t)delta, 0});
        emma__make_room(heap, (size_t)delta);
        end = emma__heap_break(heap, delta, &at_limit);
    }
    emma__heap_tick(heap);
    return (void *)end; // NOLINT(performance-no-int-to-ptr)
}

size_t emma_cgroup_limit(void) {
    return emma__cgroup_limit();
}
