/* registry.c: see registry.h. */
#include "cache/registry.h"

#include "base/check.h"
#include "cache/idle.h"
#include "plat/plat.h"

enum { JUDGED_AT_ONCE = 2 };

#define ONE_TAKE   (UINT64_C(1) << EMMA_OWNER_ID_BITS)
#define TAKES_MASK ((UINT64_C(1) << 32) - ONE_TAKE)

static uint64_t owner_word(uint32_t generation, uint32_t thread_id) {
    return (uint64_t)generation << 32 | thread_id;
}

/* 0: nobody. */
static uint32_t id_of(uint64_t owner) {
    return (uint32_t)(owner & (ONE_TAKE - 1));
}

/* Make the page that fork wipes. Returns: 0 iff memory is refused. */
static emma_wiped *make_wiped(emma_registry *registry) {
    size_t page = emma__plat_page_bytes();
    uintptr_t address = emma__plat_map(page);
    if (address == 0)
        return 0;
    bool is_wiped = emma__plat_wipe_on_fork(address, page); /* refused: children are not noticed, see the banner */
    emma_wiped *wiped = (emma_wiped *)address;              // NOLINT(performance-no-int-to-ptr)
    emma_wiped *present = 0;
    if (ATOMIC_CAS(&registry->wiped, &present, wiped, acq_rel)) { /* pairs with the load in emma__registry_generation */
        ATOMIC_STORE(&registry->visits, is_wiped, relaxed);
        return wiped;
    }
    emma__plat_unmap(address, page);
    return present;
}

uint32_t emma__registry_generation(emma_registry *registry) {
    emma_wiped *wiped = ATOMIC_LOAD(&registry->wiped, acquire);
    if (EMMA_UNLIKELY(wiped == 0)) {
        wiped = make_wiped(registry);
        if (wiped == 0)
            return 0;
    }
    uint32_t here = ATOMIC_LOAD(&wiped->generation, acquire);
    uint32_t generation = ATOMIC_LOAD(&registry->generation, acquire);
    if (EMMA_LIKELY(here == generation && here != 0))
        return here;
    /* A new generation: the page first, then the registry, which anybody may help along. */
    if (here == 0) {
        ATOMIC_STORE(&registry->threads, generation != 0, relaxed); /* a child of fork has one thread */
        ATOMIC_STORE(&registry->process_id, emma__plat_process_id(), relaxed);
        if (ATOMIC_CAS(&wiped->generation, &here, generation + 1, acq_rel))
            here = generation + 1;
    }
    ATOMIC_CAS(&registry->generation, &generation, here, acq_rel);
    return here;
}

/* me: without a count of takes. */
static emma_record *claim(emma_record_block *block, unsigned i, uint64_t from, uint64_t me) {
    uint64_t to = me | ((from + ONE_TAKE) & TAKES_MASK);
    /* Acquire: the contents, as their last owner left them. Pairs with give_word. */
    return ATOMIC_CAS(&block->owner[i], &from, to, acq_rel) ? &block->record[i] : 0;
}

/* Nobody's again; the count stays. Requires: the caller owns it, so nobody else changes the word. */
static void give_word(emma_record_block *block, unsigned i) {
    uint64_t owner = ATOMIC_LOAD(&block->owner[i], relaxed);
    ATOMIC_STORE(&block->owner[i], owner & TAKES_MASK, release); /* pairs with claim */
}

static emma_record *take_unowned(emma_registry *registry, uint64_t me) {
    emma_record_block *block = ATOMIC_LOAD(&registry->first, acquire);
    for (; block != 0; block = ATOMIC_LOAD(&block->next, acquire)) {
        for (unsigned i = 0; i < EMMA_RECORDS_PER_BLOCK; i++) {
            uint64_t owner = ATOMIC_LOAD(&block->owner[i], relaxed);
            if (id_of(owner) != 0 || emma__magazines_are_visited(&block->record[i].magazines))
                continue;
            emma_record *record = claim(block, i, owner, me);
            if (record != 0)
                return record;
        }
    }
    return 0;
}

/* Look at an owner. Returns: the record, if its owner is gone and nobody else is faster to take it, or 0. */
static emma_record *judge(emma_registry *registry, emma_record_block *block, unsigned i, uint64_t owner, uint64_t me) {
    uint32_t process_id = ATOMIC_LOAD(&registry->process_id, relaxed);
    if (owner >> 32 != me >> 32 || emma__magazines_are_visited(&block->record[i].magazines) ||
        emma__plat_thread_exists(process_id, id_of(owner)))
        return 0;
    return claim(block, i, owner, me);
}

/* Judge a few owners, going round from call to call. Returns: the record of one who is gone, or 0. */
static emma_record *take_abandoned(emma_registry *registry, uint64_t me) {
    uint32_t from = ATOMIC_LOAD(&registry->judged, relaxed);
    uint32_t judged = 0;
    for (unsigned round = 0; round < 2; round++) { /* from there on, then from the beginning */
        uint32_t index = 0;
        emma_record_block *block = ATOMIC_LOAD(&registry->first, acquire);
        for (; block != 0; block = ATOMIC_LOAD(&block->next, acquire)) {
            for (unsigned i = 0; i < EMMA_RECORDS_PER_BLOCK; i++, index++) {
                uint64_t owner = ATOMIC_LOAD(&block->owner[i], relaxed);
                if (id_of(owner) == 0 || (index < from) != (round == 1))
                    continue;
                ATOMIC_STORE(&registry->judged, index + 1, relaxed);
                emma_record *record = judge(registry, block, i, owner, me);
                if (record != 0 || ++judged == JUDGED_AT_ONCE)
                    return record;
            }
        }
    }
    return 0;
}

static emma_record *take_new(emma_registry *registry, uint64_t me) {
    size_t bytes = emma__bits_align_up(sizeof(emma_record_block), emma__plat_page_bytes());
    uintptr_t address = emma__plat_map(bytes);
    if (address == 0)
        return 0;
    emma_record_block *block = (emma_record_block *)address; // NOLINT(performance-no-int-to-ptr)
    ATOMIC_STORE(&block->owner[0], me, relaxed);
    emma_record_block *first = ATOMIC_LOAD(&registry->first, acquire);
    do {
        ATOMIC_STORE(&block->next, first, relaxed);
    } while (!ATOMIC_CAS(&registry->first, &first, block, acq_rel)); /* pairs with the walks' acquire */
    return &block->record[0];
}

bool emma__registry_bury(emma_registry *registry, emma_depot *depot, emma_record_block *block, unsigned i,
                         uint32_t generation) {
    uint64_t owner = ATOMIC_LOAD(&block->owner[i], relaxed);
    uint64_t me = owner_word(generation, emma__plat_thread_id());
    emma_record *record = id_of(owner) == 0 ? claim(block, i, owner, me) : judge(registry, block, i, owner, me);
    if (record == 0)
        return false;
    emma__magazines_end(&record->magazines, depot, false);
    give_word(block, i);
    return true;
}

emma_record *emma__registry_take(emma_registry *registry, uint32_t generation, uint32_t thread_id) {
    if (ATOMIC_LOAD(&registry->process_id, relaxed) != emma__plat_process_id() || thread_id != id_of(thread_id))
        return 0;
    uint64_t me = owner_word(generation, thread_id);
    ATOMIC_ADD(&registry->threads, 1, relaxed);
    emma_record *record = take_abandoned(registry, me);
    if (record == 0)
        record = take_unowned(registry, me);
    return record != 0 ? record : take_new(registry, me);
}

void emma__registry_give(emma_registry *registry, const emma_record *record) {
    emma_record_block *block = ATOMIC_LOAD(&registry->first, acquire);
    for (; block != 0; block = ATOMIC_LOAD(&block->next, acquire)) {
        if (record < block->record || record >= block->record + EMMA_RECORDS_PER_BLOCK)
            continue;
        give_word(block, (unsigned)(record - block->record));
        return;
    }
}

void emma__registry_sweep(emma_registry *registry, emma_depot *depot, uint32_t old_thread_id, uint32_t generation,
                          uint32_t thread_id) {
    uint64_t me = owner_word(generation, thread_id);
    ATOMIC_STORE(&depot->earned_most, 0, relaxed); /* there is no janitor here */
    emma_record_block *block = ATOMIC_LOAD(&registry->first, acquire);
    for (; block != 0; block = ATOMIC_LOAD(&block->next, acquire)) {
        for (unsigned i = 0; i < EMMA_RECORDS_PER_BLOCK; i++) {
            uint64_t owner = ATOMIC_LOAD(&block->owner[i], relaxed);
            bool is_idle =
                id_of(owner) == 0 && (owner == 0 || !emma__magazines_are_visited(&block->record[i].magazines));
            if (is_idle || owner >> 32 == generation)
                continue;
            emma_record *record = claim(block, i, owner, me);
            if (record == 0 || (id_of(owner) != 0 && id_of(owner) == old_thread_id))
                continue;
            ATOMIC_STORE(&record->word, 0, relaxed); /* no visits: what it names is dead */
            emma__idle_end(record, depot);
            emma__magazines_end(&record->magazines, depot, false);
            give_word(block, i);
        }
    }
    ATOMIC_STORE(&registry->swept, generation, release);
}

size_t emma__registry_count(const emma_registry *registry, unsigned class) {
    size_t count = 0;
    emma_record_block *block = ATOMIC_LOAD(&registry->first, acquire);
    for (; block != 0; block = ATOMIC_LOAD(&block->next, acquire))
        for (unsigned i = 0; i < EMMA_RECORDS_PER_BLOCK; i++)
            count += emma__magazines_count(&block->record[i].magazines, class);
    return count;
}
