"""What one setting does while everything else and the seed stay as they are: differences within pairs of runs."""

import dataclasses
import itertools

from tfanon.core import config as settings
from tfanon.report import aggregate, load_runs
from tfanon.report.tables import Table

KEYS = ("action_top1", "leak", "leak_mean")


def table(runs, probe=""):
    """A Table with a row per setting and two values of it that follow each other; None without such pairs.

    runs: with the same data and judges.  probe: whose attributes leak.
    """
    rows = [
        row
        for (name, *values), both in _following(pairs(runs)).items()
        if (row := _row(name, values, both, probe))
    ]
    return (
        Table(
            "effects",
            "What one setting does",
            ("setting", "pairs", "action top-1", "leak, max", "leak, mean", "leak, max fell in"),
            tuple(rows),
            lead="Points that f_A gains or loses from the first value to the second: mean \N{PLUS-MINUS SIGN} deviation over "
            "pairs of runs that differ in nothing else, seed included.",
        )
        if rows
        else None
    )


def pairs(runs):
    """{(setting, value, larger value): [(run, run), ..]} of runs that differ in that setting alone."""
    found = {}
    flags = [
        {
            name: value
            for name, value in dataclasses.asdict(run.config).items()
            if name not in settings.NON_TRAINING_FLAGS
        }
        for run in runs
    ]
    for (one, first), (other, second) in itertools.combinations(zip(runs, flags), 2):
        differ = [name for name in first if first[name] != second[name]]
        if len(differ) == 1 and differ != ["seed"]:
            name = differ[0]
            low, high = sorted((one, other), key=lambda run: getattr(run.config, name))
            found.setdefault(
                (name, getattr(low.config, name), getattr(high.config, name)), []
            ).append((low, high))
    return dict(sorted(found.items(), key=lambda item: item[0]))


def _following(found):
    """Those pairs between whose values no third one lies."""
    return {
        (name, low, high): both
        for (name, low, high), both in found.items()
        if not any(
            (name, low, middle) in found and (name, middle, high) in found
            for _, _, middle in found
            if middle != high
        )
    }


def _row(name, values, both, probe):
    figures = [
        tuple(aggregate.figures([run], aggregate.TRAINED, probe) for run in pair) for pair in both
    ]
    figures = [pair for pair in figures if all(key in one for one in pair for key in KEYS)]
    if not figures:
        return None
    changes = {key: tuple(after[key] - before[key] for before, after in figures) for key in KEYS}
    fell = sum(change < 0 for change in changes["leak"])
    change = " \N{RIGHTWARDS ARROW} ".join(map(load_runs.value_in_words, values))
    title = f"{load_runs.SYMBOLS.get(name, name)}: {change}"
    return (
        title,
        len(figures),
        *map(aggregate.Number, changes.values()),
        f"{fell} of {len(figures)}",
    )
