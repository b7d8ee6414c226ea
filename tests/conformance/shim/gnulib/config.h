/* config.h: what the configure script of gnulib would write for its malloc tests on Linux. */
#ifndef EMMA_TEST_GNULIB_CONFIG_H
#define EMMA_TEST_GNULIB_CONFIG_H

#define _GL_UNUSED __attribute__((__unused__))

#endif
