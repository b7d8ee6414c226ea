/* tenants.c: a thousand Lua states in one process, each in a heap of its own that may take 1 MiB.
 *
 * A tenant's script runs step by step (coroutine.yield), each step in whatever thread is free, so tenants move between threads.
 * One script allocates for ever: its tenant is refused memory by its own heap's limit, and goes with its heap, without lua_close;
 * nobody else notices. */
#include <lua5.4/lua.h>

#include <lua5.4/lauxlib.h>
#include <lua5.4/lualib.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "emma_heap.h"

enum { KIB = 1024, THREADS_MOST = 64, TENANTS_MOST = 20000 };

static const char usage[] =
    "usage: tenants [--tenants N] [--threads N] [--limit KIB] WORK.lua GREEDY.lua\n"
    "\n"
    "Runs N Lua states (1000), each in a heap of its own of at most KIB (1024), on N threads (2). One of them runs\n"
    "GREEDY.lua, all others WORK.lua. Exit status: 0 iff the greedy one was refused memory and all others finished.\n";

typedef struct script {
    const char *path;
    char *text;
    size_t size;
} script;

typedef enum outcome { WAITING, FINISHED, REFUSED, FAILED } outcome;

typedef struct tenant {
    const script *script;
    unsigned number;
    outcome outcome;
    emma_heap *heap;
    lua_State *state;
    lua_State *work;    /* the script, a coroutine of state */
    size_t thread;      /* in which the last step was */
    unsigned moves;     /* steps in another thread than the one before */
    size_t committed;   /* by its heap, when its work was done */
    lua_Integer billed; /* what the script returned */
    char said[100];     /* the error, if it failed */
} tenant;

/* Tenants that wait for a thread: first in, first out. The lock is this program's; emma needs none. */
static struct {
    pthread_mutex_t lock;
    tenant **waiting;
    size_t room, first, count;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Noreturn void fail(const char *what, const char *which) {
    (void)fprintf(stderr, "tenants: %s%s\n", what, which);
    exit(1);
}

static void put_back(tenant *one) {
    pthread_mutex_lock(&queue.lock);
    queue.waiting[(queue.first + queue.count++) % queue.room] = one;
    pthread_mutex_unlock(&queue.lock);
}

/* Returns: NULL when none waits. Those that are in other threads' hands are theirs to finish. */
static tenant *take_next(void) {
    tenant *one = NULL;
    pthread_mutex_lock(&queue.lock);
    if (queue.count != 0) {
        one = queue.waiting[queue.first];
        queue.first = (queue.first + 1) % queue.room;
        queue.count--;
    }
    pthread_mutex_unlock(&queue.lock);
    return one;
}

/* Lua's allocator on a heap. A block that shrinks may stay what it is where memory is refused. */
static void *allocate(void *heap, void *block, size_t old_size, size_t size) {
    if (size == 0) {
        emma_heap_free(heap, block);
        return NULL;
    }
    void *moved = emma_heap_realloc(heap, block, size);
    return moved == NULL && block != NULL && size <= old_size ? block : moved;
}

/* Called by Lua, so that an error in it is an error of the tenant. */
static int prepare(lua_State *state) {
    tenant *one = lua_touserdata(state, 1);
    luaL_openlibs(state);
    one->work = lua_newthread(state);
    lua_setfield(state, LUA_REGISTRYINDEX, "work"); /* keeps it alive */
    if (luaL_loadbuffer(one->work, one->script->text, one->script->size, one->script->path) != LUA_OK)
        fail("a script cannot be loaded: ", lua_tostring(one->work, -1));
    lua_pushinteger(one->work, one->number);
    return 0;
}

static void start(tenant *one, size_t limit_bytes) {
    one->heap = emma_heap_create(&(emma_heap_config){.limit_bytes = limit_bytes});
    if (one->heap == NULL)
        fail("no heap: memory is refused, or the limit is too low", "");
    one->state = lua_newstate(allocate, one->heap);
    if (one->state == NULL)
        fail("no Lua state: is the limit too low?", "");
    lua_pushcfunction(one->state, prepare);
    lua_pushlightuserdata(one->state, one);
    if (lua_pcall(one->state, 1, 0, 0) != LUA_OK)
        fail("a tenant cannot start: ", lua_tostring(one->state, -1));
}

static size_t committed_by(const tenant *one) {
    emma_heap_stats figures;
    emma_heap_stats_read(one->heap, &figures);
    return figures.committed_bytes;
}

/* The script ended in an error. All that it had is gone with its heap; there is nothing to close. */
static void dismiss(tenant *one, int status) {
    const char *error = lua_tostring(one->work, -1);
    (void)snprintf(one->said, sizeof one->said, "%s", error != NULL ? error : "an error that is no text");
    one->outcome = status == LUA_ERRMEM ? REFUSED : FAILED;
    one->committed = committed_by(one);
    emma_heap_destroy(one->heap);
    one->heap = NULL;
}

static void step(tenant *one, size_t thread) {
    bool is_first = lua_status(one->work) == LUA_OK;
    one->moves += !is_first && one->thread != thread;
    one->thread = thread;
    int results;
    int status = lua_resume(one->work, one->state, is_first ? 1 : 0, &results);
    if (status == LUA_YIELD) {
        lua_pop(one->work, results);
        put_back(one);
    } else if (status == LUA_OK) {
        one->billed = lua_tointeger(one->work, -1);
        one->committed = committed_by(one);
        one->outcome = FINISHED;
    } else
        dismiss(one, status);
}

static void *work(void *thread) {
    for (tenant *one; (one = take_next()) != NULL;)
        step(one, (size_t)thread);
    return NULL;
}

static void work_in_threads(size_t count) {
    pthread_t threads[THREADS_MOST];
    for (size_t i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, work, (void *)i) != 0) // NOLINT(performance-no-int-to-ptr)
            fail("a thread cannot be made", "");
    for (size_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static size_t resident_kib(void) {
    size_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%*s %zu", &pages) != 1) // NOLINT(cert-err34-c)
        fail("/proc/self/statm cannot be read", "");
    (void)fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE) / KIB;
}

static int by_committed(const void *left, const void *right) {
    size_t a = ((const tenant *)left)->committed, b = ((const tenant *)right)->committed;
    return (a > b) - (a < b);
}

/* Returns: whether all came as it must. Sorts the tenants. */
static bool report(tenant *tenants, size_t count) {
    size_t ended[FAILED + 1] = {0};
    unsigned long moves = 0;
    long long billed = 0;
    for (size_t i = 0; i < count; i++) {
        ended[tenants[i].outcome]++;
        moves += tenants[i].moves;
        billed += tenants[i].billed;
        if (tenants[i].outcome != FINISHED)
            printf("tenant %u (%s): %s\n", tenants[i].number, tenants[i].script->path, tenants[i].said);
    }
    qsort(tenants, count, sizeof *tenants, by_committed);
    printf("%-36s%9zu\n", "tenants", count);
    printf("%-36s%9zu\n", "  finished", ended[FINISHED]);
    printf("%-36s%9zu\n", "  refused memory", ended[REFUSED]);
    printf("%-36s%9zu\n", "  failed otherwise", ended[FAILED]);
    printf("%-36s%9lu\n", "moves to another thread", moves);
    printf("%-36s%9lld\n", "billed by all, in cents", billed);
    printf("%-36s%9zu\n", "committed by a heap: least, KiB", tenants[0].committed / KIB);
    printf("%-36s%9zu\n", "committed by a heap: median, KiB", tenants[count / 2].committed / KIB);
    printf("%-36s%9zu\n", "committed by a heap: most, KiB", tenants[count - 1].committed / KIB);
    return ended[REFUSED] == 1 && ended[FINISHED] == count - 1;
}

static script read_script(const char *path) {
    script read = {path, malloc(64 * (size_t)KIB), 0};
    FILE *file = fopen(path, "r");
    if (file == NULL || read.text == NULL)
        fail("cannot read ", path);
    read.size = fread(read.text, 1, 64 * (size_t)KIB, file);
    (void)fclose(file);
    return read;
}

static size_t number_of(const char *option, const char *word, size_t least, size_t most) {
    char *end;
    unsigned long number = word != NULL ? strtoul(word, &end, 10) : 0;
    if (word == NULL || *word < '0' || *word > '9' || *end != '\0' || number < least || number > most) {
        (void)fprintf(stderr, "tenants: %s takes a number from %zu to %zu\n", option, least, most);
        exit(2);
    }
    return number;
}

typedef struct choices {
    size_t tenants, threads, limit_kib;
    const char *paths[2]; /* of the scripts: work, greedy */
} choices;

static choices read_choices(char **words) {
    choices chosen = {1000, 2, 1024, {NULL, NULL}};
    size_t paths = 0;
    for (; *words != NULL; words++) {
        if (strcmp(*words, "--help") == 0) {
            (void)fputs(usage, stdout);
            exit(0);
        } else if (strcmp(*words, "--tenants") == 0)
            chosen.tenants = number_of("--tenants", *++words, 2, TENANTS_MOST);
        else if (strcmp(*words, "--threads") == 0)
            chosen.threads = number_of("--threads", *++words, 1, THREADS_MOST);
        else if (strcmp(*words, "--limit") == 0)
            chosen.limit_kib = number_of("--limit", *++words, EMMA_HEAP_LEAST_BYTES / KIB, 1 << 20);
        else if (**words != '-' && paths < 2)
            chosen.paths[paths++] = *words;
        else
            paths = 3;
        if (paths == 3)
            break;
    }
    if (paths != 2) {
        (void)fputs(usage, stderr);
        exit(2);
    }
    return chosen;
}

int main(int count, char **words) {
    (void)count;
    choices chosen = read_choices(words + 1);
    script scripts[2] = {read_script(chosen.paths[0]), read_script(chosen.paths[1])};
    tenant *tenants = calloc(chosen.tenants, sizeof *tenants);
    queue.room = chosen.tenants;
    queue.waiting = calloc(queue.room, sizeof(tenant *));
    if (tenants == NULL || queue.waiting == NULL)
        fail("no memory", "");

    double began = now();
    for (size_t i = 0; i < chosen.tenants; i++) {
        tenants[i].number = (unsigned)i;
        tenants[i].script = &scripts[i == chosen.tenants / 2];
        start(&tenants[i], chosen.limit_kib * KIB);
        put_back(&tenants[i]);
    }
    double started = now();
    work_in_threads(chosen.threads);
    double worked = now();
    bool is_well = report(tenants, chosen.tenants);
    printf("%-36s%9zu\n", "resident, all tenants alive, KiB", resident_kib());
    double ended = now();
    for (size_t i = 0; i < chosen.tenants; i++)
        emma_heap_destroy(tenants[i].heap);
    double gone = now();
    printf("%-36s%9zu\n", "resident, all heaps destroyed, KiB", resident_kib());
    printf("%-36s%9.0f\n", "time to start all, ms", (started - began) * 1e3);
    printf("%-36s%9.0f\n", "time of the work, ms", (worked - started) * 1e3);
    printf("%-36s%9.0f\n", "time to destroy all heaps, ms", (gone - ended) * 1e3);
    puts(is_well ? "as expected" : "NOT as expected");
    free(queue.waiting);
    free(tenants);
    free(scripts[0].text);
    free(scripts[1].text);
    return !is_well;
}
