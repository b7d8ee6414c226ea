/* check.h: the assertions of glibc's tests. A failed one is printed and counted, also from a forked child. */
#ifndef EMMA_TEST_CHECK_H
#define EMMA_TEST_CHECK_H

/* Prints where and why, counts a failure; the test goes on. */
void support_fail(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same, then ends the process with STATUS. */
void support_fail_exit(int status, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5), noreturn));

#define FAIL(...)             support_fail(__FILE__, __LINE__, __VA_ARGS__)
#define FAIL_EXIT1(...)       support_fail_exit(1, __FILE__, __LINE__, __VA_ARGS__)
#define FAIL_UNSUPPORTED(...) support_fail_exit(77, __FILE__, __LINE__, __VA_ARGS__)

#define TEST_VERIFY(condition)                                                                                         \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            FAIL("not true: %s", #condition);                                                                          \
    } while (0)

#define TEST_VERIFY_EXIT(condition)                                                                                    \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            FAIL_EXIT1("not true: %s", #condition);                                                                    \
    } while (0)

#define TEST_COMPARE(left, right)                                                                                      \
    do {                                                                                                               \
        long long left_value = (long long)(left);                                                                      \
        long long right_value = (long long)(right);                                                                    \
        if (left_value != right_value)                                                                                 \
            FAIL("%s is %lld, %s is %lld", #left, left_value, #right, right_value);                                    \
    } while (0)

#endif
