/* exhaustive_test.c: every sequence of operations up to depth 8 on a tiny region, against a naive model.
 *
 * From each state every operation is tried; an operation that is refused must leave the state as it was, and is not
 * followed further, as the sequences through it are those without it. The models know nothing of lists, marks or
 * splits: they are tables of bytes or blocks that are searched from end to end. */
#include "bare/buddy_map.h"
#include "steps.h"
#include "suites.h"

enum { DEPTH = 8, LIVE_MAX = DEPTH };

static size_t sequences;

/* ---- bump: the address is predicted ---- */

enum { BUMP_BYTES = 16 };

typedef struct bump_state {
    emma_bump bump;
    emma_bump_position mark;
    size_t low, outstanding, mark_low, mark_outstanding;
    bool marked;
} bump_state;

static _Alignas(16) unsigned char bump_region[BUMP_BYTES];

static bool bump_allocate(bump_state *state, size_t size, size_t align) {
    unsigned char *expected = NULL;
    for (size_t at = 0; at + size <= state->low; at++) {
        if ((uintptr_t)(bump_region + at) % align == 0)
            expected = bump_region + at;
    }
    EXPECT(emma_bump_allocate(&state->bump, size, align) == expected);
    if (expected == NULL)
        return false;
    state->low = (size_t)(expected - bump_region);
    state->outstanding++;
    return true;
}

static bool bump_free(bump_state *state) {
    emma_bare_error error = emma_bump_deallocate(&state->bump, bump_region + state->low);
    EXPECT(error == (state->outstanding != 0 ? EMMA_BARE_OK : EMMA_BARE_NOT_LIVE));
    if (state->outstanding == 0)
        return false;
    if (--state->outstanding == 0) {
        state->low = BUMP_BYTES;
        state->marked = state->marked && state->mark_outstanding == 0;
    }
    return true;
}

static bool bump_rewind(bump_state *state) {
    if (!state->marked)
        return false;
    EXPECT(emma_bump_rewind(&state->bump, &state->mark) == EMMA_BARE_OK);
    state->low = state->mark_low;
    if (state->mark_outstanding < state->outstanding)
        state->outstanding = state->mark_outstanding;
    return true;
}

static bool bump_apply(bump_state *state, unsigned operation) {
    static const size_t requests[3][2] = {{1, 1}, {3, 2}, {8, 8}};
    if (operation < 3)
        return bump_allocate(state, requests[operation][0], requests[operation][1]);
    if (operation == 3)
        return bump_free(state);
    if (operation == 4)
        return bump_rewind(state);
    state->mark = emma_bump_mark(&state->bump);
    state->mark_low = state->low;
    state->mark_outstanding = state->outstanding;
    state->marked = true;
    return true;
}

static void bump_explore(const bump_state *from, unsigned depth) {
    for (unsigned operation = 0; operation < 6; operation++) {
        bump_state state = *from;
        sequences++;
        if (!bump_apply(&state, operation))
            continue;
        emma_bare_figures figures = emma_bump_figures(&state.bump);
        EXPECT(emma_bump_valid(&state.bump) && figures.used_bytes == BUMP_BYTES - state.low);
        EXPECT(figures.outstanding == state.outstanding);
        if (depth > 1)
            bump_explore(&state, depth - 1);
    }
}

static void bump(void) {
    bump_state state = {.low = BUMP_BYTES};
    sequences = 0;
    EXPECT(emma_bump_init(&state.bump, bump_region, BUMP_BYTES, 1) == EMMA_BARE_OK);
    bump_explore(&state, DEPTH);
    emma_tap_note("bump: operations tried", sequences);
}

/* ---- slab: the address is predicted ---- */

enum { SLAB_BLOCKS = 4, SLAB_BLOCK = 2 * sizeof(void *) };

typedef struct slab_state {
    emma_slab slab;
    _Alignas(SLAB_BLOCK) unsigned char region[SLAB_BLOCKS * SLAB_BLOCK];
    size_t marks[1];
    unsigned char order[SLAB_BLOCKS]; /* the free blocks, the next to be handed out last */
    size_t free;
} slab_state;

static slab_state slab_states[DEPTH + 1];

static bool slab_apply(slab_state *state, unsigned operation) {
    size_t live = SLAB_BLOCKS - state->free;
    if (operation == SLAB_BLOCKS) {
        unsigned char *block = emma_slab_allocate_block(&state->slab);
        EXPECT((block != NULL) == (state->free != 0));
        if (block == NULL)
            return false;
        state->free--;
        EXPECT(block == state->slab.base + state->order[state->free] * (size_t)SLAB_BLOCK);
        return true;
    }
    bool is_free = false;
    for (size_t i = 0; i < state->free; i++)
        is_free = is_free || state->order[i] == operation;
    emma_bare_error error = emma_slab_deallocate(&state->slab, state->slab.base + operation * SLAB_BLOCK);
    EXPECT((error == EMMA_BARE_OK) == !is_free);
    if (is_free)
        return false;
    state->order[state->free++] = (unsigned char)operation;
    return live != 0;
}

static void slab_explore(unsigned depth) {
    slab_state *from = &slab_states[depth], *state = &slab_states[depth - 1];
    for (unsigned operation = 0; operation <= SLAB_BLOCKS; operation++) {
        *state = *from;
        state->slab.base = state->region;
        state->slab.marks = state->marks;
        sequences++;
        if (!slab_apply(state, operation))
            continue;
        EXPECT(emma_slab_valid(&state->slab) && emma_slab_outstanding(&state->slab) == SLAB_BLOCKS - state->free);
        if (depth > 1)
            slab_explore(depth - 1);
    }
}

static void slab(void) {
    if (!EMMA_BARE_CHECKS) {
        emma_tap_skip("checks are compiled out, and every second sequence frees twice");
        return;
    }
    slab_state *state = &slab_states[DEPTH];
    sequences = 0;
    EXPECT(emma_slab_init(&state->slab, state->region, state->marks, SLAB_BLOCK, SLAB_BLOCKS) == EMMA_BARE_OK);
    for (unsigned char i = 0; i < SLAB_BLOCKS; i++)
        state->order[i] = (unsigned char)(SLAB_BLOCKS - 1 - i);
    state->free = SLAB_BLOCKS;
    slab_explore(DEPTH);
    emma_tap_note("slab: operations tried", sequences);
}

/* ---- buddy: served iff an aligned run of units is free ---- */

enum { BUDDY_LEVELS = 3, BUDDY_BLOCKS = 2, BUDDY_UNITS = BUDDY_BLOCKS << (BUDDY_LEVELS - 1), BUDDY_UNIT = 16 };

typedef struct buddy_state {
    emma_buddy buddy;
    size_t metadata[16];
    unsigned char size_at[BUDDY_UNITS]; /* units of the live block that begins here, or 0 */
} buddy_state;

static buddy_state buddy_states[DEPTH + 1];
static _Alignas(64) unsigned char buddy_region[BUDDY_UNITS * BUDDY_UNIT];

static bool buddy_allocate(buddy_state *state, size_t run) {
    bool used[BUDDY_UNITS] = {false}, possible = false;
    for (size_t unit = 0; unit < BUDDY_UNITS; unit++) {
        for (size_t i = 0; i < state->size_at[unit]; i++)
            used[unit + i] = true;
    }
    for (size_t unit = 0; unit < BUDDY_UNITS; unit += run) {
        bool all = true;
        for (size_t i = unit; i < unit + run; i++)
            all = all && !used[i];
        possible = possible || all;
    }
    emma_steps_begin();
    unsigned char *block = emma_buddy_allocate(&state->buddy, run * BUDDY_UNIT, 1);
    emma_steps_end(EMMA_STEPS_ALLOCATE);
    if (!EXPECT((block != NULL) == possible) || block == NULL)
        return false;
    size_t unit = (size_t)(block - buddy_region) / BUDDY_UNIT;
    EXPECT(unit % run == 0);
    for (size_t i = unit; i < unit + run; i++)
        EXPECT(!used[i]);
    state->size_at[unit] = (unsigned char)run;
    return true;
}

static bool buddy_apply(buddy_state *state, unsigned operation) {
    if (operation < BUDDY_LEVELS)
        return buddy_allocate(state, (size_t)1 << operation);
    size_t unit = operation - BUDDY_LEVELS;
    emma_steps_begin();
    emma_bare_error error = emma_buddy_deallocate(&state->buddy, buddy_region + unit * BUDDY_UNIT);
    emma_steps_end(EMMA_STEPS_DEALLOCATE);
    EXPECT(error == (state->size_at[unit] != 0 ? EMMA_BARE_OK : EMMA_BARE_NOT_LIVE));
    state->size_at[unit] = 0;
    return error == EMMA_BARE_OK;
}

static void buddy_explore(unsigned depth) {
    const buddy_state *from = &buddy_states[depth];
    buddy_state *state = &buddy_states[depth - 1];
    for (unsigned operation = 0; operation < BUDDY_LEVELS + BUDDY_UNITS; operation++) {
        *state = *from;
        state->buddy.memory.metadata = state->metadata;
        sequences++;
        if (!buddy_apply(state, operation))
            continue;
        EXPECT(emma_buddy_valid(&state->buddy));
        if (depth > 1)
            buddy_explore(depth - 1);
    }
}

static void buddy(void) {
    buddy_state *state = &buddy_states[DEPTH];
    emma_buddy_config config = {BUDDY_UNIT << (BUDDY_LEVELS - 1), BUDDY_BLOCKS, BUDDY_LEVELS};
    emma_buddy_memory memory = {buddy_region, state->metadata};
    sequences = 0;
    emma_steps_reset();
    EXPECT(emma_buddy_init(&state->buddy, &config, memory) == EMMA_BARE_OK);
    buddy_explore(DEPTH);
    emma_tap_note("buddy: operations tried", sequences);
    EXPECT(emma_steps_within(BUDDY_LEVELS, BUDDY_UNITS));
}

/* ---- fit: served if a free run holds the request and its list's width, refused if none holds it ---- */

enum { FIT_WORDS = 48, FIT_WORD = sizeof(void *) };

typedef struct fit_state {
    emma_fit fit;
    _Alignas(EMMA_FIT_GRANULE) size_t region[FIT_WORDS];
    size_t at[LIVE_MAX], bytes[LIVE_MAX], count; /* live blocks by their offsets */
} fit_state;

/* All states play in the same memory, as addresses are kept in it. Of the lists only the first two rows are ever used
 * in a pool so small; what lies behind them stays as it is, and is not saved. */
enum { FIT_HEAD_BYTES = offsetof(emma_fit, lists) + 2 * EMMA_FIT_COLUMNS * FIT_WORD };

typedef struct fit_saved {
    size_t head[FIT_HEAD_BYTES / FIT_WORD];
    size_t region[FIT_WORDS];
    size_t at[LIVE_MAX], bytes[LIVE_MAX], count;
} fit_saved;

static fit_state fit_now;
static fit_saved fit_states[DEPTH + 1];

static void fit_save(fit_saved *saved) {
    EXPECT(fit_now.fit.rows < 4);
    emma__bare_word_copy(saved->head, &fit_now.fit, FIT_HEAD_BYTES / FIT_WORD);
    emma__bare_word_copy(saved->region, fit_now.region, FIT_WORDS + 2 * LIVE_MAX + 1);
}

static void fit_restore(const fit_saved *saved) {
    emma__bare_word_copy(&fit_now.fit, saved->head, FIT_HEAD_BYTES / FIT_WORD);
    emma__bare_word_copy(fit_now.region, saved->region, FIT_WORDS + 2 * LIVE_MAX + 1);
}

static bool fit_add(fit_state *state, unsigned char *memory, size_t bytes, size_t align) {
    unsigned char *begin = (unsigned char *)state->region;
    EXPECT(memory > begin && memory + bytes <= begin + sizeof state->region && (uintptr_t)memory % align == 0);
    size_t at = (size_t)(memory - begin);
    for (size_t i = 0; i < state->count; i++)
        EXPECT(at + bytes <= state->at[i] || state->at[i] + state->bytes[i] <= at);
    state->at[state->count] = at;
    state->bytes[state->count++] = bytes;
    return true;
}

/* The longest run of bytes between live blocks and the frame of the pool. */
static size_t fit_longest(const fit_state *state) {
    bool used[FIT_WORDS] = {false};
    size_t longest = 0, run = 0;
    for (size_t i = 0; i < state->count; i++) {
        /* A block is its header and its bytes, in whole granules, four words at least. */
        size_t words = (state->bytes[i] + FIT_WORD + EMMA_FIT_GRANULE - 1) / EMMA_FIT_GRANULE * 2;
        for (size_t w = 0; w < (words < 4 ? 4 : words); w++)
            used[state->at[i] / FIT_WORD - 1 + w] = true;
    }
    for (size_t w = 3; w < FIT_WORDS - 1; w++) {
        run = used[w] ? 0 : run + 1;
        longest = run > longest ? run : longest;
    }
    return longest * FIT_WORD;
}

static bool fit_allocate(fit_state *state, size_t bytes, size_t align) {
    size_t longest = fit_longest(state), slack = align > EMMA_FIT_GRANULE ? align + EMMA_FIT_GRANULE : 0;
    unsigned char *memory = emma_fit_allocate(&state->fit, bytes, align);
    if (memory == NULL) {
        EXPECT(longest < (bytes + slack + 2 * EMMA_FIT_GRANULE) * 17 / 16);
        return false;
    }
    EXPECT(longest >= bytes + FIT_WORD);
    return fit_add(state, memory, bytes, align);
}

static void fit_forget(fit_state *state, size_t index) {
    state->count--;
    state->at[index] = state->at[state->count];
    state->bytes[index] = state->bytes[state->count];
}

static bool fit_resize(fit_state *state, size_t bytes) {
    if (state->count == 0)
        return false;
    unsigned char *old = (unsigned char *)state->region + state->at[0];
    *old = 0x5A;
    unsigned char *memory = emma_fit_reallocate(&state->fit, old, bytes, 1);
    if (memory == NULL)
        return false;
    EXPECT(*memory == 0x5A);
    fit_forget(state, 0);
    return fit_add(state, memory, bytes, 1);
}

static bool fit_apply(fit_state *state, unsigned operation) {
    if (operation == 0)
        return fit_allocate(state, 1, 1);
    if (operation == 1)
        return fit_allocate(state, 7 * FIT_WORD, 1);
    if (operation == 2)
        return fit_allocate(state, FIT_WORD, 8 * FIT_WORD);
    if (operation == 3)
        return fit_resize(state, 11 * FIT_WORD);
    if (operation == 4)
        return fit_resize(state, 2);
    size_t index = operation - 5;
    if (index >= state->count)
        return false;
    unsigned char *memory = (unsigned char *)state->region + state->at[index];
    EXPECT(emma_fit_deallocate(&state->fit, memory) == EMMA_BARE_OK);
    EXPECT(!EMMA_BARE_CHECKS || emma_fit_deallocate(&state->fit, memory) == EMMA_BARE_NOT_LIVE);
    fit_forget(state, index);
    return true;
}

static void fit_explore(unsigned depth) {
    const fit_saved *from = &fit_states[depth];
    fit_save(&fit_states[depth]);
    for (unsigned operation = 0; operation < 5 + from->count; operation++) {
        sequences++;
        if (fit_apply(&fit_now, operation)) {
            EXPECT(emma_fit_valid(&fit_now.fit) && emma_fit_figures(&fit_now.fit).outstanding == fit_now.count);
            if (depth > 1)
                fit_explore(depth - 1);
        }
        fit_restore(from);
    }
}

static void fit(void) {
    sequences = 0;
    fit_now.count = 0;
    emma_fit_init(&fit_now.fit);
    EXPECT(emma_fit_add_pool(&fit_now.fit, fit_now.region, sizeof fit_now.region, NULL) == EMMA_BARE_OK);
    fit_explore(DEPTH);
    emma_tap_note("fit: operations tried", sequences);
}

static const emma_tap_case cases[] = {
    {"bump, every sequence up to depth 8", bump},
    {"slab, every sequence up to depth 8", slab},
    {"buddy, every sequence up to depth 8, within the documented steps", buddy},
    {"fit, every sequence up to depth 8", fit},
};

const emma_tap_suite emma_exhaustive_suite = EMMA_TAP_SUITE("exhaustive", cases);
