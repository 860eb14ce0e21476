"""torchvision's video ResNets of 18 layers: one skeleton for R3D and R(2+1)D.

Tran et al., A Closer Look at Spatiotemporal Convolutions for Action Recognition, arXiv 1711.11248.
"""

from collections.abc import Callable, Container

import keras

from tfanon.models import layers, layers_3d

STAGE_CHANNELS = (64, 128, 256, 512)  # all stages but the first halve T, H and W

# Of torchvision's Kinetics-400 weights.
KINETICS_MEAN = (0.43216, 0.394666, 0.37645)
KINETICS_STDDEV = (0.22803, 0.22145, 0.216989)

# Function of (x, channels, middle channels, strides, relu, name, time dilation) that applies one
# convolution of a block with its batch normalization.
Convolution = Callable[
    [keras.KerasTensor, int, int, layers_3d.Size3D, bool, str, int], keras.KerasTensor
]


def build(
    name: str,
    classes: int,
    stem: Callable[[keras.KerasTensor], keras.KerasTensor],
    convolution: Convolution,
    time_preserving_stages: Container[int] = (),
) -> keras.Model:
    """Build a video ResNet.

    Args:
        name: Name of the network.
        classes: Number of actions, K.
        stem: Function that applies the stem to normalized clips.
        convolution: Function that applies one of the two convolutions of a block.
        time_preserving_stages: Stages, from 1, that dilate over time instead of halving it.

    Returns:
        Network of clips ``[N, T, H, W, 3]`` in [0, 1] to logits ``[N, K]``, float32.
    """
    clips = keras.Input((None, None, None, 3))
    x = stem(layers.make_normalization(KINETICS_MEAN, KINETICS_STDDEV)(clips))
    for stage, channels in enumerate(STAGE_CHANNELS, 1):
        space_stride = 1 if stage == 1 else 2
        time_stride, dilation = space_stride, 1
        if stage in time_preserving_stages:
            time_stride, dilation = 1, 2
        strides = (time_stride, space_stride, space_stride)
        x = _basic_block_3d(x, channels, strides, convolution, f"stage{stage}_0", dilation)
        x = _basic_block_3d(x, channels, (1, 1, 1), convolution, f"stage{stage}_1")
    x = keras.layers.GlobalAveragePooling3D(dtype="float32")(x)
    logits = keras.layers.Dense(
        classes, kernel_initializer=layers.pytorch_uniform(), dtype="float32", name="logits"
    )(x)
    return keras.Model(clips, logits, name=name, dtype="float32")


def _basic_block_3d(
    x: keras.KerasTensor,
    channels: int,
    strides: layers_3d.Size3D,
    convolution: Convolution,
    name: str,
    dilation: int = 1,
) -> keras.KerasTensor:
    """Two convolutions with a shortcut around them."""
    shortcut = x
    if x.shape[-1] != channels:
        shortcut = layers_3d.conv3d_bn(x, channels, (1, 1, 1), strides, False, f"{name}_shortcut")
    # So many middle channels give R(2+1)D as many parameters as R3D.
    middle = x.shape[-1] * channels * 27 // (x.shape[-1] * 9 + channels * 3)
    x = convolution(x, channels, middle, strides, True, f"{name}_a", dilation)
    x = convolution(x, channels, middle, (1, 1, 1), False, f"{name}_b", 1)
    return keras.layers.ReLU(name=name)(keras.layers.Add()([x, shortcut]))
