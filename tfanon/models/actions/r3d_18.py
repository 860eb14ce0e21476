"""R3D-18 of torchvision, and SPAct's f_T: the same with time kept in the last stage.

33,371,472 parameters with 400 classes; 40.7 GMAC for a clip of 16 x 112 x 112.
"""

from tfanon.models import layers_3d, video_resnet


def build(classes, dilated=False):
    """Clips [N, T, H, W, 3] in [0, 1], T from 1 and H, W from 16 on -> logits [N, classes] float32.

    dilated: SPAct's variant, whose last stage looks at every second frame instead of dropping every second one.
    """
    return video_resnet.build(
        "r3d_18", classes, _stem, _conv3d, time_preserving_stages=(4,) if dilated else ()
    )


def _stem(x):
    return layers_3d.conv3d_bn(x, 64, (3, 7, 7), (1, 2, 2), name="stem")


def _conv3d(x, channels, middle, strides, relu, name, time_dilation):
    """3x3x3; `middle` is R(2+1)D's."""
    return layers_3d.conv3d_bn(x, channels, (3, 3, 3), strides, relu, name, time_dilation)
