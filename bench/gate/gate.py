#!/usr/bin/env python3
"""gate.py: instructions per operation, counted by callgrind, against the committed figures.

Each operation of `strokes` runs N and 2 N times; the difference over N is what one costs, without start and warming.
The figures do not depend on the machine's speed or load, but on architecture and compiler: where these differ from
those of the committed figures, the comparison is shown and fails nothing. A *heap* is a made one; it has CPU caches,
unless a shared one is named.
"""
import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "../..")
TOLERANCE = 1.02

# figure: (operation, counted functions, N). A count in pairs is of one malloc and one free.
FIGURES = {
    "malloc": ("pair", ["stroke_malloc"], 2000),
    "free": ("pair", ["stroke_free"], 2000),
    "pair, mixed sizes": ("pair-mixed", ["stroke_malloc", "stroke_free"], 10000),
    "pair, 4 KiB": ("pair-4k", ["stroke_malloc", "stroke_free"], 2000),
    "pair, 16 KiB": ("pair-16k", ["stroke_malloc", "stroke_free"], 2000),
    "pair, 64 KiB": ("pair-64k", ["stroke_malloc", "stroke_free"], 1000),
    "pair, 1 MiB": ("pair-1m", ["stroke_malloc", "stroke_free"], 500),
    "batch of 1000, pair": ("batch", ["stroke_malloc", "stroke_free"], 100000),
    "replace below 1 KiB, pair": ("replace", ["stroke_malloc", "stroke_free"], 100000),
    "replace below 32 KiB, pair": ("replace-wide", ["stroke_malloc", "stroke_free"], 100000),
    "calloc 64 bytes": ("calloc", ["stroke_calloc"], 2000),
    "realloc, same size": ("realloc-same", ["stroke_realloc"], 2000),
    "realloc, growing": ("realloc-grow", ["stroke_realloc"], 64000),
    "posix_memalign 64": ("aligned", ["stroke_align"], 2000),
    "malloc, cache=cpu": ("pair-by-cpu", ["stroke_malloc"], 2000),
    "free, cache=cpu": ("pair-by-cpu", ["stroke_free"], 2000),
    "replace, cache=cpu, pair": ("replace-by-cpu", ["stroke_malloc", "stroke_free"], 100000),
    "heap malloc": ("heap-pair", ["stroke_heap_malloc"], 2000),
    "heap free": ("heap-pair", ["stroke_heap_free"], 2000),
    "heap pair, shared cache": ("heap-pair-shared", ["stroke_heap_malloc", "stroke_heap_free"], 2000),
    "heap replace below 1 KiB, pair": ("heap-replace", ["stroke_heap_malloc", "stroke_heap_free"], 100000),
    "heap replace by emma_free, pair": ("heap-replace-by-free", ["stroke_heap_malloc", "stroke_free"], 100000),
    "session malloc": ("session-pair", ["stroke_session_malloc"], 2000),
    "session free": ("session-pair", ["stroke_session_free"], 2000),
}
CALLS_NULL = ("null", ["stroke_null"], 1000)
GOALS = {"malloc": 16, "free": 22}


def count(strokes, library, operation, functions, times):
    """Returns the instructions inside the functions while the operation is done `times` times."""
    with tempfile.TemporaryDirectory() as directory:
        out = os.path.join(directory, "callgrind.out")
        command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=" + out,
                   *[f"--toggle-collect={name}" for name in functions], strokes, operation, str(times)]
        ran = subprocess.run(command, env={**os.environ, "LD_PRELOAD": library}, capture_output=True, text=True,
                             check=False)
        if ran.returncode != 0:
            raise SystemExit(f"gate: {operation}: {ran.stderr[-400:]}")
        with open(out, encoding="ascii") as text:
            return int(re.search(r"^(?:summary|totals): (\d+)", text.read(), re.MULTILINE).group(1))


def cost(strokes, library, operation, functions, times):
    once = count(strokes, library, operation, functions, times)
    twice = count(strokes, library, operation, functions, 2 * times)
    return (twice - once) / times


def measure(strokes, library):
    """Returns {figure: instructions}, the stroke's own ones taken off; a function's last instruction is its return."""
    stroke = cost(strokes, library, *CALLS_NULL) - returns_null(strokes)
    return {name: round(cost(strokes, library, *how) - stroke * len(how[1]), 2) for name, how in FIGURES.items()}


def returns_null(strokes):
    """The instructions of the empty function, from its disassembly."""
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", strokes], capture_output=True, text=True, check=True)
    body = text.stdout.split("<empty>:\n")[1].split("\n\n")[0].splitlines()
    last = next(i for i, instruction in enumerate(body) if "ret" in instruction)
    return last + 1


def compiler():
    asked = subprocess.run([os.environ.get("CC", "cc"), "--version"], capture_output=True, text=True, check=False)
    return asked.stdout.splitlines()[0] if asked.stdout else "unknown"


def compare(kept, figures):
    """Prints the comparison; returns the names of the figures that are worse by more than the tolerance."""
    worse = []
    print(f"{'instructions per operation':32}{'kept':>10}{'now':>10}{'goal':>8}")
    for name, now in figures.items():
        before = kept.get(name)
        bad = before is not None and now > before * TOLERANCE
        worse += [name] if bad else []
        print(f"{name:32}{before or '-':>10}{now:>10}{GOALS.get(name, ''):>8}{'  worse' if bad else ''}")
    return worse


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--library", required=True, help="the allocator's drop-in library")
    p.add_argument("--strokes", default="build/bench/strokes")
    p.add_argument("--figures", default=os.path.join(HERE, "../instructions.json"))
    p.add_argument("--update", action="store_true", help="write the figures anew")
    options = p.parse_args()
    for path in (options.library, options.strokes):
        if not os.path.exists(path):
            p.error(f"there is no {path}; make bench-gate builds it")
    subprocess.run([os.path.join(ROOT, "tools/need.sh"), "valgrind", "binutils"], check=True)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # how many processors there are tells what CPU caches hold
    figures = measure(options.strokes, os.path.abspath(options.library))
    where = {"architecture": platform.machine(), "compiler": compiler()}
    kept = {"figures": {}}
    if os.path.exists(options.figures):
        with open(options.figures, encoding="utf-8") as file:
            kept = json.load(file)
    worse = compare(kept["figures"], figures)
    if options.update:
        with open(options.figures, "w", encoding="utf-8") as file:
            file.write(json.dumps({**where, "figures": figures}, indent=2) + "\n")
        return 0
    if not kept["figures"]:
        raise SystemExit("gate: there are no committed figures yet: make bench-gate-update")
    if any(kept[key] != value for key, value in where.items()):
        print("gate: other architecture or compiler than the committed figures: nothing fails")
        return 0
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
