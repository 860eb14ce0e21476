"""A small U-Net from anonymized frames to raw ones, for the reconstruction attack.

It works on blocks of 4 x 4 pixels, stacked as channels. No information is lost, a frame costs a
sixteenth, and whatever an anonymizer does within a block, such as moving pixels, is a matrix
product.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfanon.models import layers, per_frame

BLOCK_SIZE = 4
LEVEL_CHANNELS = (64, 96, 128)  # each level has half the height and width of the one before


def build_decoder(width: float = 1.0) -> per_frame.PerFrame:
    """Build an untrained decoder.

    Args:
        width: Channels as a fraction of LEVEL_CHANNELS.

    Returns:
        Frames ``[N, H, W, 3]`` or clips ``[N, T, H, W, 3]`` in [0, 1] to the same shape; H and W
        must be multiples of 16.
    """
    frames = keras.Input((None, None, 3))
    blocks = SpaceToDepth(dtype="float32")(frames)
    x = blocks
    skips = []
    for level, channels in enumerate(LEVEL_CHANNELS):
        if level:
            x = keras.layers.MaxPooling2D(2)(x)
        x = _add_two_convolutions(x, layers.scale_channels(channels, width), f"down{level}")
        skips.append(x)
    for level in reversed(range(len(LEVEL_CHANNELS) - 1)):
        x = keras.layers.Concatenate()([skips[level], keras.layers.UpSampling2D(2)(x)])
        channels = layers.scale_channels(LEVEL_CHANNELS[level], width)
        x = _add_two_convolutions(x, channels, f"up{level}")
    # The input once more: the last layer alone can undo what only moved pixels within a block.
    x = keras.layers.Concatenate(dtype="float32")([x, blocks])
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


def get_decoder_name(width: float) -> str:
    """Return the name of a decoder in results."""
    return "unet" if width == 1 else f"unet:width={width:g}"


def _add_two_convolutions(x: keras.KerasTensor, channels: int, name: str) -> keras.KerasTensor:
    for letter in "ab":
        x = layers.conv2d_bn(x, channels, name=f"{name}_{letter}")
    return x


@keras.saving.register_keras_serializable("tfanon")
class SpaceToDepth(keras.layers.Layer):
    """Stack each 4 x 4 block as channels: ``[N, H, W, C]`` to ``[N, H / 4, W / 4, 16 C]``."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return the blocks of frames ``[N, H, W, C]``; H and W must be multiples of 4."""
        return tf.nn.space_to_depth(x, BLOCK_SIZE)

    def compute_output_shape(self, input_shape: Sequence[Any]) -> tuple[Any, ...]:
        """Return the static shape of the result."""
        n, height, width, channels = input_shape
        block_height = None if height is None else height // BLOCK_SIZE
        block_width = None if width is None else width // BLOCK_SIZE
        return (n, block_height, block_width, channels * BLOCK_SIZE**2)


@keras.saving.register_keras_serializable("tfanon")
class DepthToSpace(keras.layers.Layer):
    """Undo SpaceToDepth: ``[N, H, W, 16 C]`` to ``[N, 4 H, 4 W, C]``."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return the frames of blocks ``[N, H, W, 16 C]``."""
        return tf.nn.depth_to_space(x, BLOCK_SIZE)

    def compute_output_shape(self, input_shape: Sequence[Any]) -> tuple[Any, ...]:
        """Return the static shape of the result."""
        n, height, width, channels = input_shape
        frame_height = None if height is None else height * BLOCK_SIZE
        frame_width = None if width is None else width * BLOCK_SIZE
        return (n, frame_height, frame_width, channels // BLOCK_SIZE**2)
