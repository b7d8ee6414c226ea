/* bare_tap.h: test cases that print TAP, without libc.
 *
 *     static void frees_twice(void) { EXPECT(...); }
 *     static const emma_tap_case cases[] = {{"a block freed twice is refused", frees_twice}};
 *
 * A case is one line of TAP. It fails when one of its EXPECTs does; the first says where and what. A case that expects
 * nothing fails, too. */
#ifndef EMMA_TEST_TAP_H
#define EMMA_TEST_TAP_H

#include <stdbool.h>
#include <stddef.h>

typedef struct emma_tap_case {
    const char *name;
    void (*run)(void);
} emma_tap_case;

typedef struct emma_tap_suite {
    const char *name;
    const emma_tap_case *cases;
    size_t count;
} emma_tap_suite;

#define EMMA_TAP_SUITE(name, cases)                                                                                    \
    { name, cases, sizeof(cases) / sizeof(cases)[0] }

/* Returns: the condition, so that a loop can stop at the first failure. */
#define EXPECT(condition) emma_tap_expect(condition, #condition, __FILE__, __LINE__)

bool emma_tap_expect(bool condition, const char *text, const char *file, int line);

/* The case is not run, for this reason. */
void emma_tap_skip(const char *reason);

/* A remark: "# text number". */
void emma_tap_note(const char *text, size_t number);

void emma_tap_run(const emma_tap_suite *suite);

/* Print the plan. Returns: 0 iff every case passed. */
int emma_tap_end(void);

#endif
