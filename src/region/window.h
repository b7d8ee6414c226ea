/* window.h: where addresses come from: the windows of a heap, and how memory is mapped in them.
 *
 * Tracts are mapped in steps of an eighth of what the heap has, at least 2 MiB; the very first maps 1 MiB, so that a
 * small process stays small and no huge page can back its first chunk. A step counts against RLIMIT_AS and strict
 * overcommit, so steps are what the heap may hold unused: at most 1/8 + 2 MiB, and what was freed.
 *
 * The windows of the default heap lie at random places. Made heaps are founded one beside the other, from a random
 * place on: where there are very many, their first tracts are mapped whole, and the kernel sees few mappings.
 *
 * Nothing here waits: who finds that another thread is mapping the same place sees OCCUPIED, and searches again or
 * takes the next slot. Private to the folder, but for the tests. */
#ifndef EMMA_REGION_WINDOW_H
#define EMMA_REGION_WINDOW_H

#include "region/region.h"

/* Map more memory, n slices of it already claimed for the caller. Returns: their address, or 0 iff refused. */
uintptr_t emma__window_grow(emma_regions *regions, unsigned n, unsigned align);

/* Open another region at the end of the list. Returns: the region at place then, or 0 iff memory is refused. */
emma_region *emma__window_open(emma_regions *regions, _Atomic(emma_region *) *place);

/* Map so many bytes at the beginning of a tract in which no other heap is: a made heap's first. Returns: its address,
 * or 0 iff refused. Cost: one mapping, where the hint is right. */
uintptr_t emma__window_map_founded(emma_directory *directory, size_t bytes);

/* A tract is mapped in its slot: set it up and publish it. */
void emma__window_add_tract(emma_region *region, emma_tract *tract, unsigned mapped_slices);

/* Chunks are to have huge pages from now on: a chunk of which all went back, if all of it was used (it costs no more
 * than before), or the heap has mapped enough for that: a small one would hold more than it uses. A heap with a limit
 * never asks: what is resident would not be what is charged (commit.h). What the heap gave back a moment ago is taken
 * to be at hand. Cost: a system call or two. */
void emma__window_ask_huge_pages(emma_tract *tract, unsigned chunk, bool was_used);

/* The same for the chunks [from, to), never touched and nobody else's. They may not be at hand: a hypervisor that has
 * taken free memory back must find it first, or the kernel must make room, and then a huge page takes five times as
 * long as small ones do. So the first of them is touched, and where that was slow the others, and what is mapped until
 * there is twice as much, stay small. Returns: the slice that was touched, or EMMA_NO_SLICE. Cost: four system calls
 * and a page. */
unsigned emma__window_try_huge_pages(emma_tract *tract, unsigned from, unsigned to);

#endif
