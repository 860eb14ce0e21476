"""Obf-StrongBlur, on the whole frame or inside regions: a Gaussian of 21 pixels and sigma 10 at 224 x 224.

With such a sigma the kernel is almost a box and its size sets the strength, so both are scaled with the frame.
"""

import keras
import tensorflow as tf

from tfanon.models.anonymizers import _fixed

REFERENCE_RESOLUTION = 224  # at which kernel and sigma are given


@keras.saving.register_keras_serializable("tfanon")
class Blur(keras.layers.Layer):
    """Gaussian blur of [N, H, W, 3] -> the same; the border is reflected, as in torchvision's GaussianBlur."""

    def __init__(self, kernel=21, sigma=10.0, **kwargs):
        super().__init__(**kwargs)
        self.kernel, self.sigma = kernel, sigma

    def call(self, x):
        size = tf.shape(x)
        side = tf.minimum(size[1], size[2])
        # 2 * half + 1 is the nearest odd size, of two the larger.
        half = tf.maximum(1, self.kernel * side // (2 * REFERENCE_RESOLUTION))
        taps = _gaussian_taps(half, self.sigma / REFERENCE_RESOLUTION * tf.cast(side, tf.float32))
        x = tf.pad(x, [[0, 0], [half, half], [half, half], [0, 0]], "REFLECT")
        x = tf.nn.depthwise_conv2d(x, _depthwise_kernel(taps[:, None]), [1, 1, 1, 1], "VALID")
        x = tf.nn.depthwise_conv2d(x, _depthwise_kernel(taps[None, :]), [1, 1, 1, 1], "VALID")
        return tf.reshape(x, size)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "kernel": self.kernel, "sigma": self.sigma}


def _gaussian_taps(half, sigma):
    """2 * half + 1 taps that sum to 1."""
    offset = tf.cast(tf.range(-half, half + 1), tf.float32)
    return tf.nn.softmax(-tf.square(offset / sigma) / 2)


def _depthwise_kernel(taps):
    """[h, w] -> the depthwise kernel [h, w, 3, 1]."""
    return tf.tile(taps[:, :, None, None], [1, 1, 3, 1])


def build(kernel=21, sigma=10.0, regions="whole", **_):
    """A blur of frames and clips; settings of other anonymizers are ignored.

    kernel, sigma: in pixels of a frame of 224 x 224.  regions: a spec of tfanon/models/regions.
    Raises ValueError for numbers out of range and where the regions cannot be had.
    """
    _fixed.check_range("blur", "kernel", kernel, 3, REFERENCE_RESOLUTION)
    _fixed.check_range("blur", "sigma", sigma, 0.1, 1000.0)
    return _fixed.build_fixed("blur", Blur(kernel, sigma, dtype="float32"), regions)
