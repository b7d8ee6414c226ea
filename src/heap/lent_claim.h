/* lent_claim.h: the claim of a heap's lent memory, for the files that look into it. lent.h says what it is. */
#ifndef EMMA_HEAP_LENT_CLAIM_H
#define EMMA_HEAP_LENT_CLAIM_H

#include "heap/lent.h"

/* Returns: whether the fit is the caller's now; what others have left is taken in. Cost: see lent.h. */
bool emma__lent_claim(emma_lent *lent);
size_t emma__lent_unclaim(emma_lent *lent); /* Returns: bytes that went back to the heap's source */

#endif
