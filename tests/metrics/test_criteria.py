import numpy as np
import pytest
import tensorflow as tf

from tfanon.data.batch import Examples
from tfanon.metrics import criteria


class Given:
    """A judge that returns its input as logits."""

    def forward(self, x):
        return tf.identity(x)


def dataset(logits, truth, index, batch=3):
    tensors = (np.float32(logits), truth, np.int64(index))
    return tf.data.Dataset.from_tensor_slices(tensors).batch(batch)


def test_action_is_the_mean_softmax_of_a_video_s_clips():
    # Video 0 (label 1): softmax (.88, .12) and (.12, .88) and (.27, .73): mean (.42, .58): right, though clip 1 is wrong.
    # Video 1 (label 0): (.12, .88) and (.73, .27): mean (.425, .575): wrong. Mean of logits would say (0, .5): the same.
    logits = [[2, 0], [0, 2], [0, 1], [0, 2], [1, 0]]
    clips = dataset(logits, np.int32([1, 1, 1, 0, 0]), [0, 0, 0, 1, 1])
    scores = criteria.score_action(Given(), clips, Examples(("a", "b")))
    assert scores["action_top1"] == 0.5
    assert scores["action_chance"] == 0.5


def test_intervals_are_of_as_many_people_as_there_are():
    rng = np.random.default_rng(0)
    truth = np.repeat(rng.integers(2, size=(20, 1)), 6, axis=0).astype(
        np.float32
    )  # 20 people, 6 clips each
    logits = np.repeat(rng.normal(size=(20, 1)), 6, axis=0) + truth
    data = dataset(
        logits[::-1][:114], truth[::-1][:114], range(119, 5, -1)
    )  # in another order, the first person gone

    def width(**more):
        examples = Examples(
            tuple(map(str, range(120))), attributes=truth, attribute_names=("hat",), **more
        )
        scores = criteria.score_privacy(Given(), data, data, examples)
        return [scores[key][1] - scores[key][0] for key in ("cmap_interval", "f1_interval")]

    def action(**more):
        clips = dataset(
            logits[::-1][:114] * [[1, -1]], np.int32(truth[::-1][:114, 0]), range(119, 5, -1)
        )
        low, high = criteria.score_action(
            Given(), clips, Examples(tuple(map(str, range(120))), **more)
        )["action_interval"]
        return high - low

    people = tuple(f"g{row // 6}" for row in range(120))
    assert action(groups=people) > 1.8 * action()
    alone, together = width(), width(groups=people)
    assert all(np.divide(together, alone) > 1.8)  # sqrt(6) = 2.4 for many people


def test_privacy_by_hand():
    # One attribute, truth 1 0 1 0, scores falling in that order: AP = (1/1 + 2/3) / 2 = 5/6, prevalence 1/2.
    # At p > .5 the first two are called: F1 = 2 * 1 / (2 + 2) = 1/2; all positive: 2 * .5 / 1.5 = 2/3.
    logits, truth = [[2.0], [1.0], [-1.0], [-2.0]], np.float32([[1], [0], [1], [0]])
    data = dataset(logits, truth, range(4))
    examples = Examples(tuple("abcd"), attributes=truth, attribute_names=("glasses",))
    scores = criteria.score_privacy(Given(), data, data, examples)
    assert scores["cmap"] == pytest.approx(5 / 6)
    assert scores["cmap_above_floor"] == pytest.approx(5 / 6 - 1 / 2)
    assert scores["f1"] == pytest.approx(1 / 2)
    assert scores["f1_above_floor"] == pytest.approx(1 / 2 - 2 / 3)
    assert scores["f1_tuned"] == pytest.approx(4 / 5)  # the first three called: 2 * 2 / (3 + 2)
    assert scores["average_precision"] == {"glasses": pytest.approx(5 / 6)}


def test_the_order_of_rows_and_batches_does_not_matter():
    rng = np.random.default_rng(0)
    logits, truth = (
        rng.normal(size=(12, 3)),
        rng.integers(0, 2, (6, 3)).repeat(2, axis=0).astype(np.float32),
    )
    index, order = np.arange(6).repeat(2), rng.permutation(12)
    one = criteria.score_privacy_cmap(Given(), dataset(logits, truth, index, batch=12))
    other = criteria.score_privacy_cmap(
        Given(), dataset(logits[order], truth[order], index[order], batch=5)
    )
    assert one == pytest.approx(other)


def test_flicker_by_hand():
    # The input moves by .1 a frame, the output by .1, .3: mean .2 - .1 = .1 for the first clip; the second stands still
    # in the output: 0 - .1.
    shape = (1, 3, 1, 1, 1)
    x = np.float32([0.0, 0.1, 0.2]).reshape(shape).repeat(2, 0)
    y = np.concatenate(
        [np.float32([0.0, 0.1, 0.4]).reshape(shape), np.full(shape, 0.5, np.float32)]
    )
    np.testing.assert_allclose(criteria.flicker_per_clip(x, y), [0.1, -0.1], atol=1e-6)
    data = tf.data.Dataset.from_tensor_slices((x, [0, 0], [0, 1])).batch(1)
    assert criteria.measure_flicker(lambda x, training: 1 - 2 * x, data) == pytest.approx(
        0.1
    )  # twice the change
