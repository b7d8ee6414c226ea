"""The workloads: every program of bench/workloads with the parameters it is run with.

clock  "cpu": judged by user + system time, for work in one thread; "wall": by elapsed time, for work in several;
       "work": by the time that the program says its work took, without what came before
idle   its resident memory is also read after it has been idle
group  "default" rows run by default; the others when they are chosen by name or by --group
"""
from dataclasses import dataclass


@dataclass(frozen=True)
class Workload:
    name: str
    program: str
    words: str
    clock: str = "cpu"
    idle: bool = False
    group: str = "default"

    def arguments(self, quick):
        """The parameters; in quick mode an eighth of the work."""
        if not quick:
            return self.words.split()
        return [less(word) for word in self.words.split()]


def less(word):
    key, value = word.split("=")
    return f"work={max(1, int(value) // 8)}" if key == "work" else word


W = Workload

WORKLOADS = [
    W("pairs-1", "pairs", "depth=1 low=16 high=128 work=80"),
    W("pairs-100", "pairs", "depth=100 low=16 high=128 work=80"),
    W("batch-fifo", "batches", "size=64 batch=10000 order=fifo work=64"),
    W("batch-lifo", "batches", "size=64 batch=10000 order=lifo work=64"),
    W("batch-random", "batches", "size=64 batch=10000 order=random work=48"),
    W("batch-big", "batches", "size=256 batch=200000 order=random work=6"),
    W("churn-small", "churn", "live=1000 low=16 high=1023 work=24"),
    W("churn-wide", "churn", "live=100000 low=16 high=8191 work=4", idle=True),
    W("churn-2t", "churn", "threads=2 live=5000 low=16 high=1023 work=40", "wall"),
    W("churn-8t", "churn", "threads=8 live=5000 low=16 high=1023 work=40", "wall"),
    W("handoff", "handoff", "lines=2 live=1000 low=8 high=1000 lives=200 work=40", "wall", idle=True),
    W("pipe-1-3", "pipeline", "producers=1 consumers=3 work=8", "wall", idle=True),
    W("pipe-3-1", "pipeline", "producers=3 consumers=1 work=16", "wall"),
    W("barter-2t", "barter", "threads=2 slots=32 batch=200 low=16 high=400 work=16", "wall"),
    W("barter-8t", "barter", "threads=8 slots=64 batch=200 low=16 high=1000 work=16", "wall", idle=True),
    W("share-active", "sharing", "mode=active blocks=100 writes=50 work=48", "wall"),
    W("share-passive", "sharing", "mode=passive blocks=100 writes=50 work=48", "wall"),
    W("share-passive-2", "sharing", "mode=passive blocks=2 writes=50 work=48", "wall"),
    W("vectors-small", "vectors", "vectors=1000 limit=16384 factor=150 work=80"),
    W("vectors-big", "vectors", "vectors=20 limit=16777216 factor=120 push=200 work=8"),
    W("bulky", "bulky", "live=20 low=32768 high=33554432 work=2", idle=True),
    W("bulky-small", "bulky", "live=200 low=32768 high=1048576 work=160", idle=True),
    W("shift", "shift", "live=64 stay=20 work=7", idle=True),
    W("sleepers", "sleepers", "threads=200 each=1024 work=16", "wall", idle=True),
    W("burst", "burst", "threads=1 peak=256 work=8", idle=True),
    W("burst-4t", "burst", "threads=4 peak=256 work=8", "wall", idle=True),
    W("aligned", "alignments", "live=2000 high=4096 align=4096 work=8"),
    W("zeroed", "zeroed", "live=1000 low=16 high=4096 work=16000"),
    W("zeroed-big", "zeroed", "live=20 low=65536 high=8388608 work=6"),
    W("start-nothing", "processes", "mode=nothing work=800"),
    W("start-one", "processes", "mode=one work=800"),
    W("start-classes", "processes", "mode=classes work=800"),
    *[W(f"scale-{n}", "churn", f"threads={n} live=1000 low=16 high=1023 work=64", "wall", group="scale")
      for n in (1, 2, 4, 8, 64, 512)],
    *[W(f"sleepers-{n}", "sleepers", f"threads={n} each=2048 work=1", "wall", idle=True, group="scale")
      for n in (8, 64, 500)],
    *[W(f"growth-{n}", "growth", f"mode=heap live={n} work=16", "work", group="growth") for n in (1, 16, 256, 1024, 8192)],
    *[W(f"array-{n}", "growth", f"mode=array live={n} work=16", "work", group="growth") for n in (1, 16, 256, 1024, 8192)],
]
