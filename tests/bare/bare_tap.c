/* bare_tap.c: see bare_tap.h. */
#include "bare_tap.h"

#include "port/port.h"

static unsigned cases_run, cases_failed;
static size_t expected; /* by the case that runs */
static bool failed;
static const char *skipped;

static void put(const char *text) {
    size_t bytes = 0;
    while (text[bytes] != '\0')
        bytes++;
    emma_port_write(text, bytes);
}

static void put_number(size_t number) {
    char digits[21];
    size_t at = sizeof digits;
    digits[--at] = '\0';
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    put(&digits[at]);
}

bool emma_tap_expect(bool condition, const char *text, const char *file, int line) {
    expected++;
    if (!condition && !failed) {
        failed = true;
        put("# ");
        put(file);
        put(":");
        put_number((size_t)line);
        put(": not so: ");
        put(text);
        put("\n");
    }
    return condition;
}

void emma_tap_skip(const char *reason) {
    skipped = reason;
}

void emma_tap_note(const char *text, size_t number) {
    put("# ");
    put(text);
    put(" ");
    put_number(number);
    put("\n");
}

void emma_tap_run(const emma_tap_suite *suite) {
    for (size_t i = 0; i < suite->count; i++) {
        expected = 0;
        failed = false;
        skipped = NULL;
        suite->cases[i].run();
        bool passed = !failed && (expected != 0 || skipped != NULL);
        cases_run++;
        cases_failed += !passed;
        put(passed ? "ok " : "not ok ");
        put_number(cases_run);
        put(" - ");
        put(suite->name);
        put(": ");
        put(suite->cases[i].name);
        if (skipped != NULL) {
            put(" # SKIP ");
            put(skipped);
        }
        put("\n");
    }
}

int emma_tap_end(void) {
    put("1..");
    put_number(cases_run);
    put("\n");
    return cases_failed != 0;
}
