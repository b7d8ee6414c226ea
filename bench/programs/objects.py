"""Objects, dictionaries and JSON, with PYTHONMALLOC=malloc."""
import json
import os
import sys
import time


class Node:
    def __init__(self, key, left=None, right=None):
        self.key, self.left, self.right, self.note = key, left, right, f"node {key}"


def tree(low, high):
    if low >= high:
        return None
    middle = (low + high) // 2
    return Node(middle, tree(low, middle), tree(middle + 1, high))


def depth(node):
    return 0 if node is None else 1 + max(depth(node.left), depth(node.right))


def words(count):
    seen = {}
    state = 1
    for _ in range(count):
        state = state * 1103515245 + 12345 & 0x7FFFFFFF
        word = f"w{state % 50000}"
        seen.setdefault(word, []).append(state)
    return sum(len(places) for places in seen.values()), len(seen)


def documents(count):
    rows = [{"id": i, "name": f"name {i}", "tags": [str(i + k) for k in range(8)], "at": {"x": i / 3, "y": i / 7}}
            for i in range(count)]
    total = 0
    for _ in range(4):
        text = json.dumps(rows)
        rows = json.loads(text)
        total += len(text)
    return total


print(depth(tree(0, 200000)), words(800000), documents(12000))
if "BENCH_IDLE" in os.environ:
    print("idle live=?")
    sys.stdout.flush()
    time.sleep(float(os.environ["BENCH_IDLE"]))
