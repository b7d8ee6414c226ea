"""What emma wants to reach, checked against the results: one line for each goal that the measured rows can tell about."""
import re

from . import figures

LEAN = ("glibc", "jemalloc", "mimalloc")  # memory is compared with the leanest of these
KIB_AT_START = 200
KIB_PER_SLEEPER = 32


def metric(key):
    return next(m for m in figures.METRICS if m.key == key)


def verdict(holds, text, exceptions=()):
    more = f": {', '.join(exceptions)}" if exceptions else ""
    return f"{'yes' if holds else 'NO '}  {text}{more}"


def values(result, key):
    """{row: {allocator: value}} of the rows in which emma was measured beside others; plain arrays are nobody's."""
    found = {row["name"]: metric(key).value(row) for row in result["rows"] if not row["name"].startswith("array-")}
    return {name: cells for name, cells in found.items() if "emma" in cells and len(cells) > 1}


def means(result, key, allocators):
    return figures.geometric_means(figures.grid(result, metric(key)), allocators)[0]


def time_rows(result):
    rows = values(result, "time")
    late = [f"{name} +{(cells['emma'] / min(cells.values()) - 1) * 100:.0f} %" for name, cells in rows.items()
            if cells["emma"] > 1.02 * min(cells.values())]
    return [verdict(not late, f"time: best or within 2 % in every row ({len(rows) - len(late)} of {len(rows)})", late)]


def time_mean(result):
    mean = means(result, "time", [a["name"] for a in result["allocators"]])
    if len(mean) < 2:
        return []
    other = min((value, name) for name, value in mean.items() if name != "emma")
    ahead = (other[0] / mean["emma"] - 1) * 100
    return [verdict(ahead >= 5, f"time: geometric mean at least 5 % better than any other ({ahead:+.1f} %, {other[1]})")]


def peak(result):
    present = [a["name"] for a in result["allocators"] if a["name"] in LEAN]
    if not present:
        return []
    fat = []
    for name, cells in values(result, "peak").items():
        lean = min((cells[a] for a in present if a in cells), default=cells["emma"])
        if cells["emma"] > 1.1 * lean:
            fat.append(f"{name} +{(cells['emma'] / lean - 1) * 100:.0f} %")
    mean = means(result, "peak", ["emma", *present])
    out = [verdict(not fat, "peak memory: at most 10 % above the leanest of " + ", ".join(present), fat)]
    if mean:
        above = (mean["emma"] / min(mean[a] for a in present) - 1) * 100
        out.append(verdict(above <= 0, f"peak memory: geometric mean not above theirs ({above:+.1f} %)"))
    return out


def start(result):
    more = {name: (cells["emma"] - cells["glibc"]) * 1024 for name, cells in values(result, "peak").items()
            if name.startswith("start-") and "glibc" in cells}
    shown = [f"{name} {kib:+.0f} KiB" for name, kib in more.items()]
    return [verdict(max(more.values()) <= KIB_AT_START, f"start: at most {KIB_AT_START} KiB above glibc", shown)
            ] if more else []


def idle(result):
    rows = [row for row in result["rows"] if "emma" in row["idle"]]
    over = [row["name"] for row in rows if "emma" in figures.over_idle_limit(row)]
    return [verdict(not over, "idle: at most live + 10 % + 16 MiB", over)] if rows else []


def by_number(result, key, prefix):
    """{number: emma's value} of the rows PREFIX-NUMBER."""
    rows = {row["name"]: metric(key).value(row).get("emma") for row in result["rows"]}
    return {int(found[1]): value for name, value in sorted(rows.items())
            if (found := re.fullmatch(prefix + r"-(\d+)", name)) and value is not None}


def scaling(result):
    out = []
    times = by_number(result, "time", "scale")
    if 2 in times:
        slower = [f"{n} threads +{(t / times[2] - 1) * 100:.0f} %" for n, t in sorted(times.items())
                  if n > 2 and t > 1.1 * times[2]]
        out.append(verdict(not slower, "scaling: more threads than cores are not slower by 10 %", slower))
    asleep = by_number(result, "idle", "sleepers")
    if len(asleep) > 1:
        few, many = min(asleep), max(asleep)
        each = (asleep[many] - asleep[few]) * 1024 / (many - few)
        out.append(verdict(each <= KIB_PER_SLEEPER, f"a sleeping thread: at most {KIB_PER_SLEEPER} KiB ({each:.0f} KiB)"))
    return out


def growth(result):
    heap, plain = by_number(result, "time", "growth"), by_number(result, "time", "array")
    both = sorted(set(heap) & set(plain))
    if len(both) < 2:
        return []
    share = {n: heap[n] / plain[n] for n in both}
    shown = [f"{n} MiB {share[n]:.2f}" for n in both]
    flat = max(share.values()) <= 1.15 * share[both[0]]
    return [verdict(flat, "growth: time against the plain array at most 15 % more than with the least alive", shown)]


def check(result):
    """Returns the lines; none where emma was not measured."""
    if not any("emma" in row["runs"] for row in result["rows"]):
        return []
    return [line for goal in (time_rows, time_mean, peak, start, idle, scaling, growth) for line in goal(result)]
