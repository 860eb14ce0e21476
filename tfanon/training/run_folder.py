"""Open a finished run: f_A in float32, its action evaluator and attackers, frames of its data."""

import dataclasses
import os
import pathlib

import keras
import numpy as np

from tfanon.core import config, registry
from tfanon.data import pipeline, splits
from tfanon.data.batch import Examples
from tfanon.training import distribution, phase_cache, phases

# Splits of the frames on which exported files are compared and calibrated.
COMPARISON_SPLIT = "test"
CALIBRATION_SPLIT = "train"


def load_run_config(folder: str | os.PathLike, data_dir: str = "") -> config.Config:
    """Read the Config of the run in a folder.

    Args:
        folder: The run's `--workdir`.
        data_dir: Where the data is now; empty: where it was during training.

    Raises:
        ValueError: There is no run in the folder.
    """
    folder = pathlib.Path(folder)
    flagfile = folder / "run.flags"
    if not flagfile.is_file():
        raise ValueError(
            f"There is no run in {folder}: {flagfile} is missing. Give the --workdir of "
            "tfanon-train."
        )
    run_config = config.from_flagfile(flagfile)
    return dataclasses.replace(
        run_config, workdir=str(folder), data_dir=data_dir or run_config.data_dir
    )


def load_run(folder: str | os.PathLike, data_dir: str = "") -> phases.TrainingRun:
    """Open the finished run in a folder, in float32 regardless of the precision of its training.

    Args:
        folder: The run's `--workdir`.
        data_dir: Where the data is now; empty: where it was during training.

    Raises:
        ValueError: There is no run, it is not finished, or its data cannot be read.
    """
    folder = pathlib.Path(folder)
    run_config = load_run_config(folder, data_dir)
    keras.config.set_dtype_policy("float32")
    # The phases whose weights load_anonymizer and load_action_evaluator read.
    for name in ("anonymize", phases.get_action_phase_name("f_A")):
        if not phase_cache.is_phase_finished(folder, name):
            raise ValueError(
                f"The run in {folder} is not finished: its phase {name} is missing. Resume it with "
                f"tfanon-train --flagfile={folder / 'run.flags'}"
            )
    strategy = distribution.make_strategy("one_device")
    return phases.TrainingRun(run_config, splits.load_experiment_data(run_config), strategy)


def load_anonymizer(run: phases.TrainingRun) -> keras.Model:
    """Load the trained f_A.

    Raises:
        ValueError: The run is not finished, or a file was altered.
    """
    f_A = registry.load_module("anonymizers", run.config.anonymizer).build(
        width=run.config.anonymizer_width, output=run.config.anonymizer_output
    )
    _load_phase_weights(run, "anonymize", f_A)
    return f_A


def load_action_evaluator(run: phases.TrainingRun) -> keras.Model:
    """Load f_T', the action evaluator trained on the output of f_A.

    Raises:
        ValueError: The run is not finished, or a file was altered.
    """
    f_T = registry.load_module("actions", run.config.action_evaluator_network).build(
        classes=len(run.data.action_task.train.classes)
    )
    _load_phase_weights(run, phases.get_action_phase_name("f_A"), f_T)
    return f_T


def load_attacker(run: phases.TrainingRun, task: str) -> keras.Model:
    """Load f_B', the attacker trained on the output of f_A.

    Args:
        run: A finished run.
        task: Name of the privacy task, a key of `run.data.privacy_tasks`.

    Raises:
        ValueError: The run is not finished, or a file was altered.
    """
    f_B = registry.load_module("privacy", run.config.attacker_network).build(
        attributes=len(run.data.privacy_tasks[task].train.attribute_names)
    )
    _load_phase_weights(run, phases.get_privacy_phase_name(task, "f_A"), f_B)
    return f_B


def sample_frames(
    run: phases.TrainingRun, split: str, count: int, size: tuple[int, int]
) -> np.ndarray:
    """Draw frames of a split by the run's seed, half of them from clips and half from images.

    Args:
        run: A run.
        split: `train`, `held_out` or `test`.
        count: Number of frames; fewer are returned if the split is smaller.
        size: Height and width. Frames are read as squares of the longer side and cropped in the
            middle.

    Returns:
        Frames `[N, H, W, 3]`, float32 in [0, 1].
    """
    single_frames = dataclasses.replace(run.config, resolution=max(size), frames=1, eval_clips=1)
    half = -(-count // 2)  # rounded up
    clip_rows = _draw_examples(getattr(run.data.clips, split), half, single_frames.seed)
    image_rows = _draw_examples(getattr(run.data.images, split), half, single_frames.seed)
    batches = [x[:, 0] for x, *_ in pipeline.make_clip_evaluation_dataset(clip_rows, single_frames)]
    batches += [x for x, *_ in pipeline.make_image_evaluation_dataset(image_rows, single_frames)]
    squares = np.concatenate(batches)
    height, width = size
    top = (squares.shape[1] - height) // 2
    left = (squares.shape[2] - width) // 2
    return squares[:, top : top + height, left : left + width]


def _draw_examples(examples: Examples, count: int, seed: int) -> Examples:
    """Draw `count` examples at random, or take all of them; without attributes.

    The images of some sources have no attributes, and only pixels are needed here.
    """
    rows = np.random.default_rng(seed).permutation(len(examples))[:count]
    no_attributes = np.zeros([len(examples), 0], np.float32)
    unlabelled = dataclasses.replace(examples, attributes=no_attributes, attribute_names=())
    return unlabelled.take(np.sort(rows))


def _load_phase_weights(run: phases.TrainingRun, name: str, network: keras.Model) -> None:
    """Fill a network with the weights of a finished phase."""
    if run.get_phase(name).load_result(network) is None:
        raise ValueError(
            f"The run in {run.config.workdir} is not finished: its phase {name} is missing."
        )
