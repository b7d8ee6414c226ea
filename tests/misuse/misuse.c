/* misuse.c: runs the tables of misuses and prints TAP; see misuse.h. */
#include "misuse.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SECONDS = 60 };

static uintptr_t *marked; /* shared with the processes that err */

void *mark(void *block) {
    __asm__("" : "+r"(block));
    *marked = (uintptr_t)block;
    return block;
}

void misuse_must(bool condition, const char *text, int line) {
    if (condition)
        return;
    fprintf(stderr, "line %d: not so: %s\n", line, text);
    _exit(3);
}

void collect(void) {
#if STORM_DROP_IN
    malloc_trim(0);
#else
    emma_collect();
#endif
}

void make_blocks(void **blocks, size_t count, size_t size) {
    for (size_t i = 0; i < count; i++) {
        blocks[i] = storm_malloc(size);
        MUST(blocks[i] != NULL);
    }
}

void free_blocks(void **blocks, size_t count) {
    for (size_t i = 0; i < count; i++)
        storm_free(blocks[i]);
}

static void run_one(void *argument) {
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    alarm(SECONDS);
    ((const misuse *)argument)->run();
}

static bool died(const misuse *one, const storm_end *end, bool anywhere) {
    char expected[200];
    snprintf(expected, sizeof expected, "emma: %s at 0x", one->message);
    if (end->signal != SIGABRT || strncmp(end->text, expected, strlen(expected)) != 0)
        return false;
    char *rest;
    uintptr_t address = strtoull(end->text + strlen(expected), &rest, 16);
    return strcmp(rest, "\n") == 0 && (anywhere || address == *marked);
}

static bool passed(const storm_end *end) {
    return end->signal == 0 && end->status == 0 && end->text[0] == '\0';
}

static bool ended_as_expected(const misuse *one, const storm_end *end) {
    switch (one->end) {
    case DIES:
        return died(one, end, false);
    case DIES_ANYWHERE:
        return died(one, end, true);
    case CRASHES:
        return end->signal == SIGSEGV || end->signal == SIGBUS || died(one, end, true);
    case PASSES:
        return passed(end);
    case DIES_OR_PASSES:
        return passed(end) || died(one, end, true);
    }
    return false;
}

static bool run_table(const misuse *table, size_t count, size_t *number) {
    bool all = true;
    for (size_t i = 0; i < count; i++) {
        *marked = 0;
        storm_end end = storm_run_apart(run_one, (void *)(uintptr_t)&table[i]);
        bool good = ended_as_expected(&table[i], &end);
        all &= good;
        if (!good) {
            printf("# signal %d, status %d, marked 0x%lx, standard error: ", end.signal, end.status,
                   (unsigned long)*marked);
            for (const char *c = end.text; *c != '\0'; c++)
                printf(*c == '\n' ? "|" : "%c", *c);
            printf("\n");
        }
        printf("%sok %zu - %s\n", good ? "" : "not ", ++*number, table[i].name);
        fflush(stdout);
    }
    return all;
}

/* Without this the drop-in's half of the test would show what another malloc says. */
static bool runs_on_emma(void) {
#if STORM_DROP_IN
    if (emma_owns == NULL)
        return false;
#endif
    void *block = storm_malloc(1);
    bool is_emma = emma_owns(block) == 1 && emma_owns(&block) == 0;
    storm_free(block);
    return is_emma;
}

int main(void) {
    marked = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    size_t number = 0;
    bool all = marked != MAP_FAILED && runs_on_emma();
    printf("%sok %zu - runs on emma\n", all ? "" : "not ", ++number);
    if (all) {
        all &= run_table(misuse_frees, misuse_frees_count, &number);
        all &= run_table(misuse_sizes, misuse_sizes_count, &number);
        all &= run_table(misuse_writes, misuse_writes_count, &number);
    }
    printf("1..%zu\n", number);
    return !all;
}
