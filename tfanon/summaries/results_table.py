"""results.json as a table: what is left of the action, what still leaks, and chance below both.

    results = {"schema_version": 1, "rows": [{"anonymizer": "raw",
               "action_top1": .., "action_interval": [low, high], "action_chance": ..,
               "images": {"cmap": .., "cmap_interval": [low, high], "cmap_chance": .., "cmap_above_floor": ..,
                          "f1": .., "f1_interval": .., "f1_chance": .., "f1_above_floor": ..}, "clips": {..}}, ..]}

"images" and "clips" are probes: data sets whose attributes are attacked. A row may have none, one or several, and each
gets columns of its own. Numbers are shares in [0, 1], or {"mean": .., "std": ..} as `spread` makes them; they are
printed in per cent, and what a row lacks as "-".
"""

import math

import numpy as np

UP, DOWN = "\N{UPWARDS ARROW}", "\N{DOWNWARDS ARROW}"
NONE = "-"


def format_table(results, intervals=True):
    """The table for a terminal: columns of one width each, the anonymizer's name on the left."""
    lines = _cells(results, intervals)
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = [
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip()
        for line in lines
    ]
    rule = "-" * max(len(line) for line in text)
    return "\n".join([text[0], rule, *text[1:-1], rule, text[-1], *results.get("notes", ())])


def format_markdown(results, intervals=False):
    """The same table for the README."""
    head, *lines = ["| " + " | ".join(line) + " |" for line in _cells(results, intervals)]
    return "\n".join([head, "| --- |" + " ---: |" * (head.count("|") - 2), *lines])


def spread(runs):
    """The same experiment under several seeds as one results dict: every number becomes its mean and deviation.

    runs: at least two results with the same anonymizers in the same order.  The deviation is that of a sample (n - 1).
    Intervals are dropped, since they say how sure one run is and not how runs differ.
    Raises ValueError where the runs do not hold the same rows.
    """
    names = [[row["anonymizer"] for row in run["rows"]] for run in runs]
    if len(runs) < 2 or names.count(names[0]) < len(runs):
        raise ValueError(f"A spread takes two runs or more with the same anonymizers, not {names}.")
    groups = zip(*(run["rows"] for run in runs))
    rows = [{"anonymizer": group[0]["anonymizer"], **_statistics(group)} for group in groups]
    return {"schema_version": runs[0]["schema_version"], "runs": len(runs), "rows": rows}


def numbers(row):
    """{name: number} of one row, a probe's under "probe/name"; intervals and lists per attribute are left out."""
    found = {key: value for key, value in row.items() if isinstance(value, (int, float))}
    for probe in _probes([row]):
        found.update({f"{probe}/{key}": value for key, value in numbers(row[probe]).items()})
    return found


def _statistics(group):
    """Mean and deviation of every number that all dicts of the group hold, probe by probe."""
    shared = [
        key for key in group[0] if all(isinstance(row.get(key), (int, float)) for row in group)
    ]
    values = {key: [row[key] for row in group] for key in shared}
    found = {
        key: {"mean": float(np.mean(v)), "std": float(np.std(v, ddof=1))}
        for key, v in values.items()
    }
    return found | {probe: _statistics([row[probe] for row in group]) for probe in _probes(group)}


def _cells(results, intervals):
    """Strings, line by line: the head, one line per anonymizer, chance."""
    rows = results["rows"]
    probes = _probes(rows)
    head, columns = (
        ["anonymizer", f"action top-1 {UP}"],
        [(None, "action_top1", "action_chance", "action_interval")],
    )
    for probe in probes:
        said = f"{probe}: " if len(probes) > 1 else ""
        for name, key in (("cMAP", "cmap"), ("F1", "f1")):
            head += [f"{said}{name} {DOWN}", f"above floor {DOWN}"]
            columns += [
                (probe, key, f"{key}_chance", f"{key}_interval"),
                (probe, f"{key}_above_floor", None, None),
            ]
    lines = [
        [
            row["anonymizer"],
            *[
                _cell(_part(row, probe), key, interval if intervals else None)
                for probe, key, _, interval in columns
            ],
        ]
        for row in rows
    ]
    # Every row was measured on the same test split, so chance is the same in all that have it.
    chance = [
        next((_cell(_part(row, probe), floor) for row in rows if floor in _part(row, probe)), NONE)
        for probe, _, floor, _ in columns
    ]
    return [head, *lines, ["chance", *chance]]


def _probes(rows):
    """Names of the probes in the order in which they appear."""
    return list(
        dict.fromkeys(
            key
            for row in rows
            for key, value in row.items()
            if isinstance(value, dict) and "cmap" in value
        )
    )


def _part(row, probe):
    return row.get(probe, {}) if probe else row


def _cell(row, key, interval=None):
    value = row.get(key)
    if isinstance(value, dict):
        return f"{_percent(value['mean'])} \N{PLUS-MINUS SIGN} {_percent(value['std'])}"
    bounds = row.get(interval) if interval else None
    return _percent(value) + (
        f" ({_percent(bounds[0])} to {_percent(bounds[1])})" if bounds else ""
    )


def _percent(value):
    return NONE if value is None or math.isnan(value) else f"{100 * value:.1f}"
