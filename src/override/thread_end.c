/* thread_end.c: the end of a thread, as libc tells it: the destructor of a pthread key gives the thread's cache back.
 *
 * libc runs destructors in up to PTHREAD_DESTRUCTOR_ITERATIONS rounds as long as values are set again. Other
 * destructors may still allocate and free, so ours sets its value again until the last round. What comes even later
 * uses the shared cache.
 *
 * The key is made by whoever comes first, by a try: others do not wait, they come again at their next slow path. */
#include <limits.h>
#include <pthread.h>

#include "base/atomic.h"
#include "override/override.h"

enum { NO_KEY, MAKING_KEY, HAVE_KEY };

static _Atomic(int) key_state;
static pthread_key_t key;
static _Thread_local bool is_noted __attribute__((tls_model("initial-exec")));

static void thread_ends(void *rounds) {
    uintptr_t round = (uintptr_t)rounds;
    if (round < PTHREAD_DESTRUCTOR_ITERATIONS && pthread_setspecific(key, (void *)(round + 1)) == 0)
        return;
    emma_thread_exit();
}

void emma__override_note_thread(void) {
    if (EMMA_LIKELY(is_noted) || emma__this_thread.records == 0)
        return;
    int none = NO_KEY;
    if (ATOMIC_LOAD(&key_state, acquire) == NO_KEY && ATOMIC_CAS(&key_state, &none, MAKING_KEY, acq_rel))
        ATOMIC_STORE(&key_state, pthread_key_create(&key, thread_ends) == 0 ? HAVE_KEY : NO_KEY, release);
    if (ATOMIC_LOAD(&key_state, acquire) != HAVE_KEY)
        return;
    is_noted = true; /* first: pthread_setspecific may allocate */
    pthread_setspecific(key, (void *)(uintptr_t)1);
}
