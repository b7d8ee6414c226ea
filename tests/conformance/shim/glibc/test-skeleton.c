/* test-skeleton.c: the older of glibc's two test frames; TEST_FUNCTION is an expression, the call itself.
   Its tests count on the headers that it includes. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <support/check.h>
#include <support/support.h>
#include <support/temp_file.h>
#include <support/test-driver.h>
#include <support/xthread.h>

#ifdef TEST_FUNCTION
static int skeleton_test(void) {
    return TEST_FUNCTION;
}
#undef TEST_FUNCTION
#define TEST_FUNCTION skeleton_test
#endif

#include <support/test-driver.c>
