/* test-driver.h: runs one test in a child process and judges how it ended. */
#ifndef EMMA_TEST_DRIVER_H
#define EMMA_TEST_DRIVER_H

#define DEFAULT_TIMEOUT  20 /* seconds */
#define EXIT_UNSUPPORTED 77

/* Returns: the exit status for main(): 0 iff the test ended as expected and no TEST_VERIFY failed. */
int support_run(int (*test)(void), int expected_signal, int expected_status, unsigned limit_seconds);

#endif
