import types

import tensorflow as tf

from tfanon.summaries import samples


def test_rows_are_spread_evenly():
    assert samples.spread_rows(9, 5) == [0, 2, 4, 6, 8]
    assert samples.spread_rows(3, 5) == [0, 1, 2]  # not enough rows: each once
    assert samples.spread_rows(7, 1) == [0]


def test_small_pictures_are_enlarged():
    scales = [
        samples.choose_scale(types.SimpleNamespace(resolution=side)) for side in (16, 64, 112, 224)
    ]
    assert scales == [8, 2, 1, 1]


def test_first_examples_of_a_dataset():
    pixels = tf.reshape(tf.range(10.0), [5, 2])
    dataset = tf.data.Dataset.from_tensor_slices((pixels, tf.range(5), tf.range(5))).batch(2)
    assert samples.take_first(dataset, 3).numpy().tolist() == [[0, 1], [2, 3], [4, 5]]
