"""An f_B that uses every pixel: one convolution and its mean."""

import keras

from tfanon.models import layers
from tfanon.models.privacy import _heads


def build(attributes: int | None = None, embedding: int | None = None) -> keras.Model:
    images = keras.Input((None, None, 3))
    x = layers.make_normalization((0.5,) * 3, (0.2,) * 3)(images)
    x = layers.conv2d_bn(x, 8, 3, name="hidden")
    x = keras.layers.GlobalAveragePooling2D(dtype="float32")(x)
    outputs = _heads.build_head(x, attributes, embedding, hidden=4)
    return keras.Model(images, outputs, name="every_pixel", dtype="float32")
