"""From runs to figures: medians, ratios to the best of the row, geometric means, where emma stands.

A metric takes a row to {allocator: number}; smaller is better. A grid is a metric over all rows that have it.
"""
import math
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Metric:
    key: str
    title: str
    unit: str
    value: object  # row -> {allocator: number}
    floor: float = 0.0  # ratios are made of value + floor, so that tiny numbers do not rule


def run_time(row, run):
    return run["user"] + run["sys"] if row["clock"] == "cpu" else run[row["clock"]]


def over_runs(pick, of):
    return lambda row: {name: of([pick(row, run) for run in runs]) for name, runs in row["runs"].items()}


def idle_mib(row):
    return {name: idle["kib"] / 1024 for name, idle in row["idle"].items()}


METRICS = [
    Metric("time", "Time, median (user + system; wall clock where marked w)", "s", over_runs(run_time, median)),
    Metric("time-min", "Time, minimum", "s", over_runs(run_time, min)),
    Metric("wall", "Elapsed time, median", "s", over_runs(lambda _, run: run["wall"], median)),
    Metric("cpu", "User + system time, median", "s", over_runs(lambda _, run: run["user"] + run["sys"], median)),
    Metric("peak", "Peak resident memory of the largest process, median", "MiB",
           over_runs(lambda _, run: run["peak_kib"] / 1024, median)),
    Metric("idle", "Resident memory when idle after the work", "MiB", idle_mib),
    Metric("faults", "Page faults, median", "thousand",
           over_runs(lambda _, run: (run["minor"] + run["major"]) / 1000, median)),
]
SHORT = ("time", "peak", "idle", "faults")


@dataclass
class Line:
    """One row of a grid: the best value and each allocator's ratio to it; None where it failed."""
    name: str
    best: float
    ratios: dict
    stand: str
    values: dict


def stand(ratios):
    """Where emma stands: "best", within 2 % of it "+1.3 %", or its place and distance."""
    mine = ratios.get("emma")
    if mine is None or len([r for r in ratios.values() if r is not None]) < 2:
        return ""
    others = [r for name, r in ratios.items() if name != "emma" and r is not None]
    if mine <= min(others):
        return f"best, {(min(others) / mine - 1) * 100:.0f} % ahead"
    behind = (mine / min(others) - 1) * 100
    place = 1 + sum(other < mine for other in others)
    return f"+{behind:.1f} %" if behind <= 2 else f"no. {place}, +{behind:.0f} %"


def line(name, values, allocators, floor=0.0):
    present = {a: v for a, v in values.items() if a in allocators}
    if not present:
        return None
    best = min(present.values())
    ratios = {a: (present[a] + floor) / (best + floor) if a in present and best + floor > 0 else None
              for a in allocators}
    return Line(name, best, ratios, stand(ratios), present)


def grid(result, metric):
    """Returns the lines of a metric, one for each row that has it."""
    names = [a["name"] for a in result["allocators"]]
    lines = []
    for row in result["rows"]:
        label = row["name"] + (" w" if metric.key.startswith("time") and row["clock"] == "wall" else "")
        made = line(label, metric.value(row), names, metric.floor)
        if made:
            lines.append(made)
    return lines


def geometric_means(lines, allocators):
    """The mean ratio of each allocator over the rows in which no allocator failed; and how many rows that are."""
    whole = [l for l in lines if all(l.ratios.get(a) is not None for a in allocators)]
    if not whole:
        return {}, 0
    means = {a: math.exp(sum(math.log(l.ratios[a]) for l in whole) / len(whole)) for a in allocators}
    return means, len(whole)


def over_idle_limit(row):
    """Allocators that keep more than live + 10 % + 16 MiB when idle; empty where the live bytes are not known."""
    return [name for name, idle in row["idle"].items()
            if idle["live_kib"] is not None and idle["kib"] > idle["live_kib"] * 1.1 + 16 * 1024]
