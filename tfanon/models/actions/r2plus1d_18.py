"""R(2+1)D-18 of torchvision: R3D-18 with every convolution split into space and time.

31,505,325 parameters with 400 classes; 40.5 GMAC for a clip of 16 x 112 x 112.
"""

import keras

from tfanon.models import layers_3d, video_resnet


def build(classes: int) -> keras.Model:
    """Build R(2+1)D-18.

    Args:
        classes: Number of actions, K.

    Returns:
        Network of clips ``[N, T, H, W, 3]`` in [0, 1], T at least 1, H and W at least 16, to logits
        ``[N, K]``, float32.
    """
    return video_resnet.build("r2plus1d_18", classes, _stem, _conv2plus1d)


def _stem(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers_3d.conv2plus1d_bn(x, 64, 7, (1, 2, 2), middle=45, name="stem")


def _conv2plus1d(
    x: keras.KerasTensor,
    channels: int,
    middle: int,
    strides: layers_3d.Size3D,
    relu: bool,
    name: str,
    time_dilation: int,
) -> keras.KerasTensor:
    """A 1x3x3 and a 3x1x1 convolution; only R3D needs `time_dilation`."""
    return layers_3d.conv2plus1d_bn(x, channels, 3, strides, middle, relu, name)
