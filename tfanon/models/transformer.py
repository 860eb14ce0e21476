"""What the transformers share: layer normalisation, dense layers and attention with the papers' constants."""

import keras
import tensorflow as tf

from tfanon.models import layers


def layer_norm(name):
    """Layer normalisation with epsilon 1e-6, as all vision transformers have it."""
    return keras.layers.LayerNormalization(epsilon=1e-6, name=name)


def dense(units, name, activation=None):
    """A dense layer whose weights start from a normal distribution of deviation .02, cut at two deviations."""
    return keras.layers.Dense(
        units,
        activation,
        kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02),
        name=name,
    )


def drop_path(rate):
    """Stochastic depth: in training a whole example of [N, ...] is zero at this rate, the others are scaled up."""
    return keras.layers.Dropout(rate, noise_shape=(None, 1, 1))


def interpolate_table(table, length):
    """A table [L, C] of what is known at L places in a row, read off at `length` places: linear, edges aligned."""
    image = tf.image.resize(tf.cast(table, tf.float32)[None, :, None], [length, 1], "bilinear")
    return layers.set_static_shape(image[0, :, 0], [None, table.shape[-1]])


def split_heads(x, count):
    """[N, L, count * C] -> [N, count, L, C]."""
    size = tf.shape(x)
    x = tf.reshape(x, [size[0], size[1], count, x.shape[-1] // count])
    return tf.transpose(x, [0, 2, 1, 3])


def merge_heads(x):
    """[N, heads, L, C] -> [N, L, heads * C]."""
    size, channels = tf.shape(x), x.shape[1] * x.shape[-1]
    return tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [size[0], size[2], channels])
