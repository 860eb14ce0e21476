"""Order and random numbers of training: pure functions of (seed, stream, position), without state or buffers.

A position counts the examples of a stream from the start of training; epoch = position // rows. Starting at any
position therefore costs nothing and repeats nothing. A stream is a name, so two of them share no draw.
"""

import hashlib

import numpy as np
import tensorflow as tf


def stream_key(seed, stream):
    """int32 [2] of a seed and a stream's name."""
    digest = hashlib.sha256(f"{seed}/{stream}".encode()).digest()
    return np.frombuffer(digest[:8], "<i4").astype(np.int32)


def row_at(position, rows, key):
    """The row at a position: every epoch of `rows` positions holds each row once, in an order of its own.

    position: int64 [].  Returns int64 [].
    """
    if rows == 1:
        return tf.zeros_like(position)
    seed = tf.random.experimental.stateless_fold_in(
        tf.constant(key), position // rows, alg="philox"
    )
    return tf.random.experimental.index_shuffle(
        position % rows, seed, tf.constant(rows - 1, tf.int64)
    )


def uniform(position, count, key):
    """All random numbers of the example at a position: float32 [count] in [0, 1)."""
    seed = tf.random.experimental.stateless_fold_in(tf.constant(key), position, alg="philox")
    return tf.random.stateless_uniform([count], seed, alg="philox")
