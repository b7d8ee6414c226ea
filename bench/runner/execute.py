"""Runs one job once: one command under one allocator, through the launcher `measure`."""
import hashlib
import os
import select
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field

LIMIT_SECONDS = 300


@dataclass(frozen=True)
class Job:
    """A command to be measured; for a server also the command that loads it and the one that tells when it is ready."""
    name: str
    command: list
    clock: str = "cpu"
    idle: bool = False
    group: str = "default"
    environment: dict = field(default_factory=dict)
    directory: str = None
    same_output: bool = False  # standard output must be the same under every allocator
    ready: list = field(default_factory=list)
    load: list = field(default_factory=list)


class Failed(Exception):
    pass


class Process:
    """The launcher and the command below it."""

    def __init__(self, measure, job, library, extra_environment, output):
        read_end, write_end = os.pipe()
        environment = {**os.environ, **job.environment, **extra_environment}
        environment.pop("LD_PRELOAD", None)
        self.launcher = subprocess.Popen(
            [measure, str(write_end), library, *job.command], env=environment, cwd=job.directory, stdout=output,
            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, pass_fds=[write_end], start_new_session=True)
        os.close(write_end)
        self.results = os.fdopen(read_end)
        self.pid = int(self.line(10).split()[1])

    def line(self, limit):
        if not select.select([self.results], [], [], limit)[0]:
            self.kill()
            raise Failed(f"took more than {limit:.0f} s")
        text = self.results.readline()
        if not text:
            raise Failed("the launcher ended")
        return text

    def end(self):
        """Waits for the end; returns the figures."""
        try:
            words = self.line(LIMIT_SECONDS).split()
        finally:
            self.launcher.wait()
            self.results.close()
        keys = ("status", "wall", "user", "sys", "peak_kib", "minor", "major")
        return dict(zip(keys, [float(word) if "." in word else int(word) for word in words[1:]]))

    def kill(self):
        try:
            os.killpg(self.launcher.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.launcher.wait()


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    raise Failed("ended before its memory could be read")


def run(measure, job, library):
    """Returns the figures of one run. Raises Failed."""
    with tempfile.TemporaryFile() as output:
        process = Process(measure, job, library, {}, output)
        try:
            load_wall = load_server(process, job) if job.load else None
            figures = process.end()
        except BaseException:  # an interrupt, too, must not leave it running
            process.kill()
            raise
        output.seek(0)
        text = output.read()
    status = figures.pop("status")
    if status != 0 and not job.load:
        tail = text.decode(errors="replace").strip().splitlines()[-1:]
        raise Failed(f"exit status {status} {' '.join(tail)}".strip())
    if load_wall is not None:
        figures["wall"] = load_wall
    if job.clock == "work":
        figures["work"] = float(text.split(b"work seconds=")[1].split()[0])
    if job.same_output:
        figures["output"] = hashlib.sha256(text).hexdigest()[:16]
    return figures


def load_server(process, job, stop=True):
    """Waits until the server answers, runs the load, stops the server; returns how long the load took."""
    deadline = time.monotonic() + 20
    while subprocess.run(job.ready, capture_output=True, check=False).returncode != 0:
        if time.monotonic() > deadline:
            raise Failed("the server did not start")
        time.sleep(0.02)
    begin = time.monotonic()
    load = subprocess.run(job.load, capture_output=True, check=False, timeout=LIMIT_SECONDS)
    wall = time.monotonic() - begin
    if load.returncode != 0:
        raise Failed("the load failed: " + load.stderr.decode(errors="replace").strip()[-200:])
    if stop:
        os.kill(process.pid, signal.SIGTERM)
    return wall


def run_idle(measure, job, library, seconds):
    """Runs the job, leaves it idle, returns its resident memory then and the bytes that it says are live (or None)."""
    with tempfile.NamedTemporaryFile() as output:
        process = Process(measure, job, library, {"BENCH_IDLE": str(seconds + 30)}, output)
        try:
            if job.load:
                load_server(process, job, stop=False)
                live = None
            else:
                live = wait_for_idle(process, output.name)
            time.sleep(seconds)
            return {"kib": resident_kib(process.pid), "live_kib": live}
        except FileNotFoundError as missing:
            raise Failed("ended before its memory could be read") from missing
        finally:
            process.kill()


def wait_for_idle(process, path):
    deadline = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < deadline:
        with open(path, encoding="utf-8", errors="replace") as output:
            for line in output:
                if line.startswith("idle live=") and line.endswith("\n"):
                    live = line.split("=")[1].strip()
                    return int(live) // 1024 if live.isdigit() else None
        if process.launcher.poll() is not None:
            raise Failed("ended without idling")
        time.sleep(0.02)
    raise Failed("never became idle")
