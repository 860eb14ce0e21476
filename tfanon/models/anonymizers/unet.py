"""f_A of SPAct (Dave et al., arXiv 2203.15205): a UNet that starts at the frame's own size, so fine detail can pass.

17,267,523 parameters; 30.6 GMAC for a frame of 224 x 224.
"""

import keras
import tensorflow as tf

from tfanon.models import layers, per_frame
from tfanon.models.anonymizers import _common

DOWN_CHANNELS = (128, 256, 512, 512)  # behind the first 64, each after a pool
UP_CHANNELS = (256, 128, 64, 64)


def build(width=1.0, output="sigmoid"):
    """UNet for frames [N, H, W, 3] and clips [N, T, H, W, 3] in [0, 1], H and W multiples of 16.

    width: channels as a share of SPAct's, above 0.  output: "sigmoid", as SPAct's, or "linear".
    Raises ValueError for another output or width.
    """
    _common.check_options("unet", width, output)
    frames = keras.Input((None, None, 3))
    x = _double_conv(frames, *[layers.scale_channels(64, width)] * 2, "down0")
    skips = []
    for index, channels in enumerate(DOWN_CHANNELS, 1):
        skips.append(x)
        x = _double_conv(
            keras.layers.MaxPooling2D(2)(x),
            *[layers.scale_channels(channels, width)] * 2,
            f"down{index}",
        )
    for index, channels in enumerate(UP_CHANNELS, 1):
        x = keras.layers.Concatenate()([skips.pop(), BilinearUpsample()(x)])
        x = _double_conv(x, x.shape[-1] // 2, layers.scale_channels(channels, width), f"up{index}")
    x = layers.conv2d(
        x, 3, kernel=1, use_bias=True, initializer=layers.pytorch_uniform(), name="head"
    )
    network = keras.Model(
        frames, _common.apply_output_activation(x, output), name="unet", dtype="float32"
    )
    return per_frame.PerFrame(network, multiple=16)


def _double_conv(x, middle, channels, name):
    """Two 3x3 convolutions, each with bias, batch normalisation and ReLU."""
    for letter, out in (("a", middle), ("b", channels)):
        x = layers.conv2d_bn(
            x, out, initializer=layers.pytorch_uniform(), use_bias=True, name=f"{name}_{letter}"
        )
    return x


@keras.saving.register_keras_serializable("tfanon")
class BilinearUpsample(keras.layers.Layer):
    """[N, H, W, C] at twice the size: bilinear, the corners' centres staying at the corners, as in SPAct."""

    def call(self, x):
        size = 2 * tf.shape(x)[1:3]
        y = tf.compat.v1.image.resize_bilinear(tf.cast(x, tf.float32), size, align_corners=True)
        return layers.set_static_shape(tf.cast(y, x.dtype), self.compute_output_shape(x.shape))

    def compute_output_shape(self, input_shape):
        n, height, width, channels = input_shape
        return (n, height and 2 * height, width and 2 * width, channels)
