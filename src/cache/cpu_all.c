/* cpu_all.c: what is done with all slots of CPU caches at once: emptied, counted, searched, checked. Interface in
 * cpu.h. */
#include "cache/cpu.h"

/* The next slot from i on that may have been used. Returns: 0 iff there is none. */
static emma_cpu_slot *next_used(const emma_cpu *cpu, uint32_t *i) {
    uint32_t part_slots = cpu->rseq.slots / EMMA_CPU_PARTS;
    uint64_t used = ATOMIC_LOAD(&cpu->used, relaxed);
    if (!emma__cpu_is_on(cpu))
        return 0;
    for (; *i < cpu->rseq.slots; ++*i)
        if ((used >> *i / part_slots & 1) != 0)
            return ATOMIC_LOAD(&cpu->slots, acquire) + (*i)++;
    return 0;
}

/* The chains of a class in a slot, the loaded one first. Pairs, acquire, with the sequences' release: links. */
static emma_chain chain_in(const emma_cpu_slot *slot, unsigned class, unsigned w) {
    return ATOMIC_LOAD(w == 0 ? &slot->loaded[class] : &slot->spare[class][w - 1], acquire);
}

/* Who takes a magazine keeps account of it, as in cpu.c. */
static void empty_word(const emma_cpu *cpu, emma_depot *depot, emma_cpu_slot *slot, unsigned class,
                       _Atomic(emma_chain) *word) {
    if (ATOMIC_LOAD(word, relaxed) == 0)
        return;
    emma_chain chain = ATOMIC_EXCHANGE(word, 0, relaxed);
    if (chain != 0)
        ATOMIC_SUB(&slot->held_bytes, emma__cpu_magazine_bytes(cpu, class), relaxed);
    emma__cpu_send_home(depot, class, chain);
}

static void empty(const emma_cpu *cpu, emma_depot *depot, emma_cpu_slot *slot) {
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++) {
        for (unsigned i = 0; i < EMMA_CPU_SPARES; i++)
            empty_word(cpu, depot, slot, class, &slot->spare[class][i]);
        empty_word(cpu, depot, slot, class, &slot->loaded[class]);
    }
}

bool emma__cpu_drain(emma_cpu *cpu, emma_depot *depot) {
    if (!emma__rseq_close(&cpu->rseq))
        return false;
    uint32_t i = 0;
    for (emma_cpu_slot *slot = next_used(cpu, &i); slot != 0; slot = next_used(cpu, &i))
        empty(cpu, depot, slot);
    emma__rseq_open(&cpu->rseq);
    return true;
}

void emma__cpu_empty(emma_cpu *cpu, emma_depot *depot) {
    uint32_t i = 0;
    for (emma_cpu_slot *slot = next_used(cpu, &i); slot != 0; slot = next_used(cpu, &i)) {
        empty(cpu, depot, slot);
        ATOMIC_STORE(&slot->held_bytes, 0, relaxed); /* a thread that a fork has left behind may have miscounted */
    }
    emma__rseq_open(&cpu->rseq);
}

size_t emma__cpu_count(const emma_cpu *cpu, unsigned class) {
    size_t count = 0;
    uint32_t i = 0;
    for (const emma_cpu_slot *slot = next_used(cpu, &i); slot != 0; slot = next_used(cpu, &i))
        for (unsigned w = 0; w <= EMMA_CPU_SPARES; w++)
            count += emma__cpu_count_of(cpu, class, chain_in(slot, class, w));
    return count;
}

/* A chain that may change meanwhile: each block must be one of this class in the heap's memory before its link is
 * followed. */
static bool chain_peek(const emma_regions *regions, emma_chain chain, unsigned class, const void *block) {
    for (unsigned i = 0; i <= EMMA_CPU_MAGAZINE_MAX_BLOCKS; i++) {
        const void *here = emma__chain_first(chain);
        if (here == block)
            return true;
        if ((uintptr_t)here % EMMA_BLOCK_ALIGN != 0 || !emma__regions_have_tract(regions, (uintptr_t)here) ||
            emma__span_class(emma__span_first(emma__span_at((uintptr_t)here))) != class)
            return false;
        chain = emma__chain_rest(chain);
    }
    return false;
}

bool emma__cpu_peek(const emma_cpu *cpu, const emma_regions *regions, unsigned class, const void *block) {
    uint32_t i = 0;
    for (const emma_cpu_slot *slot = next_used(cpu, &i); slot != 0; slot = next_used(cpu, &i))
        for (unsigned w = 0; w <= EMMA_CPU_SPARES; w++)
            if (chain_peek(regions, chain_in(slot, class, w), class, block))
                return true;
    return false;
}

static bool chain_valid(const emma_cpu *cpu, unsigned class, emma_chain chain) {
    unsigned capacity = emma__cpu_capacity(cpu, class);
    unsigned room = emma__chain_room(chain);
    if (chain == 0)
        return true;
    for (; !emma__chain_is_empty(chain) && emma__chain_room(chain) == room && room < capacity; room++)
        chain = emma__chain_rest(chain);
    return emma__chain_is_empty(chain) && room == capacity;
}

bool emma__cpu_valid(const emma_cpu *cpu) {
    uint32_t i = 0;
    for (const emma_cpu_slot *slot = next_used(cpu, &i); slot != 0; slot = next_used(cpu, &i)) {
        int32_t held = 0;
        for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++) {
            for (unsigned w = 0; w <= EMMA_CPU_SPARES; w++) {
                if (!chain_valid(cpu, class, chain_in(slot, class, w)))
                    return false;
                held += chain_in(slot, class, w) != 0 ? emma__cpu_magazine_bytes(cpu, class) : 0;
            }
        }
        if (held != ATOMIC_LOAD(&slot->held_bytes, relaxed))
            return false;
    }
    return true;
}
