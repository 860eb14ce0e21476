"""results.json as a table: action accuracy, leakage, and the chance level of both.

    results = {"schema_version": 1, "rows": [{"anonymizer": "raw",
               "action_top1": .., "action_interval": [low, high], "action_chance": ..,
               "images": {"cmap": .., "cmap_interval": [low, high], "cmap_chance": ..,
                          "cmap_above_floor": .., "f1": .., "f1_interval": .., "f1_chance": ..,
                          "f1_above_floor": ..}, "clips": {..}}, ..]}

"images" and "clips" are privacy tasks: data sets whose attributes are attacked. A row may have
none, one or several, and each gets its own columns. Numbers are shares in [0, 1], or
{"mean": .., "std": ..} as `average_runs` returns them. They are printed in per cent; a number that
a row does not have is printed as "-".
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfanon.summaries import text_table

UP_ARROW, DOWN_ARROW = "\N{UPWARDS ARROW}", "\N{DOWNWARDS ARROW}"  # which values are better
MISSING = "-"
SCORES = (("cMAP", "cmap"), ("F1", "f1"))  # (heading, key) of each privacy score

Row = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class _Column:
    """One column: its heading, the privacy task it belongs to ("": none), and keys of a row."""

    heading: str
    task: str
    key: str
    chance_key: str = ""
    interval_key: str = ""

    def get_section(self, row: Row) -> Row:
        """Return the part of a row that contains the keys."""
        return row.get(self.task, {}) if self.task else row


def format_table(results: Mapping[str, Any], intervals: bool = True) -> str:
    """Format a table for a terminal, followed by the notes of the results.

    Args:
        results: As described at the top of this module.
        intervals: Whether to print confidence intervals.
    """
    heading, *rows, chance = text_table.align_columns(_make_cells(results, intervals))
    rule = "-" * max(map(len, [heading, *rows, chance]))
    return "\n".join([heading, rule, *rows, rule, chance, *results.get("notes", ())])


def format_markdown(results: Mapping[str, Any], intervals: bool = False) -> str:
    """Format the same table in Markdown, for the README.

    Args:
        results: As described at the top of this module.
        intervals: Whether to print confidence intervals.
    """
    return text_table.format_markdown(_make_cells(results, intervals))


def average_runs(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Merge the results of one experiment under several seeds: means and standard deviations.

    Intervals are dropped, since they describe the uncertainty of one run and not the differences
    between runs.

    Args:
        runs: At least two results with the same anonymizers in the same order.

    Returns:
        Results in which each number is {"mean", "std"}; the deviation is that of a sample (n - 1).

    Raises:
        ValueError: The runs do not have the same rows.
    """
    names: list[list[str]] = []
    for run in runs:
        names.append([row["anonymizer"] for row in run["rows"]])
    if len(runs) < 2 or any(row_names != names[0] for row_names in names):
        raise ValueError(f"Averaging needs two or more runs of the same anonymizers, not {names}.")
    rows: list[dict[str, Any]] = []
    for group in zip(*(run["rows"] for run in runs), strict=True):
        rows.append({"anonymizer": group[0]["anonymizer"], **_compute_statistics(group)})
    return {"schema_version": runs[0]["schema_version"], "runs": len(runs), "rows": rows}


def flatten_numbers(row: Row) -> dict[str, float]:
    """Return {name: number} of one row; names in a privacy task are "task/name".

    Intervals and values per attribute are left out.

    Args:
        row: One row of the results.
    """
    numbers = {key: value for key, value in row.items() if isinstance(value, (int, float))}
    for task in _list_tasks([row]):
        for key, value in flatten_numbers(row[task]).items():
            numbers[f"{task}/{key}"] = value
    return numbers


def _compute_statistics(group: Sequence[Row]) -> dict[str, Any]:
    """Return mean and deviation of every number that all rows have, also in privacy tasks."""
    statistics: dict[str, Any] = {}
    for key in group[0]:
        values: list[Any] = [row.get(key) for row in group]
        if all(isinstance(value, (int, float)) for value in values):
            mean, deviation = np.mean(values), np.std(values, ddof=1)
            statistics[key] = {"mean": float(mean), "std": float(deviation)}
    for task in _list_tasks(group):
        statistics[task] = _compute_statistics([row[task] for row in group])
    return statistics


def _make_cells(results: Mapping[str, Any], intervals: bool) -> list[list[str]]:
    """Return the cells by line: the headings, one line per anonymizer, the chance levels."""
    rows = results["rows"]
    columns = _make_columns(rows)
    headings = ["anonymizer"]
    chance_levels = ["chance"]
    for column in columns:
        headings.append(column.heading)
        chance_levels.append(_format_chance(column, rows))
    lines = [headings]
    for row in rows:
        cells = [_format_cell(column, row, intervals) for column in columns]
        lines.append([row["anonymizer"], *cells])
    return [*lines, chance_levels]


def _make_columns(rows: Sequence[Row]) -> list[_Column]:
    columns = [
        _Column(f"action top-1 {UP_ARROW}", "", "action_top1", "action_chance", "action_interval")
    ]
    tasks = _list_tasks(rows)
    for task in tasks:
        prefix = f"{task}: " if len(tasks) > 1 else ""
        for name, key in SCORES:
            heading = f"{prefix}{name} {DOWN_ARROW}"
            columns.append(_Column(heading, task, key, f"{key}_chance", f"{key}_interval"))
            # "above_floor" is the stored key of leakage above chance.
            columns.append(_Column(f"above chance {DOWN_ARROW}", task, f"{key}_above_floor"))
    return columns


def _list_tasks(rows: Sequence[Row]) -> list[str]:
    """Return the names of the privacy tasks in the order in which they appear."""
    tasks: dict[str, None] = {}  # a set that keeps its order
    for row in rows:
        for key, value in row.items():
            # Averaged numbers are dicts as well; only privacy tasks have a cMAP.
            if isinstance(value, dict) and "cmap" in value:
                tasks[key] = None
    return list(tasks)


def _format_cell(column: _Column, row: Row, intervals: bool) -> str:
    section = column.get_section(row)
    value = section.get(column.key)
    if isinstance(value, dict):
        return _format_spread(value)
    bounds = section.get(column.interval_key) if intervals else None
    if not bounds:
        return _format_percent(value)
    low, high = map(_format_percent, bounds)
    return f"{_format_percent(value)} ({low} to {high})"


def _format_chance(column: _Column, rows: Sequence[Row]) -> str:
    # Every row was measured on the same test split, so chance is the same in all that have it.
    for row in rows:
        section = column.get_section(row)
        if column.chance_key in section:
            value = section[column.chance_key]
            return _format_spread(value) if isinstance(value, dict) else _format_percent(value)
    return MISSING


def _format_spread(value: Mapping[str, float]) -> str:
    mean, deviation = _format_percent(value["mean"]), _format_percent(value["std"])
    return f"{mean} \N{PLUS-MINUS SIGN} {deviation}"


def _format_percent(value: float | None) -> str:
    return MISSING if value is None or math.isnan(value) else f"{100 * value:.1f}"
