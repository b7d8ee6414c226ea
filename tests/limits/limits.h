/* limits.h: what the system says of this process's address space, and sizes that try all of it. Nothing here allocates.
 * */
#ifndef EMMA_LIMITS_H
#define EMMA_LIMITS_H

#include <stddef.h>
#include <stdint.h>

/* What counts for a limit at present: RLIMIT_AS or RLIMIT_DATA. */
size_t limits_used_bytes(int which);

/* How many mappings this process has: lines of /proc/self/maps. */
size_t limits_mappings(void);

/* A random size: small, large, now and then huge. */
size_t limits_any_size(uint64_t *random);

/* The end of the mappings, without a gap between them, in which an address lies. 0: it lies in none. */
uintptr_t limits_mapping_end(uintptr_t address);

#endif
