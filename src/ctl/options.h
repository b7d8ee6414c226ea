/* options.h: what can be set at run time, in one table. From it come the parser and the help; docs/TUNING.md says more.
 *
 * An option string is "key=value,key=value"; sizes take K, M or G. Options are words of the heap, read by the layers
 * that they concern; nothing below ctl knows of option strings. */
#ifndef EMMA_CTL_OPTIONS_H
#define EMMA_CTL_OPTIONS_H

#include "base/text.h"
#include "heap/heap.h"

/* X(key, word of the heap, kind, text of the help). The limit is of all heaps, and no word of this one. */
#define EMMA_OPTIONS(X)                                                                                                \
    X(janitor, purge.janitor, JANITOR,                                                                                 \
      "off, threads or on: when an idle process may have a thread that gives memory back")                             \
    X(dirty_bytes, purge.dirty_bytes, SIZE, "how many free bytes may stay dirty, beside 1/16 of what is live")         \
    X(dirty_seconds, purge.dirty_seconds, NUMBER, "how long a free page may stay dirty while the process works")       \
    X(huge_pages, depot.spans.regions.huge_pages_bytes, SIZE,                                                          \
      "how much memory must be in use for more to be asked for in huge pages; 0: never")                               \
    X(cache, wishes.cache, CACHE, "thread or cpu: whether each thread or each processor has a cache")                  \
    X(limit, wishes, LIMIT,                                                                                            \
      "how much memory all heaps may have together; cgroup: nine tenths of the group's; 0: no limit")

/* Apply an option string to a heap. Returns: NULL if all of it was understood, else the first part that was not (what
 * comes before it is applied). Threads: any; each option is one store. */
const char *emma__options_apply(emma_heap *heap, const char *options);

/* Write one line for each option: key, value at present, help. */
void emma__options_help(emma_heap *heap, emma_text *text);

#endif
