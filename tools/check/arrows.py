"""arrows.py: one-way includes. The only place in the tools where the arrows between folders are written down.

ARROWS names, for every folder of src/, the folders whose headers it may include. It may always include its own. The
order is from the bottom to the top, so a cycle cannot be written. PUBLIC names the headers of include/ that it may
include. Below override, only headers that a freestanding compiler has.
"""
import re

from tree import Violation, directives, folder_of

ARROWS = {
    "base": "",
    "plat": "base",
    "region": "base plat",
    "span": "base plat region",
    "depot": "base span",
    "cache": "base plat span depot",
    "heap": "base plat region span depot cache bare",
    "purge": "base plat region span depot cache heap",
    "ctl": "base plat region span depot cache heap purge",
    "api": "base plat region span depot cache heap purge ctl",
    "override": "base api",
    "bare": "base",
}

PUBLIC = {
    "heap": "emma.h emma_heap.h emma_bare.h",
    "purge": "emma.h emma_heap.h",
    "ctl": "emma.h emma_heap.h",
    "api": "emma.h emma_heap.h",
    "override": "emma.h emma_heap.h",
    "bare": "emma_bare.h",
}

KNOWS_LIBC = {"override"}

FREESTANDING = {name + ".h" for name in (
    "stddef stdint stdbool stdatomic stdarg limits float stdalign stdnoreturn").split()}

_INCLUDE = re.compile(r'^\s*#\s*include(?:_next)?\s*(?:"([^"]*)"|<([^>]*)>|(.*))')


def is_public(name):
    return "/" not in name and name.startswith("emma")


def wrong(folder, quoted, system):
    """What is wrong with one include of a file in this folder of src/, or None. One of quoted, system is a name."""
    name = quoted or system
    if name is None:
        return "an include names its file in quotes or angle brackets"
    if is_public(name):
        if name in PUBLIC.get(folder, "").split():
            return None
        return f"{folder} may not include the public header {name}"
    if system:
        if system in FREESTANDING or folder in KNOWS_LIBC:
            return None
        return f"<{system}> is not a header of a freestanding compiler; {folder} knows no others"
    target = quoted.split("/")[0] if "/" in quoted else ""
    if target not in ARROWS:
        return f'"{quoted}" is not written "folder/file.h" with a folder of src'
    if target != folder and target not in ARROWS[folder].split():
        return f"{folder} may not include {target}; it knows: {ARROWS[folder] or 'nothing'}"
    return None


def wrong_in_public(quoted, system):
    name = quoted or system
    if name is not None and (is_public(name) or system in FREESTANDING):
        return None
    return f"a public header includes freestanding and public headers only, not {name or 'a macro'}"


def includes(tree):
    """includes: a folder includes only what its row of the table allows"""
    for path in tree.under(("src", "include"), (".c", ".h", ".cc", ".S")):
        folder = folder_of(path)
        if folder is not None and folder not in ARROWS:
            yield Violation(path, 1, f"src/{folder} is no folder of the table in arrows.py")
            continue
        for number, line in directives(tree.text(path)):
            match = _INCLUDE.match(line)
            if not match:
                continue
            quoted, system, _ = match.groups()
            what = wrong_in_public(quoted, system) if folder is None else wrong(folder, quoted, system)
            if what:
                yield Violation(path, number, what)
