"""export.json as a table: what each file costs, how far it is from Keras, and what the judges make of it."""

NONE = "-"


def format_table(record, markdown=False):
    """One line per file that was kept, below Keras where there are judges."""
    lines = [_line(record, name, entry) for name, entry in record["artefacts"].items()]
    probes = [name for name, value in record.get("keras", {}).items() if isinstance(value, dict)]
    judged = [_judged(entry.get("judged"), probes) for entry in record["artefacts"].values()]
    head = [
        "file",
        "MB",
        "CPU ms",
        "ms, 1 thread",
        "ms, 2 threads",
        "peak MiB",
        "largest",
        "PSNR dB",
    ]
    rows = [[*line, *scores] for line, scores in zip(lines, judged)]
    if "keras" in record:
        rows = [["Keras", *[NONE] * (len(head) - 1), *_judged(record["keras"], probes)], *rows]
        head += ["top-1", *(f"{probe} cMAP" for probe in probes)]
    return _markdown(head, rows) if markdown else _plain(head, rows)


def _line(record, name, entry):
    times = entry.get("milliseconds", {})
    own = [value for key, value in record["comparisons"].items() if key.split(":")[0] == name]
    exact = [
        value for value in own if value["dtype"] != "string"
    ]  # a JPEG's own loss would hide the file's
    return [
        name,
        _number(entry.get("bytes"), 1e6, 2),
        _number(entry.get("cpu_milliseconds"), 1, 1),
        _number(times.get("1"), 1, 1),
        _number(times.get("2"), 1, 1),
        _number(entry.get("peak_mib"), 1, 0),
        f"{max(value['largest_difference'] for value in exact):.2g}",
        _number(min(value["psnr"] for value in exact), 1, 1),
    ]


def _judged(scores, probes):
    if scores is None:
        return []
    return [
        f"{100 * scores['action_top1']:.1f}",
        *(f"{100 * scores[probe]['cmap']:.1f}" for probe in probes),
    ]


def _number(value, unit, digits):
    return NONE if value is None else f"{value / unit:.{digits}f}"


def _plain(head, rows):
    widths = [max(map(len, column)) for column in zip(head, *rows)]
    cells = (
        [row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in [head, *rows]
    )
    return "\n".join("  ".join(line) for line in cells)


def _markdown(head, rows):
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *rows])
