/* cpu.c: see cpu.h; what is done with all slots at once is in cpu_all.c. */
#include "cache/cpu.h"

#define LOADED(cpu, class)   (&ATOMIC_LOAD(&(cpu)->slots, acquire)->loaded[class])
#define SPARE(cpu, class, i) (&ATOMIC_LOAD(&(cpu)->slots, acquire)->spare[class][i])

EMMA_STATIC_ASSERT((int)EMMA_CPU_MAGAZINE_MAX_BLOCKS <= (int)EMMA_CHAIN_ROOM_MAX, "the room of an empty magazine");

size_t emma__cpu_bytes(void) {
    emma_rseq rseq;
    return emma__rseq_find(&rseq) ? (size_t)rseq.slots * EMMA_RSEQ_SLOT_BYTES : 0;
}

void emma__cpu_init(emma_cpu *cpu, uintptr_t memory, size_t most_bytes) {
    if (!emma__rseq_find(&cpu->rseq))
        return;
    most_bytes = most_bytes != 0 && most_bytes < EMMA_CPU_BUDGET_BYTES ? most_bytes : EMMA_CPU_BUDGET_BYTES;
    size_t budget = most_bytes / (cpu->rseq.cpus != 0 ? cpu->rseq.cpus : cpu->rseq.slots);
    budget = budget < EMMA_CPU_SLOT_BUDGET_MAX ? budget : EMMA_CPU_SLOT_BUDGET_MAX;
    cpu->budget_bytes = budget > EMMA_CPU_SLOT_BUDGET_MIN ? (uint32_t)budget : EMMA_CPU_SLOT_BUDGET_MIN;
    /* Release: pairs with the acquire of those who use the slots. */
    ATOMIC_STORE(&cpu->slots, (emma_cpu_slot *)memory, release); // NOLINT(performance-no-int-to-ptr)
}

unsigned emma__cpu_capacity(const emma_cpu *cpu, unsigned class) {
    uint32_t size = (uint32_t)emma__class_size(class);
    if (cpu->budget_bytes < 8 * EMMA_MAGAZINE_MIN_BLOCKS * size && !EMMA_TORTURE)
        return 0;
    uint32_t bytes = cpu->budget_bytes / EMMA_CPU_MAGAZINE_PART;
    bytes = bytes < EMMA_CPU_MAGAZINE_MAX_BYTES ? bytes : EMMA_CPU_MAGAZINE_MAX_BYTES;
    uint32_t blocks = emma__class_index(class, bytes);
    blocks = blocks < EMMA_CPU_MAGAZINE_MAX_BLOCKS ? blocks : EMMA_CPU_MAGAZINE_MAX_BLOCKS;
    return blocks < EMMA_MAGAZINE_MIN_BLOCKS || EMMA_TORTURE ? EMMA_MAGAZINE_MIN_BLOCKS : blocks;
}

/* The sequences, until they are not aborted. Return: DONE, REFUSED or NONE. */
static emma_rseq_end pop(emma_cpu *cpu, unsigned class, void **block) {
    for (unsigned tries = EMMA_CPU_TRIES; tries != 0; tries--) {
        emma_rseq_end end = emma__rseq_pop(&cpu->rseq, LOADED(cpu, class), block);
        if (end != EMMA_RSEQ_ABORTED)
            return end;
    }
    return EMMA_RSEQ_NONE;
}

static emma_rseq_end push(emma_cpu *cpu, unsigned class, void *block) {
    for (unsigned tries = EMMA_CPU_TRIES; tries != 0; tries--) {
        emma_rseq_end end = emma__rseq_push(&cpu->rseq, LOADED(cpu, class), block);
        if (end != EMMA_RSEQ_ABORTED)
            return end;
    }
    return EMMA_RSEQ_NONE;
}

static emma_cpu_slot *slot_at(const emma_cpu *cpu, uintptr_t offset) {
    return ATOMIC_LOAD(&cpu->slots, acquire) + offset / EMMA_RSEQ_SLOT_BYTES;
}

static void note_used(emma_cpu *cpu, uint32_t slot) {
    uint64_t part = slot < cpu->rseq.slots ? UINT64_C(1) << slot / (cpu->rseq.slots / EMMA_CPU_PARTS) : 0;
    if ((ATOMIC_LOAD(&cpu->used, relaxed) & part) != part)
        ATOMIC_OR(&cpu->used, part, relaxed);
}

/* Put a chain into a word of a slot. Keeps account of magazines: each comes in the place of 0 and leaves 0 by one
 * exchange. Returns: false iff it was not done; before: what was there. */
static bool trade(emma_cpu *cpu, unsigned class, _Atomic(emma_chain) *word, emma_rseq_trade *what) {
    emma_rseq_end end = EMMA_RSEQ_ABORTED;
    if (what->chain != 0) /* before it is true: who stops after the exchange leaves nothing that a reset would miss */
        note_used(cpu, emma__rseq_hint(&cpu->rseq));
    for (unsigned tries = EMMA_CPU_TRIES; tries != 0 && end == EMMA_RSEQ_ABORTED; tries--)
        end = emma__rseq_exchange(&cpu->rseq, word, what);
    if (end != EMMA_RSEQ_DONE)
        return false;
    if ((what->before == 0) == (what->chain == 0))
        return true;
    emma_cpu_slot *slot = slot_at(cpu, what->slot);
    if (what->chain == 0) {
        ATOMIC_SUB(&slot->held_bytes, emma__cpu_magazine_bytes(cpu, class), relaxed);
        return true;
    }
    ATOMIC_ADD(&slot->held_bytes, emma__cpu_magazine_bytes(cpu, class), relaxed);
    note_used(cpu, (uint32_t)(what->slot / EMMA_RSEQ_SLOT_BYTES)); /* the thread may have been moved before */
    return true;
}

static emma_chain take(emma_cpu *cpu, unsigned class, _Atomic(emma_chain) *word) {
    emma_rseq_trade none = {.chain = 0};
    return trade(cpu, class, word, &none) ? none.before : 0;
}

/* The slot of the processor that the thread was on just now. Returns: 0 iff there is none. */
static emma_cpu_slot *slot_here(const emma_cpu *cpu) {
    uint32_t id = emma__cpu_is_on(cpu) ? emma__rseq_hint(&cpu->rseq) : UINT32_MAX;
    return id < cpu->rseq.slots ? slot_at(cpu, (uintptr_t)id * EMMA_RSEQ_SLOT_BYTES) : 0;
}

/* The last chain of the slot here: a spare, or, if it may be, the loaded one. Returns: 0 iff there seems to be none. */
static emma_chain take_last(emma_cpu *cpu, unsigned class, bool may_be_loaded) {
    emma_cpu_slot *slot = slot_here(cpu);
    for (unsigned i = EMMA_CPU_SPARES; slot != 0 && i-- > 0;) {
        emma_chain chain =
            ATOMIC_LOAD(&slot->spare[class][i], relaxed) != 0 ? take(cpu, class, SPARE(cpu, class, i)) : 0;
        if (chain != 0)
            return chain;
    }
    bool is_open = may_be_loaded && slot != 0 && ATOMIC_LOAD(&slot->loaded[class], relaxed) != 0;
    return is_open ? take(cpu, class, LOADED(cpu, class)) : 0;
}

/* A chain leaves the caches: to the depot if it is at least half full. Returns: what emma__depot_put does. */
static bool send_away(const emma_cpu *cpu, emma_depot *depot, unsigned class, emma_chain chain) {
    unsigned count = emma__cpu_count_of(cpu, class, chain);
    if (count >= EMMA_MAGAZINE_MIN_BLOCKS && emma__chain_room(chain) <= count)
        return emma__depot_put(depot, class, chain, count);
    emma__cpu_send_home(depot, class, chain);
    return false;
}

/* Other classes give up magazines, going round, until the slot holds no more than it may, or the thread was moved: then
 * the next one to come by does so. */
static void keep_to_budget(emma_cpu *cpu, emma_depot *depot, unsigned class, uintptr_t offset) {
    emma_cpu_slot *slot = slot_at(cpu, offset);
    for (unsigned i = 0; i < EMMA_CLASS_COUNT; i++) {
        if (ATOMIC_LOAD(&slot->held_bytes, relaxed) <= (int32_t)cpu->budget_bytes || slot_here(cpu) != slot)
            return;
        unsigned victim = ATOMIC_LOAD(&slot->hand, relaxed) % EMMA_CLASS_LAST + 1;
        ATOMIC_STORE(&slot->hand, victim, relaxed); /* two may store the same: one class more or less */
        if (victim != class)
            send_away(cpu, depot, victim, take_last(cpu, victim, true));
    }
}

/* Send home what a class has in the slot here. */
static void give_up(emma_cpu *cpu, emma_depot *depot, unsigned class) {
    emma_chain chain;
    for (unsigned i = 0; i <= EMMA_CPU_SPARES && (chain = take_last(cpu, class, true)) != 0; i++)
        emma__cpu_send_home(depot, class, chain);
}

/* A full chain becomes a spare; where there are enough of them the last one goes to the depot instead. */
static void stow(emma_cpu *cpu, emma_depot *depot, unsigned class, emma_chain chain) {
    if (emma__chain_is_empty(chain))
        return;
    for (unsigned i = 0; i < EMMA_CPU_SPARES; i++) {
        emma_rseq_trade spare = {.chain = chain, .only_empty = i < EMMA_CPU_SPARES - 1};
        if (!trade(cpu, class, SPARE(cpu, class, i), &spare))
            continue;
        if (spare.before == 0)
            keep_to_budget(cpu, depot, class, spare.slot);
        chain = spare.before;
        break;
    }
    if (send_away(cpu, depot, class, chain))
        give_up(cpu, depot, class); /* the class shrinks: the spans want back what there is */
}

/* Put a chain back into the caches, as the loaded one if there is none. */
static void put_back(emma_cpu *cpu, emma_depot *depot, unsigned class, emma_chain chain) {
    emma_rseq_trade loaded = {.chain = chain, .only_empty = true};
    if (!trade(cpu, class, LOADED(cpu, class), &loaded))
        stow(cpu, depot, class, chain);
    else if (loaded.before == 0)
        keep_to_budget(cpu, depot, class, loaded.slot);
}

/* A chain of this capacity with blocks of one that has another; what is too much of them goes back to the depot. */
static emma_chain made_anew(emma_depot *depot, unsigned class, emma_chain from, unsigned count, unsigned capacity) {
    emma_chain chain = emma__chain_empty(capacity);
    for (; count != 0 && emma__chain_room(chain) != 0; count--) {
        void *block = emma__chain_pop(&from);
        chain = emma__chain_push(chain, block);
    }
    if (count != 0)
        emma__depot_put(depot, class, from, count);
    return chain;
}

/* A chain of at least one block from the depot or the spans. Returns: an empty one iff no memory can be had. */
static emma_chain refill(const emma_cpu *cpu, emma_depot *depot, unsigned class) {
    unsigned capacity = emma__cpu_capacity(cpu, class);
    unsigned count = 0;
    emma_chain chain = emma__depot_get(depot, class, capacity, capacity, &count);
    if (count != 0 && count + emma__chain_room(chain) != capacity)
        chain = made_anew(depot, class, chain, count, capacity);
    return count != 0 ? chain : 0;
}

void *emma__cpu_alloc(emma_cpu *cpu, emma_depot *depot, unsigned class, bool *available) {
    *available = false;
    if (!emma__cpu_is_on(cpu) || emma__cpu_capacity(cpu, class) == 0)
        return 0;
    void *block = 0;
    emma_rseq_end end = pop(cpu, class, &block);
    if (end == EMMA_RSEQ_NONE)
        return 0;
    *available = true;
    if (end == EMMA_RSEQ_DONE) {
        emma__chain_unmark(block);
        return block;
    }
    emma_chain chain = take_last(cpu, class, false);
    if (emma__chain_is_empty(chain))
        chain = refill(cpu, depot, class);
    if (emma__chain_is_empty(chain))
        return 0;
    block = emma__chain_pop(&chain);
    put_back(cpu, depot, class, chain);
    return block;
}

bool emma__cpu_free(emma_cpu *cpu, emma_depot *depot, unsigned class, void *block) {
    unsigned capacity = emma__cpu_is_on(cpu) ? emma__cpu_capacity(cpu, class) : 0;
    if (capacity == 0)
        return false;
    emma_rseq_end end = push(cpu, class, block);
    if (end != EMMA_RSEQ_REFUSED)
        return end == EMMA_RSEQ_DONE;
    emma_rseq_trade loaded = {.chain = emma__chain_push(emma__chain_empty(capacity), block)};
    if (!trade(cpu, class, LOADED(cpu, class), &loaded))
        return false;
    stow(cpu, depot, class, loaded.before);
    if (loaded.before == 0)
        keep_to_budget(cpu, depot, class, loaded.slot);
    return true;
}

void emma__cpu_flush(emma_cpu *cpu, emma_depot *depot) {
    for (unsigned class = 1; class < EMMA_CLASS_COUNT; class ++)
        give_up(cpu, depot, class);
}

bool emma__cpu_contain(emma_cpu *cpu, emma_depot *depot, unsigned class, const void *block) {
    if (slot_here(cpu) == 0 || emma__cpu_capacity(cpu, class) == 0)
        return false;
    emma_chain in_hand[1 + EMMA_CPU_SPARES];
    bool found = false;
    for (unsigned i = 0; i <= EMMA_CPU_SPARES; i++) {
        in_hand[i] = take(cpu, class, i == 0 ? LOADED(cpu, class) : SPARE(cpu, class, i - 1));
        found = found || emma__chain_contains(in_hand[i], block);
    }
    if (in_hand[0] != 0)
        put_back(cpu, depot, class, in_hand[0]);
    for (unsigned i = 1; i <= EMMA_CPU_SPARES; i++)
        stow(cpu, depot, class, in_hand[i]);
    return found;
}
