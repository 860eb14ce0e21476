"""Both criteria and flicker, worked out by hand."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import ArrayLike

from tfanon.data.batch import Examples
from tfanon.metrics import criteria


class IdentityModel:
    """Returns its input as logits."""

    def forward(self, x: tf.Tensor) -> tf.Tensor:
        return tf.identity(x)


def make_dataset(
    logits: ArrayLike, truth: np.ndarray, index: Any, batch: int = 3
) -> tf.data.Dataset:
    tensors = (np.float32(logits), truth, np.int64(index))
    return tf.data.Dataset.from_tensor_slices(tensors).batch(batch)


def test_action_is_the_mean_softmax_of_the_clips_of_a_video():
    # Video 0 (label 1): softmax (.88, .12), (.12, .88) and (.27, .73), mean (.42, .58), is right,
    # though its first clip is wrong. Video 1 (label 0): (.12, .88) and (.73, .27), mean
    # (.425, .575), is wrong.
    logits = [[2, 0], [0, 2], [0, 1], [0, 2], [1, 0]]
    clips = make_dataset(logits, np.int32([1, 1, 1, 0, 0]), [0, 0, 0, 1, 1])
    scores = criteria.score_action(IdentityModel(), clips, Examples(("a", "b")))
    assert scores["action_top1"] == 0.5
    assert scores["action_chance"] == 0.5


def test_intervals_are_over_people_if_there_are_groups():
    rng = np.random.default_rng(0)
    # 20 people with 6 clips each.
    truth = np.repeat(rng.integers(2, size=(20, 1)), 6, axis=0).astype(np.float32)
    logits = np.repeat(rng.normal(size=(20, 1)), 6, axis=0) + truth
    paths = tuple(map(str, range(120)))
    # Rows in another order than the examples, without the first person.
    logits, labels, index = logits[::-1][:114], truth[::-1][:114], range(119, 5, -1)
    images = make_dataset(logits, labels, index)
    clips = make_dataset(logits * [[1, -1]], np.int32(labels[:, 0]), index)

    def measure_privacy_widths(**groups: Any) -> list[float]:
        examples = Examples(paths, attributes=truth, attribute_names=("hat",), **groups)
        scores = criteria.score_privacy(IdentityModel(), images, images, examples)
        return [scores[key][1] - scores[key][0] for key in ("cmap_interval", "f1_interval")]

    def measure_action_width(**groups: Any) -> float:
        scores = criteria.score_action(IdentityModel(), clips, Examples(paths, **groups))
        low, high = scores["action_interval"]
        return high - low

    people = tuple(f"g{row // 6}" for row in range(120))
    assert measure_action_width(groups=people) > 1.8 * measure_action_width()
    ratio = np.divide(measure_privacy_widths(groups=people), measure_privacy_widths())
    assert all(ratio > 1.8)  # sqrt(6) = 2.4 for many people


def test_privacy_by_hand():
    # One attribute, truth 1 0 1 0, scores falling in that order: AP = (1/1 + 2/3) / 2 = 5/6,
    # prevalence 1/2. At p > .5 the first two are called: F1 = 2 * 1 / (2 + 2) = 1/2; with all
    # positive, 2 * .5 / 1.5 = 2/3.
    logits, truth = [[2.0], [1.0], [-1.0], [-2.0]], np.float32([[1], [0], [1], [0]])
    data = make_dataset(logits, truth, range(4))
    examples = Examples(tuple("abcd"), attributes=truth, attribute_names=("glasses",))
    scores = criteria.score_privacy(IdentityModel(), data, data, examples)
    assert scores["cmap"] == pytest.approx(5 / 6)
    assert scores["cmap_above_floor"] == pytest.approx(5 / 6 - 1 / 2)
    assert scores["f1"] == pytest.approx(1 / 2)
    assert scores["f1_above_floor"] == pytest.approx(1 / 2 - 2 / 3)
    assert scores["f1_tuned"] == pytest.approx(4 / 5)  # the first three called: 2 * 2 / (3 + 2)
    assert scores["average_precision"] == {"glasses": pytest.approx(5 / 6)}


def test_order_of_rows_and_batches_does_not_matter():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(12, 3))
    truth = rng.integers(0, 2, (6, 3)).repeat(2, axis=0).astype(np.float32)
    index, order = np.arange(6).repeat(2), rng.permutation(12)
    at_once = make_dataset(logits, truth, index, batch=12)
    shuffled = make_dataset(logits[order], truth[order], index[order], batch=5)
    cmap = criteria.score_privacy_cmap(IdentityModel(), at_once)
    assert cmap == pytest.approx(criteria.score_privacy_cmap(IdentityModel(), shuffled))


def test_flicker_by_hand():
    # The input moves by .1 a frame, the output by .1 and .3: mean .2 - .1 = .1 for the first clip.
    # The output of the second stands still: 0 - .1.
    shape = (1, 3, 1, 1, 1)
    x = np.float32([0.0, 0.1, 0.2]).reshape(shape).repeat(2, 0)
    y = np.concatenate(
        [np.float32([0.0, 0.1, 0.4]).reshape(shape), np.full(shape, 0.5, np.float32)]
    )
    np.testing.assert_allclose(criteria.flicker_per_clip(x, y), [0.1, -0.1], atol=1e-6)
    data = tf.data.Dataset.from_tensor_slices((x, [0, 0], [0, 1])).batch(1)
    # The output changes twice as much as the input.
    assert criteria.measure_flicker(lambda x, training: 1 - 2 * x, data) == pytest.approx(0.1)
