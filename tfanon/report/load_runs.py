"""The finished runs of a report: content of their folders, and which are one experiment.

Runs that differ in nothing but the seed are one experiment and become one row.
"""

import dataclasses
import json
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

from tfanon.core import config as config_module
from tfanon.core.config import Config
from tfanon.training import phase_cache

SCHEMA_VERSION = 1  # of results.json, evaluation/*/results.json and sweep.json
FLAG_SYMBOLS = {"penalty_bound": "B", "penalty_weight": "\N{GREEK SMALL LETTER LAMDA}"}
SYNTHETIC_SOURCES = {"synthetic", ""}
MAX_LISTED = 6  # names of a list in a sentence


@dataclasses.dataclass(frozen=True)
class FinishedRun:
    """Content of one run's folder.

    Attributes:
        folder: The folder.
        config: Its configuration.
        results: Content of results.json.
        evaluations: Results by protocol. An evaluation on data that the run does not name has an
            entry "novel".
        label: The objective, if runs have several, and the flags in which runs of one objective
            differ, seed aside.
        setting: Data, evaluator and attackers, as far as runs differ in them: numbers of different
            settings do not compare.
    """

    folder: pathlib.Path
    config: Config
    results: dict[str, Any]
    evaluations: dict[str, dict[str, Any]]
    label: str = ""
    setting: str = ""

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return self.config.seed

    @property
    def comparable(self) -> dict[str, dict[str, Any]]:
        """Evaluations on the run's own data, whose numbers compare with the run's results."""
        comparable = {}
        for protocol, evaluation in self.evaluations.items():
            if not evaluation.get("novel"):
                comparable[protocol] = evaluation
        return comparable

    @property
    def synthetic(self) -> bool:
        """Whether none of its pictures can show a real person."""
        sources = {
            self.config.clip_source,
            self.config.image_source,
            self.config.eval_clip_source,
            self.config.test_clip_source,
            self.config.test_image_source,
        }
        return sources <= SYNTHETIC_SOURCES


def load_runs(paths: Iterable[str | pathlib.Path]) -> tuple[list[FinishedRun], list[str]]:
    """Read folders of runs and of sweeps.

    Returns:
        The runs, and a sentence about those without results, if any.

    Raises:
        ValueError: A path is neither, a file is of another version or damaged, no run has results,
            or two runs are the same experiment with the same seed.
    """
    folders = [pathlib.Path(path) for path in paths]
    runs, unfinished = [], []
    for path in folders:
        for folder in _list_run_folders(path):
            # A run that is still training has its flags only.
            if (folder / "results.json").is_file() and (folder / "run.flags").is_file():
                runs.append(_read_run(folder))
            else:
                unfinished.append(str(folder))
    if not runs:
        raise ValueError(
            f"No results in {', '.join(map(str, folders))}: a run has results.json and run.flags "
            "once it is trained and evaluated."
        )
    runs = _add_labels(runs)
    _refuse_duplicates(runs)
    missing = []
    if unfinished:
        missing.append(f"No results yet, so left out: {shorten_list(unfinished)}.")
    return runs, missing


def shorten_list(names: Sequence[str]) -> str:
    """Join names with commas; of a long list only the first, with the number of the others."""
    text = ", ".join(names[:MAX_LISTED])
    if len(names) > MAX_LISTED:
        text += f" and {len(names) - MAX_LISTED} more"
    return text


def _list_run_folders(path: pathlib.Path) -> list[pathlib.Path]:
    """Return the run folders of a sweep, or the folder of a run itself."""
    if (path / "sweep.json").is_file():
        trials = _read_results(path / "sweep.json", "points")["points"]
        return [path / _check_folder_name(trial["name"], path) for trial in trials]
    if (path / "results.json").is_file() or (path / "run.flags").is_file():
        return [path]
    reason = "" if path.exists() else "; there is nothing at that path"
    raise ValueError(
        f"{path} is neither a run (results.json, run.flags) nor a sweep (sweep.json){reason}."
    )


def _check_folder_name(name: Any, sweep: pathlib.Path) -> str:
    """Return a trial's name; raise ValueError if it would lead out of the sweep's folder."""
    # sweep.json may come from elsewhere.
    if not isinstance(name, str) or pathlib.PurePath(name).name != name:
        raise ValueError(f"{sweep / 'sweep.json'} names a trial outside its folder: {name!r}.")
    return name


def _read_run(folder: pathlib.Path) -> FinishedRun:
    evaluations = {}
    for path in sorted(folder.glob("evaluation/*/results.json")):
        evaluations[path.parent.name] = _read_results(path, "attacks")
    config = config_module.from_flagfile(folder / "run.flags")
    return FinishedRun(folder, config, _read_results(folder / "results.json", "rows"), evaluations)


def _read_results(path: pathlib.Path, required: str) -> dict[str, Any]:
    """Read a JSON object of this version with a list under the key `required`."""
    try:
        results = json.loads(path.read_text())
    except (ValueError, UnicodeDecodeError) as problem:
        raise ValueError(f"{path} is not JSON: {problem}.") from None
    version = results.get("schema_version") if isinstance(results, dict) else None
    if version != SCHEMA_VERSION or not isinstance(results.get(required), list):
        raise ValueError(
            f"{path} has schema_version {version}; this version of tfanon reads version "
            f"{SCHEMA_VERSION}, with a list of {required}."
        )
    # The report reads these keys of every entry.
    key = "name" if required == "points" else "anonymizer"
    for part in (required, "actions", "flicker"):
        for row in results.get(part, []):
            if not isinstance(row, dict) or not isinstance(row.get(key), str):
                raise ValueError(f"{path}: not every entry of {part} has its {key}.")
    return results


def _add_labels(runs: Sequence[FinishedRun]) -> list[FinishedRun]:
    """Return the runs with their label and setting."""
    # The fewest flags that distinguish settings, since they become a part of many titles.
    settings = _describe_fewest_differences([_get_evaluation_flags(run.config) for run in runs])
    by_setting: dict[str, list[FinishedRun]] = {}
    for run, setting in zip(runs, settings, strict=True):
        by_setting.setdefault(setting, []).append(run)
    labels = {}
    for comparable in by_setting.values():
        flags = [_get_training_flags(run) for run in comparable]
        for run, label in zip(comparable, _make_labels(flags), strict=True):
            # Within a setting: across settings every label would contain the flags of the data too.
            labels[run.folder] = label
    labelled = []
    for run, setting in zip(runs, settings, strict=True):
        labelled.append(dataclasses.replace(run, label=labels[run.folder], setting=setting))
    return labelled


def _get_training_flags(run: FinishedRun) -> dict[str, Any]:
    """Return the flags that only the adversarial training depends on."""
    others = {
        *config_module.NON_TRAINING_FLAGS,
        *_get_evaluation_flags(run.config),
        "seed",
        "data_dir",
    }
    flags = dataclasses.asdict(run.config)
    return {name: value for name, value in flags.items() if name not in others}


def _make_labels(experiments: Sequence[dict[str, Any]]) -> list[str]:
    """Label experiments by their differences.

    Experiments are compared within their objective: what comes with an objective, such as its
    weights, is not part of the label. The objective is, if there are several.

    Args:
        experiments: Flags of each experiment.
    """
    objectives = [experiment.get("objective", "") for experiment in experiments]
    # Flags that only one objective has would otherwise differ in every label.
    names = set(objectives)
    differences = {}
    for name in names:
        same = [one for one in experiments if one.get("objective", "") == name]
        differences[name] = iter(_describe_differences(same))
    labels = []
    for name in objectives:
        parts = [name if len(names) > 1 else "", next(differences[name])]
        labels.append(", ".join(filter(None, parts)))
    return labels


def _get_evaluation_flags(config: Config) -> dict[str, Any]:
    """Return what evaluator and attackers of a fixed anonymizer depend on.

    The seed and the place of the data are left out. So is whether clips are attacked, but not which
    of their attributes: these are a privacy task of their own.
    """
    flags = {
        **phase_cache.get_relevant_flags("action-raw", config),
        **phase_cache.get_relevant_flags("privacy-clips-raw", config),
    }
    # Seeds are averaged, and data may have moved.
    for name in ("seed", "data_dir", "attack_clips"):
        flags.pop(name, None)
    return flags


def _describe_differences(experiments: Sequence[dict[str, Any]]) -> list[str]:
    """Return for each experiment the flags in which not all agree, such as "B = 0.1"."""
    differing = []
    for name in experiments[0]:
        values = {repr(experiment.get(name)) for experiment in experiments}
        if len(values) > 1:
            differing.append(name)
    descriptions = []
    for experiment in experiments:
        parts = []
        for name in differing:
            symbol = FLAG_SYMBOLS.get(name, name)
            parts.append(f"{symbol} = {format_value(experiment.get(name))}")
        descriptions.append(", ".join(parts))
    return descriptions


def _describe_fewest_differences(experiments: Sequence[dict[str, Any]]) -> list[str]:
    """As _describe_differences, with the first flags that suffice to distinguish all of them."""
    names: list[str] = []
    distinguished = 1
    for name in experiments[0]:
        candidates = [*names, name]
        values = {repr([one.get(key) for key in candidates]) for one in experiments}
        if len(values) > distinguished:
            names, distinguished = candidates, len(values)
    reduced = []
    for experiment in experiments:
        reduced.append({name: experiment.get(name) for name in names})
    return _describe_differences(reduced)


def format_value(value: Any) -> str:
    """Return the value of a flag as on the command line, numbers in their shortest form."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value)


def _refuse_duplicates(runs: Iterable[FinishedRun]) -> None:
    """Raise ValueError if two runs are the same experiment with the same seed."""
    first: dict[tuple[str, str, int], FinishedRun] = {}
    for run in runs:
        other = first.setdefault((run.label, run.setting, run.seed), run)
        if other is not run:
            raise ValueError(
                f"{other.folder} and {run.folder} are the same experiment with the same seed "
                f"{run.seed}: a spread over both would be too small."
            )
