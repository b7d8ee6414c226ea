/* atomic.h: C11 atomics with the memory order as a word: ATOMIC_LOAD(&word, acquire).
 *
 * Every use names, in a comment beside it or in the banner of its file, the operation it pairs with. Compare-and-swap
 * is the strong one: a failure always means that another operation changed the word. On failure *expected holds the
 * value found. */
#ifndef EMMA_BASE_ATOMIC_H
#define EMMA_BASE_ATOMIC_H

#include <stdatomic.h>

#define ATOMIC_LOAD(object, order)            atomic_load_explicit(object, memory_order_##order)
#define ATOMIC_STORE(object, value, order)    atomic_store_explicit(object, value, memory_order_##order)
#define ATOMIC_EXCHANGE(object, value, order) atomic_exchange_explicit(object, value, memory_order_##order)
#define ATOMIC_ADD(object, value, order)      atomic_fetch_add_explicit(object, value, memory_order_##order)
#define ATOMIC_SUB(object, value, order)      atomic_fetch_sub_explicit(object, value, memory_order_##order)
#define ATOMIC_OR(object, value, order)       atomic_fetch_or_explicit(object, value, memory_order_##order)
#define ATOMIC_AND(object, value, order)      atomic_fetch_and_explicit(object, value, memory_order_##order)
#define ATOMIC_CAS(object, expected, value, order)                                                                     \
    atomic_compare_exchange_strong_explicit(object, expected, value, memory_order_##order, EMMA_CAS_FAILURE_##order)

#define EMMA_CAS_FAILURE_relaxed memory_order_relaxed
#define EMMA_CAS_FAILURE_acquire memory_order_acquire
#define EMMA_CAS_FAILURE_release memory_order_relaxed
#define EMMA_CAS_FAILURE_acq_rel memory_order_acquire
#define EMMA_CAS_FAILURE_seq_cst memory_order_seq_cst

#endif
