"""Event files are read back with TensorBoard's own reader."""

import dataclasses
import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.plugins.hparams import metadata

from tfanon.media import contact_sheet
from tfanon.summaries import tensorboard as board


@pytest.fixture
def logged(tmp_path):
    """Write inside `with logged.writer.as_default()`, then read: logged.read()."""

    class Logged:
        folder = tmp_path
        writer = board.writer(tmp_path)

        def read(self):
            self.writer.close()
            return event_accumulator.EventAccumulator(str(tmp_path), {"tensors": 0}).Reload()

        def tensors(self, tag):
            return [
                (event.step, tf.make_ndarray(event.tensor_proto))
                for event in self.read().Tensors(tag)
            ]

    return Logged()


def test_scalars(logged):
    with logged.writer.as_default():
        board.scalars(3, {"loss/L_T": 0.5, "loss/L_B": 2})
        board.scalars(4, {"loss/L_T": 0.25})
    assert [(step, float(value)) for step, value in logged.tensors("loss/L_T")] == [
        (3, 0.5),
        (4, 0.25),
    ]
    assert [(step, float(value)) for step, value in logged.tensors("loss/L_B")] == [(3, 2.0)]


def test_images_are_the_grid(logged):
    rows = {"raw": np.random.default_rng(0).random((2, 16, 16, 3)), "f_A": np.zeros((2, 16, 16, 3))}
    with logged.writer.as_default():
        board.images(7, "samples", rows)
    ((step, (_, _, png)),) = logged.tensors("samples")
    assert step == 7
    np.testing.assert_array_equal(
        np.asarray(Image.open(io.BytesIO(png))), contact_sheet.draw_sheet(rows)
    )


def test_pr_curves_by_hand(logged):
    # Attribute "hat": positives score .9 and .3, negatives .6 and .1. At threshold .5 (number 100 of 201) .9 and .6 are
    # called: 1 hit, 1 false alarm, 1 true negative, 1 miss; precision 1/2, recall 1/2.
    scores = np.array([[0.9, 1.0], [0.3, 1.0], [0.6, 0.0], [0.1, 0.0]])
    with logged.writer.as_default():
        board.pr_curves(5, ["hat", "hair"], np.array([[1, 1], [1, 1], [0, 0], [0, 0]]), scores)
    ((step, curve),) = logged.tensors("privacy/hat/pr_curves")
    assert step == 5 and curve.shape == (6, 201)
    np.testing.assert_allclose(curve[:, 100], [1, 1, 1, 1, 0.5, 0.5])
    np.testing.assert_allclose(curve[:, 0], [2, 2, 0, 0, 0.5, 1])  # everything is called
    ((_, curve),) = logged.tensors("privacy/hair/pr_curves")
    np.testing.assert_allclose(curve[4:, 1:], 1)


@pytest.mark.parametrize(
    "scores, message",
    [
        ([[2.0]], "from 2 to 2; give probabilities"),
        ([[np.nan]], "give probabilities"),
        ([[0.5, 0.5]], r"\[n, 1\]"),
    ],
)
def test_pr_curves_refuse_what_is_no_probability(scores, message):
    with pytest.raises(ValueError, match=message):
        board.pr_curves(0, ["hat"], [[1]], scores)


@dataclasses.dataclass(frozen=True)
class Settings:
    penalty_bound: float = 0.1
    baselines: tuple = ("raw", "blur")
    deterministic: bool = True


def test_hparams(logged):
    images = {"cmap": 0.5, "cmap_interval": [0.4, 0.6]}
    rows = [
        {"anonymizer": "raw", "action_top1": 0.9},
        {"anonymizer": "f_A", "action_top1": 0.75, "images": images},
    ]
    board.hparams(logged.folder, Settings(), {"rows": rows})
    events = logged.read()
    content = events.summary_metadata[metadata.SESSION_START_INFO_TAG].plugin_data.content
    values = metadata.parse_session_start_info_plugin_data(content).hparams
    assert values["penalty_bound"].number_value == pytest.approx(0.1)
    assert values["baselines"].string_value == "raw,blur"
    assert values["deterministic"].bool_value is True
    content = events.summary_metadata[metadata.EXPERIMENT_TAG].plugin_data.content
    experiment = metadata.parse_experiment_plugin_data(content)
    assert {metric.name.tag for metric in experiment.metric_infos} == {
        "final/action_top1",
        "final/images/cmap",
    }
    ((step, value),) = logged.tensors("final/images/cmap")
    assert (step, float(value)) == (0, 0.5)
