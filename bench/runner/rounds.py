"""Interleaved rounds: in every round each job runs once under every allocator, in a fresh random order.

The result is plain data, ready for JSON:
    {"allocators": [{name, library, version}], "rows": [{name, clock, group, runs: {allocator: [figures]},
      idle: {allocator: {kib, live_kib}}, failed: {allocator: reason}}]}
"""
import os
import platform
import random
import sys
import time

from . import execute


class Progress:
    """One line per run on standard error; on a terminal the line is overwritten."""

    def __init__(self, total, quiet):
        self.total, self.quiet, self.done, self.begin = total, quiet, 0, time.monotonic()
        self.terminal = sys.stderr.isatty()

    def say(self, what):
        self.done += 1
        if self.quiet:
            return
        spent = time.monotonic() - self.begin
        left = spent / self.done * (self.total - self.done)
        line = f"[{self.done}/{self.total}, {left / 60:.0f} min left] {what}"
        print(f"\r{line:<100.100}" if self.terminal else line, end="" if self.terminal else "\n", file=sys.stderr,
              flush=True)

    def end(self):
        if self.terminal and not self.quiet:
            print(f"\r{'':<100}\r", end="", file=sys.stderr)


def machine():
    model = ""
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as lines:
        model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")
    return {"processor": model, "cores": len(os.sched_getaffinity(0)), "kernel": platform.release().split("-")[0],
            "architecture": platform.machine()}


def empty_row(job):
    return {"name": job.name, "clock": job.clock, "group": job.group, "runs": {}, "idle": {}, "failed": {}}


def note_failure(row, allocator, reason):
    row["failed"].setdefault(allocator.name, str(reason))
    row["runs"].pop(allocator.name, None)


def measure_all(measure, jobs, allocators, rounds, idle_seconds, quiet=False):
    """Runs everything; idle_seconds of None leaves the idle runs out."""
    rows = {job.name: empty_row(job) for job in jobs}
    idle_jobs = [job for job in jobs if job.idle and idle_seconds is not None]
    progress = Progress((len(jobs) * rounds + len(idle_jobs)) * len(allocators), quiet)
    order = random.Random(0)
    for number in range(rounds):
        for job in order.sample(jobs, len(jobs)):
            for allocator in order.sample(allocators, len(allocators)):
                one_run(measure, job, allocator, rows[job.name])
                progress.say(f"round {number + 1}/{rounds}: {job.name}, {allocator.name}")
    for job in idle_jobs:
        for allocator in allocators:
            one_idle(measure, job, allocator, rows[job.name], idle_seconds)
            progress.say(f"idle: {job.name}, {allocator.name}")
    progress.end()
    for row in rows.values():
        compare_outputs(row)
    return {"machine": machine(), "rounds": rounds, "idle_seconds": idle_seconds,
            "allocators": [vars(a) for a in allocators], "rows": list(rows.values())}


def one_run(measure, job, allocator, row):
    if allocator.name in row["failed"]:
        return
    try:
        row["runs"].setdefault(allocator.name, []).append(execute.run(measure, job, allocator.library))
    except execute.Failed as reason:
        note_failure(row, allocator, reason)


def one_idle(measure, job, allocator, row, seconds):
    if allocator.name in row["failed"]:
        return
    try:
        row["idle"][allocator.name] = execute.run_idle(measure, job, allocator.library, seconds)
    except execute.Failed as reason:
        row["failed"][allocator.name] = f"idle: {reason}"


def compare_outputs(row):
    """Where a program's output must not depend on the allocator: the output most often seen is right, others failed."""
    seen = {name: {run.get("output") for run in runs} for name, runs in row["runs"].items()}
    every = [output for outputs in seen.values() for output in outputs]
    if not every:
        return
    right = max(set(every), key=every.count)
    for name, outputs in seen.items():
        if outputs != {right}:
            row["failed"][name] = "wrong output"
            del row["runs"][name]
