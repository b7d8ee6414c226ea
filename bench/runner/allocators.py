"""The allocators: emma, those of Debian packages, and those named on the command line."""
import glob
import os
import subprocess
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Allocator:
    name: str
    library: str
    version: str = ""


# name: (Debian package, where its library is)
PACKAGED = {
    "glibc": ("libc6", "/lib/*-linux-gnu*/libc.so.6"),
    "jemalloc": ("libjemalloc2", "/usr/lib/*/libjemalloc.so.2"),
    "mimalloc": ("libmimalloc2.0", "/usr/lib/*/libmimalloc.so.2"),
    "tcmalloc": ("libtcmalloc-minimal4", "/usr/lib/*/libtcmalloc_minimal.so.4"),
    "scudo": ("libclang-rt-14-dev", "/usr/lib/llvm-14/lib/clang/*/lib/linux/libclang_rt.scudo_standalone-{machine}.so"),
}


def refuse(what):
    """The command line asks for what there is not."""
    print(f"bench: {what}", file=sys.stderr)
    raise SystemExit(2)


def need(packages):
    """Returns True iff the packages are there, after trying to install the missing ones."""
    tool = os.path.join(os.path.dirname(__file__), "../../tools/need.sh")
    return not packages or subprocess.run([tool, *packages], check=False).returncode == 0


def package_version(package):
    query = ["dpkg-query", "-W", "-f", "${Version}", package]
    return subprocess.run(query, capture_output=True, text=True, check=False).stdout


def packaged(name):
    """Returns the allocator of a Debian package, or None.

    glibc is preloaded too: programs linked to another allocator (redis, db_bench) then really use it.
    """
    package, pattern = PACKAGED[name]
    if not need([package]):
        return None
    paths = glob.glob(pattern.format(machine=os.uname().machine))
    return Allocator(name, paths[0], package_version(package)) if paths else None


def named(text):
    """name=/path/to/library.so[@version]"""
    name, equals, path = text.partition("=")
    path, _, version = path.partition("@")
    if not equals:
        refuse(f"--rival takes NAME=LIBRARY, not {text}")
    if not os.path.exists(path):
        refuse(f"{name}: there is no {path}")
    return Allocator(name, os.path.abspath(path), version)


def choose(emma, rivals, wanted):
    """Returns the list of allocators: emma first, then packages, then rivals; only the wanted ones, where any are."""
    chosen = []
    if not wanted or "emma" in wanted:
        if not os.path.exists(emma):
            refuse(f"emma: there is no {emma}; make builds it")
        chosen.append(Allocator("emma", os.path.abspath(emma)))
    for name in PACKAGED:
        found = packaged(name) if not wanted or name in wanted else None
        chosen += [found] if found else []
    chosen += [rival for rival in map(named, rivals) if not wanted or rival.name in wanted]
    missing = set(wanted) - {a.name for a in chosen}
    if missing:
        refuse(f"no such allocator: {', '.join(sorted(missing))}")
    return chosen
