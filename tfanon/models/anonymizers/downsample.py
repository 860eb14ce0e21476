"""Downsample-4x, -2x, or to a fixed size, and back: fine detail is gone, the frame keeps its size.

`downsample` is 4x, `downsample:factor=2` is 2x; `downsample:size=16x12` reduces frames of any size
to 16 x 12 pixels.
"""

import re
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfanon.models import layers
from tfanon.models.anonymizers import _fixed


@keras.saving.register_keras_serializable("tfanon")
class Downsample(keras.layers.Layer):
    """Bilinear resizing to a smaller size and back, VITA's baseline.

    The smaller size is antialiased; without that, three of four rows would be ignored.

    Args:
        factor: Divides H and W, rounded down.
        size: Height and width instead of a factor; smaller frames keep their size.
        **kwargs: Arguments of keras.layers.Layer.
    """

    def __init__(self, factor: int = 4, size: Sequence[int] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor = factor
        self.size = tuple(size) if size else size

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Resize frames ``[N, H, W, C]``."""
        size = tf.shape(x)[1:3]
        if self.size:
            small_size = tf.minimum(size, self.size)
        else:
            small_size = tf.maximum(1, size // self.factor)
        small = tf.image.resize(x, small_size, "bilinear", antialias=True)
        return layers.set_static_shape(tf.image.resize(small, size, "bilinear"), x.shape)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the layer."""
        return {**super().get_config(), "factor": self.factor, "size": self.size}


def build(factor: int = 4, size: str = "", **_: Any) -> keras.Model:
    """Build an anonymizer that downsamples frames and clips.

    Args:
        factor: Divides H and W, from 1.
        size: "HxW" in pixels instead of a factor; no frame is enlarged.
        **_: Options of other anonymizers, ignored.

    Returns:
        The anonymizer.

    Raises:
        ValueError: `factor` is out of range, or `size` is not of this form.
    """
    _fixed.check_range("downsample", "factor", factor, 1, 1024)
    sides = re.fullmatch(r"([1-9]\d{0,3})x([1-9]\d{0,3})", size)
    if size and not sides:
        raise ValueError(
            f"downsample: size must be height x width in pixels, such as 16x12, not '{size}'."
        )
    pixels = (int(sides[1]), int(sides[2])) if sides else None
    return _fixed.build_fixed("downsample", Downsample(factor, pixels, dtype="float32"))
