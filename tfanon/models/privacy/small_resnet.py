"""f_B and f_B' for a CPU: a ResNet of four basic blocks for images near 64 x 64.

The stem halves the image once and does not pool: a pair of glasses is two pixels high there.
"""

import keras

from tfanon.models import layers, resnet
from tfanon.models.privacy import _heads

STAGES = ((16, 1), (32, 2), (64, 2), (80, 2))  # channels, stride


def build(attributes=None, embedding=None):
    """Images [N, H, W, 3] in [0, 1] -> logits [N, attributes] or unit vectors [N, embedding].

    Raises ValueError unless exactly one of the two is given.
    """
    images = keras.Input((None, None, 3))
    x = layers.conv2d_bn(layers.make_imagenet_normalization()(images), 16, 3, 2, name="stem")
    for index, (channels, stride) in enumerate(STAGES, 1):
        x = resnet.basic_block(x, channels, stride, name=f"stage{index}")
    x = keras.layers.GlobalAveragePooling2D(dtype="float32")(x)
    logits = _heads.build_head(x, attributes, embedding, hidden=x.shape[-1])
    return keras.Model(images, logits, name="small_resnet", dtype="float32")
