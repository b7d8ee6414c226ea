/* compiler.h: what emma asks of the compiler (gcc 12, clang 14 and later), under short names.
 *
 * Knows nothing of emma. Every attribute and builtin that the rest of the code uses is named here and nowhere else. */
#ifndef EMMA_BASE_COMPILER_H
#define EMMA_BASE_COMPILER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EMMA_LIKELY(x)   __builtin_expect(!!(x), 1)
#define EMMA_UNLIKELY(x) __builtin_expect(!!(x), 0)

#define EMMA_COLD          __attribute__((cold, noinline)) /* slow path: out of line, out of the way */
#define EMMA_NOINLINE      __attribute__((noinline))
#define EMMA_ALWAYS_INLINE inline __attribute__((always_inline))
#define EMMA_UNUSED        __attribute__((unused))
#define EMMA_HIDDEN        __attribute__((visibility("hidden"))) /* data of another file, reached without the GOT */

/* A store or load may not be moved across this point by the compiler. It orders a thread against its own signal
 * handlers; it emits no instruction. C11 7.17.4.2 (atomic_signal_fence). */
#define EMMA_SIGNAL_FENCE() __atomic_signal_fence(__ATOMIC_SEQ_CST)

/* Whether the code is built for ThreadSanitizer, which knows only some zones of the address space, or for
 * AddressSanitizer; neither knows threads that libc does not. */
#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define EMMA_THREAD_SANITIZER 1
#else
#define EMMA_THREAD_SANITIZER 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define EMMA_ADDRESS_SANITIZER 1
#else
#define EMMA_ADDRESS_SANITIZER 0
#endif

/* A second name of a function. */
#if __has_attribute(copy)
#define EMMA_SAME_AS(name) __attribute__((alias(#name), copy(name)))
#else
#define EMMA_SAME_AS(name) __attribute__((alias(#name)))
#endif

/* Its variables lie in its own frame: AddressSanitizer may put them elsewhere. */
#define EMMA_IN_ITS_FRAME __attribute__((no_sanitize("address"), noinline))

/* A function that reads what others may be writing, and can do with either value: ThreadSanitizer is not to look. */
#define EMMA_READS_RACING __attribute__((no_sanitize("thread"), noinline))

#define EMMA_STATIC_ASSERT(condition, message) _Static_assert(condition, message)

#endif
