/* maker.c: emma's heaps, mimalloc's heaps (version 3: for any thread), jemalloc's arenas. Interface in maker.h. */
#include "maker.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emma_heap.h"

static _Noreturn void fail(const char *what, const char *name) {
    (void)fprintf(stderr, "heaps: %s%s\n", what, name);
    exit(1);
}

/* Sets a pointer to a function, which ISO C cannot convert. */
static void find(const char *name, void *function) {
    void *found = dlsym(RTLD_DEFAULT, name);
    if (found == NULL)
        fail("not preloaded: no ", name);
    memcpy(function, &found, sizeof found);
}

/* Of the default heap, whichever library is preloaded. They are called as indirectly as those of a heap. */
static void *(*usual_get)(size_t);
static void (*usual_put)(void *);

static void *get_usual(maker_heap heap, size_t size) {
    (void)heap;
    return usual_get(size);
}

static void put_usual(maker_heap heap, void *block) {
    (void)heap;
    usual_put(block);
}

static maker_way find_usual(const char *get, const char *put) {
    find(get, &usual_get);
    find(put, &usual_put);
    return (maker_way){get_usual, put_usual};
}

/* Of emma and mimalloc, whose heaps are pointers: whichever is preloaded. */
static emma_heap *(*emma_create)(const emma_heap_config *);
static void *(*mimalloc_create)(void);
static void (*destroy_pointer)(void *heap);
static void *(*get_by_pointer)(void *heap, size_t size);
static void (*emma_put)(void *heap, void *block);

static maker_heap emma_create_limited(size_t limit_bytes) {
    return (maker_heap)emma_create(&(emma_heap_config){.limit_bytes = limit_bytes});
}

static maker_heap emma_create_any(void) {
    return (maker_heap)emma_create(NULL);
}

static maker_heap mimalloc_create_any(void) {
    return (maker_heap)mimalloc_create();
}

static void destroy_one(maker_heap heap) {
    destroy_pointer((void *)heap);
}

static void *get_in(maker_heap heap, size_t size) {
    return get_by_pointer((void *)heap, size);
}

static void emma_put_in(maker_heap heap, void *block) {
    emma_put((void *)heap, block);
}

static void (*emma_begin)(emma_heap *, emma_session *);
static void (*emma_end)(emma_session *);
static void *(*session_get)(emma_session *, size_t size);
static void (*session_put)(emma_session *, void *block);

static maker_heap begin_session(maker_heap heap) {
    static emma_session session;
    emma_begin((emma_heap *)heap, &session);
    return (maker_heap)&session;
}

static void end_session(maker_heap session) {
    emma_end((emma_session *)session);
}

static void *get_by_session(maker_heap session, size_t size) {
    return session_get((emma_session *)session, size);
}

static void put_by_session(maker_heap session, void *block) {
    session_put((emma_session *)session, block);
}

static maker emma(void) {
    maker found = {
        .name = "emma",
        .create = emma_create_any,
        .destroy = destroy_one,
        .made = {get_in, emma_put_in},
        .usual = find_usual("emma_malloc", "emma_free"),
        .maps_each = true,
        .create_limited = emma_create_limited,
        .begin = begin_session,
        .end = end_session,
        .session = {get_by_session, put_by_session},
        .any = {get_in, put_usual},
    };
    find("emma_heap_create", &emma_create);
    find("emma_heap_destroy", &destroy_pointer);
    find("emma_heap_malloc", &get_by_pointer);
    find("emma_heap_free", &emma_put);
    find("emma_thread_exit", &found.leave);
    find("emma_session_begin", &emma_begin);
    find("emma_session_malloc", &session_get);
    find("emma_session_free", &session_put);
    find("emma_session_end", &emma_end);
    return found;
}

/* With CPU caches in the default heap too. */
static maker emma_by_cpu(void) {
    const char *(*configure)(const char *);
    find("emma_configure", &configure);
    if (configure("cache=cpu") != NULL)
        fail("emma does not take ", "cache=cpu");
    return emma();
}

static maker mimalloc(void) {
    maker found = {
        .name = "mimalloc",
        .create = mimalloc_create_any,
        .destroy = destroy_one,
        .made = {get_in, put_usual},
        .usual = find_usual("mi_malloc", "mi_free"),
    };
    find("mi_heap_new", &mimalloc_create);
    find("mi_heap_destroy", &destroy_pointer);
    find("mi_heap_malloc", &get_by_pointer);
    return found;
}

static void *(*jemalloc_get)(size_t, int);
static void (*jemalloc_put)(void *, int);
static int (*jemalloc_ctl)(const char *, void *, size_t *, void *, size_t);
static int (*jemalloc_ctl_by_mib)(const size_t *, size_t, void *, size_t *, void *, size_t);
static size_t jemalloc_destroy_mib[3];

enum { JEMALLOC_NO_TCACHE = 1 << 8, JEMALLOC_ARENA_SHIFT = 20 }; /* MALLOCX_TCACHE_NONE, MALLOCX_ARENA */

static maker_heap jemalloc_create(void) {
    unsigned arena;
    size_t size = sizeof arena;
    if (jemalloc_ctl("arenas.create", &arena, &size, NULL, 0) != 0)
        fail("no arena could be made", "");
    return arena;
}

static void jemalloc_destroy(maker_heap arena) {
    size_t mib[3] = {jemalloc_destroy_mib[0], arena, jemalloc_destroy_mib[2]};
    if (jemalloc_ctl_by_mib(mib, 3, NULL, NULL, NULL, 0) != 0)
        fail("an arena could not be destroyed", "");
}

static void *jemalloc_get_in(maker_heap arena, size_t size) {
    return jemalloc_get(size, (int)((arena + 1) << JEMALLOC_ARENA_SHIFT) | JEMALLOC_NO_TCACHE);
}

static void jemalloc_put_in(maker_heap arena, void *block) {
    (void)arena;
    jemalloc_put(block, JEMALLOC_NO_TCACHE);
}

static maker jemalloc(void) {
    maker found = {
        .name = "jemalloc",
        .create = jemalloc_create,
        .destroy = jemalloc_destroy,
        .made = {jemalloc_get_in, jemalloc_put_in},
        .usual = find_usual("malloc", "free"),
    };
    int (*name_to_mib)(const char *, size_t *, size_t *);
    size_t words = 3;
    find("mallocx", &jemalloc_get);
    find("dallocx", &jemalloc_put);
    find("mallctl", &jemalloc_ctl);
    find("mallctlbymib", &jemalloc_ctl_by_mib);
    find("mallctlnametomib", &name_to_mib);
    if (name_to_mib("arena.0.destroy", jemalloc_destroy_mib, &words) != 0)
        fail("jemalloc: no arena.0.destroy", "");
    return found;
}

maker maker_find(const char *name) {
    if (strcmp(name, "emma") == 0)
        return emma();
    if (strcmp(name, "emma-cpu") == 0)
        return emma_by_cpu();
    if (strcmp(name, "mimalloc") == 0)
        return mimalloc();
    if (strcmp(name, "jemalloc") == 0)
        return jemalloc();
    fail("makers are emma, emma-cpu, mimalloc, jemalloc; not ", name);
}
