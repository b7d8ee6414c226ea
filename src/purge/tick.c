/* tick.c: the thread that frees decides whether something should go back now, and how patient to be; see purge.h. */
#include "plat/plat.h"
#include "purge/purge.h"

enum {
    LINES_PER_SLICE = EMMA_SLICE_BYTES / EMMA_LINE_BYTES,
    DIRTY_SHARE_LOG2 = 4, /* of what is live */
    PATIENCE_MAX = 6,
    REGRET_SHARE = 64,
    TICK_MIN_BYTES = EMMA_TORTURE ? 1 << 12 : 1 << 16, /* come home to spans, where little is left of much */
    SHRINK_FLOOR_BYTES = 1 << 18,
    SHRINK_SHARE = 2,       /* it shrank: less than this part is left */
    EMPTY_SHARE = 8,        /* it is nearly empty: than this */
    EMPTY_BYTES = 1 << 20,  /* or than this */
    LITTLE_BYTES = 2 << 20, /* where less lives this may be the end */
    ROOM_BYTES = 14 << 20,  /* of the 16 MiB that may be resident beyond what lives */
    MUCH_SLICES = EMMA_TORTURE ? 1 : (4 << 20) / EMMA_SLICE_BYTES, /* of spans */
    COLLAPSE_BYTES = 8 << 20, /* from so much on caches are emptied after a collapse, however often */
    WAVES_LEAST = 2,          /* of late; one is forgotten each second */
    WAVES_MOST = 6,           /* are remembered */
    SETTLED_SECONDS = 1,      /* for longer it has not halved again: it stays so */
    PART_SECONDS = 1,         /* so old is a chunk of which something is used, when parts of it are purged */
};

/* The most that the heap used of late: forgotten by an eighth in each second with a tick. A race loses some of it. */
static void remember_peak(emma_heap *heap, bool new_second) {
    size_t used = ATOMIC_LOAD(&emma__heap_regions(heap)->used_slices, relaxed);
    size_t peak = ATOMIC_LOAD(&heap->purge.used_peak_slices, relaxed);
    size_t next = used > peak ? used : new_second ? peak - (peak - used) / 8 : peak;
    if (next != peak)
        ATOMIC_STORE(&heap->purge.used_peak_slices, next, relaxed);
}

/* What is out of spans, with what is in caches, which is little; but not what the depot has. */
static size_t out_of_depot(emma_heap *heap) {
    size_t out = ATOMIC_LOAD(&heap->depot.spans.out_bytes, relaxed);
    size_t in_depot = emma__depot_bytes(&heap->depot);
    return out > in_depot ? out - in_depot : 0;
}

static size_t large_bytes_of(emma_heap *heap) {
    size_t used = ATOMIC_LOAD(&emma__heap_regions(heap)->used_slices, relaxed);
    size_t spans = ATOMIC_LOAD(&heap->depot.spans.slices, relaxed);
    return (used > spans ? used - spans : 0) << EMMA_SLICE_LOG2;
}

/* Whether next to nothing lives of what did at the peak, again and again: then the program does not mean to stay so,
 * and is left alone for a while. */
static bool makes_waves(emma_heap *heap, size_t live, uint32_t passed_seconds) {
    emma_purge_state *purge = &heap->purge;
    uint32_t before = ATOMIC_LOAD(&purge->waves, relaxed);
    uint32_t waves = before > passed_seconds ? before - passed_seconds : 0;
    size_t peak = ATOMIC_LOAD(&purge->used_peak_slices, relaxed) << EMMA_SLICE_LOG2;
    if (live > peak / 2) {
        ATOMIC_STORE(&purge->has_risen, 1, relaxed);
    } else if (ATOMIC_LOAD(&purge->has_risen, relaxed) != 0 && live < peak / EMPTY_SHARE) {
        ATOMIC_STORE(&purge->has_risen, 0, relaxed);
        waves += waves < WAVES_MOST;
    }
    if (waves != before)
        ATOMIC_STORE(&purge->waves, waves, relaxed); /* races lose or add one */
    return waves >= WAVES_LEAST;
}

/* The part of the bound that does not depend on what lives. Where purges were regretted it is up to three times the
 * option, as long as that and what else is resident beyond what lives come to no more than ROOM_BYTES. */
static size_t floor_bytes(emma_heap *heap, size_t live) {
    const emma_regions *regions = emma__heap_regions(heap);
    size_t floor = ATOMIC_LOAD(&heap->purge.dirty_bytes, relaxed);
    if (ATOMIC_LOAD(&heap->purge.patience, relaxed) == 0 || floor >= ROOM_BYTES)
        return floor;
    size_t known = live + (ATOMIC_LOAD(&regions->dirty_slices, relaxed) << EMMA_SLICE_LOG2) +
                   ATOMIC_LOAD(&regions->huge_bytes, relaxed);
    size_t committed = ATOMIC_LOAD(&regions->commit.bytes, relaxed);
    size_t other = committed > known ? committed - known : 0;
    size_t room = ROOM_BYTES - floor > other ? ROOM_BYTES - floor - other : 0;
    return floor + (room < 2 * floor ? room : 2 * floor);
}

/* What a reset left may stay, less what of it was claimed since. */
static size_t warm_bytes(emma_heap *heap) {
    size_t dirty = ATOMIC_LOAD(&emma__heap_regions(heap)->dirty_slices, relaxed);
    size_t warm = ATOMIC_LOAD(&heap->purge.warm_slices, relaxed);
    if (dirty >= warm)
        return warm << EMMA_SLICE_LOG2;
    ATOMIC_STORE(&heap->purge.warm_slices, dirty, relaxed); /* races: another one's count of the same */
    return dirty << EMMA_SLICE_LOG2;
}

static size_t bound_for(emma_heap *heap, size_t live) {
    uint32_t patience = ATOMIC_LOAD(&heap->purge.patience, relaxed);
    size_t share = live < LITTLE_BYTES ? 0 : live >> DIRTY_SHARE_LOG2 << patience;
    size_t floor = floor_bytes(heap, live) + warm_bytes(heap);
    size_t bound = floor < SIZE_MAX - share ? floor + share : SIZE_MAX;
    size_t used = ATOMIC_LOAD(&emma__heap_regions(heap)->used_slices, relaxed);
    size_t peak = ATOMIC_LOAD(&heap->purge.used_peak_slices, relaxed);
    size_t below_peak = (peak > used ? peak - used : 0) << EMMA_SLICE_LOG2;
    return below_peak > bound && emma__janitor_runs(heap) ? below_peak : bound;
}

size_t emma__purge_bound(emma_heap *heap) {
    return bound_for(heap, large_bytes_of(heap) + out_of_depot(heap));
}

static void raise(_Atomic(size_t) *peak, size_t bytes) {
    if (bytes > ATOMIC_LOAD(peak, relaxed))
        ATOMIC_STORE(peak, bytes, relaxed); /* a race loses a little of it */
}

/* Whether spans have more than what is not worth a look: what is out of them may be little. */
static bool spans_have_much(const emma_heap *heap) {
    return ATOMIC_LOAD(&heap->depot.spans.slices, relaxed) > MUCH_SLICES;
}

/* Give back what shrinking left in caches and spans: what is cached, each time half of what was out has come home (or
 * seven eighths, however often that was regretted), as a cached block keeps a whole chunk from being free; pages
 * between live blocks when the heap is nearly empty, or two seconds later, as they cost a fault each if the program
 * only makes room for more. Returns: what is out then. */
static size_t shrink(emma_heap *heap, emma_thread *thread, size_t out, bool new_second, bool waves) {
    emma_purge_state *purge = &heap->purge;
    uint32_t now = ATOMIC_LOAD(&emma__heap_regions(heap)->now_seconds, relaxed);
    size_t peak = ATOMIC_LOAD(&purge->out_peak_bytes, relaxed);
    size_t out_with_slack = out + ((size_t)SHRINK_FLOOR_BYTES << 2 * ATOMIC_LOAD(&purge->patience, relaxed));
    bool is_settled = new_second && (int32_t)(now - ATOMIC_LOAD(&purge->collected_second, relaxed)) > SETTLED_SECONDS;
    size_t cached_at = ATOMIC_LOAD(&purge->collected_peak_bytes, relaxed);
    bool has_halved = out_with_slack < cached_at / SHRINK_SHARE;
    bool has_collapsed = (out < cached_at / EMPTY_SHARE && cached_at > COLLAPSE_BYTES) ||
                         (out < cached_at / SHRINK_SHARE && out < EMPTY_BYTES && peak > COLLAPSE_BYTES);
    bool is_empty = out < peak / EMPTY_SHARE || (has_halved && out < EMPTY_BYTES);
    bool may_end = is_empty && !waves && spans_have_much(heap);
    if (may_end && out >= EMPTY_BYTES && !emma__purge_pays(heap)) {
        may_end = false; /* it is asked again when half of that is left */
        ATOMIC_STORE(&purge->out_peak_bytes, peak / 2, relaxed);
    }
    if (may_end || (is_settled && out_with_slack < peak / SHRINK_SHARE)) {
        emma__purge_compact(heap, thread);
    } else if (has_halved || has_collapsed) {
        emma__heap_collect(heap, thread);
        ATOMIC_STORE(&purge->collected_peak_bytes, ATOMIC_LOAD(&heap->depot.spans.out_bytes, relaxed), relaxed);
        ATOMIC_STORE(&purge->collected_second, now, relaxed);
    } else {
        return out;
    }
    return out_of_depot(heap);
}

/* How much a count has grown since this was asked last; another thread may have asked with a later one. */
static size_t since(_Atomic(size_t) *seen, size_t now) {
    size_t before = ATOMIC_EXCHANGE(seen, now, relaxed);
    return now > before ? now - before : 0;
}

/* A purge is regretted as far as clean slices are claimed after it. Judged once a second, or as soon as it comes to an
 * eighth of what is used: if it comes to 1/64 of what was freed meanwhile, be more patient; if to next to nothing,
 * less. What was purged is forgotten by a quarter each second. */
static void learn(emma_heap *heap, size_t freed_ever, bool new_second) {
    emma_purge_state *purge = &heap->purge;
    emma_regions *regions = emma__heap_regions(heap);
    size_t clean = ATOMIC_LOAD(&regions->clean_claims, relaxed);
    size_t recarved = ATOMIC_LOAD(&regions->recarved_lines, relaxed);
    size_t claimed = since(&purge->claimed_seen, clean + recarved / LINES_PER_SLICE);
    size_t purged = ATOMIC_LOAD(&purge->purged_slices, relaxed);
    size_t regret = claimed < purged ? claimed : purged;
    size_t regretted = ATOMIC_ADD(&purge->regretted_slices, regret, relaxed) + regret;
    size_t many = ATOMIC_LOAD(&regions->used_slices, relaxed) / 8 + EMMA_TICK_SLICES;
    ATOMIC_STORE(&purge->purged_slices, new_second ? (purged - regret) / 4 * 3 : purged - regret, relaxed);
    if (!new_second && regretted < many)
        return;
    size_t freed = since(&purge->freed_seen, freed_ever);
    ATOMIC_STORE(&purge->regretted_slices, 0, relaxed);
    uint32_t patience = ATOMIC_LOAD(&purge->patience, relaxed);
    if (regretted > freed / REGRET_SHARE && patience < PATIENCE_MAX)
        ATOMIC_STORE(&purge->patience, patience + 1, relaxed);
    else if (regretted <= freed / REGRET_SHARE / REGRET_SHARE && patience > 0 && new_second)
        ATOMIC_STORE(&purge->patience, patience - 1, relaxed);
}

/* How much is to come home until the next tick: half of what is out, where that is the rest of much. */
static size_t bytes_to_next(const emma_heap *heap, size_t out) {
    if (out >= 2 * (size_t)EMMA_TICK_BYTES || !spans_have_much(heap))
        return EMMA_TICK_BYTES;
    return out > 2 * (size_t)TICK_MIN_BYTES ? out / 2 : TICK_MIN_BYTES;
}

/* Several ticks that came home together may be at it at once, with clocks that were read earlier or later. */
static uint32_t seconds_since_tick(emma_heap *heap, uint32_t now) {
    uint32_t last = ATOMIC_LOAD(&heap->purge.ticked_second, relaxed);
    bool is_later = (int32_t)(now - last) > 0;
    return is_later && ATOMIC_CAS(&heap->purge.ticked_second, &last, now, relaxed) ? now - last : 0;
}

void emma__purge_tick_due(emma_heap *heap, emma_thread *thread) {
    emma_regions *regions = emma__heap_regions(heap);
    size_t freed = ATOMIC_LOAD(&regions->freed_slices, relaxed);
    size_t ticked = ATOMIC_LOAD(&heap->purge.ticked_slices, relaxed);
    size_t home = ATOMIC_LOAD(&heap->depot.spans.home_bytes, relaxed);
    if ((ptrdiff_t)(freed - ticked) < 0 || !ATOMIC_CAS(&heap->purge.ticked_slices, &ticked, freed, relaxed))
        return; /* another thread has just freed more, and ticks */
    size_t out = ATOMIC_LOAD(&heap->depot.spans.out_bytes, relaxed);
    raise(&heap->purge.out_peak_bytes, out);
    raise(&heap->purge.collected_peak_bytes, out);
    ATOMIC_STORE(&heap->purge.ticked_bytes, home - (EMMA_TICK_BYTES - bytes_to_next(heap, out)), relaxed);

    uint32_t now = emma__plat_seconds();
    uint32_t passed = seconds_since_tick(heap, now);
    bool new_second = passed != 0;
    ATOMIC_STORE(&regions->now_seconds, now, relaxed);
    learn(heap, freed, new_second);
    uint32_t old = (uint32_t)ATOMIC_LOAD(&heap->purge.dirty_seconds, relaxed);
    if (new_second)
        emma__purge_dirty(heap, freed - ticked, old, old);
    emma__janitor_start(heap);
    remember_peak(heap, new_second);
    out = out_of_depot(heap);
    bool waves = makes_waves(heap, large_bytes_of(heap) + out, passed);
    if (!emma__janitor_runs(heap))
        out = shrink(heap, thread, out, new_second, waves);
    size_t dirty = ATOMIC_LOAD(&regions->dirty_slices, relaxed) << EMMA_SLICE_LOG2;
    size_t live = large_bytes_of(heap) + out;
    size_t bound = bound_for(heap, live);
    bool parts_wait = waves && live >= LITTLE_BYTES;
    if (dirty > bound)
        emma__purge_dirty(heap, ((dirty - bound) >> EMMA_SLICE_LOG2) + EMMA_TICK_SLICES, 0,
                          parts_wait ? PART_SECONDS : 0);
}
