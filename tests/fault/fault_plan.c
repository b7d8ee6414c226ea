/* fault_plan.c: see fault_plan.h. */
#include "fault_plan.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../storm/storm.h"

enum { NUMBERS = 512 };

long emma__fault_plan(long number);

/* What the kernel, or a filter, may answer. The first is tried most. EEXIST: only where MAP_FIXED_NOREPLACE is given, but
 * elsewhere it is a refusal as any other. ESRCH is no failure of tgkill: it is believed. */
static const struct {
    long number;
    int error[FAULT_ERRORS];
} errors_of[FAULT_KINDS] = {
    {SYS_mmap, {ENOMEM, EEXIST, EPERM, EAGAIN, EINVAL}},
    {SYS_munmap, {ENOMEM, EINVAL, EPERM, ENOMEM, EINVAL}},
    {SYS_mremap, {ENOMEM, EINVAL, EAGAIN, EFAULT, EPERM}},
    {SYS_madvise, {ENOMEM, EAGAIN, EINVAL, EPERM, EBADF}},
    {SYS_membarrier, {ENOMEM, EPERM, EINVAL, ENOSYS, EPERM}},
    {SYS_futex, {EFAULT, EPERM, EINVAL, ENOSYS, EAGAIN}},
    {SYS_clone, {ENOMEM, EAGAIN, EPERM, EINVAL, ENOSYS}},
    {SYS_sched_getaffinity, {EINVAL, EPERM, EFAULT, ENOSYS, ENOMEM}},
    {SYS_clock_gettime, {EINVAL, EPERM, EFAULT, ENOSYS, EINVAL}},
    {SYS_clock_nanosleep, {EINTR, EPERM, EINVAL, ENOSYS, EFAULT}},
    {SYS_capset, {EPERM, EINVAL, EFAULT, ENOSYS, EPERM}},
    {SYS_tgkill, {EPERM, EAGAIN, EINVAL, ENOSYS, EPERM}},
    {SYS_openat, {ENOENT, EACCES, EMFILE, ENOMEM, EINTR}},
    {SYS_read, {EIO, EINTR, EISDIR, EINVAL, EPERM}},
};

static fault_plan active;
static _Atomic(bool) is_active;
static _Atomic(size_t) calls;
static _Atomic(size_t) failed[NUMBERS + 1]; /* the last: all */
_Atomic(size_t) fault_kept;
size_t fault_error;
void (*fault_meanwhile)(void);

long fault_kind(size_t i) {
    return errors_of[i].number;
}

static int error_of(long number, size_t which) {
    for (size_t i = 0; i < FAULT_KINDS; i++)
        if (errors_of[i].number == number)
            return errors_of[i].error[which % FAULT_ERRORS];
    EXPECT(number < 0); /* a call that is not in the table */
    return ENOMEM;
}

long emma__fault_plan(long number) {
    if (!atomic_load(&is_active) || (active.number >= 0 && number != active.number))
        return 0;
    size_t call = atomic_fetch_add(&calls, 1);
    if (call < active.from || call >= active.to)
        return 0;
    int error = error_of(number, fault_error + (active.number < 0 ? call - active.from : 0));
    atomic_fetch_add(&failed[number], 1);
    atomic_fetch_add(&failed[NUMBERS], 1);
    if (number == SYS_munmap || number == SYS_mremap || error == EEXIST)
        atomic_fetch_add(&fault_kept, 1);
    if (fault_meanwhile != NULL)
        fault_meanwhile();
    return error;
}

void fault_begin(fault_plan with) {
    active = with;
    atomic_store(&calls, 0);
    atomic_store(&is_active, true);
}

void fault_end(void) {
    atomic_store(&is_active, false);
}

size_t fault_calls(void) {
    return atomic_load(&calls);
}

size_t fault_failed(long number) {
    return atomic_load(&failed[number >= 0 ? number : NUMBERS]);
}

typedef struct run {
    const fault_subject *subject;
    fault_plan with;
    int tell; /* where the number of calls is written */
} run;

static void survive(void *argument) {
    const run *one = argument;
    fault_begin(one->with);
    one->subject->script();
    fault_end();
    one->subject->check();
    EXPECT(one->subject->script() == 0); /* everything works again */
    one->subject->check();
}

void fault_expect_survival(const fault_subject *subject, fault_plan with) {
    storm_end end = storm_run_apart(survive, &(run){subject, with, -1});
    if (!EXPECT(end.signal == 0 && end.status == 0 && end.text[0] == '\0'))
        storm_note("signal %d, status %d, message: %s", end.signal, end.status, end.text);
    if (storm_failed())
        storm_note("with calls %zu to %zu of number %ld failing, error %zu", with.from, with.to, with.number,
                   fault_error);
}

static void count(void *argument) {
    const run *one = argument;
    fault_begin(one->with);
    EXPECT(one->subject->script() == 0);
    fault_end();
    size_t total = fault_calls();
    EXPECT(write(one->tell, &total, sizeof total) == sizeof total);
    one->subject->check();
}

/* Of a run without faults. */
static size_t count_calls(const fault_subject *subject) {
    int ends[2];
    size_t total = 0;
    if (!EXPECT(pipe(ends) == 0))
        return 0;
    storm_end end = storm_run_apart(count, &(run){subject, {SIZE_MAX, SIZE_MAX, -1}, ends[1]});
    EXPECT(end.signal == 0 && end.status == 0);
    EXPECT(read(ends[0], &total, sizeof total) == sizeof total);
    close(ends[0]);
    close(ends[1]);
    return total;
}

void fault_each_call(const fault_subject *subject, bool and_all_after) {
    size_t total = count_calls(subject);
    EXPECT(total > 50);
    storm_note("%zu system calls", total);
    for (size_t k = 0; k < total && !storm_failed(); k++)
        fault_expect_survival(subject, (fault_plan){k, and_all_after ? SIZE_MAX : k + 1, -1});
}

void fault_each_error(const fault_subject *subject) {
    enum { STRIDE = 5 };
    size_t total = count_calls(subject);
    EXPECT(total > 50);
    size_t plans = storm_amount(total / STRIDE, total * FAULT_ERRORS);
    for (size_t i = 0; i < plans && !storm_failed(); i++) {
        size_t k = storm_amount(i * STRIDE, i / FAULT_ERRORS);
        fault_error = i % FAULT_ERRORS;
        fault_expect_survival(subject, (fault_plan){k, k + 1, -1});
    }
}

void fault_each_kind(const fault_subject *subject) {
    for (size_t i = 0; i < FAULT_KINDS; i++) {
        for (size_t error = 0; error < storm_amount(2, FAULT_ERRORS) && !storm_failed(); error++) {
            fault_error = error;
            fault_expect_survival(subject, (fault_plan){0, SIZE_MAX, fault_kind(i)});
        }
    }
}
