"""Pixelation, everywhere or inside regions: mean colours of 14 x 14 blocks at 224 x 224, whatever the frame's size.

The block is scaled with the frame's shorter side, as blur.py does with its kernel; the last row and column of blocks
may be smaller.
"""

import keras
import tensorflow as tf

from tfanon.models import layers
from tfanon.models.anonymizers import _fixed

REFERENCE_RESOLUTION = 224  # at which the block is given


@keras.saving.register_keras_serializable("tfanon")
class Pixelate(keras.layers.Layer):
    """The mean of each block, [N, H, W, C] -> the same."""

    def __init__(self, block=16, **kwargs):
        super().__init__(**kwargs)
        self.block = block

    def call(self, x):
        size = tf.shape(x)
        block = tf.maximum(2, self.block * tf.minimum(size[1], size[2]) // REFERENCE_RESOLUTION)
        for axis in (1, 2):
            x = _block_means(x, size[axis], block, axis)
        return layers.set_static_shape(x, x.shape)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "block": self.block}


def _block_means(x, length, block, axis):
    """Each element along an axis becomes the mean of its block."""
    place = tf.range(length) // block
    x = tf.transpose(x, [axis, *(other for other in range(4) if other != axis)])
    means = tf.gather(tf.math.segment_mean(x, place), place)
    back = [1, 0, 2, 3] if axis == 1 else [1, 2, 0, 3]
    return tf.transpose(means, back)


def build(block=16, regions="whole", **_):
    """Pixelation of frames and clips; settings of other anonymizers are ignored.

    block: its side in pixels of a frame of 224 x 224.  regions: a spec of tfanon/models/regions.
    Raises ValueError for a block out of range and where the regions cannot be had.
    """
    _fixed.check_range("pixelate", "block", block, 2, REFERENCE_RESOLUTION)
    return _fixed.build_fixed("pixelate", Pixelate(block, dtype="float32"), regions)
