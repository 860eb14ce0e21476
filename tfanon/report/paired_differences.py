"""The effect of one flag, all others and the seed being equal: differences of paired runs."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

from tfanon.core import config as config_module
from tfanon.report import aggregate, load_runs
from tfanon.report.load_runs import FinishedRun
from tfanon.report.tables import Table

COMPARED_SCORES = ("action_top1", "leak", "leak_mean")
ARROW = " \N{RIGHTWARDS ARROW} "

RunPair = tuple[FinishedRun, FinishedRun]
# Name of the flag, its value in the first runs, its larger value in the second runs.
FlagChange = tuple[str, Any, Any]


def make_difference_table(runs: Sequence[FinishedRun], probe: str = "") -> Table | None:
    """Make a table with one row per flag and two neighbouring values of it.

    Args:
        runs: Runs of one setting.
        probe: Privacy task whose leakage is compared.

    Returns:
        None without pairs.
    """
    rows = []
    for change, pairs in _keep_neighbours(find_pairs(runs)).items():
        row = _make_row(change, pairs, probe)
        if row:
            rows.append(row)
    if not rows:
        return None
    return Table(
        "effects",
        "Effect of one flag",
        ("flag", "pairs", "action top-1", "leakage, max", "leakage, mean", "max fell in"),
        tuple(rows),
        lead="Points that f_A gains or loses from the first value to the second: mean "
        "\N{PLUS-MINUS SIGN} standard deviation over pairs of runs that differ in nothing else, "
        "with equal seeds.",
    )


def find_pairs(runs: Sequence[FinishedRun]) -> dict[FlagChange, list[RunPair]]:
    """Find the pairs of runs that differ in one flag only, the seed not counted as one."""
    pairs: dict[FlagChange, list[RunPair]] = {}
    flags = [_get_compared_flags(run) for run in runs]
    numbered = list(zip(runs, flags, strict=True))
    for (one, one_flags), (other, other_flags) in itertools.combinations(numbered, 2):
        differing = [name for name in one_flags if one_flags[name] != other_flags[name]]
        # Pairs have the same seed, so its effect on both runs drops out of their difference.
        if len(differing) != 1 or differing == ["seed"]:
            continue
        (name,) = differing
        low, high = one, other
        # From the smaller to the larger value.
        if one_flags[name] > other_flags[name]:
            low, high = other, one
        change = (name, getattr(low.config, name), getattr(high.config, name))
        pairs.setdefault(change, []).append((low, high))
    # Sorted, so that the table does not depend on the order of the folders.
    return {change: pairs[change] for change in sorted(pairs)}


def _get_compared_flags(run: FinishedRun) -> dict[str, Any]:
    """Return the flags that change f_A, its evaluator or its attackers."""
    flags = dataclasses.asdict(run.config)
    for name in config_module.NON_TRAINING_FLAGS:
        del flags[name]
    return flags


def _keep_neighbours(
    pairs: dict[FlagChange, list[RunPair]],
) -> dict[FlagChange, list[RunPair]]:
    """Drop the pairs between whose values a third one lies."""
    kept = {}
    for (name, low, high), same_change in pairs.items():
        middles = {middle for _, _, middle in pairs if middle != high}
        # .1 to .2 and .2 to .4 include what .1 to .4 would show.
        between = [
            middle
            for middle in middles
            if (name, low, middle) in pairs and (name, middle, high) in pairs
        ]
        if not between:
            kept[name, low, high] = same_change
    return kept


def _make_row(change: FlagChange, pairs: Sequence[RunPair], probe: str) -> tuple | None:
    """Return the row of one change; None if no pair has all scores."""
    name, low, high = change
    gains: dict[str, list[float]] = {key: [] for key in COMPARED_SCORES}
    for first, second in pairs:
        before = aggregate.collect_scores([first], aggregate.TRAINED, probe)
        after = aggregate.collect_scores([second], aggregate.TRAINED, probe)
        # All scores or none, so that the columns of a row are over the same pairs.
        if all(key in scores for scores in (before, after) for key in COMPARED_SCORES):
            for key in COMPARED_SCORES:
                gains[key].append(after[key] - before[key])
    count = len(gains["leak"])
    if not count:
        return None
    values = ARROW.join([load_runs.format_value(low), load_runs.format_value(high)])
    title = f"{load_runs.FLAG_SYMBOLS.get(name, name)}: {values}"
    fell = sum(gain < 0 for gain in gains["leak"])
    statistics = [aggregate.Statistic(tuple(gains[key])) for key in COMPARED_SCORES]
    return (title, count, *statistics, f"{fell} of {count}")
