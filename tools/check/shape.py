"""shape.py: rules on files as text: names, length, README, banner, conditionals, words."""
import os
import re

from tree import CODE, C_LIKE, Violation, directives, folder_of

FILE_LINES, FILE_LINES_MOST = 400, 600
BANNER_LINES = 40
README_LINES, README_LINES_SRC = 60, 40
CONDITIONAL_FOLDERS = {"base", "plat"}
WORDS_FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "words.txt")


def names(tree):
    """names: a base name belongs to one module of src and include (x.h and x.c side by side are one)"""
    first = {}
    for path in tree.under(("src", "include"), C_LIKE):
        folder, name = os.path.split(path)
        stem = os.path.splitext(name)[0]
        other = first.setdefault(stem, folder)
        if other != folder:
            yield Violation(path, 1, f"there is a module {stem} in {other} already")


def length(tree):
    """length: a file of code has at most 400 lines; 600 never"""
    for path in tree.files:
        lines = len(tree.lines(path)) if path.endswith(CODE) or path.endswith("Makefile") else 0
        if lines > FILE_LINES:
            most = FILE_LINES_MOST if lines > FILE_LINES_MOST else FILE_LINES
            yield Violation(path, lines, f"{lines} lines; at most {most}", fatal=lines > FILE_LINES_MOST)


def rooms(tree):
    """The folders that need a README: all of src; tests, tools and their folders; bench."""
    for path in tree.files:
        parts = path.split("/")[:-1]
        depth = {"src": len(parts), "tests": 2, "tools": 2, "bench": 1}.get(parts[0] if parts else "", 0)
        for end in range(1, min(depth, len(parts)) + 1):
            yield "/".join(parts[:end])


def readme(tree):
    """readme: every folder says what it is, in at most 60 lines (40 in src)"""
    for folder in sorted(set(rooms(tree)) - {"src"}):
        path = folder + "/README.md"
        most = README_LINES_SRC if folder.startswith("src/") else README_LINES
        if path not in tree.files:
            yield Violation(path, 1, "missing")
        elif len(tree.lines(path)) > most:
            yield Violation(path, most + 1, f"{len(tree.lines(path))} lines; at most {most}")


def banner(tree):
    """banner: a file of code begins with a comment; in src and include with its name, and at most 40 lines long"""
    for path in tree.files:
        if not path.endswith(CODE):
            continue
        lines = tree.lines(path)
        at = 1 if lines and lines[0].startswith("#!") else 0
        ours = path.startswith(("src/", "include/"))
        opening = r"(/\*\*?|//) ?" if path.endswith(C_LIKE) else r'(# ?|r?""")'
        name = re.escape(os.path.basename(path)) + r": \S" if ours else ""
        if not re.match(opening + name, "".join(lines[at:at + 1])):
            what = f", that begins '{os.path.basename(path)}: '" if ours else ""
            yield Violation(path, at + 1, "no banner: a comment at the top" + what)
        elif path.endswith(C_LIKE) and lines[0].startswith("/*"):
            end = next((number for number, line in enumerate(lines, 1) if "*/" in line), len(lines))
            if end > BANNER_LINES:
                yield Violation(path, end, f"the banner has {end} lines; at most {BANNER_LINES}")


def conditional(tree):
    """conditional: #if only in src/base and src/plat; elsewhere include guards alone"""
    for path in tree.under(("src",), C_LIKE):
        if folder_of(path) in CONDITIONAL_FOLDERS:
            continue
        lines = tree.lines(path)
        found = [number for number, line in directives(tree.text(path))
                 if re.match(r"\s*#\s*(if|ifdef|ifndef)\b", line)]
        if found and path.endswith(".h") and re.match(r"#ifndef \w+_H$", lines[found[0] - 1]):
            found.pop(0)
        for number in found:
            yield Violation(path, number, f"{lines[number - 1].strip()}: use if (EMMA_HAS_X), or base or plat")


def words(tree):
    """words: no text of the repository holds a word of words.txt"""
    with open(WORDS_FILE, encoding="utf-8") as file:
        patterns = [line for line in file.read().splitlines() if line and not line.startswith("#")]
    any_of = re.compile("|".join(f"(?:{pattern})" for pattern in patterns))
    for path in tree.files:
        for number, line in enumerate(tree.lines(path), 1):
            match = any_of.search(line)
            if match:
                yield Violation(path, number, f"'{match.group(0)}' does not belong here (see words.txt)")
