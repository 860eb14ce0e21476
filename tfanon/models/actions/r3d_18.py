"""R3D-18 of torchvision, and SPAct's f_T, which keeps time in the last stage.

33,371,472 parameters with 400 classes; 40.7 GMAC for a clip of 16 x 112 x 112.
"""

import keras

from tfanon.models import layers_3d, video_resnet


def build(classes: int, dilated: bool = False) -> keras.Model:
    """Build R3D-18.

    Args:
        classes: Number of actions, K.
        dilated: SPAct's variant, whose last stage convolves every second frame instead of dropping
            every second frame.

    Returns:
        Network of clips ``[N, T, H, W, 3]`` in [0, 1], T at least 1, H and W at least 16, to logits
        ``[N, K]``, float32.
    """
    time_preserving_stages = (4,) if dilated else ()
    return video_resnet.build("r3d_18", classes, _stem, _conv3d, time_preserving_stages)


def _stem(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers_3d.conv3d_bn(x, 64, (3, 7, 7), (1, 2, 2), name="stem")


def _conv3d(
    x: keras.KerasTensor,
    channels: int,
    middle: int,
    strides: layers_3d.Size3D,
    relu: bool,
    name: str,
    time_dilation: int,
) -> keras.KerasTensor:
    """A 3x3x3 convolution; only R(2+1)D needs `middle`."""
    return layers_3d.conv3d_bn(x, channels, (3, 3, 3), strides, relu, name, time_dilation)
