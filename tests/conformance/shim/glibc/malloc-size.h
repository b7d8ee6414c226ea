/* malloc-size.h: every block is aligned for every type of the C ABI, whatever its size. */
#ifndef EMMA_TEST_MALLOC_SIZE_H
#define EMMA_TEST_MALLOC_SIZE_H

#include <stddef.h>

#define MALLOC_ALIGNMENT  _Alignof(max_align_t)
#define MALLOC_ALIGN_MASK (MALLOC_ALIGNMENT - 1)

#endif
