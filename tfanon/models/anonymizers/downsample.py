"""Downsample-4x, -2x or to a size: finer detail is gone, the frame's size stays.

`downsample` is 4x, `downsample:factor=2` 2x; `downsample:size=16x12` leaves 16 x 12 pixels of a frame of any size.
"""

import re

import keras
import tensorflow as tf

from tfanon.models import layers
from tfanon.models.anonymizers import _fixed


@keras.saving.register_keras_serializable("tfanon")
class Downsample(keras.layers.Layer):
    """Bilinear to H // factor x W // factor, or to `size`, and back, [N, H, W, C] -> the same.

    VITA's baseline; with antialiasing on the way down, since without it three of four rows are never looked at.
    """

    def __init__(self, factor=4, size=None, **kwargs):
        super().__init__(**kwargs)
        self.factor, self.size = factor, size and tuple(size)

    def call(self, x):
        size = tf.shape(x)[1:3]
        smaller = tf.minimum(size, self.size) if self.size else tf.maximum(1, size // self.factor)
        small = tf.image.resize(x, smaller, "bilinear", antialias=True)
        return layers.set_static_shape(tf.image.resize(small, size, "bilinear"), x.shape)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "factor": self.factor, "size": self.size}


def build(factor=4, size="", **_):
    """Downsampled frames and clips; settings of other anonymizers are ignored.

    factor: from 1.  size: "HxW" in pixels, instead of a factor; no frame is enlarged.
    Raises ValueError for another factor or size.
    """
    _fixed.check_range("downsample", "factor", factor, 1, 1024)
    sides = re.fullmatch(r"([1-9]\d{0,3})x([1-9]\d{0,3})", size)
    if size and not sides:
        raise ValueError(
            f"downsample: size must be height x width in pixels, such as 16x12, not '{size}'."
        )
    pixels = sides and tuple(map(int, sides.groups()))
    return _fixed.build_fixed("downsample", Downsample(factor, pixels, dtype="float32"))
