/* support.h: allocation that cannot fail, shared memory, messages. */
#ifndef EMMA_TEST_SUPPORT_H
#define EMMA_TEST_SUPPORT_H

#include <stddef.h>

void *xmalloc(size_t size) __attribute__((malloc));
void *xcalloc(size_t count, size_t size) __attribute__((malloc));

/* Memory that a forked child shares with its parent. */
void *support_shared_allocate(size_t size);
void support_shared_free(void *memory);

/* Safe in a signal handler. */
void write_message(const char *message);
/* Sends what the test writes to standard error nowhere. */
void ignore_stderr(void);

#endif
