"""Obf-StrongBlur on the whole frame: a Gaussian of 21 pixels and sigma 10 at 224 x 224.

With such a sigma the kernel is almost a box and its size sets the strength, so both are scaled with the frame.
"""

import keras
import tensorflow as tf

from tfanon.models import per_frame

KERNEL, SIGMA, RESOLUTION = 21, 10.0, 224


@keras.saving.register_keras_serializable("tfanon")
class Blur(keras.layers.Layer):
    """Gaussian blur of [N, H, W, 3] -> the same; the border is reflected, as in torchvision's GaussianBlur."""

    def call(self, x):
        size = tf.shape(x)
        side = tf.minimum(size[1], size[2])
        half = tf.maximum(1, KERNEL * side // (2 * RESOLUTION))  # 2 * half + 1: the nearest odd size, of two the larger
        taps = _gaussian(half, SIGMA / RESOLUTION * tf.cast(side, tf.float32))
        x = tf.pad(x, [[0, 0], [half, half], [half, half], [0, 0]], "REFLECT")
        x = tf.nn.depthwise_conv2d(x, _per_channel(taps[:, None]), [1, 1, 1, 1], "VALID")
        x = tf.nn.depthwise_conv2d(x, _per_channel(taps[None, :]), [1, 1, 1, 1], "VALID")
        return tf.reshape(x, size)

    def compute_output_shape(self, input_shape):
        return input_shape


def _gaussian(half, sigma):
    """2 * half + 1 taps that sum to 1."""
    offset = tf.cast(tf.range(-half, half + 1), tf.float32)
    return tf.nn.softmax(-tf.square(offset / sigma) / 2)


def _per_channel(taps):
    """[h, w] -> the depthwise kernel [h, w, 3, 1]."""
    return tf.tile(taps[:, :, None, None], [1, 1, 3, 1])


def build(**_):
    """Strong blur for frames and clips; settings of other anonymizers are ignored."""
    frames = keras.Input((None, None, 3))
    return per_frame.PerFrame(keras.Model(frames, Blur(dtype="float32")(frames), name="blur", dtype="float32"))
