"""Builds and runs tests, each with its time limit, and judges how they end."""

import concurrent.futures
import fnmatch
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

from allocators import environment
from model import BUILD, FAIL, HERE, PASS, SKIP, TMP, Result

EXIT_SKIP = 77
TAIL_BYTES = 1 << 16  # of a test's output are read
HEADERS = max(file.stat().st_mtime for file in (HERE / "shim").rglob("*.[ch]"))


class NotApplicable:
    """The list of tests that cannot apply: patterns of tests and of allocators, with the reason."""

    def __init__(self, path):
        self.rules = []
        for line in path.read_text().splitlines():
            if line and not line.startswith("#"):
                test, allocators, reason = line.split(maxsplit=2)
                self.rules.append((test, allocators.split(","), reason))

    def reason(self, test, allocator):
        for pattern, allocators, reason in self.rules:
            applies = any(fnmatch.fnmatchcase(allocator.name, name) for name in allocators)
            if applies and fnmatch.fnmatchcase(test.title, pattern):
                return reason
        return None


def artifact(folder, test, suffix=""):
    path = BUILD / folder / f"{test.title.replace('/', '.')}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def linked(test, allocator):
    """What is added to the compiler's arguments to put the allocator into the program."""
    if not test.links:
        return []
    return (["-static"] if test.static else []) + [allocator.archive or allocator.shared, "-lpthread"]


def build(test, allocator):
    """Returns the program, or raises subprocess.CalledProcessError. Programs are built again when a part is newer."""
    output = artifact("bin", test, f".{allocator.name}" if test.links else "")
    command = [*test.compile, *linked(test, allocator)]
    parts = [part for part in command if isinstance(part, pathlib.Path) and part.is_file()]
    recipe = output.with_name(output.name + ".recipe")
    newest = max(HEADERS, *(part.stat().st_mtime for part in parts))
    text = " ".join(map(str, command))
    fresh = output.is_file() and recipe.is_file() and recipe.read_text() == text and output.stat().st_mtime > newest
    if not fresh:
        subprocess.run([*command, "-o", output], check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        recipe.write_text(text)
    return output


def build_once(test, allocators):
    """A program that is preloaded serves all allocators. Returns what to run for each, or the complaint as a str."""
    programs = {}
    for allocator in allocators:
        try:
            programs[allocator.name] = test.command or [build(test, allocator)]
        except subprocess.CalledProcessError as error:
            errors = [line for line in error.output.decode(errors="replace").splitlines() if "error" in line]
            programs[allocator.name] = "does not build: " + (errors or ["?"])[0]
    return programs


def tail(path):
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - TAIL_BYTES))
        return file.read().decode(errors="replace")


def execute(command, env, log, limit_seconds):
    """Returns the exit status (negative: signal; None: time limit). Kills whatever the test left running."""
    with open(log, "wb") as output:
        process = subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=TMP,
            start_new_session=True,
        )
        try:
            return process.wait(limit_seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()


def last_words(output):
    """The line that tells most: the shim's verdict, where there is one, behind the test's own last complaint."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    verdict = [line for line in lines if line.startswith("verdict: ")][-1:]
    said = [line for line in lines if not line.startswith("verdict: ")] or ["no output"]
    telling = [line for line in said if re.search(r"error|fail|assert|abort|corrupt", line, re.IGNORECASE)]
    words = (telling or said)[-1].replace(f"{BUILD}/", "")[:160]
    return "; ".join([words, *verdict])


def judge(test, code, output):
    """Returns the status and the reason."""
    if code == EXIT_SKIP:
        return SKIP, last_words(output)
    if "cannot be preloaded" in output:
        return FAIL, "the library was not loaded"
    if code is None:
        return FAIL, f"time limit of {test.limit_seconds} s"
    if code < 0:
        return FAIL, f"{signal.Signals(-code).name}: {last_words(output)}"
    if code > 0:
        return FAIL, f"exit status {code}: {last_words(output)}"
    complaint = test.check(output) if test.check else None
    return (FAIL, complaint) if complaint else (PASS, "")


def run_one(test, allocator, program):
    if isinstance(program, str):
        return Result(test, allocator, FAIL, program)
    preload = {} if test.links else environment(allocator)
    env = {**os.environ, **preload, "TMPDIR": str(TMP), "LC_ALL": "C"}
    log = artifact("log", test, f".{allocator.name}")
    start = time.monotonic()
    code = execute(program, env, log, test.limit_seconds)
    seconds = time.monotonic() - start
    status, reason = judge(test, code, tail(log))
    return Result(test, allocator, status, reason, seconds)


def run_all(tests, allocators, not_applicable, jobs):
    """Returns a dictionary from (title, allocator's name) to Result."""
    TMP.mkdir(parents=True, exist_ok=True)
    results, wanted = {}, {}
    for test in tests:
        for allocator in allocators:
            reason = not_applicable.reason(test, allocator)
            if reason:
                results[test.title, allocator.name] = Result(test, allocator, SKIP, reason)
            else:
                wanted.setdefault(test.title, (test, []))[1].append(allocator)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # tests that must die leave no core files
    pool = concurrent.futures.ThreadPoolExecutor(jobs)
    try:
        built = list(pool.map(lambda entry: build_once(*entry), wanted.values()))
        pairs = [(test, allocator, programs[allocator.name])
                 for (test, some), programs in zip(wanted.values(), built) for allocator in some]
        for count, result in enumerate(pool.map(lambda pair: run_one(*pair), pairs), 1):
            results[result.test.title, result.allocator.name] = result
            progress(count, len(pairs), result)
    finally:
        pool.shutdown(cancel_futures=True)
        shutil.rmtree(TMP)
    return results


def progress(count, total, result):
    if sys.stderr.isatty():
        line = f"[{count}/{total}] {result.test.title} {result.allocator.name}"
        print(f"\r{line:<100.100}", end="" if count < total else "\n", file=sys.stderr, flush=True)
