"""Pixelation, on the whole frame or in regions: mean colors of 14 x 14 blocks per square frame.

A block has 16 pixels at 224 x 224 and is scaled with the frame's shorter side, as the kernel in
`blur`. The last row and column of blocks may be smaller.
"""

from typing import Any

import keras
import tensorflow as tf

from tfanon.models import layers
from tfanon.models.anonymizers import _fixed

REFERENCE_RESOLUTION = 224  # pixels of a frame's shorter side for which the block is given


@keras.saving.register_keras_serializable("tfanon")
class Pixelate(keras.layers.Layer):
    """Replace every pixel by the mean of its block.

    Args:
        block: Side of a block in pixels of a frame of 224 x 224.
        **kwargs: Arguments of keras.layers.Layer.
    """

    def __init__(self, block: int = 16, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.block = block

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Pixelate frames ``[N, H, W, C]``."""
        size = tf.shape(x)
        block = tf.maximum(2, self.block * tf.minimum(size[1], size[2]) // REFERENCE_RESOLUTION)
        for axis in (1, 2):
            x = _block_means(x, size[axis], block, axis)
        return layers.set_static_shape(x, x.shape)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the layer."""
        return {**super().get_config(), "block": self.block}


def _block_means(x: tf.Tensor, length: tf.Tensor, block: tf.Tensor, axis: int) -> tf.Tensor:
    """Replace each element along an axis by the mean of its block."""
    block_index = tf.range(length) // block
    x = tf.transpose(x, [axis, *(other for other in range(4) if other != axis)])
    means = tf.gather(tf.math.segment_mean(x, block_index), block_index)
    inverse = [1, 0, 2, 3] if axis == 1 else [1, 2, 0, 3]
    return tf.transpose(means, inverse)


def build(block: int = 16, regions: str = "whole", **_: Any) -> keras.Model:
    """Build a pixelation of frames and clips.

    Args:
        block: Side of a block in pixels of a frame of 224 x 224.
        regions: Spec of `tfanon.models.regions`; pixels outside the regions stay as they are.
        **_: Options of other anonymizers, ignored.

    Returns:
        The anonymizer.

    Raises:
        ValueError: `block` is out of range, or the regions cannot be built.
    """
    _fixed.check_range("pixelate", "block", block, 2, REFERENCE_RESOLUTION)
    return _fixed.build_fixed("pixelate", Pixelate(block, dtype="float32"), regions)
