/* libc-diag.h: glibc's tests silence warnings one by one; here all of them are compiled without warnings. */
#ifndef EMMA_TEST_LIBC_DIAG_H
#define EMMA_TEST_LIBC_DIAG_H

#define DIAG_PUSH_NEEDS_COMMENT
#define DIAG_POP_NEEDS_COMMENT
#define DIAG_IGNORE_NEEDS_COMMENT(version, option)

#endif
