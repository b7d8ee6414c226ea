"""PNG plots through gnuplot: for each metric one picture of dots, a line for each row, the ratio to the best across."""
import os
import subprocess

from . import figures

COLOURS = ["#d62728", "#1f77b4", "#2ca02c", "#ff7f0e", "#9467bd", "#8c564b", "#17becf", "#7f7f7f", "#bcbd22",
           "#e377c2", "#000000"]
WIDEST = 8  # ratios beyond are drawn at the edge

SCRIPT = """set terminal pngcairo size 1000,{height} font "sans,10"
set output {output}
set title {title}
set logscale x 2
set xrange [0.95:{widest}]
set xtics (1, 1.1, 1.25, 1.5, 2, 3, 4, 6, 8)
set yrange [{bottom}:-1]
set ytics ({tics}) nomirror
set grid xtics ytics linetype 1 linecolor "#cccccc"
set key outside top right
plot {plots}
"""


def quoted(text):
    return '"' + str(text).replace("\\", "/").replace('"', "'").replace("_", "\\\\_") + '"'


def block(name, lines, position):
    """The data of one allocator as an inline block."""
    points = [f"{min(line.ratios[name], WIDEST):.4f} {i + position:.3f}" for i, line in enumerate(lines)
              if line.ratios.get(name) is not None]
    return "\n".join(points or ["NaN NaN"])


def script(title, lines, allocators, output):
    data, plots = [], []
    for k, name in enumerate(allocators):
        shift = (k - (len(allocators) - 1) / 2) * 0.6 / len(allocators)
        data.append(f"$d{k} << EOD\n{block(name, lines, shift)}\nEOD\n")
        size = 1.4 if name == "emma" else 0.9
        plots.append(f"$d{k} with points pointtype 7 pointsize {size} linecolor rgb '{COLOURS[k % len(COLOURS)]}' "
                     f"title {quoted(name)}")
    tics = ", ".join(f"{quoted(line.name)} {i}" for i, line in enumerate(lines))
    return "".join(data) + SCRIPT.format(height=120 + 22 * len(lines), output="'" + output + "'", title=quoted(title),
                                         widest=WIDEST * 1.05, bottom=len(lines), tics=tics, plots=", ".join(plots))


def with_means(lines, allocators):
    means, _ = figures.geometric_means(lines, allocators)
    return lines + [figures.Line("geometric mean", 1.0, means, "", means)] if means else lines


def draw(result, directory):
    """Writes METRIC.png for every metric that has rows; returns their paths."""
    allocators = [a["name"] for a in result["allocators"]]
    made = []
    for metric in figures.METRICS:
        lines = figures.grid(result, metric)
        if not lines or metric.key not in figures.SHORT:
            continue
        path = os.path.join(directory, metric.key + ".png")
        text = script(metric.title + ", ratio to the best", with_means(lines, allocators), allocators, path)
        if subprocess.run(["gnuplot"], input=text, text=True, check=False).returncode == 0:
            made.append(path)
    return made
