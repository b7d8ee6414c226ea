/* check.h: the four verbs of distrust. EMMA_STATIC_ASSERT is in compiler.h; here are the three at run time.
 *
 *   CHECK(condition, "message")     always on: what a bug in the program, or an attacker, can reach
 *   ASSERT(condition)               debug builds: what only a bug in emma can reach
 *   VALIDATE(expression)            torture builds: whole-structure checks (emma__x_valid)
 *
 * A failed check writes one line to standard error and ends the process; it does not return, allocate or lock. */
#ifndef EMMA_BASE_CHECK_H
#define EMMA_BASE_CHECK_H

#include "base/compiler.h"
#include "base/config.h"

/* Write "<EMMA_NAME>: <message> at 0x<address>\n" to standard error and abort. The platform implements it
 * (plat/plat.h). address: shown unless 0. Threads, signals: any. */
_Noreturn void emma__fatal(const char *message, uintptr_t address);

#define CHECK(condition, message, address)                                                                             \
    do {                                                                                                               \
        if (EMMA_UNLIKELY(!(condition)))                                                                               \
            emma__fatal(message, (uintptr_t)(address));                                                                \
    } while (0)

#define EMMA_STRINGIFY(x)   #x
#define EMMA_LINE_TEXT(x)   EMMA_STRINGIFY(x)
#define EMMA_ASSERT_TEXT(c) "internal error: " #c " (" __FILE__ ":" EMMA_LINE_TEXT(__LINE__) ")"

#define ASSERT(condition)                                                                                              \
    do {                                                                                                               \
        if (EMMA_DEBUG && EMMA_UNLIKELY(!(condition)))                                                                 \
            emma__fatal(EMMA_ASSERT_TEXT(condition), 0);                                                               \
    } while (0)

#define VALIDATE(expression)                                                                                           \
    do {                                                                                                               \
        if (EMMA_TORTURE && EMMA_UNLIKELY(!(expression)))                                                              \
            emma__fatal(EMMA_ASSERT_TEXT(expression), 0);                                                              \
    } while (0)

#endif
