"""Which finished phases two runs have in common, so that a sweep computes each of them once.

A phase depends on every flag except those listed here for other phases: until a new flag is
listed, runs that differ in it share nothing. Seed, data, precision and the like are not listed, so
phases are shared only between runs that agree on them.
"""

import dataclasses
import json
import math
import os
import pathlib
import shutil
from collections.abc import Iterable
from typing import Any

from tfanon.core import files
from tfanon.core.config import NON_TRAINING_FLAGS, Config

ANONYMIZER_FLAGS = {"anonymizer", "anonymizer_width", "anonymizer_output", "anonymizer_weights"}
INITIALIZATION_FLAGS = {"epochs_reconstruct", "batch_reconstruct", "lr_reconstruct"}
MINIMAX_FLAGS = {
    "action_network",
    "action_weights",
    "privacy_network",
    "privacy_weights",
    "init_action_from_raw",
    "penalty_bound",
    "penalty_weight",
    "penalty_reduction",
    "utility_weight",
    "budget_weight",
    "temperature",
    "budget_batch_norm",
    "same_batch",
    "epochs_anonymize",
    "batch_clips",
    "batch_pairs",
    "lr_anonymizer",
    "lr_action",
    "lr_privacy",
    "objective",
    "private_labels",
    "ensemble",
    "restart_every",
    "vita_variant",
    "temporal_weight",
    "triplet_margin",
    "suppressed",
    "kept_weight",
}
# Of clips alone: images, and the frames of Eq. 5, are single frames.
CLIP_FLAGS = {"frames", "stride"}
ACTION_EVALUATOR_FLAGS = {
    "eval_action_network",
    "eval_action_weights",
    "epochs_pretrain",
    "epochs_action",
    "batch_action",
    "lr_eval_action",
}
ATTACKER_FLAGS = {
    "attack_network",
    "attack_weights",
    "epochs_privacy",
    "batch_privacy",
    "lr_attack",
}
CLIP_PRIVACY_FLAGS = {
    "attack_clips",
    "clip_private_columns",
    "clip_private_split_column",
    "epochs_clip_privacy",
}
FLAG_GROUPS = (
    ANONYMIZER_FLAGS,
    INITIALIZATION_FLAGS,
    MINIMAX_FLAGS,
    CLIP_FLAGS,
    ACTION_EVALUATOR_FLAGS,
    ATTACKER_FLAGS,
    CLIP_PRIVACY_FLAGS,
)


def get_relevant_flags(phase: str, config: Config) -> dict[str, Any]:
    """Return all flags on which the result of a phase depends, with their values.

    An empty `--eval_action_network` or `--attack_network` is replaced by the network it stands
    for, so that runs share phases whether or not they spell it out.

    Args:
        phase: Name of a phase of `TrainingRun.list_phases`, such as `initialise`, `anonymize`,
            `action-blur` or `privacy-images-f_A`; or `attack`: any attack on an anonymizer that
            does not depend on the training of f_A.
        config: Config of the run.

    Raises:
        ValueError: There is no such phase.
    """
    config = dataclasses.replace(
        config,
        eval_action_network=config.action_evaluator_network,
        attack_network=config.attacker_network,
    )
    used_groups = _list_flag_groups(phase, config)
    unused = set(NON_TRAINING_FLAGS)
    for group in FLAG_GROUPS:
        if group not in used_groups:
            unused |= group
    return {name: value for name, value in dataclasses.asdict(config).items() if name not in unused}


def _list_flag_groups(phase: str, config: Config) -> list[set[str]]:
    """Return the groups of flags on which a phase depends, beside those in no group."""
    kind = phase.partition("-")[0]
    anonymizer = phase.rpartition("-")[2]
    minimax = [ANONYMIZER_FLAGS, INITIALIZATION_FLAGS, MINIMAX_FLAGS, CLIP_FLAGS]
    if config.init_action_from_raw:  # f_T starts as the action evaluator of raw clips
        minimax.append(ACTION_EVALUATOR_FLAGS)
    privacy = [ATTACKER_FLAGS]
    # Attacks on images read no flag about the private attributes of clips.
    if not phase.startswith("privacy-images-"):
        privacy.append(CLIP_PRIVACY_FLAGS)
    groups = {
        "initialise": [ANONYMIZER_FLAGS, INITIALIZATION_FLAGS],
        "anonymize": minimax,
        "action": [CLIP_FLAGS, ACTION_EVALUATOR_FLAGS],
        "pretrain": [CLIP_FLAGS, ACTION_EVALUATOR_FLAGS],
        "privacy": privacy,
        "attack": [CLIP_FLAGS, ACTION_EVALUATOR_FLAGS, ATTACKER_FLAGS, CLIP_PRIVACY_FLAGS],
    }
    if kind not in groups:
        raise ValueError(f"There is no phase '{phase}'; phases begin with: {', '.join(groups)}.")
    # The output of f_A depends on everything that trained it; that of a baseline does not.
    if kind in ("action", "privacy") and anonymizer == "f_A":
        return groups[kind] + minimax
    return groups[kind]


def reuse_phases(config: Config, others: Iterable[Config]) -> list[str]:
    """Give a run the finished phases of other runs that it would compute alike and still lacks.

    Files become hard links where the file system allows it: phases replace files as a whole and
    never change one in place.

    Args:
        config: Config of the run, whose folder need not exist.
        others: Configs of other runs, finished or not.

    Returns:
        Names of the phases that were reused.
    """
    reused = []
    for other in others:
        minimax_result = read_phase_record(other.workdir, "anonymize").get("result", {})
        # One result serves both: if the change also stayed below this run's B, both train alike.
        own_config = _clear_idle_penalty(config, minimax_result)
        other_config = _clear_idle_penalty(other, minimax_result)
        records = pathlib.Path(other.workdir).glob("phases/*/done.json")
        for name in sorted(path.parent.name for path in records):
            if is_phase_finished(config.workdir, name):
                continue
            if get_relevant_flags(name, other_config) == get_relevant_flags(name, own_config):
                link_phase(other.workdir, name, config.workdir, name)
                reused.append(name)
    return reused


def _clear_idle_penalty(config: Config, minimax_result: dict[str, Any]) -> Config:
    """Return the Config with lambda = 0 if the penalty had no effect, so that such runs compare."""
    if is_penalty_idle(config, minimax_result):
        return dataclasses.replace(config, penalty_bound=0.0, penalty_weight=0.0)
    return config


def is_penalty_idle(config: Config, minimax_result: dict[str, Any]) -> bool:
    """Return whether L_P of Eq. 4 was zero in every step of adversarial training.

    Training is then the same, step for step, for any B that was not reached and any lambda.

    Args:
        config: B, lambda and the objective.
        minimax_result: Result of the phase `anonymize`; earlier versions did not record its
            `largest_change`.
    """
    if config.objective != "penalty":  # other objectives may use B in another way
        return False
    largest_change = minimax_result.get("largest_change", math.inf)
    return config.penalty_weight == 0 or largest_change <= config.penalty_bound


def is_phase_finished(folder: str | os.PathLike, name: str) -> bool:
    """Return whether a run or an evaluation has finished a phase.

    Args:
        folder: Folder of the run or evaluation.
        name: Name of the phase's folder.
    """
    return _get_record_path(folder, name).exists()


def read_phase_record(folder: str | os.PathLike, name: str) -> dict[str, Any]:
    """Read what a run or an evaluation stores about a finished phase.

    Args:
        folder: Folder of the run or evaluation.
        name: Name of the phase's folder.

    Returns:
        `result` and `sha256` of the weights; empty if the phase is not finished.
    """
    if not is_phase_finished(folder, name):
        return {}
    return json.loads(_get_record_path(folder, name).read_text())


def _get_record_path(folder: str | os.PathLike, name: str) -> pathlib.Path:
    return pathlib.Path(folder) / "phases" / name / "done.json"


def link_phase(
    source: str | os.PathLike, name: str, target: str | os.PathLike, new_name: str
) -> None:
    """Give a run or an evaluation a finished phase of another one, curves included.

    Args:
        source: Folder of the run or evaluation that has the phase.
        name: Name of the phase's folder there.
        target: Folder of the run or evaluation that gets it.
        new_name: Name of the phase's folder in `target`.
    """
    source, target = pathlib.Path(source), pathlib.Path(target)
    _link_files(source / "logs" / name, target / "logs" / new_name)
    # done.json comes last: without it the other files do not count.
    _link_files(source / "phases" / name, target / "phases" / new_name, last="done.json")


def _link_files(source: pathlib.Path, target: pathlib.Path, last: str = "") -> None:
    """Link all files of a folder except hidden ones, the file named `last` after all others."""
    target.mkdir(parents=True, exist_ok=True)
    paths = [path for path in source.glob("*") if path.is_file()]
    for path in sorted(paths, key=lambda path: path.name == last):
        # .lock belongs to one phase, and .unfinished-* was left by a process that was killed.
        if not path.name.startswith("."):
            _link_or_copy(path, target / path.name)


def _link_or_copy(source: pathlib.Path, target: pathlib.Path) -> None:
    """Make a hard link, or a copy if the file system has no links; never an incomplete file."""
    with files.write_atomically(target, sync=False) as unfinished:
        try:
            os.link(source, unfinished)
        except OSError:
            shutil.copy2(source, unfinished)
