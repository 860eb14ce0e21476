"""The points of a sweep: every combination of the values that its flags have, each a run's folder and Config."""

import collections
import dataclasses
import itertools
import json
import pathlib
import re
import shlex

from tfanon.core import config, files

SCHEMA_VERSION = 1
SHORT_FLAG_NAMES = {
    "penalty_bound": "B",
    "penalty_weight": "lambda",
}  # the paper's symbols, in a folder's name


@dataclasses.dataclass(frozen=True)
class Trial:
    """One run of the sweep.  flags: what it does not share with all others, {name: value}."""

    name: str
    flags: dict
    config: config.Config


@dataclasses.dataclass(frozen=True)
class GridLineOptions:
    """What a line of a file of grids says besides the flags of its points."""

    grid: tuple = config.flag((), "As --grid of the sweep.", repeated=True)


def read_grid_file(path, base, given):
    """The grids of a file, as points() takes them; a backslash at its end continues a line, # begins a comment.

    base: Config of all that a line does not say.  given: what varies in every grid, faster than what its line names.
    Raises ValueError where a line is none, OSError where there is no such file.
    """
    found = []
    for line in config.read_text(path).replace("\\\n", " ").split("\n"):
        try:
            if words := shlex.split(line, comments=True):
                own, axes = config.parse_flags(
                    [*config.list_changed_flags(base), *words], config.Config, GridLineOptions
                )
                found.append(((*axes.grid, *given), own))
        except ValueError as error:
            raise ValueError(f"{path}: '{line.strip()}': {error}") from None
    return found


def expand_grids(folder, grids):
    """The Points of a sweep's folder, grid by grid, of each the last flag fastest.

    grids: pairs of what varies, "FLAG=VALUE,VALUE,.." per flag, and the Config of all else.
    Raises ValueError where one is no flag or no value of it, or a point comes twice.
    """
    if not folder or not grids or not all(given for given, _ in grids):
        raise ValueError(
            "Give --sweep_dir=FOLDER and, for each flag that varies, --grid=FLAG=VALUE,VALUE,.."
        )
    found = [point for given, base in grids for point in _expand_grid(folder, given, base)]
    if twice := [
        name
        for name, count in collections.Counter(point.name for point in found).items()
        if count > 1
    ]:
        raise ValueError(f"--grid gives a point twice: {', '.join(twice)}.")
    return found


def _expand_grid(folder, given, base):
    axes = [_parse_axis(text) for text in given]
    if len({name for name, _ in axes}) < len(axes):
        raise ValueError(
            f"--grid names a flag twice: {', '.join(name for name, _ in axes)}. Give its values in one."
        )
    return [
        _make_trial(folder, dict(chosen), base)
        for chosen in itertools.product(
            *([(name, value) for value in values] for name, values in axes)
        )
    ]


def _parse_axis(text):
    name, _, values = text.partition("=")
    values = [value for value in values.split(",") if value]
    if not values or isinstance(getattr(config.Config(), name, None), tuple) or name == "workdir":
        raise ValueError(
            f"--grid={text} is not FLAG=VALUE,VALUE,.. of a flag with one value"
            f"{'; each point has a folder of its own' if name == 'workdir' else ''}."
        )
    return name, values


def _make_trial(folder, given, base):
    chosen = config.with_flags(base, given)
    values = {name: getattr(chosen, name) for name in given}
    name = "-".join(
        f"{SHORT_FLAG_NAMES.get(flag_, flag_)}{'=' if isinstance(value, str) else ''}{_format_for_folder(value)}"
        for flag_, value in values.items()
    )
    return Trial(
        name, values, dataclasses.replace(chosen, workdir=str(pathlib.Path(folder) / name))
    )


def _format_for_folder(value):
    """A value as a part of a folder's name."""
    return re.sub(r"[^\w.+]+", "_", f"{value:g}" if isinstance(value, float) else str(value))


def record_trials(folder, found):
    """Write the folder's sweep.json: the points that were there before, and these.  Another sweep of the folder waits."""
    path = folder / "sweep.json"
    with files.lock_file(folder / ".lock"):
        old = json.loads(path.read_text())["points"] if path.exists() else []
        new = [{"name": point.name, "flags": point.flags} for point in found]
        names = {point["name"] for point in new}
        with files.write_atomically(path) as unfinished:
            unfinished.write_text(
                json.dumps(
                    {
                        "schema_version": SCHEMA_VERSION,
                        "points": [*(point for point in old if point["name"] not in names), *new],
                    },
                    indent=1,
                )
                + "\n"
            )
