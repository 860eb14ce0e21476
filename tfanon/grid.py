"""The points of a sweep: every combination of the values that its flags have, each a run's folder and Config."""

import dataclasses
import itertools
import json
import pathlib
import re

from tfanon import config, files

SCHEMA_VERSION = 1
SHORT = {"penalty_bound": "B", "penalty_weight": "lambda"}  # the paper's symbols, in a folder's name


@dataclasses.dataclass(frozen=True)
class Point:
    """One run of the sweep.  flags: what it does not share with all others, {name: value}."""

    name: str
    flags: dict
    config: config.Config


def points(folder, given, base):
    """The Points of a sweep's folder, the last flag fastest.

    given: "FLAG=VALUE,VALUE,.." per flag that varies.  base: Config of all else.
    Raises ValueError where one is no flag or no value of it.
    """
    if not folder or not given:
        raise ValueError("Give --sweep_dir=FOLDER and, for each flag that varies, --grid=FLAG=VALUE,VALUE,..")
    axes = [_axis(text) for text in given]
    if len({name for name, _ in axes}) < len(axes):
        raise ValueError(f"--grid names a flag twice: {', '.join(name for name, _ in axes)}. Give its values in one.")
    found = [_point(folder, dict(chosen), base) for chosen in itertools.product(
        *([(name, value) for value in values] for name, values in axes))]
    if len({point.name for point in found}) < len(found):
        raise ValueError(f"--grid gives one point twice: {', '.join(point.name for point in found)}.")
    return found


def _axis(text):
    name, _, values = text.partition("=")
    values = [value for value in values.split(",") if value]
    if not values or isinstance(getattr(config.Config(), name, None), tuple) or name == "workdir":
        raise ValueError(f"--grid={text} is not FLAG=VALUE,VALUE,.. of a flag with one value"
                         f"{'; each point has a folder of its own' if name == 'workdir' else ''}.")
    return name, values


def _point(folder, given, base):
    chosen = config.with_flags(base, given)
    values = {name: getattr(chosen, name) for name in given}
    name = "-".join(f"{SHORT.get(flag_, flag_)}{'=' if isinstance(value, str) else ''}{_plain(value)}"
                    for flag_, value in values.items())
    return Point(name, values, dataclasses.replace(chosen, workdir=str(pathlib.Path(folder) / name)))


def _plain(value):
    """A value as a part of a folder's name."""
    return re.sub(r"[^\w.+]+", "_", f"{value:g}" if isinstance(value, float) else str(value))


def record(folder, found):
    """Write the folder's sweep.json: the points that were there before, and these.  Another sweep of the folder waits."""
    path = folder / "sweep.json"
    with files.locked(folder / ".lock"):
        old = json.loads(path.read_text())["points"] if path.exists() else []
        new = [{"name": point.name, "flags": point.flags} for point in found]
        names = {point["name"] for point in new}
        with files.whole_file(path) as unfinished:
            unfinished.write_text(json.dumps({
                "schema_version": SCHEMA_VERSION,
                "points": [*(point for point in old if point["name"] not in names), *new]}, indent=1) + "\n")
