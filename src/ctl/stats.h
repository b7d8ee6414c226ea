/* stats.h: figures of a heap, collected when asked for: nothing on any fast path counts anything. */
#ifndef EMMA_CTL_STATS_H
#define EMMA_CTL_STATS_H

#include "emma.h"
#include "heap/heap.h"

/* Contract as emma_stats_read in emma.h. */
void emma__stats_read(emma_heap *heap, emma_stats *stats);

#endif
