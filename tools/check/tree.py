"""tree.py: the repository as the rules see it: its files, their text, and what a rule reports about them."""
import os
import re
import subprocess

CODE = (".c", ".h", ".cc", ".cpp", ".hpp", ".S", ".py", ".sh", ".mk")
C_LIKE = (".c", ".h", ".cc", ".cpp", ".hpp", ".S")
NOT_OURS = {".git", "build", "__pycache__"}


class Tree:
    """Files below root: those that git knows or would add; outside a git work tree, all."""

    def __init__(self, root):
        self.root = root
        self.files = sorted(path for path in self._list() if os.path.isfile(self.path(path)))
        self._texts = {}

    def _list(self):
        if os.path.exists(self.path(".git")):
            listing = subprocess.run(["git", "-C", self.root, "ls-files", "-z", "--cached", "--others",
                                      "--exclude-standard"], check=True, capture_output=True, text=True).stdout
            return set(filter(None, listing.split("\0")))
        found = []
        for folder, folders, names in os.walk(self.root):
            folders[:] = [name for name in folders if name not in NOT_OURS]
            found += [os.path.relpath(os.path.join(folder, name), self.root) for name in names]
        return found

    def path(self, relative):
        return os.path.join(self.root, relative)

    def text(self, path):
        """The text of a file; empty for a binary one."""
        if path not in self._texts:
            with open(self.path(path), "rb") as file:
                data = file.read()
            self._texts[path] = "" if b"\0" in data else data.decode("utf-8", "replace")
        return self._texts[path]

    def lines(self, path):
        return self.text(path).splitlines()

    def under(self, folders, endings):
        """Files with one of the endings below any of the folders (a tuple)."""
        starts = tuple(folder + "/" for folder in folders)
        return [path for path in self.files if path.startswith(starts) and path.endswith(endings)]


class Violation:
    def __init__(self, path, line, what, fatal=True):
        self.path, self.line, self.what, self.fatal = path, line, what, fatal


_SKIPPED = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def _blank(match):
    text = match.group(0)
    if text[0] in "\"'":
        return text[0] + " " * (len(text) - 2) + text[0]
    return re.sub(r"[^\n]", " ", text)


def bare_code(text):
    """C text with comments and the insides of literals blanked; every character stays in its place."""
    return _SKIPPED.sub(_blank, text)


def directives(text):
    """Number and text of every line with a preprocessor directive; lines inside comments are none."""
    for number, (line, bare) in enumerate(zip(text.split("\n"), bare_code(text).split("\n")), 1):
        if bare.lstrip().startswith("#"):
            yield number, line


def folder_of(path):
    """The folder of src/ that a path is in ("" when it is in src/ itself), or None outside src/."""
    parts = path.split("/")
    if parts[0] != "src":
        return None
    return parts[1] if len(parts) > 2 else ""
