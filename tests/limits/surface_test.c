/* surface_test.c: every name that the drop-in defines in the place of glibc's, and C23's two, by each way to get it:
 * preloaded, as a linked library, in static programs. Each block is emma's, whoever allocates it and whoever frees it. */
#include <ctype.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../storm/storm.h"

/* Not in glibc's headers. Those that its shared library lacks are weak: a preloaded drop-in has them. */
void cfree(void *block) __attribute__((weak));
void free_sized(void *block, size_t size) __attribute__((weak));
void free_aligned_sized(void *block, size_t alignment, size_t size) __attribute__((weak));
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void *__libc_valloc(size_t size);
void *__libc_pvalloc(size_t size);
void __libc_free(void *block);
struct mallinfo __libc_mallinfo(void);
int __libc_mallopt(int parameter, int value);
#pragma weak emma_owns
#pragma GCC diagnostic ignored "-Wdeprecated-declarations" /* mallinfo */

enum { ALIGN = 256, KIB = 1 << 10, MIB = 1 << 20 };

static volatile size_t most = SIZE_MAX; /* unknown to the compiler */
static const size_t sizes[] = {1, 100, 5000, 100 * KIB, 3 * MIB, 40 * MIB};

/* --- who allocates, who frees --- */

static void *by_calloc(size_t size) {
    return calloc(1, size);
}
static void *by_realloc(size_t size) {
    return realloc(NULL, size);
}
static void *by_reallocarray(size_t size) {
    return reallocarray(NULL, 1, size);
}
static void *by_aligned_alloc(size_t size) {
    return aligned_alloc(ALIGN, size);
}
static void *by_memalign(size_t size) {
    return memalign(ALIGN, size);
}
static void *by_posix_memalign(size_t size) {
    void *block = NULL;
    return posix_memalign(&block, ALIGN, size) == 0 ? block : NULL;
}
static void *by_libc_calloc(size_t size) {
    return __libc_calloc(size, 1);
}
static void *by_libc_realloc(size_t size) {
    return __libc_realloc(NULL, size);
}
static void *by_libc_memalign(size_t size) {
    return __libc_memalign(ALIGN, size);
}

typedef struct allocator {
    const char *name;
    void *(*get)(size_t size);
    size_t align_bytes; /* 0: a page */
    bool is_zero;
} allocator;

static const allocator allocators[] = {
    {"malloc", malloc, 16, false},
    {"calloc", by_calloc, 16, true},
    {"realloc", by_realloc, 16, false},
    {"reallocarray", by_reallocarray, 16, false},
    {"aligned_alloc", by_aligned_alloc, ALIGN, false},
    {"memalign", by_memalign, ALIGN, false},
    {"posix_memalign", by_posix_memalign, ALIGN, false},
    {"valloc", valloc, 0, false},
    {"pvalloc", pvalloc, 0, false},
    {"__libc_malloc", __libc_malloc, 16, false},
    {"__libc_calloc", by_libc_calloc, 16, true},
    {"__libc_realloc", by_libc_realloc, 16, false},
    {"__libc_memalign", by_libc_memalign, ALIGN, false},
    {"__libc_valloc", __libc_valloc, 0, false},
    {"__libc_pvalloc", __libc_pvalloc, 0, false},
};

/* For all of them: a block as it was asked for. */
static size_t size_freed;

static void by_free_sized(void *block) {
    free_sized(block, size_freed);
}
static void by_free_aligned_sized(void *block) {
    free_aligned_sized(block, 16, size_freed);
}
static void by_realloc_to_0(void *block) {
    EXPECT(realloc(block, size_freed - size_freed) == NULL);
}
static void by_libc_realloc_to_0(void *block) {
    EXPECT(__libc_realloc(block, size_freed - size_freed) == NULL);
}

typedef struct releaser {
    const char *name;
    void (*put)(void *block);
} releaser;

static const releaser releasers[] = {
    {"free", free},
    {"cfree", cfree},
    {"free_sized", by_free_sized},
    {"free_aligned_sized", by_free_aligned_sized},
    {"realloc to 0", by_realloc_to_0},
    {"__libc_free", __libc_free},
    {"__libc_realloc to 0", by_libc_realloc_to_0},
};

/* Leave bytes behind in a block of a size, for those who promise zeroes. */
static void dirty(size_t size) {
    void *block = malloc(size);
    if (EXPECT(block != NULL))
        memset(block, 0xA5, size);
    free(block);
}

static bool is_zero(const char *bytes, size_t size) {
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

static bool is_sound(const allocator *by, const void *block, size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t align = by->align_bytes != 0 ? by->align_bytes : page;
    size_t least = strstr(by->name, "pvalloc") != NULL ? (size + page - 1) / page * page : size;
    return block != NULL && emma_owns != NULL && emma_owns(block) == 1 && (uintptr_t)block % align == 0 &&
           malloc_usable_size((void *)(uintptr_t)block) >= least && (!by->is_zero || is_zero(block, size));
}

static void each_allocates(void) {
    for (size_t i = 0; i < STORM_COUNT(allocators); i++)
        for (size_t j = 0; j < STORM_COUNT(sizes); j++) {
            dirty(sizes[j]);
            void *block = allocators[i].get(sizes[j]);
            if (!EXPECT(is_sound(&allocators[i], block, sizes[j]))) {
                storm_note("%s of %zu", allocators[i].name, sizes[j]);
                return;
            }
            memset(block, 1, malloc_usable_size(block));
            free(block);
        }
}

/* What is freed is the next block of its size. */
static void each_frees_what_each_allocated(void) {
    size_freed = 1000;
    for (size_t i = 0; i < STORM_COUNT(allocators); i++)
        for (size_t j = 0; j < STORM_COUNT(releasers); j++) {
            void *block = allocators[i].get(size_freed);
            size_t usable = malloc_usable_size(block);
            errno = 77;
            releasers[j].put(block);
            void *again = malloc(usable);
            if (!EXPECT(again == block && errno == 77))
                storm_note("%s, then %s", allocators[i].name, releasers[j].name);
            free(again);
        }
    for (size_t j = 0; j < 4; j++) /* not realloc */
        releasers[j].put(NULL);
    __libc_free(NULL);
    EXPECT(malloc_usable_size(NULL) == 0);
}

static void each_resizes(void) {
    char *block = malloc(1);
    *block = 'x';
    for (size_t i = 0; i < STORM_COUNT(sizes); i++) {
        EXPECT((block = realloc(block, sizes[i])) != NULL && emma_owns(block) == 1);
        EXPECT((block = reallocarray(block, sizes[i], 2)) != NULL && emma_owns(block) == 1);
        EXPECT((block = __libc_realloc(block, sizes[i] * 3)) != NULL && emma_owns(block) == 1);
        EXPECT(malloc_usable_size(block) >= 3 * sizes[i] && *block == 'x');
    }
    free(block);
    errno = 0;
    EXPECT(reallocarray(NULL, most / 2, 3) == NULL && errno == ENOMEM);
    EXPECT(__libc_calloc(most / 2, 3) == NULL);
}

/* --- figures --- */

enum { LIVE = 2000, LIVE_BYTES = LIVE * 1024 };
static char *live[LIVE];
static void *live_large;

static void allocate_live(void) {
    for (size_t i = 0; i < LIVE; i++)
        live[i] = malloc(LIVE_BYTES / LIVE);
    live_large = malloc(10 * MIB);
}

static void free_live(void) {
    for (size_t i = 0; i < LIVE; i++)
        free(live[i]);
    free(live_large);
}

static void figures_of_mallinfo(void) {
    struct mallinfo2 before = mallinfo2();
    allocate_live();
    struct mallinfo2 now = mallinfo2();
    EXPECT(now.uordblks - before.uordblks >= LIVE_BYTES + 10 * MIB);
    EXPECT(now.uordblks - before.uordblks < 2 * (LIVE_BYTES + 10 * MIB));
    EXPECT(now.hblks == before.hblks + 1 && now.hblkhd - before.hblkhd >= 10 * MIB);
    EXPECT(now.arena >= now.uordblks && now.fordblks == now.arena - now.uordblks);
    EXPECT(now.fsmblks <= now.arena && now.keepcost <= now.arena);
    struct mallinfo of[2] = {mallinfo(), __libc_mallinfo()};
    for (size_t i = 0; i < STORM_COUNT(of); i++) {
        EXPECT((size_t)of[i].arena == now.arena && (size_t)of[i].uordblks == now.uordblks);
        EXPECT((size_t)of[i].hblks == now.hblks && (size_t)of[i].hblkhd == now.hblkhd);
        EXPECT((size_t)of[i].fordblks == now.fordblks && (size_t)of[i].fsmblks == now.fsmblks);
    }
    free_live();
    EXPECT(mallinfo2().uordblks == before.uordblks);
}

/* The number behind a text. 0: the text is not there. */
static size_t figure(const char *text, const char *name) {
    const char *at = strstr(text, name);
    return at != NULL ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* One tag, from behind its `<`. Returns: behind its `>`; NULL: it is none, or closes another. open: which are open. */
static const char *next_tag(const char *at, char open[][16], size_t *depth) {
    bool is_end = *at == '/';
    at += is_end;
    size_t length = 0;
    while (isalpha((unsigned char)at[length]))
        length++;
    if (length == 0 || length > 15 || *depth == 8)
        return NULL;
    if (is_end)
        return *depth > 0 && strncmp(open[--*depth], at, length) == 0 && at[length] == '>' ? at + length + 1 : NULL;
    memcpy(open[*depth], at, length);
    open[(*depth)++][length] = '\0';
    for (at += length; *at == ' ';) { /* name="value" */
        for (at++; isalpha((unsigned char)*at);)
            at++;
        if (at[0] != '=' || at[1] != '"' || (at = strchr(at + 2, '"')) == NULL)
            return NULL;
        at++;
    }
    if (*at == '/') {
        --*depth;
        at++;
    }
    return *at == '>' ? at + 1 : NULL;
}

static bool is_well_formed(const char *at) {
    char open[8][16];
    size_t depth = 0;
    size_t roots = 0;
    for (;; at++) {
        while (isspace((unsigned char)*at))
            at++;
        if (*at == '\0')
            return depth == 0 && roots == 1;
        roots += depth == 0;
        if (*at != '<' || (at = next_tag(at + 1, open, &depth)) == NULL)
            return false;
        at--;
    }
}

static void figures_of_malloc_info(void) {
    EXPECT(is_well_formed("<a b=\"1\">\n<c/></a>") && !is_well_formed("<a><b></a></b>") && !is_well_formed("<a>"));
    allocate_live();
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    EXPECT(malloc_info(0, stream) == 0);
    fclose(stream);
    EXPECT(is_well_formed(text) && strncmp(text, "<malloc version=\"1\">", 20) == 0);
    EXPECT(figure(text, "<allocated size=\"") >= LIVE_BYTES + 10 * MIB);
    EXPECT(figure(text, "<system type=\"current\" size=\"") >= figure(text, "<allocated size=\""));
    EXPECT(figure(text, "<total type=\"mmap\" count=\"") >= 1);
    free(text);
    free_live();
    errno = 0;
    EXPECT(malloc_info(1, stdout) != 0 && errno == EINVAL);
}

static void tell(void *unused) {
    (void)unused;
    malloc_stats();
}

static void figures_of_malloc_stats(void) {
    allocate_live();
    storm_end end = storm_run_apart(tell, NULL);
    free_live();
    EXPECT(end.signal == 0 && end.status == 0 && strncmp(end.text, "Arena 0:\n", 9) == 0);
    EXPECT(figure(end.text, "in use bytes     =") >= LIVE_BYTES + 10 * MIB);
    EXPECT(figure(end.text, "system bytes     =") >= figure(end.text, "in use bytes     ="));
}

/* --- what changes something, or does not --- */

static void trimming(void) {
    malloc_trim(0);
    allocate_live();
    for (size_t i = 0; i < LIVE; i++)
        memset(live[i], 1, LIVE_BYTES / LIVE);
    free_live();
    size_t before = storm_resident_bytes();
    EXPECT(malloc_trim(0) == 1);
    EXPECT(before - storm_resident_bytes() > LIVE_BYTES / 2);
    EXPECT(malloc_trim(0) == 0);
}

static void tuning(void) {
    static const int known[] = {M_MXFAST,       M_TRIM_THRESHOLD, M_TOP_PAD,    M_MMAP_THRESHOLD, M_MMAP_MAX,
                                M_CHECK_ACTION, M_PERTURB,        M_ARENA_TEST, M_ARENA_MAX};
    for (size_t i = 0; i < STORM_COUNT(known); i++)
        EXPECT(mallopt(known[i], 1) == 1 && __libc_mallopt(known[i], 1) == 1);
    EXPECT(mallopt(1000, 1) == 0 && __libc_mallopt(1000, 1) == 0);
}

int main(void) {
    static const storm_case cases[] = {
        {"surface: each function allocates", each_allocates, 20},
        {"surface: each frees what each allocated", each_frees_what_each_allocated, 10},
        {"surface: each resizes", each_resizes, 10},
        {"surface: mallinfo, mallinfo2", figures_of_mallinfo, 10},
        {"surface: malloc_info", figures_of_malloc_info, 10},
        {"surface: malloc_stats", figures_of_malloc_stats, 10},
        {"surface: malloc_trim", trimming, 10},
        {"surface: mallopt", tuning, 10},
    };
    return storm_main(cases, STORM_COUNT(cases));
}
