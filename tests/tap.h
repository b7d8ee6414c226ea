/* tap.h: test programs that print TAP, with libc or without: a program is a table of cases, a case a few checks.
 *
 *     static void pops_what_was_pushed(void) {
 *         OK(emma__chain_is_empty(chain));
 *         IS(emma__chain_room(chain), 7);
 *     }
 *     TAP_MAIN({"pops what was pushed", pops_what_was_pushed})
 *
 * A case is one line of TAP. It fails when one of its checks does, and when it checks nothing; the first failed checks are
 * shown. A case that cannot be run here says why: tap_skip("reason").
 *
 * Include in one file of a program. Checks are for the main thread. Output: standard output, by system calls. */
#ifndef EMMA_TESTS_TAP_H
#define EMMA_TESTS_TAP_H

#include "plat/linux/syscall.h"

typedef struct tap_case {
    const char *name;
    void (*run)(void);
} tap_case;

enum { TAP_FAILURES_SHOWN = 5 };

/* Out of line: there are thousands of checks. */
#define TAP_FUNCTION __attribute__((noinline, unused)) static

static struct {
    unsigned checks;
    unsigned failures;
    const char *skipped;
    unsigned length;
    char line[256];
} tap;

TAP_FUNCTION void tap_flush(void) {
    for (unsigned from = 0; from < tap.length;) {
        long written = emma__syscall(EMMA_SYS_write, 1, (long)(tap.line + from), (long)(tap.length - from), 0, 0, 0);
        if (written <= 0)
            break;
        from += (unsigned)written;
    }
    tap.length = 0;
}

TAP_FUNCTION void tap_put(const char *text) {
    for (; *text != '\0'; text++) {
        tap.line[tap.length++] = *text;
        if (*text == '\n' || tap.length == sizeof tap.line)
            tap_flush();
    }
}

TAP_FUNCTION void tap_put_number(uint64_t number) {
    char digits[21];
    unsigned at = sizeof digits - 1;
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    tap_put(&digits[at]);
}

/* A remark: "# text number". */
TAP_FUNCTION void tap_note(const char *text, uint64_t number) {
    tap_put("# ");
    tap_put(text);
    tap_put(" ");
    tap_put_number(number);
    tap_put("\n");
}

TAP_FUNCTION bool tap_fail(const char *text, const char *file, unsigned line) {
    if (++tap.failures > TAP_FAILURES_SHOWN)
        return false;
    tap_put("# ");
    tap_put(file);
    tap_put(":");
    tap_put_number(line);
    tap_put(": not so: ");
    tap_put(text);
    tap_put("\n");
    return true;
}

TAP_FUNCTION bool tap_ok(bool condition, const char *text, const char *file, unsigned line) {
    tap.checks++;
    if (!condition)
        tap_fail(text, file, line);
    return condition;
}

TAP_FUNCTION bool tap_is(uint64_t got, uint64_t expected, const char *text, const char *file, unsigned line) {
    tap.checks++;
    if (got == expected)
        return true;
    if (tap_fail(text, file, line)) {
        tap_note("  got     ", got);
        tap_note("  expected", expected);
    }
    return false;
}

/* Both return whether the check passed, so that a loop can stop at the first failure. */
#define OK(condition)     tap_ok(condition, #condition, __FILE__, __LINE__)
#define IS(got, expected) tap_is((uint64_t)(got), (uint64_t)(expected), #got " is " #expected, __FILE__, __LINE__)

/* The rest of the case cannot be run here; the caller returns. */
TAP_FUNCTION void tap_skip(const char *reason) {
    tap.skipped = reason;
}

/* Returns: the exit status, 0 iff no case failed. */
TAP_FUNCTION int tap_run(const tap_case *cases, unsigned count) {
    unsigned failed = 0;
    tap_put("1..");
    tap_put_number(count);
    tap_put("\n");
    for (unsigned i = 0; i < count; i++) {
        tap.checks = tap.failures = 0;
        tap.skipped = 0;
        cases[i].run();
        bool empty = tap.checks == 0 && tap.skipped == 0;
        bool passed = tap.failures == 0 && !empty;
        failed += !passed;
        tap_put(passed ? "ok " : "not ok ");
        tap_put_number(i + 1);
        tap_put(" - ");
        tap_put(cases[i].name);
        if (tap.skipped != 0) {
            tap_put(" # SKIP ");
            tap_put(tap.skipped);
        }
        tap_put(empty ? ": it checks nothing\n" : "\n");
    }
    return failed != 0;
}

#define TAP_MAIN(...)                                                                                                  \
    int main(void) {                                                                                                   \
        static const tap_case cases[] = {__VA_ARGS__};                                                                 \
        return tap_run(cases, sizeof cases / sizeof cases[0]);                                                         \
    }

#endif
