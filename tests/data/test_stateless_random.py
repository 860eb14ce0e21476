import numpy as np
import pytest
import tensorflow as tf

from tfanon.data import stateless_random


def rows(count, n, seed=0, stream="a"):
    key = stateless_random.make_stream_key(seed, stream)
    dataset = tf.data.Dataset.range(count).map(
        lambda position: stateless_random.choose_row(position, n, key)
    )
    return np.array(list(dataset.as_numpy_iterator())).reshape(-1, n)


@pytest.mark.parametrize("n", [1, 2, 7, 50])
def test_every_epoch_sees_every_row_once(n):
    for epoch in rows(4 * n, n):
        assert sorted(epoch) == list(range(n))


def test_epochs_seeds_and_streams_differ():
    orders = [*rows(60, 20), rows(20, 20, seed=1)[0], rows(20, 20, stream="b")[0]]
    assert len({tuple(one) for one in orders}) == len(orders)


def test_numbers_belong_to_a_seed_a_stream_and_a_position():
    def draw(seed, stream, position):
        return tuple(
            stateless_random.draw_uniform(
                tf.constant(position, tf.int64), 4, stateless_random.make_stream_key(seed, stream)
            ).numpy()
        )

    assert draw(0, "a", 5) == draw(0, "a", 5)
    others = [draw(0, "a", 5), draw(1, "a", 5), draw(0, "b", 5), draw(0, "a", 6)]
    assert len({number for one in others for number in one}) == 16
    assert all(0 <= number < 1 for one in others for number in one)
