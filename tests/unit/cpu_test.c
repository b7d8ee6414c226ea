/* cpu_test.c: cache/cpu.h and plat/rseq.h: the sequences, refused and done; CPU caches of one thread that is on any processor.
 *
 * Most of it runs in an area of the test's own, that no kernel knows: nothing interrupts there, and the number of the
 * processor is what the test says. So it runs on every machine, also under emulation. */
#include "cache/cpu.h"

#include "../tap.h"
#include "plat/plat.h"
#include "unit.h"

enum { SLOTS = 128, SYS_arch_prctl = 158, GET_FS = 0x1003, HELD = 3000 };

static emma_heap heap = EMMA_HEAP_INITIAL(&unit_directory, unit_shelves, 0);
static emma_cpu cpu;
static _Alignas(EMMA_RSEQ_SLOT_BYTES) emma_cpu_slot slots[SLOTS];
static _Alignas(32) uint32_t area[8];
enum { AREA_CPU_ID = 1, AREA_SEQUENCE = 2 };

static uintptr_t thread_pointer(void) {
#if defined(__x86_64__)
    uintptr_t base = 0;
    emma__syscall(SYS_arch_prctl, GET_FS, (long)&base, 0, 0, 0, 0);
    return base;
#else
    return (uintptr_t)__builtin_thread_pointer();
#endif
}

static void be_on(uint32_t id) {
    area[AREA_CPU_ID] = id;
}

/* CPU caches in the test's own area. Returns: false iff sequences are not for this build; the case is skipped. */
static bool begin(void) {
    unit_heap_reset(&heap);
    __builtin_memset(slots, 0, sizeof slots);
    __builtin_memset(area, 0, sizeof area);
    intptr_t at = (intptr_t)((uintptr_t)area - thread_pointer());
    cpu = (emma_cpu){.slots = slots, .rseq = {at, at + 4 * AREA_CPU_ID, SLOTS, 2, SLOTS}, .budget_bytes = 65536};
    if (!EMMA_HAS_RSEQ)
        tap_skip("no restartable sequences in this build");
    return EMMA_HAS_RSEQ;
}

static void *alloc(unsigned class) {
    bool available = false;
    void *block = emma__cpu_alloc(&cpu, &heap.depot, class, &available);
    OK(available && block != 0 && !emma__chain_looks_free(block));
    IS(emma__span_class_fast(&heap.depot.spans.regions, (uintptr_t)block), class);
    return block;
}

static void give(unsigned class, void *block) {
    OK(emma__cpu_free(&cpu, &heap.depot, class, block));
}

static bool sound(size_t live) {
    return emma__cpu_valid(&cpu) && unit_heap_sound(&heap, live + unit_cpu_blocks(&cpu));
}

static void sequences(void) {
    if (!begin())
        return;
    uint64_t first[2] = {0, 0};
    uint64_t second[2] = {0, 0};
    void *block = 0;
    _Atomic(emma_chain) *word = &slots[0].loaded[5];
    _Atomic(emma_chain) *here = &slots[3].loaded[5];
    be_on(3);
    IS(emma__rseq_hint(&cpu.rseq), 3);
    IS(emma__rseq_pop(&cpu.rseq, word, &block), EMMA_RSEQ_REFUSED); /* 0 is empty and full */
    IS(emma__rseq_push(&cpu.rseq, word, first), EMMA_RSEQ_REFUSED);
    OK(area[AREA_SEQUENCE] != 0);
    emma_rseq_trade trade = {.chain = emma__chain_empty(2), .only_empty = true, .before = 1};
    IS(emma__rseq_exchange(&cpu.rseq, word, &trade), EMMA_RSEQ_DONE);
    IS(trade.before, 0);
    IS(trade.slot, 3 * EMMA_RSEQ_SLOT_BYTES);
    IS(*here, emma__chain_empty(2));
    IS(emma__rseq_pop(&cpu.rseq, word, &block), EMMA_RSEQ_REFUSED);
    IS(emma__rseq_push(&cpu.rseq, word, first), EMMA_RSEQ_DONE);
    IS(first[0], emma__chain_empty(2));
    OK(emma__chain_first(*here) == first && emma__chain_room(*here) == 1 && emma__chain_looks_free(first));
    emma_chain one = *here;
    IS(emma__rseq_push(&cpu.rseq, word, second), EMMA_RSEQ_DONE);
    IS(second[0], one);
    OK(emma__chain_first(*here) == second && emma__chain_room(*here) == 0);
    IS(emma__rseq_push(&cpu.rseq, word, area), EMMA_RSEQ_REFUSED);
    trade = (emma_rseq_trade){.chain = 0, .only_empty = true};
    emma_chain two = *here;
    IS(emma__rseq_exchange(&cpu.rseq, word, &trade), EMMA_RSEQ_REFUSED);
    IS(*here, two);
    IS(emma__rseq_pop(&cpu.rseq, word, &block), EMMA_RSEQ_DONE);
    OK(block == second && *here == one);
    trade.only_empty = false;
    IS(emma__rseq_exchange(&cpu.rseq, word, &trade), EMMA_RSEQ_DONE);
    IS(trade.before, one);
    IS(*here, 0);
    here = 0;
}

/* Numbers that are none: of threads that are not registered (-1, -2), and above the slots. Nothing is touched. */
static void numbers_are_bounded(void) {
    if (!begin())
        return;
    static const uint32_t none[] = {SLOTS, SLOTS + 1, UINT32_MAX, UINT32_MAX - 1, 1U << 31, 1U << 21};
    uint64_t memory[2] = {7, 7};
    for (unsigned i = 0; i < sizeof none / sizeof none[0]; i++) {
        void *block = 0;
        bool available = true;
        emma_rseq_trade trade = {.chain = emma__chain_empty(2)};
        be_on(none[i]);
        IS(emma__rseq_pop(&cpu.rseq, &slots->loaded[1], &block), EMMA_RSEQ_NONE);
        IS(emma__rseq_push(&cpu.rseq, &slots->loaded[1], memory), EMMA_RSEQ_NONE);
        IS(emma__rseq_exchange(&cpu.rseq, &slots->loaded[1], &trade), EMMA_RSEQ_NONE);
        OK(emma__cpu_pop(&cpu, 1) == 0 && !emma__cpu_push(&cpu, 1, memory));
        OK(emma__cpu_alloc(&cpu, &heap.depot, 1, &available) == 0 && !available);
        OK(!emma__cpu_free(&cpu, &heap.depot, 1, memory));
        OK(!emma__cpu_contain(&cpu, &heap.depot, 1, memory));
        emma__cpu_flush(&cpu, &heap.depot);
    }
    IS(memory[0], 7);
    OK(unit_is_zero(slots, sizeof slots));
    be_on(SLOTS - 1);
    give(1, alloc(1));
    OK(slots[SLOTS - 1].loaded[1] != 0);
    OK(sound(0));
}

static void without_slots(void) {
    cpu = (emma_cpu){.budget_bytes = 0};
    uint64_t memory[2] = {0, 0};
    bool available = true;
    OK(!emma__cpu_is_on(&cpu));
    OK(emma__cpu_pop(&cpu, 1) == 0 && !emma__cpu_push(&cpu, 1, memory));
    OK(emma__cpu_alloc(&cpu, &heap.depot, 1, &available) == 0 && !available);
    OK(!emma__cpu_free(&cpu, &heap.depot, 1, memory));
    OK(!emma__cpu_contain(&cpu, &heap.depot, 1, memory));
    emma__cpu_flush(&cpu, &heap.depot);
    emma__cpu_empty(&cpu, &heap.depot);
    OK(!emma__cpu_drain(&cpu, &heap.depot));
    IS(emma__cpu_count(&cpu, 1), 0);
    OK(emma__cpu_valid(&cpu));
}

static void blocks_come_and_go(void) {
    if (!begin())
        return;
    static void *held[HELD];
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class += 7) {
        unsigned capacity = emma__cpu_capacity(&cpu, class);
        if (capacity == 0)
            continue;
        OK(emma__cpu_pop(&cpu, class) == 0);
        unsigned count = 5 * capacity + 1;
        for (unsigned i = 0; i < count; i++)
            held[i] = alloc(class);
        OK(sound(count));
        for (unsigned i = 0; i < count; i++)
            give(class, held[i]);
        OK(sound(0));
        OK(emma__cpu_count(&cpu, class) > capacity && emma__cpu_count(&cpu, class) <= (1 + EMMA_CPU_SPARES) * capacity);
        void *block = emma__cpu_pop(&cpu, class);
        OK(block == held[count - 1] && !emma__chain_looks_free(block));
        OK(emma__cpu_push(&cpu, class, block));
        OK(sound(0));
    }
}

/* A thread that is on another processor at every operation: each slot keeps its own, nothing is lost. */
static void processors_change(void) {
    if (!begin())
        return;
    static void *held[HELD];
    static unsigned class_of[HELD];
    uint64_t random = 1;
    size_t live = 0;
    for (unsigned i = 0; i < 60000; i++) {
        unsigned at = (unsigned)(unit_random(&random) % HELD);
        be_on((uint32_t)(unit_random(&random) % SLOTS));
        if (held[at] != 0) {
            if (!emma__cpu_push(&cpu, class_of[at], held[at]))
                give(class_of[at], held[at]);
            held[at] = 0;
            live--;
        } else {
            class_of[at] = (unsigned)(1 + unit_random(&random) % 60);
            held[at] = emma__cpu_pop(&cpu, class_of[at]);
            held[at] = held[at] != 0 ? held[at] : alloc(class_of[at]);
            live++;
        }
        if (i % 6000 == 0)
            OK(sound(live));
    }
    OK(sound(live));
    for (unsigned i = 0; i < SLOTS; i++)
        OK((uint32_t)slots[i].held_bytes <= cpu.budget_bytes + 4096);
    for (unsigned i = 0; i < HELD; i++)
        if (held[i] != 0)
            give(class_of[i], held[i]);
    OK(sound(0));
    emma__cpu_empty(&cpu, &heap.depot);
    IS(unit_cpu_blocks(&cpu), 0);
    OK(sound(0));
}

/* More classes than the budget has room for: others close. */
static void slots_keep_to_their_budget(void) {
    if (!begin())
        return;
    unsigned large = 0;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++) {
            unsigned capacity = emma__cpu_capacity(&cpu, class);
            large += capacity == 0;
            if (capacity == 0)
                continue;
            give(class, alloc(class));
            size_t pair = 2 * capacity * emma__class_size(class);
            OK((uint32_t)slots[0].held_bytes <= (pair > cpu.budget_bytes ? pair : cpu.budget_bytes));
        }
    }
    OK(large > 0 || EMMA_TORTURE);
    OK(sound(0));
}

static void flush_is_for_one_slot(void) {
    if (!begin())
        return;
    for (uint32_t id = 0; id < 3; id++) {
        void *held[100];
        be_on(id);
        for (unsigned i = 0; i < 100; i++)
            held[i] = alloc(9);
        for (unsigned i = 0; i < 100; i++)
            give(9, held[i]);
    }
    size_t before = unit_cpu_blocks(&cpu);
    emma__cpu_flush(&cpu, &heap.depot);
    OK(unit_cpu_blocks(&cpu) < before && unit_cpu_blocks(&cpu) > 0);
    IS(slots[2].loaded[9], 0);
    IS(slots[2].held_bytes, 0);
    OK(sound(0));
    be_on(0);
    emma__cpu_flush(&cpu, &heap.depot);
    OK(unit_cpu_blocks(&cpu) > 0);
    emma__cpu_empty(&cpu, &heap.depot);
    IS(unit_cpu_blocks(&cpu), 0);
    OK(sound(0));
    be_on(77);
    emma__cpu_flush(&cpu, &heap.depot);
    emma__cpu_empty(&cpu, &heap.depot);
    OK(unit_is_zero(&slots[77], sizeof slots[77]));
}

/* Everybody meanwhile: every operation is as if the thread were not registered, and nothing in the slots changes. */
static void see_them_closed(size_t cached) {
    uint64_t memory[2] = {7, 7};
    void *block = 0;
    bool available = true;
    emma_rseq_trade trade = {.chain = emma__chain_empty(2)};
    IS(emma__rseq_pop(&cpu.rseq, &slots->loaded[9], &block), EMMA_RSEQ_NONE);
    IS(emma__rseq_push(&cpu.rseq, &slots->loaded[9], memory), EMMA_RSEQ_NONE);
    IS(emma__rseq_exchange(&cpu.rseq, &slots->loaded[9], &trade), EMMA_RSEQ_NONE);
    OK(emma__cpu_alloc(&cpu, &heap.depot, 9, &available) == 0 && !available);
    OK(!emma__cpu_free(&cpu, &heap.depot, 9, memory) && memory[0] == 7);
    OK(!emma__cpu_contain(&cpu, &heap.depot, 9, memory));
    OK(!emma__cpu_drain(&cpu, &heap.depot));
    emma__cpu_flush(&cpu, &heap.depot);
    IS(unit_cpu_blocks(&cpu), cached);
    OK(sound(0));
}

static void drain_is_for_all_slots(void) {
    if (!begin())
        return;
    for (uint32_t id = 0; id < SLOTS; id += 7) {
        be_on(id);
        give(9, alloc(9));
        give(10, alloc(10));
    }
    size_t cached = unit_cpu_blocks(&cpu);
    ATOMIC_STORE(&cpu.rseq.open, 0, relaxed); /* nothing is under way */
    see_them_closed(cached);
    emma__rseq_open(&cpu.rseq);
    be_on(UINT32_MAX);                                 /* who drains need not be registered */
    bool drained = emma__cpu_drain(&cpu, &heap.depot); /* if this kernel, or the emulator, has the barrier */
    IS(unit_cpu_blocks(&cpu), drained ? 0 : cached);
    OK(sound(0));
    be_on(7);
    give(9, alloc(9));
    OK(slots[7].loaded[9] != 0 && sound(0));
    ATOMIC_STORE(&cpu.rseq.open, 0, relaxed);
    emma__cpu_empty(&cpu, &heap.depot);
    IS(unit_cpu_blocks(&cpu), 0);
    give(9, alloc(9));
    OK(slots[7].loaded[9] != 0 && sound(0));
}

/* What the shared cache has put into the depot has other capacities. */
static void magazines_of_others(void) {
    if (!begin())
        return;
    unsigned capacity = emma__cpu_capacity(&cpu, 4);
    unsigned sizes[] = {1, 2, capacity - 1, capacity, capacity + 1, 3 * capacity};
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        emma__cpu_empty(&cpu, &heap.depot);
        unsigned count = 0;
        if (sizes[i] == 0)
            continue;
        emma_chain chain = emma__spans_refill(&heap.depot.spans, 4, 3 * capacity, sizes[i], &count);
        emma__depot_put(&heap.depot, 4, chain, count);
        void *block = alloc(4);
        OK(sound(1));
        OK(emma__cpu_count(&cpu, 4) <= capacity);
        give(4, block);
        OK(sound(0));
        emma__depot_empty(&heap.depot);
    }
}

static void contains(void) {
    if (!begin())
        return;
    void *held[70];
    for (unsigned i = 0; i < 70; i++)
        held[i] = alloc(2);
    OK(!emma__cpu_contain(&cpu, &heap.depot, 2, held[0]));
    give(2, held[0]);
    OK(emma__cpu_contain(&cpu, &heap.depot, 2, held[0]));
    for (unsigned i = 1; i < 70; i++)
        give(2, held[i]);
    OK(emma__cpu_contain(&cpu, &heap.depot, 2, held[69]));
    OK(!emma__cpu_contain(&cpu, &heap.depot, 3, held[69]));
    OK(sound(0));
    be_on(1);
    OK(!emma__cpu_contain(&cpu, &heap.depot, 2, held[69]));
    OK(sound(0));
}

/* As the kernel keeps it, if it does. */
static void registered(void) {
    unit_heap_reset(&heap);
    size_t bytes = emma__cpu_bytes();
    if (bytes == 0) {
        tap_skip("the C library has registered nothing");
        return;
    }
    IS(bytes % (64 * EMMA_RSEQ_SLOT_BYTES), 0);
    uintptr_t memory = emma__plat_map(bytes + EMMA_RSEQ_SLOT_BYTES);
    cpu = (emma_cpu){.budget_bytes = 0};
    emma__cpu_init(&cpu, memory, 0);
    OK(emma__cpu_is_on(&cpu));
    OK(cpu.budget_bytes >= EMMA_CPU_SLOT_BUDGET_MIN && cpu.budget_bytes <= EMMA_CPU_SLOT_BUDGET_MAX);
    OK(emma__rseq_hint(&cpu.rseq) < cpu.rseq.slots);
    IS(unit_resident_pages(memory, bytes), 0);
    static void *held[HELD];
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < HELD; i++)
            held[i] = alloc(1 + i % 20);
        for (unsigned i = 0; i < HELD; i++)
            give(1 + i % 20, held[i]);
        if (round == 0) /* before anybody looks into slots that nobody has used: pages that were read count, too */
            OK(unit_resident_pages(memory, bytes) <= cpu.rseq.cpus);
        OK(sound(0));
    }
    emma__cpu_empty(&cpu, &heap.depot);
    IS(unit_cpu_blocks(&cpu), 0);
    OK(sound(0));
    emma__plat_unmap(memory, bytes + EMMA_RSEQ_SLOT_BYTES);
}

TAP_MAIN({"sequences: done and refused", sequences}, {"numbers that are none", numbers_are_bounded},
         {"a heap without CPU caches", without_slots}, {"blocks come and go", blocks_come_and_go},
         {"another processor at every operation", processors_change},
         {"slots keep to their budget", slots_keep_to_their_budget}, {"flush is for one slot", flush_is_for_one_slot},
         {"drain is for all slots", drain_is_for_all_slots}, {"magazines of others are made anew", magazines_of_others},
         {"contain looks at one slot", contains}, {"on processors as the kernel names them", registered})
