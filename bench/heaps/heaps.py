#!/usr/bin/env python3
"""heaps.py: measures heaps that are made and destroyed: emma's, jemalloc's arenas, mimalloc's heaps (version 3).

Each round runs every test with every maker in a random order; a figure is the median of the rounds, a ratio the median of
the rounds' ratios to emma. jemalloc is Debian's package unless one is given. What a name begins with says how heaps are made.
emma-cpu is emma with CPU caches in its default heap too; only what compares with that heap is run.
"""
import argparse
import dataclasses
import json
import os
import random
import statistics
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from runner import allocators  # noqa: E402

TESTS = ("cycle", "million", "many", "memory", "single", "crowd_brief", "crowd", "crowd_long",
         "limited")
MAKERS = ("emma-cpu", "emma", "jemalloc", "mimalloc")
COMPARING = ("single", "crowd_brief", "crowd", "crowd_long")
LIMIT_SECONDS = 300

# figure: (what it is, unit)
FIGURES = {
    "cycle_empty_us": ("create + destroy", "us"),
    "cycle_floor_us": ("map as much, touch the same pages, unmap", "us"),
    "cycle_hundred_us": ("create + 100 small blocks + destroy", "us"),
    "million_destroy_ms": ("destroy a heap with a million blocks", "ms"),
    "million_free_ms": ("free a million blocks one by one", "ms"),
    "many_cpu_ns": ("4 threads in 100 heaps: a step, processor", "ns"),
    "many_wall_ns": ("4 threads in 100 heaps: a step, elapsed", "ns"),
    "memory_empty_kib": ("an empty heap, resident", "KiB"),
    "memory_empty_tables_kib": ("an empty heap, page tables", "KiB"),
    "memory_hundred_kib": ("a heap with 100 blocks, resident", "KiB"),
    "memory_hundred_tables_kib": ("a heap with 100 blocks, page tables", "KiB"),
    "memory_after_kib": ("a heap that was destroyed, resident", "KiB"),
    "single_pairs_default_ns": ("1 thread, a pair of 64 bytes, default heap", "ns"),
    "single_pairs_made_ns": ("1 thread, a pair of 64 bytes, made heap", "ns"),
    "single_pairs_made_ratio": ("... to the default heap", ""),
    "single_pairs_any_ns": ("1 thread, a pair of 64 bytes, made heap, emma_free", "ns"),
    "single_pairs_any_ratio": ("... to the default heap", ""),
    "single_pairs_session_ns": ("1 thread, a pair of 64 bytes, session", "ns"),
    "single_pairs_session_ratio": ("... to the default heap", ""),
    "single_replaced_default_ns": ("1 thread, replaced blocks, default heap", "ns"),
    "single_replaced_made_ns": ("1 thread, replaced blocks, made heap", "ns"),
    "single_replaced_made_ratio": ("... to the default heap", ""),
    "single_replaced_any_ns": ("1 thread, replaced blocks, made heap, emma_free", "ns"),
    "single_replaced_any_ratio": ("... to the default heap", ""),
    "single_replaced_session_ns": ("1 thread, replaced blocks, session", "ns"),
    "single_replaced_session_ratio": ("... to the default heap", ""),
    "crowd_default_cpu_ns": ("64 threads, a step in the default heap, processor", "ns"),
    "crowd_made_cpu_ns": ("64 threads, a step in one made heap, processor", "ns"),
    "crowd_cpu_ratio": ("... to the default heap", ""),
    "crowd_default_wall_ns": ("64 threads, a step in the default heap, elapsed", "ns"),
    "crowd_made_wall_ns": ("64 threads, a step in one made heap, elapsed", "ns"),
    "crowd_wall_ratio": ("... to the default heap", ""),
    "crowd_brief_cpu_ratio": ("64 brief threads, made heap to the default heap, processor", ""),
    "crowd_brief_wall_ratio": ("64 brief threads, made heap to the default heap, elapsed", ""),
    "crowd_long_cpu_ratio": ("64 long threads, made heap to the default heap, processor", ""),
    "crowd_long_wall_ratio": ("64 long threads, made heap to the default heap, elapsed", ""),
    "limited_fill_us": ("a heap of 1 MiB is filled until it refuses", "us"),
    "unlimited_fill_us": ("as many blocks without a limit", "us"),
    "limited_destroy_us": ("destroy a full heap of 1 MiB", "us"),
    "unlimited_destroy_us": ("destroy one as full without a limit", "us"),
    "limited_kib": ("a full heap of 1 MiB, resident", "KiB"),
    "unlimited_kib": ("one as full without a limit, resident", "KiB"),
}

SPREAD = "crowd_"  # of figures that begin so the least and the largest of the rounds are shown, too

GOALS = (  # text, figures needed, whether it holds
    ("create + destroy in less than 20 us", ["cycle_empty_us"], lambda empty: empty < 20),
    ("an empty heap below 64 KiB", ["memory_empty_kib"], lambda kib: kib < 64),
    ("a heap with 100 blocks below 128 KiB", ["memory_hundred_kib"], lambda kib: kib < 128),
    ("one thread: within 5 % of the default heap, pairs", ["single_pairs_made_ratio"], lambda ratio: ratio <= 1.05),
    ("one thread: within 5 % of the default heap, replaced", ["single_replaced_made_ratio"], lambda ratio: ratio <= 1.05),
    ("64 threads: at least as fast as the default heap, elapsed", ["crowd_wall_ratio"], lambda ratio: ratio <= 1),
    ("64 threads: at least as fast as the default heap, processor", ["crowd_cpu_ratio"], lambda ratio: ratio <= 1),
)


def parse(words):
    p = argparse.ArgumentParser(prog="heaps.py", description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--program", default="build/bench/heaps", help="(%(default)s)")
    p.add_argument("--emma", default="build/libemma.so", help="(%(default)s)")
    p.add_argument("--rival", action="append", default=[], metavar="NAME=LIB[@VERSION]",
                   help="mimalloc... or jemalloc...; others are passed over")
    p.add_argument("--tests", default=",".join(TESTS), metavar="A,B", help="(%(default)s)")
    p.add_argument("--rounds", type=int, default=5, help="(%(default)s)")
    p.add_argument("--json", default="build/bench/results/heaps.json", help="every run goes there (%(default)s)")
    options = p.parse_args(words)
    options.tests = options.tests.split(",")
    for test in set(options.tests) - set(TESTS):
        p.error(f"no such test: {test}")
    if options.rounds < 1:
        p.error(f"--rounds takes a number from 1 on, not {options.rounds}")
    for path in (options.program, options.emma):
        if not os.path.exists(path):
            p.error(f"there is no {path}; make bench-heaps builds it")
    return options


def maker_of(name):
    return next((maker for maker in MAKERS if name.startswith(maker)), None)


def choose(options):
    chosen = [allocators.Allocator(name, os.path.abspath(options.emma)) for name in ("emma", "emma-cpu")]
    rivals = [rival for rival in map(allocators.named, options.rival) if maker_of(rival.name)]
    if not any(maker_of(rival.name) == "jemalloc" for rival in rivals):
        packaged = allocators.packaged("jemalloc")
        rivals += [packaged] if packaged else []
    return chosen + rivals


def run_once(program, allocator, test):
    """Returns: {figure: value}; None when it failed, which is said."""
    environment = dict(os.environ, LD_PRELOAD=allocator.library)
    try:
        done = subprocess.run([program, maker_of(allocator.name), test], env=environment, capture_output=True, text=True,
                              timeout=LIMIT_SECONDS, check=False)
        why = f"exit status {done.returncode} {done.stderr.strip()[-200:]}"
    except subprocess.TimeoutExpired:
        done, why = None, f"no end within {LIMIT_SECONDS} s"
    if done is None or done.returncode != 0:
        print(f"\nheaps: {allocator.name}, {test}: {why}", file=sys.stderr)
        return None
    return {name: float(value) for name, value in map(str.split, done.stdout.splitlines())}


def measure(options, chosen):
    """Returns: {allocator: [{figure: value} of each round]}."""
    rounds = {allocator.name: [] for allocator in chosen}
    for turn in range(options.rounds):
        for allocator in chosen:
            rounds[allocator.name].append({})
        jobs = [(test, allocator) for test in options.tests for allocator in chosen
                if allocator.name != "emma-cpu" or test in COMPARING]
        random.shuffle(jobs)
        for test, allocator in jobs:
            rounds[allocator.name][-1].update(run_once(options.program, allocator, test) or {})
            print(".", end="", file=sys.stderr, flush=True)
        print(f" round {turn + 1} of {options.rounds}", file=sys.stderr)
    return rounds


def middle(rounds, figure):
    values = [values[figure] for values in rounds if figure in values]
    return statistics.median(values) if values else None


def ratio_to_emma(rounds, name, figure):
    pairs = [(mine[figure], other[figure]) for mine, other in zip(rounds["emma"], rounds[name])
             if figure in mine and figure in other and mine[figure] > 0]
    return statistics.median(other / mine for mine, other in pairs) if pairs else None


def brief(value):
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def cell(rounds, name, figure):
    value = middle(rounds[name], figure)
    if value is None:
        return "-"
    text = brief(value)
    if figure.startswith(SPREAD):
        values = [values[figure] for values in rounds[name] if figure in values]
        text += f" [{brief(min(values))}..{brief(max(values))}]"
    times = ratio_to_emma(rounds, name, figure) if name != "emma" and FIGURES[figure][1] else None
    return f"{text} ({times:.3g}x)" if times else text


def table(rounds, chosen):
    names = [allocator.name for allocator in chosen]
    titles = [f"{a.name} {a.version}".strip() for a in chosen]
    lines = ["| | unit | " + " | ".join(titles) + " |", "|---|---|" + "---|" * len(names)]
    for figure, (text, unit) in FIGURES.items():
        if middle(rounds["emma"], figure) is not None:
            cells = " | ".join(cell(rounds, name, figure) for name in names)
            lines.append(f"| {text} | {unit} | {cells} |")
    return "\n".join(lines)


def goals(rounds):
    for text, needed, holds in GOALS:
        values = [middle(rounds["emma"], figure) for figure in needed]
        if None not in values:
            yield f"{'yes' if holds(*values) else 'NO '}  {text}: {', '.join(f'{value:.3g}' for value in values)}"
    for name in rounds:
        times = ratio_to_emma(rounds, name, "cycle_empty_us") if maker_of(name) == "jemalloc" else None
        if times:
            yield f"{'yes' if times >= 10 else 'NO '}  create + destroy 10 times faster than an arena of {name}: {times:.3g}"


def main(words):
    options = parse(words)
    chosen = choose(options)
    rounds = measure(options, chosen)
    print(table(rounds, chosen))
    print("\n(in round brackets: times emma's; in square ones: least and largest of the rounds)\n")
    print("\n".join(goals(rounds)))
    os.makedirs(os.path.dirname(options.json) or ".", exist_ok=True)
    with open(options.json, "w", encoding="utf-8") as file:
        json.dump({"libraries": [dataclasses.asdict(a) for a in chosen], "rounds": rounds}, file, indent=1)
    return any(not set(values) for values in rounds["emma"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
