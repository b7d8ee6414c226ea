"""The real programs: what they need, what they work on, how they are run; servers also how they are loaded.

In commands and environments {here} is bench/programs, {inputs} what the bench makes (inputs.py), {work} scratch space.
"""
import atexit
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field

from . import allocators, inputs
from .execute import Job


@dataclass(frozen=True)
class Program:
    name: str
    packages: str
    command: str
    clock: str = "cpu"
    needs: str = ""  # names in {inputs}
    environment: dict = field(default_factory=dict)
    same_output: bool = True
    idle: bool = False
    ready: str = ""
    load: str = ""


P = Program
REDIS = "redis-server --port 0 --unixsocket {work}/redis.sock --save '' --appendonly no --dir {work}"
REDIS_LOAD = "redis-benchmark -s {work}/redis.sock -P 32 -c 16 -r 200000 -n 400000 -d 100 -q -t "

PROGRAMS = [
    P("redis", "redis-server redis-tools", REDIS, "wall", idle=True, ready="redis-cli -s {work}/redis.sock ping",
      load=REDIS_LOAD + "set,get,incr,lpush,rpop,sadd,hset,zadd"),
    P("memcached", "memcached", "memcached -u root -s {work}/memcached.sock -m 1024 -t 2", "cpu", idle=True,
      ready="python3 {here}/memcached_load.py {work}/memcached.sock 0",
      load="python3 {here}/memcached_load.py {work}/memcached.sock 150"),
    P("python", "python3", "/usr/bin/python3 {here}/objects.py", idle=True,
      environment={"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0"}),
    P("lua", "lua5.4", "lua5.4 {here}/trees.lua"),
    P("perl", "perl", "perl {here}/words.perl", environment={"PERL_HASH_SEED": "0"}),
    P("node", "nodejs", "node {here}/maps.js"),
    P("cc1", "gcc", "{cc1} -quiet -O1 {inputs}/large.c -o {work}/cc1.s", needs="large.c"),
    P("cc1plus", "g++", "{cc1plus} -quiet -fpreprocessed -std=c++17 -O1 {inputs}/large.ii -o {work}/cc1plus.s",
      needs="large.ii"),
    P("clang", "clang", "clang -c -O1 {inputs}/large.c -o {work}/clang.o", needs="large.c"),
    P("z3", "z3", "z3 {inputs}/formula.smt2", needs="formula.smt2"),
    P("sqlite", "sqlite3", "sqlite3 -batch -init /dev/null -cmd '.read {here}/joins.sql' :memory: ''"),
    P("ghostscript", "ghostscript", "gs -q -dBATCH -dNOPAUSE -sDEVICE=pdfwrite -sOutputFile={work}/out.pdf "
      "{inputs}/drawing.ps", needs="drawing.ps"),
    P("git", "git", "git -C {inputs}/history.git repack -q -adf --window=30 --threads=2", "wall", needs="history.git"),
    P("rocksdb", "rocksdb-tools", "db_bench --db={work}/db --wal_dir={work}/db --num=80000 --seed=1 --threads=2 "
      "--value_size=100 --benchmarks=fillrandom,readrandom,overwrite", "wall", same_output=False),
]


def compilers():
    """Where gcc keeps the compilers proper."""
    found = {}
    for name in ("cc1", "cc1plus"):
        try:
            asked = subprocess.run(["gcc", f"-print-prog-name={name}"], capture_output=True, text=True, check=False)
            found[name] = asked.stdout.strip()
        except FileNotFoundError:
            found[name] = name
    return found


def scratch():
    """A directory for this run, removed at its end; its path is short, as sockets require."""
    path = tempfile.mkdtemp(prefix="bench-")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def jobs(here, build):
    """All programs as jobs; nothing is installed or made yet."""
    places = {"here": here, "inputs": os.path.join(build, "inputs"), "work": scratch(), **compilers()}

    def words(text):
        return [word.format(**places) for word in shlex.split(text)]

    return [Job(p.name, words(p.command), p.clock, p.idle, "programs", p.environment, directory=places["work"],
                same_output=p.same_output and not p.load, ready=words(p.ready), load=words(p.load)) for p in PROGRAMS]


def prepare(chosen, build):
    """Installs the packages of the chosen programs and makes their inputs; returns the jobs that can be run."""
    by_name = {p.name: p for p in PROGRAMS}
    able = []
    for job in chosen:
        program = by_name[job.name] if job.group == "programs" else None
        if program and not allocators.need(program.packages.split()):
            print(f"bench: {job.name} is left out: not installed: {program.packages}", file=sys.stderr)
            continue
        if program and program.needs:
            inputs.make(os.path.join(build, "inputs", program.needs))
        able.append(job)
    return able
