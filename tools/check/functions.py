"""functions.py: functions are short, take few parameters and nest little. Universal Ctags finds them."""
import json
import re
import subprocess

from tree import Violation, bare_code

FUNCTION_LINES, PARAMETERS, LEVELS = 60, 5, 3
FOLDERS = ("src", "include", "tests", "bench", "fuzz", "examples")


def find(tree, paths):
    """Every function: path, name, first line, last line, signature."""
    done = subprocess.run(["ctags", "--output-format=json", "--kinds-C=f", "--kinds-C++=f", "--languages=C,C++",
                           "--fields=+neS", "--sort=no", "-f", "-", "-L", "-"], cwd=tree.root, check=True,
                          input="\n".join(paths), capture_output=True, text=True)
    for line in done.stdout.splitlines():
        tag = json.loads(line)
        if tag.get("_type") == "tag" and "end" in tag:
            yield tag["path"], tag["name"], tag["line"], tag["end"], tag.get("signature", "()")


def parameters(signature):
    """How many parameters a signature names: commas outside inner parentheses."""
    inner = signature.strip()[1:-1].strip()
    if inner in ("", "void"):
        return 0
    while "(" in inner:
        inner, replaced = re.subn(r"\([^()]*\)", "", inner)
        if not replaced:
            break
    return inner.count(",") + 1


def levels(code):
    """The deepest nesting of blocks in the code of one function, its own not counted, and the offset where it is.
    Braces of initialisers, which hold no statement, do not count."""
    deepest, where, pairs, opened = 0, 0, [], []
    for match in re.finditer(r"[{}]", code):
        if match.group() == "{":
            opened.append(match.start())
        elif opened:
            begin = opened.pop()
            inner = code[begin + 1:match.start()]
            if ";" in inner or not inner.strip():
                pairs.append((begin, match.start()))
    for begin, end in pairs:
        around = sum(1 for other in pairs if other[0] < begin and end < other[1])
        if around > deepest:
            deepest, where = around, begin
    return deepest, where


def function(tree):
    """function: at most 60 lines, 5 parameters, 3 levels"""
    paths = tree.under(FOLDERS, (".c", ".h", ".cc", ".cpp", ".hpp"))
    code = {path: bare_code(tree.text(path)).split("\n") for path in paths}
    for path, name, first, last, signature in find(tree, paths):
        if last - first + 1 > FUNCTION_LINES:
            yield Violation(path, first, f"{name} has {last - first + 1} lines; at most {FUNCTION_LINES}")
        if parameters(signature) > PARAMETERS:
            yield Violation(path, first, f"{name} has {parameters(signature)} parameters; at most {PARAMETERS}")
        body = "\n".join(code[path][first - 1:last])
        deepest, where = levels(body)
        if deepest > LEVELS:
            at = first + body.count("\n", 0, where)
            yield Violation(path, at, f"{name} nests {deepest} levels deep; at most {LEVELS}")
