"""Order and random numbers of training, as pure functions of (seed, stream, position).

A position counts the examples of a stream from the start of training; its epoch is
position // rows. There is no state and no shuffle buffer, so starting at any position costs nothing
and repeats nothing. A stream is a name; two streams share no random number.
"""

import hashlib

import numpy as np
import tensorflow as tf


def make_stream_key(seed: int, stream: str) -> np.ndarray:
    """Return the key of a stream, int32 ``[2]``.

    Args:
        seed: Seed of the experiment.
        stream: Name of the stream.
    """
    # Not hash(), which differs from process to process.
    digest = hashlib.sha256(f"{seed}/{stream}".encode()).digest()
    # Little-endian on every machine; stateless operations take seeds of two integers.
    return np.frombuffer(digest[:8], "<i4").astype(np.int32)


def choose_row(position: tf.Tensor, num_rows: int, key: np.ndarray) -> tf.Tensor:
    """Return the row at a position of a shuffled stream.

    Every epoch of `num_rows` positions contains each row once, in a new order.

    Args:
        position: int64 scalar.
        num_rows: Number of rows of the data set.
        key: Key of the stream.

    Returns:
        Row number, int64 scalar.
    """
    if num_rows == 1:
        return tf.zeros_like(position)
    # A fixed algorithm: "auto_select" would depend on the device.
    epoch_seed = tf.random.experimental.stateless_fold_in(
        tf.constant(key), position // num_rows, alg="philox"
    )
    # The largest index, not the number of rows.
    last_row = tf.constant(num_rows - 1, tf.int64)
    return tf.random.experimental.index_shuffle(position % num_rows, epoch_seed, last_row)


def draw_uniform(position: tf.Tensor, count: int, key: np.ndarray) -> tf.Tensor:
    """Draw all random numbers of the example at a position.

    Args:
        position: int64 scalar.
        count: How many numbers.
        key: Key of the stream.

    Returns:
        float32 ``[count]``, uniform in [0, 1).
    """
    # A fixed algorithm, as in `choose_row`.
    seed = tf.random.experimental.stateless_fold_in(tf.constant(key), position, alg="philox")
    return tf.random.stateless_uniform([count], seed, alg="philox")
