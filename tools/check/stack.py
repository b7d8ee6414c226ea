"""stack.py: how much stack the deepest chain of calls needs, by gcc's call graphs beside the objects."""
import os
import re

from tree import Violation

MOST_BYTES = 2048
RETURN_ADDRESS_BYTES = 8
NO_RETURN = {"emma__fatal"}  # whoever calls it does not go on
NODE = re.compile(r'^node: \{ title: "([^"]+)" label: "[^"\\]+\\n([^":\\]+):(\d+)[^"\\]*\\n(\d+) bytes', re.MULTILINE)
EDGE = re.compile(r'^edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"', re.MULTILINE)


class Graph:
    """Functions of all objects: where they are, what their frames take, whom they call."""

    def __init__(self, folder):
        self.place, self.frame, self.calls, self.depths = {}, {}, {}, {}
        for where, _, names in os.walk(folder):
            for name in (name for name in names if name.endswith(".ci")):
                with open(os.path.join(where, name), encoding="utf-8") as file:
                    text = file.read()
                for title, path, line, frame in NODE.findall(text):
                    self.place[title], self.frame[title] = (path, int(line)), int(frame)
                for caller, callee in EDGE.findall(text):
                    self.calls.setdefault(caller, set()).add(callee)

    def depth(self, title, path=()):
        """Bytes, and the names of the deepest chain; infinite where it calls itself."""
        if title in path:
            return float("inf"), (title,)
        if title not in self.depths:
            below = [self.depth(callee, path + (title,)) for callee in sorted(self.calls.get(title, set()) - NO_RETURN)]
            bytes_below, chain = max(below, default=(0, ()), key=lambda pair: pair[0])
            own = self.frame.get(title, 0) + RETURN_ADDRESS_BYTES
            self.depths[title] = own + bytes_below, (title.rpartition(":")[2],) + chain
        return self.depths[title]


def stack(tree, build):
    """stack: no function calls itself, and none needs more than 2048 bytes with all that it calls, handlers aside"""
    del tree
    graph = Graph(os.path.join(build.objects, "src"))
    if not graph.place:
        yield Violation("src", 1, "no call graphs: the objects were not made with -fcallgraph-info=su")
    for title, (path, line) in sorted(graph.place.items(), key=lambda item: item[1]):
        size, chain = graph.depth(title)
        name = title.rpartition(":")[2]
        if size == float("inf"):
            yield Violation(path, line, f"{name} calls itself: {' > '.join(chain)}")
        elif size > MOST_BYTES:
            yield Violation(path, line, f"{name} needs {size} bytes of stack: {' > '.join(chain)}")
