"""R(2+1)D-18 of torchvision: every 3x3x3 convolution of R3D-18 is one over space and one over time.

31,505,325 parameters with 400 classes; 40.5 GMAC for a clip of 16 x 112 x 112.
"""

from tfanon.models import layers_3d, video_resnet


def build(classes):
    """Clips [N, T, H, W, 3] in [0, 1], T from 1 and H, W from 16 on -> logits [N, classes] float32."""
    return video_resnet.build("r2plus1d_18", classes, _stem, _conv2plus1d)


def _stem(x):
    return layers_3d.conv2plus1d_bn(x, 64, 7, (1, 2, 2), middle=45, name="stem")


def _conv2plus1d(x, channels, middle, strides, relu, name, _):
    return layers_3d.conv2plus1d_bn(x, channels, 3, strides, middle, relu, name)
