#!/usr/bin/env python3
"""rules.py: check the rules that a program can check. Output is TAP; violations are lines 'path:line: rule: what'.

    rules.py text                    includes, names, length, function, readme, banner, conditional, words
    rules.py built                   state, needs, exports, stack; of the objects and libraries below --build
    rules.py RULE...                 single rules

Warnings are the same lines behind '# '. Violations that tools/check/allow.txt describes do not count. Exit
status: 0 no violation, 1 violations, 2 a rule could not run.
"""
import argparse
import fnmatch
import os
import subprocess
import sys

sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
import arrows
import built
import functions
import shape
import stack
from tree import Tree, Violation

TEXT = [arrows.includes, shape.names, shape.length, functions.function, shape.readme, shape.banner,
        shape.conditional, shape.words]
ALLOW = "tools/check/allow.txt"
BUILT = [built.state, built.needs, built.exports, stack.stack]


class Build:
    """Where the objects and the libraries are."""

    def __init__(self, options):
        self.folder = options.build
        self.objects = os.path.join(options.build, "check", "gcc")
        self.prefix = options.prefix

    def library(self, name):
        return os.path.join(self.folder, name)


def not_allowed(rule, tree, found):
    """The violations that no line of allow.txt allows, and the lines for this rule that allow none."""
    allowed = []
    for number, line in enumerate(tree.lines(ALLOW) if ALLOW in tree.files else [], 1):
        if line.startswith(rule.__name__ + " "):
            allowed.append((number, *line.split(maxsplit=2)[1:]))
    used = set()
    for violation in found:
        lines = [number for number, path, what in allowed
                 if fnmatch.fnmatchcase(violation.path, path) and fnmatch.fnmatchcase(violation.what, what)]
        used.update(lines)
        if not lines:
            yield violation
    for number, _, _ in allowed:
        if number not in used:
            yield Violation(ALLOW, number, "this line allows nothing; remove it")


def run(rule, number, tree, build):
    """Run one rule and print its result; returns the number of violations."""
    found = list(not_allowed(rule, tree, rule(tree, build) if rule in BUILT else rule(tree)))
    for violation in found:
        line = f"{violation.path}:{violation.line}: {rule.__name__}: {violation.what}"
        print(line if violation.fatal else "# " + line)
    count = sum(violation.fatal for violation in found)
    print(f"not ok {number} - {rule.__name__} ({count})" if count else f"ok {number} - {rule.__doc__}")
    return count


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", default=".", help="top of the repository")
    parser.add_argument("--build", default="build", help="folder of the libraries, objects in check/gcc below it")
    parser.add_argument("--prefix", default="emma_", help="what public names begin with")
    parser.add_argument("rules", nargs="+", help="'text', 'built' or names of rules")
    options = parser.parse_args()

    by_name = {rule.__name__: [rule] for rule in TEXT + BUILT} | {"text": TEXT, "built": BUILT}
    for name in options.rules:
        if name not in by_name:
            parser.error(f"no rule {name}; there are: {' '.join(by_name)}")
    chosen = [rule for name in options.rules for rule in by_name[name]]
    tree, build = Tree(options.root), Build(options)
    violations = 0
    print(f"1..{len(chosen)}")
    for number, rule in enumerate(chosen, 1):
        try:
            violations += run(rule, number, tree, build)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"Bail out! {rule.__name__}: {error}: {getattr(error, 'stderr', '')}")
            return 2
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
