"""What a run shows in TensorBoard.

Curves and pictures go to the current default writer:

    with create_writer(folder).as_default():
        write_scalars(step, {"loss/L_T": 0.5})
"""

import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike
from tensorboard.plugins.hparams import api
from tensorboard.plugins.pr_curve import summary as pr_curve

from tfanon.media import contact_sheet
from tfanon.summaries import results_table

NUM_THRESHOLDS = 201  # of a precision-recall curve, evenly spread over [0, 1]


def create_writer(folder: str | os.PathLike[str]) -> Any:
    """Create a writer of one event file.

    A resumed run adds another file, and TensorBoard joins them.

    Args:
        folder: Where the file goes.

    Returns:
        A `tf.summary.SummaryWriter`.
    """
    return tf.summary.create_file_writer(str(folder))


def write_scalars(step: int, values: Mapping[str, Any]) -> None:
    """Write one point on each curve.

    Args:
        step: Position on the horizontal axis.
        values: {name: number}; a slash in the name makes a group, as in "loss/L_T".
    """
    for name, value in values.items():
        tf.summary.scalar(name, value, step=step)


def write_images(
    step: int, name: str, rows: Mapping[str, Any], titles: Sequence[str] = (), scale: int = 1
) -> None:
    """Write a sheet of the same samples under each anonymizer.

    Args:
        step: Step of the training.
        name: Name of the sheet.
        rows: As in `contact_sheet.draw_sheet`.
        titles: As in `contact_sheet.draw_sheet`.
        scale: As in `contact_sheet.draw_sheet`.
    """
    tf.summary.image(name, contact_sheet.draw_sheet(rows, titles, scale)[None], step=step)


def write_pr_curves(
    step: int, names: Sequence[str], truth: ArrayLike, scores: ArrayLike, group: str = "privacy"
) -> None:
    """Write a precision-recall curve per attribute.

    Args:
        step: Step of the training.
        names: The P attributes.
        truth: 0 or 1, ``[N, P]``.
        scores: Probabilities ``[N, P]``.
        group: Name of the group of curves.

    Raises:
        ValueError: Shapes do not match, or scores are outside [0, 1]; the plugin would leave those
            out without a warning.
    """
    truth, scores = np.asarray(truth), np.asarray(scores, np.float64)
    if scores.shape != truth.shape or scores.shape[1:] != (len(names),):
        raise ValueError(
            f"PR curves of {len(names)} attributes need truth and scores [n, {len(names)}], "
            f"not {truth.shape} and {scores.shape}."
        )
    if not (scores.min() >= 0 and scores.max() <= 1):  # NaN fails as well
        raise ValueError(
            f"Scores must be probabilities in [0, 1]; given {scores.min():.4g}..{scores.max():.4g}."
        )
    for column, name in enumerate(names):
        # pb computes in numpy; the plugin's other function, op, builds a graph of TensorFlow 1.
        record = pr_curve.pb(
            f"{group}/{name}", truth[:, column].astype(bool), scores[:, column], NUM_THRESHOLDS
        )
        tf.summary.experimental.write_raw_pb(record.SerializeToString(), step=step)


def write_hparams(folder: str | os.PathLike[str], config: Any, results: Mapping[str, Any]) -> None:
    """Write one row of the HParams page: settings beside the final numbers of f_A.

    The numbers are also written as scalars, "final/action_top1" and so on, at step 0.

    Args:
        folder: Where the event file goes.
        config: A dataclass; a list of values is written with commas.
        results: As described in `results_table`, with f_A in the last row.
    """
    hparams = {name: _to_hparam(value) for name, value in dataclasses.asdict(config).items()}
    metrics: dict[str, float] = {}
    for name, value in results_table.flatten_numbers(results["rows"][-1]).items():
        metrics[f"final/{name}"] = value
    with create_writer(folder).as_default() as writer:
        columns = [api.HParam(name) for name in hparams]
        api.hparams_config(hparams=columns, metrics=[api.Metric(name) for name in metrics])
        # One name per folder, so that a run that is started again stays one row.
        api.hparams(hparams, trial_id=str(pathlib.Path(folder).resolve()))
        write_scalars(0, metrics)
        writer.close()


def _to_hparam(value: Any) -> bool | int | float | str:
    if isinstance(value, (tuple, list)):
        return ",".join(map(str, value))  # HParams has no lists
    return value if isinstance(value, (bool, int, float, str)) else str(value)
