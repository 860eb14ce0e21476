"""A small f_B and f_B' for a CPU: a ResNet of four basic blocks for images near 64 x 64.

The stem halves the image once, without a pool: a pair of glasses is two pixels high there.
"""

import keras

from tfanon.models import layers, resnet
from tfanon.models.privacy import _heads

STAGES = ((16, 1), (32, 2), (64, 2), (80, 2))  # channels, stride


def build(attributes: int | None = None, embedding: int | None = None) -> keras.Model:
    """Build the network.

    Args:
        attributes: Number of private attributes, P, for f_B'.
        embedding: Size of the embedding, D, for f_B.

    Returns:
        Network of images ``[N, H, W, 3]`` in [0, 1] to logits ``[N, P]`` or unit vectors
        ``[N, D]``, float32.

    Raises:
        ValueError: Not exactly one of `attributes` and `embedding` is given.
    """
    images = keras.Input((None, None, 3))
    x = layers.conv2d_bn(layers.make_imagenet_normalization()(images), 16, 3, 2, name="stem")
    for stage, (channels, stride) in enumerate(STAGES, 1):
        x = resnet.basic_block(x, channels, stride, name=f"stage{stage}")
    x = keras.layers.GlobalAveragePooling2D(dtype="float32")(x)
    outputs = _heads.build_head(x, attributes, embedding, hidden=x.shape[-1])
    return keras.Model(images, outputs, name="small_resnet", dtype="float32")
