/* fault_plan.h: which of emma's system calls fail, and a workload that meets each of them.
 *
 * The core is built with -DEMMA_FAULT=1, and asks here at each call that may fail. A subject is a workload with what must
 * be so after it; each k-th call has a process of its own, in which emma has not started yet. */
#ifndef EMMA_FAULT_PLAN_H
#define EMMA_FAULT_PLAN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct fault_plan {
    size_t from; /* the calls from this one on fail */
    size_t to;   /* to before this one */
    long number; /* only calls of this number; -1: any */
} fault_plan;

/* Each kind of call has several errors to fail with; the first fails with this one of them, where calls of any number fail
 * each further one with the next. 0 at first: ENOMEM where it may be. */
enum { FAULT_ERRORS = 5, FAULT_KINDS = 14 };
extern size_t fault_error;

/* The number of the i-th kind of call; i < FAULT_KINDS. */
long fault_kind(size_t i);

/* From here on, calls are counted, from 0, and fail as planned; until fault_end. */
void fault_begin(fault_plan with);
void fault_end(void);

/* Calls that were counted. */
size_t fault_calls(void);

/* Calls that failed since the process began: all (-1), or those of a number; and those after which addresses may stay
 * taken, unless a test knows better. */
size_t fault_failed(long number);
extern _Atomic(size_t) fault_kept;

/* Something that happens while a call fails; NULL: nothing. */
extern void (*fault_meanwhile)(void);

typedef struct fault_subject {
    size_t (*script)(void); /* returns: how many requests were refused */
    void (*check)(void);    /* nothing is lost */
} fault_subject;

/* The script with this plan, then once more without faults and without a refusal; nothing is lost after each. No message,
 * no signal. */
void fault_expect_survival(const fault_subject *subject, fault_plan with);

/* The same where the k-th call fails, or all from the k-th on, for every k. */
void fault_each_call(const fault_subject *subject, bool and_all_after);

/* The same where one call fails with another of its errors: every fifth one with errors in turn; in a long run each with
 * each. */
void fault_each_error(const fault_subject *subject);

/* The same where one kind of call never works, with the first two of its errors; in a long run with each. */
void fault_each_kind(const fault_subject *subject);

#endif
