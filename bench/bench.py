#!/usr/bin/env python3
"""bench.py: measures allocators against each other, in time and in memory.

Every workload runs under every allocator, interleaved and shuffled, so that what disturbs one disturbs all; figures are
ratios to the best of the row. Results go to --out as results.json, results.md and PNG plots.
"""
import argparse
import fnmatch
import json
import os
import sys

sys.dont_write_bytecode = True
from runner import allocators, execute, plots, programs, rounds, show, table  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))


def parse(words):
    p = argparse.ArgumentParser(prog="bench.py", description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default="build/bench", help="where the built programs are (%(default)s)")
    p.add_argument("--out", help="where the results go (BUILD/results)")
    p.add_argument("--emma", default="build/libemma-malloc.so", help="emma's drop-in library (%(default)s)")
    p.add_argument("--rival", action="append", default=[], metavar="NAME=LIB[@VERSION]", help="one more allocator")
    p.add_argument("--allocators", default="", metavar="A,B", help="only these (default: all)")
    p.add_argument("--only", default="", metavar="PATTERN,...", help="only rows whose names match, of any group")
    p.add_argument("--group", default="default,programs", help="default, programs, scale, growth (%(default)s)")
    p.add_argument("--rounds", type=int, default=5, help="(%(default)s)")
    p.add_argument("--quick", action="store_true", help="an eighth of the work of each workload")
    p.add_argument("--idle", nargs="?", type=float, const=10.0, metavar="SECONDS",
                   help="also read the resident memory that long after the work (10; slow)")
    p.add_argument("--full", action="store_true", help="show all metrics on the terminal")
    p.add_argument("--quiet", action="store_true", help="no progress")
    p.add_argument("--list", action="store_true", help="list the rows and end")
    p.add_argument("--report", metavar="JSON", help="measure nothing: show these results again")
    options = p.parse_args(words)
    if options.rounds < 1:
        p.error(f"--rounds takes a number from 1 on, not {options.rounds}")
    if options.idle is not None and options.idle < 0:
        p.error(f"--idle takes a number from 0 on, not {options.idle:g}")
    if options.report and not os.path.exists(options.report):
        p.error(f"there is no {options.report}")
    return options


def workload_job(workload, build, quick):
    command = [os.path.join(os.path.abspath(build), workload.program), *workload.arguments(quick)]
    return execute.Job(workload.name, command, workload.clock, workload.idle, group=workload.group)


def all_jobs(options):
    jobs = [workload_job(w, options.build, options.quick) for w in table.WORKLOADS]
    return jobs + programs.jobs(os.path.join(HERE, "programs"), os.path.abspath(options.build))


def choose_jobs(jobs, only, groups):
    """Those that match, or are in a group. Every group must exist, every pattern match something."""
    known = [job.name for job in jobs] if only else [job.group for job in jobs]
    patterns = (only or groups).split(",")
    for pattern in patterns:
        if not fnmatch.filter(known, pattern):
            allocators.refuse(f"nothing is called {pattern}; bench.py --list --group default,programs,scale,growth")
    return [job for job, name in zip(jobs, known) if any(fnmatch.fnmatch(name, pattern) for pattern in patterns)]


def report(result, options):
    out = options.out or os.path.join(options.build, "results")
    os.makedirs(out, exist_ok=True)
    with open(os.path.join(out, "results.json"), "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
    with open(os.path.join(out, "results.md"), "w", encoding="utf-8") as file:
        file.write(show.markdown(result))
    print(show.text(result, options.full))
    if allocators.need(["gnuplot-nox"]):
        plots.draw(result, out)
    print(f"results.json, results.md and plots are in {out}")


def main(words):
    options = parse(words)
    if options.report:
        with open(options.report, encoding="utf-8") as file:
            print(show.text(json.load(file), options.full))
        return 0
    jobs = choose_jobs(all_jobs(options), options.only, options.group)
    if options.list:
        for job in jobs:
            print(f"{job.group:9} {job.name:18} {' '.join(job.command)}")
        return 0
    measure = os.path.join(os.path.abspath(options.build), "measure")
    if not os.path.exists(measure):
        allocators.refuse(f"there is no {measure}; make bench-programs-built builds it")
    wanted = [name for name in options.allocators.split(",") if name]
    rivals = allocators.choose(options.emma, options.rival, wanted)
    jobs = programs.prepare(jobs, os.path.abspath(options.build))
    result = rounds.measure_all(measure, jobs, rivals, options.rounds, options.idle, options.quiet)
    report(result, options)
    return 1 if "emma" in {name for row in result["rows"] for name in row["failed"]} else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
