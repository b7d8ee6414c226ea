"""Prints the results: as one table, or as TAP for prove."""

from model import FAIL, SKIP


def table(tests, allocators, results, subject):
    width = max(len(test.title) for test in tests)
    names = [allocator.name for allocator in allocators]
    print(f"{'test':<{width}}  " + "  ".join(f"{name:<8}" for name in names))
    for test in tests:
        cells = (f"{results[test.title, name].status:<8}" for name in names)
        print(f"{test.title:<{width}}  " + "  ".join(cells).rstrip())
    print()
    notes(tests, names, results, FAIL)
    notes(tests, names, results, SKIP)
    for name in names:
        summary(name, [results[test.title, name] for test in tests])


def notes(tests, names, results, status):
    """One line per test and reason: allocators that share the reason share the line."""
    print(f"{status}:")
    for test in tests:
        reasons = {}
        for name in names:
            result = results[test.title, name]
            if result.status == status:
                reasons.setdefault(result.reason, []).append(name)
        for reason, who in reasons.items():
            print(f"  {test.title} [{' '.join(who)}] {reason}")
    print()


def summary(name, column):
    count = {status: sum(result.status == status for result in column) for status in ("pass", FAIL, SKIP)}
    seconds = sum(result.seconds for result in column)
    print(f"{name}: {count['pass']} pass, {count[FAIL]} FAIL, {count[SKIP]} skip, {seconds:.0f} s")


def tap(tests, allocators, results, subject):
    """Failures of the other allocators are TODO: they are for comparison and fail nothing."""
    print(f"1..{len(tests) * len(allocators)}")
    number = 0
    for test in tests:
        for allocator in allocators:
            number += 1
            result = results[test.title, allocator.name]
            line = f"{'not ok' if result.status == FAIL else 'ok'} {number} - {allocator.name} {test.title}"
            if result.status == SKIP:
                line += f" # SKIP {result.reason}"
            elif result.status == FAIL and allocator.name != subject:
                line += " # TODO not ours, for comparison"
            print(line)
            if result.status == FAIL:
                print(f"# {result.reason}")
