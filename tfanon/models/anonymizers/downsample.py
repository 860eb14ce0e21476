"""Downsample-4x: detail below four pixels is gone, the size stays."""

import keras
import tensorflow as tf

from tfanon.models import layers, per_frame

FACTOR = 4


@keras.saving.register_keras_serializable("tfanon")
class Downsample(keras.layers.Layer):
    """Bilinear to H // 4 x W // 4 and back, [N, H, W, C] -> the same.

    VITA's baseline; with antialiasing on the way down, since without it three of four rows are never looked at.
    """

    def call(self, x):
        size = tf.shape(x)[1:3]
        small = tf.image.resize(x, tf.maximum(1, size // FACTOR), "bilinear", antialias=True)
        return layers.shaped(tf.image.resize(small, size, "bilinear"), x.shape)


def build(**_):
    """Downsample-4x for frames and clips; settings of other anonymizers are ignored."""
    frames = keras.Input((None, None, 3))
    network = keras.Model(frames, Downsample(dtype="float32")(frames), name="downsample", dtype="float32")
    return per_frame.PerFrame(network)
