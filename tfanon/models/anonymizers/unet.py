"""f_A of SPAct (Dave et al., arXiv 2203.15205): a UNet with a skip at the frame's own size.

17,267,523 parameters; 30.6 GMAC for a frame of 224 x 224. That skip lets fine detail pass.
"""

from collections.abc import Sequence

import keras
import tensorflow as tf

from tfanon.models import layers, per_frame
from tfanon.models.anonymizers import _common

FIRST_CHANNELS = 64
DOWN_CHANNELS = (128, 256, 512, 512)  # after the first, each after a pool
UP_CHANNELS = (256, 128, 64, 64)


def build(width: float = 1.0, output: str = "sigmoid") -> keras.Model:
    """Build SPAct's UNet.

    Args:
        width: Channels relative to SPAct's, above 0.
        output: "sigmoid", as in SPAct, or "linear".

    Returns:
        Network of frames ``[N, H, W, 3]`` and clips ``[N, T, H, W, 3]`` in [0, 1], H and W
        multiples of 16.

    Raises:
        ValueError: `width` or `output` is out of range.
    """
    _common.check_options("unet", width, output)
    frames = keras.Input((None, None, 3))
    scaled = layers.scale_channels(FIRST_CHANNELS, width)
    x = _double_conv(frames, scaled, scaled, "down0")
    skips = []
    for index, channels in enumerate(DOWN_CHANNELS, 1):
        skips.append(x)
        scaled = layers.scale_channels(channels, width)
        x = _double_conv(keras.layers.MaxPooling2D(2)(x), scaled, scaled, f"down{index}")
    for index, channels in enumerate(UP_CHANNELS, 1):
        x = keras.layers.Concatenate()([skips.pop(), Double()(x)])
        scaled = layers.scale_channels(channels, width)
        x = _double_conv(x, x.shape[-1] // 2, scaled, f"up{index}")
    x = layers.conv2d(
        x, 3, kernel=1, use_bias=True, initializer=layers.pytorch_uniform(), name="head"
    )
    network = keras.Model(
        frames, _common.apply_output_activation(x, output), name="unet", dtype="float32"
    )
    return per_frame.PerFrame(network, multiple=16)


def _double_conv(x: keras.KerasTensor, middle: int, channels: int, name: str) -> keras.KerasTensor:
    """Two 3x3 convolutions, each with bias, batch normalization and ReLU."""
    for letter, outputs in (("a", middle), ("b", channels)):
        x = layers.conv2d_bn(
            x,
            outputs,
            initializer=layers.pytorch_uniform(),
            use_bias=True,
            name=f"{name}_{letter}",
        )
    return x


@keras.saving.register_keras_serializable("tfanon")
class Double(keras.layers.Layer):
    """Bilinear upsampling to twice the size with aligned corners, as in SPAct."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Upsample features ``[N, H, W, C]``."""
        size = 2 * tf.shape(x)[1:3]
        # TensorFlow 2's resize cannot align corners.
        y = tf.compat.v1.image.resize_bilinear(tf.cast(x, tf.float32), size, align_corners=True)
        return layers.set_static_shape(tf.cast(y, x.dtype), self.compute_output_shape(x.shape))

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """Return ``[N, 2 H, 2 W, C]``, None where a size is unknown."""
        n, height, width, channels = input_shape
        doubled_height = 2 * height if height else height
        doubled_width = 2 * width if width else width
        return (n, doubled_height, doubled_width, channels)
