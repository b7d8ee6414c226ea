/* test-driver.c: main() of a test program; a test includes this file at its end, after naming what it expects. */
#include <support/test-driver.h>

#ifndef TEST_FUNCTION
#define TEST_FUNCTION do_test
#endif
#ifndef EXPECTED_SIGNAL
#define EXPECTED_SIGNAL 0
#endif
#ifndef EXPECTED_STATUS
#define EXPECTED_STATUS 0
#endif
#ifndef TIMEOUT
#define TIMEOUT DEFAULT_TIMEOUT
#endif

int main(void) {
    return support_run(TEST_FUNCTION, EXPECTED_SIGNAL, EXPECTED_STATUS, TIMEOUT);
}
