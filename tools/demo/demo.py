#!/usr/bin/env python3
"""demo.py LIBRARY: runs three real programs on glibc's malloc and on emma's (preloaded), interleaved, and prints time
and peak memory side by side. Their outputs must be the same. Exit status: 0 iff they are; 2: LIBRARY is no library."""
import os
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
INPUTS = os.path.join(HERE, "..", "..", "bench", "programs")
ROUNDS = 3
PROGRAMS = [  # name, what it does, command, environment
    ("lua", "binary trees", ["lua5.4", f"{INPUTS}/trees.lua"], {}),
    ("sqlite3", "joins in memory", ["sqlite3", "-batch", "-init", "/dev/null", ":memory:", f".read {INPUTS}/joins.sql"],
     {}),
    ("python3", "JSON documents", ["/usr/bin/python3", f"{HERE}/documents.py"],
     {"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0"}),
]


def measure(command, environment, library):
    """One run. Returns: seconds of processor time, peak KiB, output."""
    settings = {name: value for name, value in os.environ.items() if name not in ("LD_PRELOAD", "EMMA_CONF")}
    settings.update(environment, LC_ALL="C")
    if library:
        settings["LD_PRELOAD"] = library
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                   env=settings)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if process.returncode != 0:
        what = text.decode(errors="replace").strip()[-500:]
        sys.exit(f"demo: {command[0]} {'on emma' if library else 'on glibc'} ended with {process.returncode}\n{what}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss, text


def is_loaded(library):
    """Whether a preloaded process has the library mapped: a preload that fails is only a warning."""
    shown = subprocess.run(["cat", "/proc/self/maps"], env=dict(os.environ, LD_PRELOAD=library), capture_output=True,
                           text=True, check=False)
    return library in shown.stdout


def progress(text):
    """On a terminal a line that is overwritten, else nothing but dots."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
    elif text:
        print(".", end="", file=sys.stderr, flush=True)


def ratio(ours, theirs):
    return f"{ours / theirs:6.2f}"


def refuse(what):
    print(what, file=sys.stderr)
    return 2


def main():
    words = sys.argv[1:]
    if words in (["-h"], ["--help"]):
        print(__doc__)
        return 0
    if len(words) != 1 or words[0].startswith("-"):
        return refuse("usage: demo.py LIBRARY")
    library = os.path.realpath(words[0])
    if not os.path.exists(library):
        return refuse(f"demo: there is no {words[0]}")
    if not is_loaded(library):
        return refuse(f"demo: {library} cannot be preloaded")
    print(f"Three programs on glibc's malloc and on emma, {ROUNDS} runs each; the best of them counts.\n", flush=True)
    began = time.monotonic()
    best = {}
    outputs = {}
    for turn in range(ROUNDS):
        for name, _, command, environment in PROGRAMS:
            for on in ("glibc", "emma") if turn % 2 == 0 else ("emma", "glibc"):
                progress(f"round {turn + 1} of {ROUNDS}: {name} on {on} ...")
                seconds, peak, text = measure(command, environment, library if on == "emma" else "")
                before = best.get((name, on), (seconds, peak))
                best[name, on] = min(before[0], seconds), min(before[1], peak)
                outputs.setdefault(name, set()).add(text)
    progress("")
    print(file=sys.stderr)

    print(f"{'':27}|     time in seconds      |    peak memory in MiB")
    print(f"{'program':27}|  glibc    emma   ratio   |  glibc    emma   ratio   | output")
    print(f"{'-' * 27}+--------------------------+--------------------------+-------")
    for name, what, _, _ in PROGRAMS:
        (time_glibc, peak_glibc), (time_emma, peak_emma) = best[name, "glibc"], best[name, "emma"]
        same = "same" if len(outputs[name]) == 1 else "DIFFERS"
        print(f"{name + ': ' + what:27}| {time_glibc:6.2f}  {time_emma:6.2f}  {ratio(time_emma, time_glibc)}   "
              f"| {peak_glibc / 1024:6.1f}  {peak_emma / 1024:6.1f}  {ratio(peak_emma, peak_glibc)}   | {same}")
    print(f"\nTime is user and system; a ratio below 1 means that emma needs less. {time.monotonic() - began:.0f} s in all.\n"
          "On a busy machine times are good to a third; `make bench` measures.")
    return any(len(texts) != 1 for texts in outputs.values())


if __name__ == "__main__":
    sys.exit(main())
