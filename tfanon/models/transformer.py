"""Building blocks of the vision transformers, with the constants of their papers."""

import keras
import tensorflow as tf

from tfanon.models import layers

WEIGHT_STDDEV = 0.02  # of the truncated normal distribution that weights start from


def layer_norm(name: str) -> keras.layers.Layer:
    """Make a layer normalization with epsilon 1e-6, as in all vision transformers."""
    return keras.layers.LayerNormalization(epsilon=1e-6, name=name)


def dense(units: int, name: str, activation: str | None = None) -> keras.layers.Layer:
    """Make a dense layer whose weights start from a truncated normal distribution."""
    initializer = keras.initializers.TruncatedNormal(stddev=WEIGHT_STDDEV)
    return keras.layers.Dense(units, activation, kernel_initializer=initializer, name=name)


def drop_path(rate: float) -> keras.layers.Layer:
    """Make a stochastic depth layer for ``[N, L, C]``.

    In training, a whole example is zero with probability `rate`; the others are scaled up.
    """
    return keras.layers.Dropout(rate, noise_shape=(None, 1, 1))


def interpolate_table(table: tf.Tensor, length: tf.Tensor | int) -> tf.Tensor:
    """Resample a table ``[L, C]`` to `length` rows, linearly and with aligned edges."""
    image = tf.cast(table, tf.float32)[None, :, None]
    image = tf.image.resize(image, [length, 1], "bilinear")
    return layers.set_static_shape(image[0, :, 0], [None, table.shape[-1]])


def split_heads(x: tf.Tensor, count: int) -> tf.Tensor:
    """Reshape ``[N, L, count * C]`` to ``[N, count, L, C]``."""
    size = tf.shape(x)
    x = tf.reshape(x, [size[0], size[1], count, x.shape[-1] // count])
    return tf.transpose(x, [0, 2, 1, 3])


def merge_heads(x: tf.Tensor) -> tf.Tensor:
    """Reshape ``[N, heads, L, C]`` to ``[N, L, heads * C]``."""
    size, channels = tf.shape(x), x.shape[1] * x.shape[-1]
    return tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [size[0], size[2], channels])
