/* sqlite.c: SQLite on a heap of its own, which has a soft and a hard limit.
 *
 * SQLite takes all its memory by the functions that SQLITE_CONFIG_MALLOC names; here they are a heap's. A statement that
 * needs more than the limit allows ends with SQLITE_NOMEM, and the database goes on. At the end the heap goes at once,
 * with the database in it. */
#include <sqlite3.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "emma_heap.h"

enum { KIB = 1024, MIB = 1024 * KIB };

static const char usage[] =
    "usage: sqlite [--limit MIB] [--rows N]\n"
    "\n"
    "Makes a database in memory, with a table of N orders (20000), on a heap of at most MIB (16), and a soft limit of "
    "half\n"
    "of that. One statement wants more than there is. Exit status: 0 iff it was refused and all others went well.\n";

/* SQLite has one set of functions for memory in a process, which are not told for whom. */
static emma_heap *heap;

static void *get(int size) {
    return emma_heap_malloc(heap, (size_t)size);
}

static void put(void *block) {
    emma_heap_free(heap, block);
}

static void *resize(void *block, int size) {
    return emma_heap_realloc(heap, block, (size_t)size);
}

static int size_of(void *block) {
    return (int)emma_usable_size(block);
}

static int round_up(int size) {
    return (int)emma_good_size((size_t)size);
}

static int start(void *context) {
    heap = context;
    return SQLITE_OK;
}

static void stop(void *context) {
    (void)context;
}

static _Noreturn void fail(const char *what, const char *why) {
    (void)fprintf(stderr, "sqlite: %s: %s\n", what, why);
    exit(1);
}

/* The soft limit was passed: inside SQLite's allocation, so it is only noted. */
static void soft_limit_passed(emma_heap *of, size_t committed_bytes, void *context) {
    (void)of, (void)committed_bytes;
    *(unsigned *)context += 1;
}

static void open_on_heap(sqlite3 **database) {
    sqlite3_mem_methods methods = {get, put, resize, size_of, round_up, start, stop, heap};
    int status = sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
    if (status == SQLITE_OK)
        status = sqlite3_open(":memory:", database);
    if (status != SQLITE_OK)
        fail("no database", sqlite3_errstr(status));
}

static void run(sqlite3 *database, const char *statement) {
    char *error = NULL;
    if (sqlite3_exec(database, statement, NULL, NULL, &error) != SQLITE_OK)
        fail(statement, error != NULL ? error : "no memory");
}

/* The first column of the first row, as a number. */
static long long ask(sqlite3 *database, const char *question) {
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(database, question, -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW)
        fail(question, sqlite3_errmsg(database));
    long long answer = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return answer;
}

static void show(const char *when) {
    emma_heap_stats figures;
    emma_heap_stats_read(heap, &figures);
    printf("%-34s%8zu%8zu%8zu%8zu\n", when, figures.of.allocated_bytes / KIB, figures.committed_bytes / KIB,
           figures.peak_bytes / KIB, figures.limit_bytes / KIB);
}

static void make_orders(sqlite3 *database, size_t rows) {
    char statement[400];
    run(database, "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, cents INTEGER)");
    (void)snprintf(statement, sizeof statement,
                   "WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < %zu) "
                   "INSERT INTO orders SELECT n, 'customer ' || n * 7919 %% 997, n * 31 %% 10007 FROM number",
                   rows);
    run(database, statement);
    run(database, "CREATE INDEX by_customer ON orders (customer, cents)");
}

static size_t number_of(const char *option, const char *word, size_t least, size_t most) {
    char *end;
    unsigned long number = word != NULL ? strtoul(word, &end, 10) : 0;
    if (word == NULL || *word < '0' || *word > '9' || *end != '\0' || number < least || number > most) {
        (void)fprintf(stderr, "sqlite: %s takes a number from %zu to %zu\n", option, least, most);
        exit(2);
    }
    return number;
}

typedef struct choices {
    size_t limit_mib, rows;
} choices;

static choices read_choices(char **words) {
    choices chosen = {16, 20000};
    for (; *words != NULL; words++) {
        if (strcmp(*words, "--limit") == 0)
            chosen.limit_mib = number_of("--limit", *++words, 1, 1024);
        else if (strcmp(*words, "--rows") == 0)
            chosen.rows = number_of("--rows", *++words, 1000, 10000000);
        else {
            bool is_help = strcmp(*words, "--help") == 0;
            (void)fputs(usage, is_help ? stdout : stderr);
            exit(is_help ? 0 : 2);
        }
    }
    return chosen;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

int main(int count, char **words) {
    (void)count;
    choices chosen = read_choices(words + 1);
    unsigned passed = 0;
    heap = emma_heap_create(&(emma_heap_config){
        .limit_bytes = chosen.limit_mib * MIB,
        .soft_limit_bytes = chosen.limit_mib * MIB / 2,
        .on_soft_limit = soft_limit_passed,
        .context = &passed,
    });
    if (heap == NULL)
        fail("no heap", "memory is refused");
    sqlite3 *database;
    open_on_heap(&database);
    printf("%-34s%8s%8s%8s%8s   (KiB)\n", "", "live", "commit", "peak", "limit");
    show("an empty database");
    make_orders(database, chosen.rows);
    show("the table and its index");

    /* Each three orders side by side: more than there can be. */
    int refused = sqlite3_exec(database,
                               "CREATE TABLE threes AS SELECT a.customer, b.id, c.cents "
                               "FROM orders a, orders b, orders c",
                               NULL, NULL, NULL);
    printf("each three orders side by side: %s\n", sqlite3_errstr(refused));
    show("after that statement");
    if (passed != 0)
        sqlite3_db_release_memory(database);
    printf("the soft limit was passed %u time%s\n", passed, passed == 1 ? "" : "s");

    run(database, "INSERT INTO orders SELECT id + 1000000000, customer, cents FROM orders WHERE id <= 100");
    long long rows = ask(database, "SELECT count(*) FROM orders");
    long long sound = ask(database, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'");
    printf("the database goes on: 100 rows more, now %lld; integrity %s\n", rows, sound == 1 ? "ok" : "NOT ok");
    show("at the end");

    double began = now();
    emma_heap_destroy(heap); /* with the database; SQLite is not called again */
    printf("the heap is destroyed: %.2f ms\n", (now() - began) * 1e3);
    bool is_well = refused == SQLITE_NOMEM && rows == (long long)chosen.rows + 100 && sound == 1;
    puts(is_well ? "as expected" : "NOT as expected");
    return !is_well;
}
