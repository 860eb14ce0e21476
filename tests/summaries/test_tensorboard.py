"""Event files are read back with TensorBoard's own reader."""

import dataclasses
import io
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.plugins.hparams import metadata

from tfanon.media import contact_sheet
from tfanon.summaries import tensorboard as board


class EventLog:
    """One event file: write inside `with log.writer.as_default()`, then call `read`."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.writer = board.create_writer(folder)

    def read(self) -> event_accumulator.EventAccumulator:
        self.writer.close()
        return event_accumulator.EventAccumulator(str(self.folder), {"tensors": 0}).Reload()

    def read_tensors(self, tag: str) -> list[tuple[int, np.ndarray]]:
        events = self.read().Tensors(tag)
        return [(event.step, tf.make_ndarray(event.tensor_proto)) for event in events]

    def read_scalars(self, tag: str) -> list[tuple[int, float]]:
        return [(step, float(value)) for step, value in self.read_tensors(tag)]


@pytest.fixture
def log(tmp_path):
    return EventLog(tmp_path)


def test_scalars(log):
    with log.writer.as_default():
        board.write_scalars(3, {"loss/L_T": 0.5, "loss/L_B": 2})
        board.write_scalars(4, {"loss/L_T": 0.25})
    assert log.read_scalars("loss/L_T") == [(3, 0.5), (4, 0.25)]
    assert log.read_scalars("loss/L_B") == [(3, 2.0)]


def test_images_are_the_contact_sheet(log):
    noise = np.random.default_rng(0).random((2, 16, 16, 3))
    rows = {"raw": noise, "f_A": np.zeros((2, 16, 16, 3))}
    with log.writer.as_default():
        board.write_images(7, "samples", rows)
    ((step, (_, _, png)),) = log.read_tensors("samples")
    assert step == 7
    picture = np.asarray(Image.open(io.BytesIO(png)))
    np.testing.assert_array_equal(picture, contact_sheet.draw_sheet(rows))


def test_pr_curves_by_hand(log):
    # Attribute "hat": positives score .9 and .3, negatives .6 and .1. At threshold .5 (number 100
    # of 201) .9 and .6 are predicted positive: 1 true positive, 1 false positive, 1 true negative,
    # 1 false negative; precision 1/2, recall 1/2.
    scores = np.array([[0.9, 1.0], [0.3, 1.0], [0.6, 0.0], [0.1, 0.0]])
    truth = np.array([[1, 1], [1, 1], [0, 0], [0, 0]])
    with log.writer.as_default():
        board.write_pr_curves(5, ["hat", "hair"], truth, scores)
    ((step, curve),) = log.read_tensors("privacy/hat/pr_curves")
    assert step == 5 and curve.shape == (6, 201)
    np.testing.assert_allclose(curve[:, 100], [1, 1, 1, 1, 0.5, 0.5])
    np.testing.assert_allclose(curve[:, 0], [2, 2, 0, 0, 0.5, 1])  # all are predicted positive
    ((_, curve),) = log.read_tensors("privacy/hair/pr_curves")
    np.testing.assert_allclose(curve[4:, 1:], 1)


@pytest.mark.parametrize(
    "scores, message",
    [
        ([[2.0]], r"probabilities in \[0, 1\]; given 2\.\.2"),
        ([[np.nan]], "must be probabilities"),
        ([[0.5, 0.5]], r"\[n, 1\]"),
    ],
)
def test_pr_curves_refuse_scores_that_are_not_probabilities(scores, message):
    with pytest.raises(ValueError, match=message):
        board.write_pr_curves(0, ["hat"], [[1]], scores)


@dataclasses.dataclass(frozen=True)
class TinyConfig:
    penalty_bound: float = 0.1
    baselines: tuple[str, ...] = ("raw", "blur")
    deterministic: bool = True


def test_hparams(log):
    images = {"cmap": 0.5, "cmap_interval": [0.4, 0.6]}
    rows = [
        {"anonymizer": "raw", "action_top1": 0.9},
        {"anonymizer": "f_A", "action_top1": 0.75, "images": images},
    ]
    board.write_hparams(log.folder, TinyConfig(), {"rows": rows})
    events = log.read()
    content = events.summary_metadata[metadata.SESSION_START_INFO_TAG].plugin_data.content
    values = metadata.parse_session_start_info_plugin_data(content).hparams
    assert values["penalty_bound"].number_value == pytest.approx(0.1)
    assert values["baselines"].string_value == "raw,blur"
    assert values["deterministic"].bool_value is True
    content = events.summary_metadata[metadata.EXPERIMENT_TAG].plugin_data.content
    experiment = metadata.parse_experiment_plugin_data(content)
    tags = {metric.name.tag for metric in experiment.metric_infos}
    assert tags == {"final/action_top1", "final/images/cmap"}
    assert log.read_scalars("final/images/cmap") == [(0, 0.5)]
