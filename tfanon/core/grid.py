"""The trials of a sweep: every combination of the values of some flags."""

import collections
import dataclasses
import itertools
import json
import pathlib
import re
import shlex
from collections.abc import Iterable, Sequence
from typing import Any

from tfanon.core import config, files

SCHEMA_VERSION = 1
SHORT_FLAG_NAMES = {"penalty_bound": "B", "penalty_weight": "lambda"}  # the paper's symbols

# What varies, "FLAG=VALUE,VALUE,.." per flag, and the values of all other flags.
Grid = tuple[tuple[str, ...], config.Config]


@dataclasses.dataclass(frozen=True)
class Trial:
    """One training run of a sweep.

    Attributes:
        name: Name of its folder.
        flags: Values of the flags that vary in its grid.
        config: Values of all flags; its workdir is the trial's folder.
    """

    name: str
    flags: dict[str, Any]
    config: config.Config


@dataclasses.dataclass(frozen=True)
class GridLineOptions:
    """Flags that a line of a file of grids may contain besides those of its trials."""

    grid: tuple[str, ...] = config.flag((), "As --grid of the sweep.", repeated=True)


def read_grid_file(
    path: str | pathlib.Path, base: config.Config, common_axes: Sequence[str]
) -> list[Grid]:
    """Read a file of grids, one per line.

    A backslash at its end continues a line; # begins a comment.

    Args:
        path: Path of the file.
        base: Values of the flags that a line does not mention.
        common_axes: What varies in every grid, faster than what its line names.

    Returns:
        The grids, for expand_grids.

    Raises:
        ValueError: A line cannot be read; the message contains it.
        OSError: The file cannot be read.
    """
    grids: list[Grid] = []
    for line in config.read_text(path).replace("\\\n", " ").split("\n"):
        try:
            words = shlex.split(line, comments=True)
            # An empty line, or a comment alone.
            if not words:
                continue
            # Later flags win: those of the line replace those of the command.
            flags = [*config.list_changed_flags(base), *words]
            line_config, options = config.parse_flags(flags, config.Config, GridLineOptions)
        except ValueError as error:
            raise ValueError(f"{path}: '{line.strip()}': {error}") from None
        grids.append(((*options.grid, *common_axes), line_config))
    return grids


def expand_grids(folder: str, grids: Sequence[Grid]) -> list[Trial]:
    """Make the trials of a sweep, grid by grid; in each, the last flag varies fastest.

    Args:
        folder: The sweep's folder.
        grids: What varies, and the values of all other flags.

    Returns:
        The trials, each with a folder in the sweep's.

    Raises:
        ValueError: There is no folder or grid, a flag or value is not valid, or a trial occurs
            twice.
    """
    if not folder or not grids or not all(axes for axes, _ in grids):
        raise ValueError(
            "Give --sweep_dir=FOLDER and, for each flag that varies, --grid=FLAG=VALUE,VALUE,.."
        )
    trials = []
    for axes, base in grids:
        trials += _expand_grid(folder, axes, base)
    counts = collections.Counter(trial.name for trial in trials)
    repeated = [name for name, count in counts.items() if count > 1]
    if repeated:
        raise ValueError(f"--grid gives a trial twice: {', '.join(repeated)}.")
    return trials


def _expand_grid(folder: str, axes: Sequence[str], base: config.Config) -> list[Trial]:
    """Make the trials of one grid."""
    parsed_axes = [_parse_axis(text) for text in axes]
    names = [name for name, _ in parsed_axes]
    if len({_get_current_name(name) for name in names}) < len(names):
        raise ValueError(
            f"--grid names a flag twice: {', '.join(names)}. Give all of its values in one --grid."
        )
    trials = []
    for values in itertools.product(*(values for _, values in parsed_axes)):
        trials.append(_make_trial(folder, dict(zip(names, values, strict=True)), base))
    return trials


def _parse_axis(text: str) -> tuple[str, list[str]]:
    """Split "FLAG=VALUE,VALUE,.." into the flag's name and its values."""
    name, _, values_text = text.partition("=")
    if name == "workdir":
        raise ValueError(f"--grid={text} cannot vary --workdir: each trial has its own folder.")
    # A flag that is a list itself cannot vary: commas separate the values of an axis.
    values = [value for value in values_text.split(",") if value]
    # A flag that does not exist is reported by config.with_flags.
    default = getattr(config.Config(), _get_current_name(name), None)
    if not values or isinstance(default, tuple):
        raise ValueError(f"--grid={text} is not FLAG=VALUE,VALUE,.. of a flag with one value.")
    return name, values


def _make_trial(folder: str, texts: dict[str, str], base: config.Config) -> Trial:
    """Make a trial from the text of each value that varies."""
    trial_config = config.with_flags(base, texts)
    values, parts = {}, []
    for name in texts:
        current_name = _get_current_name(name)
        value = values[current_name] = getattr(trial_config, current_name)
        # The folder bears the name as it was given, so that a sweep that was begun under a former
        # name of the flag resumes. Words are set apart from it; numbers follow directly: "B0.1".
        separator = "=" if isinstance(value, str) else ""
        parts.append(f"{SHORT_FLAG_NAMES.get(name, name)}{separator}{_format_for_folder(value)}")
    trial_name = "-".join(parts)
    workdir = str(pathlib.Path(folder) / trial_name)
    return Trial(trial_name, values, dataclasses.replace(trial_config, workdir=workdir))


def _get_current_name(flag: str) -> str:
    """Return the name of a flag that may be given under a former one."""
    return config.list_former_names().get(flag, flag)


def _format_for_folder(value: Any) -> str:
    """Format a value as a part of a folder's name."""
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return re.sub(r"[^\w.+]+", "_", text)


def record_trials(folder: pathlib.Path, trials: Iterable[Trial]) -> None:
    """Add trials to the sweep's sweep.json, in which trials of the same name are replaced.

    Another sweep of the same folder waits meanwhile.

    Args:
        folder: The sweep's folder.
        trials: The trials to add.
    """
    path = folder / "sweep.json"
    # Not sweep.json itself: the lock would stay with the file that is replaced.
    with files.lock_file(folder / ".lock"):
        # "points" are trials: the key of schema version 1.
        recorded = json.loads(path.read_text())["points"] if path.exists() else []
        added = [{"name": trial.name, "flags": trial.flags} for trial in trials]
        names = {entry["name"] for entry in added}
        kept = [entry for entry in recorded if entry["name"] not in names]
        content = {"schema_version": SCHEMA_VERSION, "points": [*kept, *added]}
        files.write_json_atomically(path, content, sort_keys=False)
