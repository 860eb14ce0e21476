"""What a run shows in TensorBoard.

Curves and pictures go to the current default writer: `with writer(folder).as_default():`.
"""

import dataclasses
import pathlib

import numpy as np
import tensorflow as tf
from tensorboard.plugins.hparams import api
from tensorboard.plugins.pr_curve import summary as pr_curve

from tfanon.media import contact_sheet
from tfanon.summaries import results_table

THRESHOLDS = 201  # of a PR curve, evenly spread over [0, 1]


def writer(folder):
    """A writer of one event file in `folder`; a resumed run adds a file, and TensorBoard joins them."""
    return tf.summary.create_file_writer(str(folder))


def scalars(step, values):
    """One point on each curve.  values: {name: number}; a slash in the name makes a group, as in "loss/L_T"."""
    for name, value in values.items():
        tf.summary.scalar(name, value, step=step)


def images(step, name, rows, titles=(), scale=1):
    """A sheet of the same samples under each anonymizer; rows, titles and scale as pictures.grid takes them."""
    tf.summary.image(name, contact_sheet.draw_sheet(rows, titles, scale)[None], step=step)


def pr_curves(step, names, truth, scores, group="privacy"):
    """A precision-recall curve per attribute.

    names: P strings.  truth: 0/1 [n, P].  scores: probabilities [n, P]; the curve's thresholds lie in [0, 1].
    Raises ValueError for scores outside, which the plugin would quietly leave out.
    """
    truth, scores = np.asarray(truth), np.asarray(scores, np.float64)
    if scores.shape != truth.shape or scores.shape[1:] != (len(names),):
        raise ValueError(
            f"PR curves of {len(names)} attributes need truth and scores [n, {len(names)}], "
            f"not {truth.shape} and {scores.shape}."
        )
    if not (scores.min() >= 0 and scores.max() <= 1):  # NaN fails both
        raise ValueError(
            f"Scores go from {scores.min():.4g} to {scores.max():.4g}; give probabilities in [0, 1]."
        )
    for column, name in enumerate(names):
        record = pr_curve.pb(
            f"{group}/{name}", truth[:, column].astype(bool), scores[:, column], THRESHOLDS
        )
        tf.summary.experimental.write_raw_pb(record.SerializeToString(), step=step)


def hparams(folder, config, results):
    """The run's settings beside the final numbers of its f_A, one row of the HParams page.

    config: a dataclass; a list of values is written with commas.  results: as table.py describes them, f_A in the last
    row; its numbers are also written as scalars, "final/action_top1" and so on, at step 0.
    """
    settings = {name: _setting(value) for name, value in dataclasses.asdict(config).items()}
    metrics = {
        f"final/{name}": value for name, value in results_table.numbers(results["rows"][-1]).items()
    }
    with writer(folder).as_default() as open_writer:
        api.hparams_config(
            hparams=[api.HParam(name) for name in settings],
            metrics=[api.Metric(name) for name in metrics],
        )
        # One name per folder, so that a run which is started again stays one row.
        api.hparams(settings, trial_id=str(pathlib.Path(folder).resolve()))
        scalars(0, metrics)
        open_writer.close()


def _setting(value):
    if isinstance(value, (tuple, list)):
        return ",".join(str(part) for part in value)
    return value if isinstance(value, (bool, int, float, str)) else str(value)
