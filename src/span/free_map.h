/* free_map.h: which blocks of a span are free: a bit for each. Private to the folder. */
#ifndef EMMA_SPAN_FREE_MAP_H
#define EMMA_SPAN_FREE_MAP_H

#include "span/line.h"
#include "span/span.h"

/* Mark the blocks of a chain at home (head or local), and those that are not carved. Owners only.
 * Cost: a step for each block. */
void emma__free_map_chain(emma_free_map *map, uint16_t chain, uintptr_t start, unsigned class);
void emma__free_map_fresh(emma_free_map *map, uint64_t lines, unsigned class);

#endif
