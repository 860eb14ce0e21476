"""A small U-Net from anonymized frames to raw ones.

It works on blocks of 4 x 4 pixels, as channels: nothing is lost by that, a frame costs a sixteenth, and what an
anonymizer does at one place of a block alone, such as moving its pixels about, is a matrix product.
"""

import keras
import tensorflow as tf

from tfanon.models import layers, per_frame

BLOCK_SIZE = 4
LEVEL_CHANNELS = (64, 96, 128)  # per level; all but the first are half as large as the one before


def build_decoder(width=1.0):
    """Frames [N, H, W, 3] or clips in [0, 1] -> the same shape; H and W multiples of 16.  width: share of CHANNELS."""
    frames = keras.Input((None, None, 3))
    blocks = SpaceToDepth(dtype="float32")(frames)
    x, skips = blocks, []
    for level, channels in enumerate(LEVEL_CHANNELS):
        x = keras.layers.MaxPooling2D(2)(x) if level else x
        x = _add_two_convolutions(x, layers.scale_channels(channels, width), f"down{level}")
        skips.append(x)
    for level, channels in reversed(list(enumerate(LEVEL_CHANNELS[:-1]))):
        x = keras.layers.Concatenate()([skips[level], keras.layers.UpSampling2D(2)(x)])
        x = _add_two_convolutions(x, layers.scale_channels(channels, width), f"up{level}")
    x = keras.layers.Concatenate(dtype="float32")([x, blocks])  # what only moved needs no layers
    x = layers.conv2d(
        x,
        3 * BLOCK_SIZE**2,
        kernel=1,
        use_bias=True,
        initializer=layers.pytorch_uniform(),
        name="head",
    )
    network = keras.Model(frames, DepthToSpace(dtype="float32")(x), name="decoder", dtype="float32")
    return per_frame.PerFrame(network, multiple=BLOCK_SIZE * 2 ** (len(LEVEL_CHANNELS) - 1))


def get_decoder_name(width):
    """What a decoder's results name it."""
    return "unet" if width == 1 else f"unet:width={width:g}"


def _add_two_convolutions(x, channels, name):
    for letter in "ab":
        x = layers.conv2d_bn(x, channels, name=f"{name}_{letter}")
    return x


@keras.saving.register_keras_serializable("tfanon")
class SpaceToDepth(keras.layers.Layer):
    """[N, H, W, C] -> [N, H / 4, W / 4, 16 C]."""

    def call(self, x):
        return tf.nn.space_to_depth(x, BLOCK_SIZE)

    def compute_output_shape(self, input_shape):
        n, height, width, channels = input_shape
        return (
            n,
            height and height // BLOCK_SIZE,
            width and width // BLOCK_SIZE,
            channels * BLOCK_SIZE**2,
        )


@keras.saving.register_keras_serializable("tfanon")
class DepthToSpace(keras.layers.Layer):
    """The way back from Blocks."""

    def call(self, x):
        return tf.nn.depth_to_space(x, BLOCK_SIZE)

    def compute_output_shape(self, input_shape):
        n, height, width, channels = input_shape
        return (
            n,
            height and height * BLOCK_SIZE,
            width and width * BLOCK_SIZE,
            channels // BLOCK_SIZE**2,
        )
