/* glibc.c: what glibc offers beside malloc: figures, tuning, trimming. Without these the calls would reach glibc's own
 * idle heap. Figures that have no counterpart here are 0; tuning is accepted and does nothing. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "override/override.h"

struct mallinfo2_figures {
    size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};

struct mallinfo_figures {
    int arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
};

EMMA_EXPORT struct mallinfo2_figures mallinfo2(void);
EMMA_EXPORT struct mallinfo_figures mallinfo(void);
EMMA_EXPORT int mallopt(int parameter, int value);
EMMA_EXPORT int malloc_trim(size_t pad);
EMMA_EXPORT int malloc_info(int options, FILE *stream);
EMMA_EXPORT void malloc_stats(void);

struct mallinfo2_figures mallinfo2(void) {
    emma_stats stats;
    emma_stats_read(&stats);
    return (struct mallinfo2_figures){
        .arena = stats.mapped_bytes,
        .hblks = stats.large_blocks,
        .hblkhd = stats.large_bytes,
        .uordblks = stats.allocated_bytes,
        .fordblks = stats.mapped_bytes - stats.allocated_bytes,
        .fsmblks = stats.cached_bytes,
        .keepcost = stats.dirty_bytes,
    };
}

static int clipped(size_t figure) {
    return figure < INT_MAX ? (int)figure : INT_MAX;
}

struct mallinfo_figures mallinfo(void) {
    struct mallinfo2_figures figures = mallinfo2();
    return (struct mallinfo_figures){
        .arena = clipped(figures.arena),
        .hblks = clipped(figures.hblks),
        .hblkhd = clipped(figures.hblkhd),
        .uordblks = clipped(figures.uordblks),
        .fordblks = clipped(figures.fordblks),
        .fsmblks = clipped(figures.fsmblks),
        .keepcost = clipped(figures.keepcost),
    };
}

/* The parameters of glibc's <malloc.h>: M_MXFAST 1, M_TRIM_THRESHOLD -1 ... M_ARENA_MAX -8. */
int mallopt(int parameter, int value) {
    (void)value;
    return parameter == 1 || (parameter <= -1 && parameter >= -8);
}

/* glibc's second names for two of these. */
// NOLINTBEGIN(bugprone-reserved-identifier): these are the names
EMMA_EXPORT struct mallinfo_figures __libc_mallinfo(void) EMMA_SAME_AS(mallinfo);
EMMA_EXPORT int __libc_mallopt(int parameter, int value) EMMA_SAME_AS(mallopt);
// NOLINTEND(bugprone-reserved-identifier)

int malloc_trim(size_t pad) {
    (void)pad;
    return emma_collect() != 0;
}

int malloc_info(int options, FILE *stream) {
    if (options != 0) {
        errno = EINVAL;
        return -1;
    }
    emma_stats stats;
    emma_stats_read(&stats);
    int written = fprintf(stream,
                          "<malloc version=\"1\">\n"
                          "<heap nr=\"0\">\n"
                          "<total type=\"rest\" count=\"0\" size=\"%zu\"/>\n"
                          "<total type=\"mmap\" count=\"%zu\" size=\"%zu\"/>\n"
                          "<system type=\"current\" size=\"%zu\"/>\n"
                          "<allocated size=\"%zu\"/>\n"
                          "<cached size=\"%zu\"/>\n"
                          "<dirty size=\"%zu\"/>\n"
                          "</heap>\n"
                          "</malloc>\n",
                          stats.cached_bytes, stats.large_blocks, stats.large_bytes, stats.mapped_bytes,
                          stats.allocated_bytes, stats.cached_bytes, stats.dirty_bytes);
    return written < 0 ? -1 : 0;
}

void malloc_stats(void) {
    emma_stats stats;
    emma_stats_read(&stats);
    char line[512];
    int length = snprintf(line, sizeof line,
                          "Arena 0:\n"
                          "system bytes     = %10zu\n"
                          "in use bytes     = %10zu\n"
                          "Total (incl. mmap):\n"
                          "system bytes     = %10zu\n"
                          "in use bytes     = %10zu\n"
                          "cached bytes     = %10zu\n"
                          "dirty bytes      = %10zu\n"
                          "max mmap regions = %10zu\n"
                          "max mmap bytes   = %10zu\n",
                          stats.mapped_bytes, stats.allocated_bytes, stats.mapped_bytes, stats.allocated_bytes,
                          stats.cached_bytes, stats.dirty_bytes, stats.large_blocks, stats.large_bytes);
    if (length > 0)
        syscall(SYS_write, STDERR_FILENO, line, (size_t)length); /* write(2) is a cancellation point; this is not */
}
