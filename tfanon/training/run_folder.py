"""A finished run, opened again: its f_A in float32, its judges, and frames of its own data."""

import dataclasses
import pathlib

import keras
import numpy as np

from tfanon.core import config, registry
from tfanon.data import pipeline, splits
from tfanon.training import distribution, phases

COMPARISON_SPLIT, CALIBRATION_SPLIT = "test", "train"  # splits


def load_run_config(folder, data_dir=""):
    """The Config of the run in a folder.  data_dir: where its data is now; empty: where the run found it.

    Raises ValueError where the folder holds no run.
    """
    folder = pathlib.Path(folder)
    if not (folder / "run.flags").is_file():
        raise ValueError(
            f"{folder} holds no run: {folder / 'run.flags'} is missing. Give the --workdir of "
            "python -m tfanon.train."
        )
    found = config.from_flagfile(folder / "run.flags")
    return dataclasses.replace(found, workdir=str(folder), data_dir=data_dir or found.data_dir)


def load_run(folder, data_dir=""):
    """The phases.Run in a folder, in float32.  Raises ValueError as settings and as the data sources do."""
    folder, found = pathlib.Path(folder), load_run_config(folder, data_dir)
    keras.config.set_dtype_policy("float32")  # whatever it was trained in
    for name in ("anonymize", "action-f_A"):
        if not (folder / "phases" / name / "done.json").is_file():
            raise ValueError(
                f"{folder} is not finished: its phase {name} is not done. python -m tfanon.train "
                f"--flagfile={folder / 'run.flags'} goes on with it."
            )
    return phases.TrainingRun(found, splits.load(found), distribution.make_strategy("one_device"))


def load_anonymizer(run):
    """The trained f_A."""
    f_A = registry.load_module("anonymizers", run.config.anonymizer).build(
        width=run.config.anonymizer_width, output=run.config.anonymizer_output
    )
    _load_phase_weights(run, "anonymize", f_A)
    return f_A


def load_action_evaluator(run):
    """The trained f_T' of f_A."""
    f_T = registry.load_module("actions", run.config.action_evaluator_network).build(
        classes=len(run.tables.action.train.classes)
    )
    _load_phase_weights(run, "action-f_A", f_T)
    return f_T


def load_attacker(run, probe):
    """The trained f_B' of f_A on one probe."""
    f_B = registry.load_module("privacy", run.config.attacker_network).build(
        attributes=len(run.tables.probes[probe].train.attribute_names)
    )
    _load_phase_weights(run, f"privacy-{probe}-f_A", f_B)
    return f_B


def sample_frames(run, split, count, size):
    """`count` frames of a split, drawn by the run's seed, half of clips and half of images: float32 [n, H, W, 3].

    size: (H, W); a frame is read as a square of the longer side, and its middle is taken.
    """
    settings = dataclasses.replace(run.config, resolution=max(size), frames=1, eval_clips=1)
    half = -(-count // 2)
    clips = pipeline.evaluation_clips(
        _draw_examples(getattr(run.tables.clips, split), half, settings), settings
    )
    images = pipeline.evaluation_images(
        _draw_examples(getattr(run.tables.images, split), half, settings), settings
    )
    squares = np.concatenate([*(x[:, 0] for x, *_ in clips), *(x for x, *_ in images)])
    top, left = ((side - wanted) // 2 for side, wanted in zip(squares.shape[1:3], size))
    return squares[:, top : top + size[0], left : left + size[1]]


def _draw_examples(examples, count, settings):
    """That many rows, or all; the images of some sources have no attributes, and nobody asks for them here."""
    rows = np.random.default_rng(settings.seed).permutation(len(examples))[:count]
    nothing = np.zeros([len(examples), 0], np.float32)
    return dataclasses.replace(examples, attributes=nothing, attribute_names=()).take(np.sort(rows))


def _load_phase_weights(run, phase, network):
    if run.phase(phase).result(network) is None:
        raise ValueError(f"{run.config.workdir} is not finished: its phase {phase} is not done.")
