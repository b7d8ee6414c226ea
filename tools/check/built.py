"""built.py: rules on what was compiled: state in objects, what the archive needs, what the libraries export."""
import json
import os
import subprocess

from tree import Violation, folder_of

STATE_FOLDERS = {"api", "plat", "override"}
NEEDS = {"memcpy", "memmove", "memset", "memcmp"}
BY_LINKER = {"_GLOBAL_OFFSET_TABLE_"}
NEEDS_WEAK = {"__rseq_offset", "__rseq_size"}
EXPORTS_FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "exports.txt")


def nm(path, *options):
    """The symbols of an object or library: name, class letter, section."""
    done = subprocess.run(["nm", "-f", "sysv", *options, path], check=True, capture_output=True, text=True)
    for line in done.stdout.splitlines():
        fields = [field.strip() for field in line.split("|")]
        if len(fields) == 7 and fields[0] != "Name":
            yield fields[0].split("@")[0], fields[2], fields[6]


def is_state(section):
    """Whether a section is writable once the program runs. Constants with relocations are not."""
    return section.startswith((".data", ".bss", ".tdata", ".tbss", "*COM*", ".sdata", ".sbss", ".ldata", ".lbss")) \
        and not section.startswith(".data.rel.ro")


def state(tree, build):
    """state: no variable with static storage that can change, outside src/api, src/plat, src/override"""
    for path in tree.under(("src",), (".c", ".S")):
        folder = folder_of(path)
        if folder in STATE_FOLDERS:
            continue
        made = os.path.join(build.objects, os.path.splitext(path)[0] + ".o")
        if not os.path.exists(made):
            yield Violation(path, 1, f"not compiled: {made} is missing")
            continue
        for name, _, section in nm(made):
            if is_state(section) and not name.startswith("."):
                yield Violation(path, 1, f"{name} is mutable state (section {section}); {folder or 'src'} has none")


def needs(tree, build):
    """needs: libemma.a needs the four memory functions and, weakly, rseq; nothing else"""
    del tree
    path = build.library("libemma.a")
    symbols = list(nm(path))
    defined = {name for name, letter, _ in symbols if letter not in "Uwv"}
    for name, letter in sorted({(name, letter) for name, letter, _ in symbols if letter in "Uwv"}):
        if name in defined | NEEDS | BY_LINKER or (name in NEEDS_WEAK and letter in "wv"):
            continue
        weakly = " strongly" if name in NEEDS_WEAK else ""
        yield Violation(path, 1, f"needs {name}{weakly}")


PUBLIC_HEADERS = ("include/emma.h", "include/emma_heap.h")


def public_functions(header):
    """The functions that a public header declares, as clang reads it."""
    done = subprocess.run([os.environ.get("CLANG", "clang-14"), "-std=c11", "-x", "c", "-fsyntax-only", "-Xclang",
                           "-ast-dump=json", header], check=True, capture_output=True, text=True)
    for node in json.loads(done.stdout)["inner"]:
        if node["kind"] == "FunctionDecl" and not node.get("isImplicit") and node.get("storageClass") != "static":
            yield node["name"]


def exports(tree, build):
    """exports: libemma.so exports its prefix alone, libemma-malloc.so the list in exports.txt and those of the public headers"""
    headers = [path for path in map(tree.path, PUBLIC_HEADERS) if os.path.exists(path)]
    wanted = {name for header in headers for name in public_functions(header) if name.startswith("emma_")}
    wanted = {build.prefix + name[len("emma_"):] for name in wanted}
    path = build.library("libemma.so")
    exported = {name for name, _, section in nm(path, "-D", "--defined-only") if section != "*ABS*"}
    for name in sorted(exported):
        if not name.startswith(build.prefix) or name.startswith(build.prefix + "_"):
            yield Violation(path, 1, f"exports {name}, which is no public name ({build.prefix}...)")
    for name in sorted(wanted - exported):
        yield Violation(path, 1, f"does not export {name}, which a public header declares")

    with open(EXPORTS_FILE, encoding="utf-8") as file:
        lines = [line for line in file.read().splitlines() if not line.startswith("#")]
    wanted |= set(" ".join(lines).split())
    path = build.library("libemma-malloc.so")
    exported = {name for name, _, section in nm(path, "-D", "--defined-only") if section != "*ABS*"}
    for name in sorted(exported - wanted):
        yield Violation(path, 1, f"exports {name}, which is neither in exports.txt nor in a public header")
    for name in sorted(wanted - exported):
        yield Violation(path, 1, f"does not export {name}")
