import numpy as np
import pytest
import tensorflow as tf

from tfanon.data import stateless_random


def choose_rows(count: int, num_rows: int, seed: int = 0, stream: str = "a") -> np.ndarray:
    """Return the rows of the first `count` positions, one line per epoch."""
    key = stateless_random.make_stream_key(seed, stream)
    positions = tf.data.Dataset.range(count)
    dataset = positions.map(lambda position: stateless_random.choose_row(position, num_rows, key))
    return np.array(list(dataset.as_numpy_iterator())).reshape(-1, num_rows)


def draw(seed: int, stream: str, position: int) -> tuple[float, ...]:
    key = stateless_random.make_stream_key(seed, stream)
    return tuple(stateless_random.draw_uniform(tf.constant(position, tf.int64), 4, key).numpy())


@pytest.mark.parametrize("num_rows", [1, 2, 7, 50])
def test_every_epoch_contains_every_row_once(num_rows):
    for epoch in choose_rows(4 * num_rows, num_rows):
        assert sorted(epoch) == list(range(num_rows))


def test_epochs_seeds_and_streams_differ():
    epochs = choose_rows(60, 20)
    orders = [*epochs, choose_rows(20, 20, seed=1)[0], choose_rows(20, 20, stream="b")[0]]
    assert len({tuple(order) for order in orders}) == len(orders)


def test_numbers_depend_on_seed_stream_and_position():
    assert draw(0, "a", 5) == draw(0, "a", 5)
    draws = [*draw(0, "a", 5), *draw(1, "a", 5), *draw(0, "b", 5), *draw(0, "a", 6)]
    assert len(set(draws)) == 16
    assert all(0 <= number < 1 for number in draws)


def test_stream_of_earlier_versions():
    # A change of the streams would change the numbers of every experiment.
    assert stateless_random.make_stream_key(0, "actions").tolist() == [-165429853, 268711522]
    assert choose_rows(6, 6, stream="actions").tolist() == [[2, 4, 0, 3, 5, 1]]
