/* offer.h: the bits that lead to spans with free blocks, three levels of them; see span.h for why they may lie.
 *
 *     region:  offered_tracts[class]  ->  tract:  offered_groups[class]  ->  offered[group][class]  ->  the span's word
 *
 * The lowest set bit is the lowest address. Private to the folder. Lock-free; any thread or handler. */
#ifndef EMMA_SPAN_OFFER_H
#define EMMA_SPAN_OFFER_H

#include "span/span.h"

/* Lead searchers to the span that begins at this slice. Comes after the change of its word that offers it. */
void emma__offer_set(emma_tract *tract, unsigned class, unsigned slice);
void emma__offer_clear(emma_tract *tract, unsigned class, unsigned slice);

/* Find an offered span of a class, lowest address first, and become its owner. Returns: 0 iff none was found.
 * Cost: usually one look at each level; at most EMMA_OFFER_TRIES spans that others are faster to take. */
enum { EMMA_OFFER_TRIES = 16 };
emma_span *emma__offer_claim(emma_spans *spans, unsigned class, uintptr_t *start);

/* Become the owner of this span if it is offered with this class. */
bool emma__offer_claim_span(emma_tract *tract, unsigned class, unsigned slice);

#endif
