"""torchvision's video ResNets of 18 layers: one skeleton, and the convolution that tells R3D from R(2+1)D.

Tran et al., A Closer Look at Spatiotemporal Convolutions for Action Recognition, arXiv 1711.11248.
"""

import keras

from tfanon.models import layers, layers_3d

STAGE_CHANNELS = (64, 128, 256, 512)  # channels; all but the first halve T, H and W
KINETICS_MEAN, KINETICS_STDDEV = (
    (0.43216, 0.394666, 0.37645),
    (0.22803, 0.22145, 0.216989),
)  # of torchvision's Kinetics-400 weights


def build(name, classes, stem, convolution, time_preserving_stages=()):
    """Clips [N, T, H, W, 3] in [0, 1] -> logits [N, classes] float32.

    stem: features of normalised clips.  convolution(x, channels, middle, strides, relu, name, time_dilation): one of a
    block's two, with its batch normalisation.  keeps_time: stages that dilate over time where others halve it.
    """
    clips = keras.Input((None, None, None, 3))
    x = stem(layers.make_normalization(KINETICS_MEAN, KINETICS_STDDEV)(clips))
    for stage, channels in enumerate(STAGE_CHANNELS, 1):
        space = 1 if stage == 1 else 2
        strides = (1 if stage in time_preserving_stages else space, space, space)
        dilation = 2 if stage in time_preserving_stages else 1
        x = _basic_block_3d(x, channels, strides, convolution, f"stage{stage}_0", dilation)
        x = _basic_block_3d(x, channels, (1, 1, 1), convolution, f"stage{stage}_1")
    x = keras.layers.GlobalAveragePooling3D(dtype="float32")(x)
    logits = keras.layers.Dense(
        classes, kernel_initializer=layers.pytorch_uniform(), dtype="float32", name="logits"
    )(x)
    return keras.Model(clips, logits, name=name, dtype="float32")


def _basic_block_3d(x, channels, strides, convolution, name, dilation=1):
    shortcut = x
    if x.shape[-1] != channels:
        shortcut = layers_3d.conv3d_bn(x, channels, (1, 1, 1), strides, False, f"{name}_shortcut")
    middle = (
        x.shape[-1] * channels * 27 // (x.shape[-1] * 9 + channels * 3)
    )  # R(2+1)D as large as R3D
    x = convolution(x, channels, middle, strides, True, f"{name}_a", dilation)
    x = convolution(x, channels, middle, (1, 1, 1), False, f"{name}_b", 1)
    return keras.layers.ReLU(name=name)(keras.layers.Add()([x, shortcut]))
