"""The allocators that can be compared: emma, glibc's own, and those of Debian's packages."""

import pathlib
import subprocess

from model import CC, Allocator, need, refuse


def library_folder():
    triplet = subprocess.run([CC, "-print-multiarch"], capture_output=True, text=True, check=True).stdout.strip()
    return pathlib.Path("/usr/lib") / triplet


def known(emma_shared, emma_archive):
    folder = library_folder()
    return [
        Allocator("emma", shared=emma_shared, archive=emma_archive),
        Allocator("glibc"),
        Allocator("jemalloc", shared=folder / "libjemalloc.so.2", packages=("libjemalloc2",)),
        Allocator("mimalloc", shared=folder / "libmimalloc.so.2", packages=("libmimalloc2.0",)),
        Allocator("tcmalloc", shared=folder / "libtcmalloc_minimal.so.4", packages=("libtcmalloc-minimal4",)),
    ]


def choose(names, allocators):
    """The allocators of these names, in the order of the table, their packages installed and proven to load."""
    unknown = set(names) - {allocator.name for allocator in allocators}
    if unknown:
        refuse(f"no such allocator: {', '.join(sorted(unknown))}")
    chosen = [allocator for allocator in allocators if allocator.name in names]
    need(*(package for allocator in chosen for package in allocator.packages))
    for allocator in chosen:
        prove_loaded(allocator)
    return chosen


def environment(allocator):
    return {"LD_PRELOAD": str(allocator.shared)} if allocator.shared else {}


def prove_loaded(allocator):
    """The loader only warns when it cannot preload; the tests would then silently try libc's malloc."""
    if not allocator.shared:
        return
    if not allocator.shared.is_file():
        raise SystemExit(f"conformance: {allocator.name}: no file {allocator.shared}")
    maps = subprocess.run(["/bin/cat", "/proc/self/maps"], env=environment(allocator), capture_output=True, text=True)
    if str(allocator.shared.resolve()) not in maps.stdout:
        raise SystemExit(f"conformance: {allocator.name}: {allocator.shared} cannot be preloaded: {maps.stderr}")
