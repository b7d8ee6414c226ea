/* xunistd.h: system calls that end the test when they fail. */
#ifndef EMMA_TEST_XUNISTD_H
#define EMMA_TEST_XUNISTD_H

#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

pid_t xfork(void);
int xopen(const char *path, int flags, mode_t mode);
void *xmmap(void *address, size_t size, int protection, int flags, int descriptor);
long xsysconf(int name);

#endif
