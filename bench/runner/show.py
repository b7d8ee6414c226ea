"""Results as readable tables, on the terminal or in Markdown."""
from . import figures, goals


def number(value):
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def cells(line, allocators):
    ratio = [f"{line.ratios[a]:.2f}" if line.ratios[a] is not None else "fail" for a in allocators]
    return [line.name, number(line.best), *ratio, line.stand]


def table_of(result, metric):
    """Returns (head, body) as lists of strings, the geometric means last; None where no row has the metric."""
    allocators = [a["name"] for a in result["allocators"]]
    lines = figures.grid(result, metric)
    if not lines:
        return None
    body = [cells(line, allocators) for line in lines]
    means, count = figures.geometric_means(lines, allocators)
    if means:
        made = figures.line(f"mean of {count}", means, allocators)
        body.append([made.name, "", *[f"{means[a]:.2f}" for a in allocators], figures.stand(means)])
    return [metric.title, f"best, {metric.unit}", *allocators, "emma stands"], body


def as_text(head, body):
    title, *columns = head
    rows = [["", *columns], *body]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    out = [title]
    for row in rows:
        middle = "  ".join(cell.rjust(width) for cell, width in zip(row[1:-1], widths[1:-1]))
        out.append(f"  {row[0]:<{widths[0]}}  {middle}  {row[-1]}".rstrip())
    return "\n".join(out) + "\n"


def as_markdown(head, body):
    title, *columns = head
    rule = ["---", *["---:"] * (len(columns) - 1), "---"]
    rows = [["", *columns], rule, *[bold_best(row) for row in body]]
    return f"### {title}\n\n" + "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def bold_best(row):
    return [f"**{cell}**" if 1 < i < len(row) - 1 and cell == "1.00" else cell for i, cell in enumerate(row)]


def failures(result):
    return [f"{row['name']}: {name}: {reason}" for row in result["rows"] for name, reason in row["failed"].items()]


def idle_notes(result):
    kept = [(row["name"], figures.over_idle_limit(row)) for row in result["rows"] if row["idle"]]
    return [f"{name}: {', '.join(over)}" for name, over in kept if over]


def notes(result):
    """Failures, who keeps more than the limit when idle, emma's goals; lists of (title, lines)."""
    every = [("Failed", failures(result)), ("Idle, more than live + 10 % + 16 MiB kept", idle_notes(result)),
             ("Goals", goals.check(result))]
    return [(title, lines) for title, lines in every if lines]


def metrics(result, full):
    for metric in figures.METRICS:
        if full or metric.key in figures.SHORT:
            made = table_of(result, metric)
            if made:
                yield made


def text(result, full=False):
    parts = [as_text(*made) for made in metrics(result, full)]
    parts += [f"{title}\n" + "".join(f"  {line}\n" for line in lines) for title, lines in notes(result)]
    return "Ratios to the best of the row; smaller is better.\n\n" + "\n".join(parts)


def markdown(result):
    where = result["machine"]
    head = [f"{where['processor']}, {where['cores']} cores, {where['architecture']}, kernel {where['kernel']}; "
            f"{result['rounds']} interleaved rounds. Ratios to the best of the row; smaller is better.", "",
            "| allocator | version |", "| --- | --- |"]
    head += [f"| {a['name']} | {a['version'] or '–'} |" for a in result["allocators"]]
    parts = ["\n".join(head) + "\n", *[as_markdown(*made) for made in metrics(result, True)]]
    parts += [f"### {title}\n\n" + "".join(f"- {line}\n" for line in lines) for title, lines in notes(result)]
    return "\n".join(parts)
