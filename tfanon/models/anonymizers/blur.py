"""Obf-StrongBlur, on the whole frame or in regions: 21 pixels and sigma 10 at 224 x 224.

With such a sigma the kernel is almost a box whose size determines the strength, so both kernel and
sigma are scaled with the frame.
"""

from typing import Any

import keras
import tensorflow as tf

from tfanon.models.anonymizers import _fixed

REFERENCE_RESOLUTION = 224  # pixels of a frame's shorter side for which kernel and sigma are given


@keras.saving.register_keras_serializable("tfanon")
class Blur(keras.layers.Layer):
    """Gaussian blur with a reflected border, as in torchvision's GaussianBlur.

    Args:
        kernel: Size of the kernel in pixels of a frame of 224 x 224.
        sigma: Standard deviation, likewise.
        **kwargs: Arguments of keras.layers.Layer.
    """

    def __init__(self, kernel: int = 21, sigma: float = 10.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kernel, self.sigma = kernel, sigma

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Blur frames ``[N, H, W, 3]``."""
        size = tf.shape(x)
        side = tf.minimum(size[1], size[2])
        # 2 * half + 1 is the nearest odd size, of two the larger.
        half = tf.maximum(1, self.kernel * side // (2 * REFERENCE_RESOLUTION))
        sigma = self.sigma / REFERENCE_RESOLUTION * tf.cast(side, tf.float32)
        taps = _gaussian_taps(half, sigma)
        x = tf.pad(x, [[0, 0], [half, half], [half, half], [0, 0]], "REFLECT")
        x = tf.nn.depthwise_conv2d(x, _depthwise_kernel(taps[:, None]), [1, 1, 1, 1], "VALID")
        x = tf.nn.depthwise_conv2d(x, _depthwise_kernel(taps[None, :]), [1, 1, 1, 1], "VALID")
        return tf.reshape(x, size)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the layer."""
        return {**super().get_config(), "kernel": self.kernel, "sigma": self.sigma}


def _gaussian_taps(half: tf.Tensor, sigma: tf.Tensor) -> tf.Tensor:
    """A Gaussian of 2 * half + 1 taps that sum to 1."""
    offset = tf.cast(tf.range(-half, half + 1), tf.float32)
    return tf.nn.softmax(-tf.square(offset / sigma) / 2)


def _depthwise_kernel(taps: tf.Tensor) -> tf.Tensor:
    """Repeat a kernel ``[h, w]`` for each color: ``[h, w, 3, 1]``."""
    return tf.tile(taps[:, :, None, None], [1, 1, 3, 1])


def build(kernel: int = 21, sigma: float = 10.0, regions: str = "whole", **_: Any) -> keras.Model:
    """Build a blur of frames and clips.

    Args:
        kernel: Size of the kernel in pixels of a frame of 224 x 224.
        sigma: Standard deviation, likewise.
        regions: Spec of `tfanon.models.regions`; pixels outside the regions stay as they are.
        **_: Options of other anonymizers, ignored.

    Returns:
        The anonymizer.

    Raises:
        ValueError: `kernel` or `sigma` is out of range, or the regions cannot be built.
    """
    _fixed.check_range("blur", "kernel", kernel, 3, REFERENCE_RESOLUTION)
    _fixed.check_range("blur", "sigma", sigma, 0.1, 1000.0)
    return _fixed.build_fixed("blur", Blur(kernel, sigma, dtype="float32"), regions)
