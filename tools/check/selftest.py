#!/usr/bin/env python3
"""selftest.py: every rule and every stage of `make check` passes a good tree and fails a bad one.

The trees are written for each case into a temporary folder. Output is TAP. Exit status: 0 iff all cases hold.
"""
import os
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
from selftest_cases import BUILT_CASES, GOOD, GOOD_LIBRARIES, STAGE_CASES, TEXT_CASES

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))


def write(root, files):
    for path, text in files.items():
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)


def run(root, *command):
    """Run a command in root; returns its exit status and output."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(command, cwd=root, env=clean, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


def compile_tree(root, libraries):
    """Make the objects that the rule state reads, and the three libraries from the C texts given."""
    for folder, _, names in os.walk(os.path.join(root, "src")):
        for name in filter(lambda name: name.endswith(".c") and not folder.endswith("wasm"), names):
            source = os.path.relpath(os.path.join(folder, name), root)
            made = os.path.join(root, "build/check/gcc", source[:-2] + ".o")
            os.makedirs(os.path.dirname(made), exist_ok=True)
            subprocess.run(["gcc", "-Isrc", "-O2", "-fPIC", "-fcallgraph-info=su", "-c", source, "-o", made],
                           cwd=root, check=True)
    for library, text in libraries.items():
        made = os.path.join(root, "build", library)
        unit = made + ".c"
        write(root, {unit: text})
        if library.endswith(".a"):
            subprocess.run(["gcc", "-O2", "-ffreestanding", "-fno-builtin", "-c", unit, "-o", made + ".o"], check=True)
            subprocess.run(["ar", "rcs", made, made + ".o"], check=True)
        else:
            subprocess.run(["gcc", "-O2", "-fno-builtin", "-fPIC", "-shared", "-nostdlib", unit, "-o", made],
                           check=True)


def rules_output(files, names, libraries=None):
    with tempfile.TemporaryDirectory() as root:
        write(root, files)
        if libraries:
            compile_tree(root, libraries)
        return run(root, sys.executable, os.path.join(HERE, "rules.py"), *names)


def stage_output(files, stage):
    with tempfile.TemporaryDirectory() as root:
        write(root, files)
        for name in (".clang-format", ".clang-tidy"):
            shutil.copy(os.path.join(TOP, name), root)
        return run(root, "make", "-k", "-f", os.path.join(HERE, "stages.mk"), stage)


class Results:
    def __init__(self):
        self.count = self.failed = 0

    def passes(self, name, result):
        self._say(name, result[0] == 0, result)

    def fails(self, name, result, expected):
        """The run must fail and a line must begin with the expected text."""
        status, output = result
        self._say(name, status != 0 and any(line.startswith(expected) for line in output.splitlines()), result)

    def _say(self, name, good, result):
        self.count += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.count} - {name}")
        if not good:
            print("# exit status", result[0])
            print("".join(f"# {line}\n" for line in result[1].splitlines()), end="")


def main():
    results = Results()
    results.passes("the good tree passes the rules of text", rules_output(GOOD, ["text"]))
    results.passes("the good tree passes the rules of what is built", rules_output(GOOD, ["built"], GOOD_LIBRARIES))
    for rule, about, files, expected in TEXT_CASES:
        results.fails(f"{rule}: {about}", rules_output(GOOD | files, [rule]), expected)
    for rule, about, files, libraries, expected in BUILT_CASES:
        results.fails(f"{rule}: {about}", rules_output(GOOD | files, [rule], GOOD_LIBRARIES | libraries), expected)
    for stage in dict.fromkeys(case[0] for case in STAGE_CASES):
        results.passes(f"the good tree passes the stage {stage}", stage_output(GOOD, stage))
    for stage, about, files, expected in STAGE_CASES:
        results.fails(f"{stage}: {about}", stage_output(GOOD | files, stage), expected)
    print(f"1..{results.count}")
    return 1 if results.failed else 0


if __name__ == "__main__":
    sys.exit(main())
