/* xthread.h: thread calls that end the test when they fail. */
#ifndef EMMA_TEST_XTHREAD_H
#define EMMA_TEST_XTHREAD_H

#include <pthread.h>

pthread_t xpthread_create(pthread_attr_t *attributes, void *(*function)(void *), void *argument);
void *xpthread_join(pthread_t thread);
void xpthread_kill(pthread_t thread, int signal_number);
void xpthread_barrier_init(pthread_barrier_t *barrier, pthread_barrierattr_t *attributes, unsigned count);
void xpthread_barrier_destroy(pthread_barrier_t *barrier);
/* Returns: 1 for one of the threads that meet, 0 for the others. */
int xpthread_barrier_wait(pthread_barrier_t *barrier);
void xpthread_barrierattr_init(pthread_barrierattr_t *attributes);
void xpthread_barrierattr_destroy(pthread_barrierattr_t *attributes);
void xpthread_barrierattr_setpshared(pthread_barrierattr_t *attributes, int shared);

#endif
