"""What a test, an allocator and a result are; where things lie."""

import dataclasses
import os
import pathlib
import subprocess
import sys
from typing import Callable, Optional

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / "build" / "conformance"
TMP = BUILD / "tmp"

CC = os.environ.get("CC", "gcc")
CXX = os.environ.get("CXX", "g++")

PASS, FAIL, SKIP = "pass", "FAIL", "skip"


@dataclasses.dataclass
class Allocator:
    """A malloc under test. `shared` is preloaded; None means libc's own malloc."""

    name: str
    shared: Optional[pathlib.Path] = None
    archive: Optional[pathlib.Path] = None
    packages: tuple = ()


@dataclasses.dataclass
class Test:
    """One row of the table: either a `command` to run, or a program to build with `compile` and then run.

    A test that `links` contains the allocator, all others get it by LD_PRELOAD.
    check(output) returns what is wrong with the output, or None.
    """

    suite: str
    name: str
    command: Optional[list] = None
    compile: Optional[list] = None
    links: bool = False
    static: bool = False
    check: Optional[Callable] = None
    limit_seconds: int = 120

    @property
    def title(self):
        return f"{self.suite}/{self.name}"


@dataclasses.dataclass
class Result:
    test: Test
    allocator: Allocator
    status: str
    reason: str = ""
    seconds: float = 0.0


def refuse(what):
    """The command line asks for what there is not."""
    print(f"conformance: {what}", file=sys.stderr)
    raise SystemExit(2)


def need(*packages):
    """Installs the missing ones of the Debian packages; ends the program where that fails."""
    if packages and subprocess.run([ROOT / "tools" / "need.sh", *packages]).returncode:
        raise SystemExit("conformance: packages are missing")
