"""Which finished phases two runs have in common, so that a sweep computes them once.

A phase depends on every flag but those listed here for other phases: a new flag keeps runs apart until somebody lists
it. Seed, data, precision and the like are listed nowhere, so phases are shared under equal ones alone.
"""

import dataclasses
import json
import math
import os
import pathlib
import shutil

from tfanon.core import files
from tfanon.core.config import NON_TRAINING_FLAGS

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
CLIP_FLAGS = {"frames", "stride"}  # images, and the frames of Eq. 5, come one by one
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


def get_relevant_flags(phase, config):
    """{flag: value} of all that the result of a phase depends on.

    phase: a name of phases.Run.names: "initialise", "anonymize", "action-blur", "privacy-images-f_A"; or "attack",
    which is any attack on what no training of f_A changes.  Of a judge's network the one that is meant counts, whether
    it is named or is that of the game.
    """
    config = dataclasses.replace(
        config,
        eval_action_network=config.action_evaluator_network,
        attack_network=config.attacker_network,
    )
    used = _list_flag_groups(phase, config)
    unused = (
        set().union(*(group for group in FLAG_GROUPS if group not in used)) | NON_TRAINING_FLAGS
    )
    return {name: value for name, value in dataclasses.asdict(config).items() if name not in unused}


def _list_flag_groups(phase, config):
    """The groups that a phase looks at."""
    kind, judged = phase.split("-")[0], phase.rpartition("-")[2]
    game = [
        ANONYMIZER_FLAGS,
        INITIALIZATION_FLAGS,
        MINIMAX_FLAGS,
        CLIP_FLAGS,
        *([ACTION_EVALUATOR_FLAGS] if config.init_action_from_raw else []),
    ]
    images = phase.startswith("privacy-images-")
    groups = {
        "initialise": [ANONYMIZER_FLAGS, INITIALIZATION_FLAGS],
        "anonymize": game,
        "action": [CLIP_FLAGS, ACTION_EVALUATOR_FLAGS],
        "pretrain": [CLIP_FLAGS, ACTION_EVALUATOR_FLAGS],
        "privacy": [ATTACKER_FLAGS, *([] if images else [CLIP_PRIVACY_FLAGS])],
        "attack": [CLIP_FLAGS, ACTION_EVALUATOR_FLAGS, ATTACKER_FLAGS, CLIP_PRIVACY_FLAGS],
    }
    if kind not in groups:
        raise ValueError(f"No phase is called '{phase}'.")
    return groups[kind] + (game if kind in ("action", "privacy") and judged == "f_A" else [])


def reuse_phases(config, others):
    """Give a run the finished phases that others have and it lacks; returns their names.

    config: of the run, whose folder need not exist.  others: Configs of runs, finished or not.
    Files are hard links where the disk allows it: every phase replaces its files whole and changes none in place.
    """
    taken = []
    for other in others:
        game = read_phase_record(other.workdir, "anonymize").get("result", {})
        here, there = (_clear_idle_penalty(each, game) for each in (config, other))
        for name in sorted(
            path.parent.name for path in pathlib.Path(other.workdir).glob("phases/*/done.json")
        ):
            if not is_phase_finished(config.workdir, name) and get_relevant_flags(
                name, there
            ) == get_relevant_flags(name, here):
                link_phase(other.workdir, name, config.workdir, name)
                taken.append(name)
    return taken


def _clear_idle_penalty(config, game):
    """A Config with lambda = 0 where, by what a game found, its penalty is idle."""
    return (
        dataclasses.replace(config, penalty_bound=0.0, penalty_weight=0.0)
        if is_penalty_idle(config, game)
        else config
    )


def is_penalty_idle(config, game):
    """Whether L_P weighs nothing in every step of a game: it is, step for step, the game with any such B and any lambda.

    game: what the phase "anonymize" found; one of an earlier version did not note its largest change.
    """
    eq_3 = config.objective == "penalty"  # another one may hold its B against something else
    return eq_3 and (
        config.penalty_weight == 0 or game.get("largest_change", math.inf) <= config.penalty_bound
    )


def is_phase_finished(folder, name):
    """Whether a run or an evaluation has finished a phase."""
    return _get_record_path(folder, name).exists()


def read_phase_record(folder, name):
    """What a run or an evaluation keeps of a phase, {"result", "sha256"}; {} where it is not finished."""
    return (
        json.loads(_get_record_path(folder, name).read_text())
        if is_phase_finished(folder, name)
        else {}
    )


def _get_record_path(folder, name):
    return pathlib.Path(folder) / "phases" / name / "done.json"


def link_phase(source, name, target, new):
    """Give the folder of a run or of an evaluation a finished phase of another.  name, new: there and here."""
    source, target = pathlib.Path(source), pathlib.Path(target)
    _link_files(source / "logs" / name, target / "logs" / new)
    _link_files(source / "phases" / name, target / "phases" / new, last="done.json")


def _link_files(source, target, last=""):
    """Every file of a folder, `last` after the others: until it is there, the rest counts for nothing."""
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(
        (path for path in source.glob("*") if path.is_file()), key=lambda path: path.name == last
    ):
        if not path.name.startswith("."):  # .lock is one phase's own, .unfinished-* nobody's
            _link_or_copy(path, target / path.name)


def _link_or_copy(source, target):
    """A second name, or a copy where the file system has none; whichever, whole or not there."""
    with files.write_atomically(target, sync=False) as unfinished:
        try:
            os.link(source, unfinished)
        except OSError:
            shutil.copy2(source, unfinished)
