"""The finished runs of a report: what their folders hold, and which of them are one experiment under several seeds."""

import dataclasses
import json
import pathlib

from tfanon.core import config as settings
from tfanon.training import phase_cache

SCHEMA_VERSION = 1  # of results.json, evaluation/*/results.json and sweep.json
SYMBOLS = {"penalty_bound": "B", "penalty_weight": "\N{GREEK SMALL LETTER LAMDA}"}
SYNTHETIC = {"synthetic", ""}


@dataclasses.dataclass(frozen=True)
class Run:
    """One run's folder, read.

    evaluations: {protocol: results}; those on data that the run does not name are told by their "novel".
    label: the objective, where runs have several, and the flags in which those of one objective differ, seed aside.
    setting: what tells its data and judges from those of other runs: numbers compare only where it is equal.
    """

    folder: pathlib.Path
    config: settings.Config
    results: dict
    evaluations: dict
    label: str = ""
    setting: str = ""

    @property
    def seed(self):
        return self.config.seed

    @property
    def comparable(self):
        """The evaluations whose numbers are of the run's own data, so that they may stand beside its own."""
        return {
            protocol: found
            for protocol, found in self.evaluations.items()
            if not found.get("novel")
        }

    @property
    def synthetic(self):
        """Whether no picture of it can show a real person."""
        c = self.config
        return SYNTHETIC >= {
            c.clip_source,
            c.image_source,
            c.eval_clip_source,
            c.test_clip_source,
            c.test_image_source,
        }


def load(paths):
    """(runs, missing) of folders of runs and of sweeps; missing: what is not there, a sentence each.

    Raises ValueError where a path is neither, where a file is of another version, and where two runs are the same
    experiment under the same seed.
    """
    runs, without = [], []
    for path in map(pathlib.Path, paths):
        for folder in _folders(path):
            if (folder / "results.json").is_file() and (folder / "run.flags").is_file():
                runs.append(_run(folder))
            else:
                without.append(str(folder))
    if not runs:
        raise ValueError(
            f"No results in {', '.join(map(str, paths))}: a run has results.json and run.flags when it is "
            "trained and judged."
        )
    runs = _labelled(runs)
    _refuse_twins(runs)
    return runs, [f"No results yet, so left out: {in_short(without)}."] if without else []


def in_short(names):
    """A list of which the end is only counted where it is long."""
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def _folders(path):
    if (path / "sweep.json").is_file():
        return [
            path / _inside(point["name"], path)
            for point in _read(path / "sweep.json", "points")["points"]
        ]
    if (path / "results.json").is_file() or (path / "run.flags").is_file():
        return [path]
    raise ValueError(
        f"{path} is neither a run (results.json, run.flags) nor a sweep (sweep.json)"
        f"{'' if path.exists() else '; there is nothing at that path'}."
    )


def _inside(name, path):
    if not isinstance(name, str) or pathlib.PurePath(name).name != name:
        raise ValueError(f"{path / 'sweep.json'} names a point outside its folder: {name!r}.")
    return name


def _run(folder):
    evaluations = {
        path.parent.name: _read(path, "attacks")
        for path in sorted(folder.glob("evaluation/*/results.json"))
    }
    config = settings.from_flagfile(folder / "run.flags")
    return Run(folder, config, _read(folder / "results.json", "rows"), evaluations)


def _read(path, needed):
    """A JSON object of this version with a list under `needed`."""
    try:
        found = json.loads(path.read_text())
    except (ValueError, UnicodeDecodeError) as problem:
        raise ValueError(f"{path} is no JSON: {problem}.") from None
    version = found.get("schema_version") if isinstance(found, dict) else None
    key = "name" if needed == "points" else "anonymizer"
    if version != SCHEMA_VERSION or not isinstance(found.get(needed), list):
        raise ValueError(
            f"{path} has schema_version {version}; this tfanon reads version {SCHEMA_VERSION}, with a "
            f"list of {needed}."
        )
    for part in (needed, "actions", "flicker"):
        if any(
            not isinstance(row, dict) or not isinstance(row.get(key), str)
            for row in found.get(part, [])
        ):
            raise ValueError(f"{path}: not every entry of {part} has its {key}.")
    return found


def _labelled(runs):
    """The runs with their label and setting."""
    judged = [_setting(run.config) for run in runs]
    alike, told = {}, _fewest(judged)
    for run, setting in zip(runs, told):
        alike.setdefault(setting, []).append(run)
    labels = {
        run.folder: label
        for same in alike.values()
        for run, label in zip(same, _labels([*map(_own, same)]))
    }
    return [
        dataclasses.replace(run, label=labels[run.folder], setting=setting)
        for run, setting in zip(runs, told)
    ]


def _own(run):
    """The flags that only the game depends on."""
    elsewhere = {*settings.NON_TRAINING_FLAGS, *_setting(run.config), "seed", "data_dir"}
    return {
        name: value
        for name, value in dataclasses.asdict(run.config).items()
        if name not in elsewhere
    }


def _labels(given):
    """For each dict the entries in which not all of its objective agree, after the objective's name if there are more.

    What comes with an objective, such as its weights or its f_A, is no part of the label.
    """
    objectives = [one.get("objective", "") for one in given]
    alike = {
        name: iter(_differences([one for one, own in zip(given, objectives) if own == name]))
        for name in set(objectives)
    }
    several = len(alike) > 1
    return [
        ", ".join(part for part in (name if several else "", next(alike[name])) if part)
        for name in objectives
    ]


def _setting(config):
    """What the judges of a fixed anonymizer depend on, seed and the place of the data aside.

    Not whether clips are attacked, only as what: their attributes are a probe of their own.
    """
    flags = phase_cache.get_relevant_flags("action-raw", config) | phase_cache.get_relevant_flags(
        "privacy-clips-raw", config
    )
    return {
        name: value
        for name, value in flags.items()
        if name not in {"seed", "data_dir", "attack_clips"}
    }


def _differences(given):
    """For each dict, the entries in which not all agree, in words."""
    names = [name for name in given[0] if len({repr(one.get(name)) for one in given}) > 1]
    return [
        ", ".join(f"{SYMBOLS.get(name, name)} = {value_in_words(one.get(name))}" for name in names)
        for one in given
    ]


def _fewest(given):
    """For each dict the first entries, in words, that tell it from all others; equal ones have the same words."""
    names, told = [], 1
    for name in given[0]:
        if (more := len({repr([one.get(n) for n in (*names, name)]) for one in given})) > told:
            names, told = [*names, name], more
    return _differences([{name: one.get(name) for name in names} for one in given])


def value_in_words(value):
    return (
        f"{value:g}"
        if isinstance(value, float)
        else ",".join(value)
        if isinstance(value, tuple)
        else str(value)
    )


def _refuse_twins(runs):
    seen = {}
    for run in runs:
        twin = seen.setdefault((run.label, run.setting, run.seed), run)
        if twin is not run:
            raise ValueError(
                f"{twin.folder} and {run.folder} are the same experiment with the same seed {run.seed}: a "
                "spread over both would be too small."
            )
