#!/usr/bin/python3 -B
"""Runs foreign malloc test suites, taken from Debian's source packages, against emma and other allocators.

Prints one table, a row per test and a column per allocator. Exits with 1 iff emma fails a test, with 2 if asked for what there is not.
"""

import argparse
import fnmatch
import pathlib
import sys

import allocators
import report
import runner
from model import BUILD, FAIL, HERE, ROOT, refuse
from suites import SUITES

SUBJECT = "emma"
ALL = ("emma", "glibc", "jemalloc", "mimalloc", "tcmalloc")


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"Output of each test: {BUILD.relative_to(ROOT)}/log/SUITE.TEST.ALLOCATOR",
    )
    parser.add_argument("tests", nargs="*", metavar="PATTERN", help="only tests like 'glibc/tst-malloc*' (default: all)")
    parser.add_argument("-a", "--allocators", default=",".join(ALL), metavar="NAMES", help=f"of {','.join(ALL)}")
    parser.add_argument("-j", "--jobs", type=int, default=2, help="tests at once (default: 2)")
    parser.add_argument("--list", action="store_true", help="print the names of the tests and exit")
    parser.add_argument("--tap", action="store_true", help="print TAP, for prove")
    parser.add_argument("--emma-shared", type=pathlib.Path, default=ROOT / "build/libemma-malloc.so", metavar="FILE")
    parser.add_argument("--emma-archive", type=pathlib.Path, default=ROOT / "build/libemma-malloc.a", metavar="FILE")
    arguments = parser.parse_args()
    if arguments.jobs < 1:
        parser.error(f"--jobs takes a number from 1 on, not {arguments.jobs}")
    return arguments


def choose_tests(patterns):
    """Suites that no pattern can match are not unpacked."""
    chosen = []
    for name, tests_of in SUITES.items():
        heads = [pattern.split("/")[0] for pattern in patterns] or ["*"]
        if any(fnmatch.fnmatchcase(name, head) for head in heads):
            chosen += tests_of()
    if patterns:
        chosen = [test for test in chosen if any(fnmatch.fnmatchcase(test.title, one) for one in patterns)]
    if not chosen:
        refuse("no test has such a name")
    return chosen


def main():
    arguments = parse_arguments()
    tests = choose_tests(arguments.tests)
    if arguments.list:
        print("\n".join(test.title for test in tests))
        return 0
    known = allocators.known(arguments.emma_shared.resolve(), arguments.emma_archive.resolve())
    chosen = allocators.choose(arguments.allocators.split(","), known)
    results = runner.run_all(tests, chosen, runner.NotApplicable(HERE / "not-applicable.txt"), arguments.jobs)
    write = report.tap if arguments.tap else report.table
    write(tests, chosen, results, SUBJECT)
    failed = any(result.status == FAIL for result in results.values() if result.allocator.name == SUBJECT)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
