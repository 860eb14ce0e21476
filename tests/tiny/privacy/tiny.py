"""An f_B with batch statistics."""

import keras

from tfanon.models import layers
from tfanon.models.privacy import _heads


def build(attributes: int | None = None, embedding: int | None = None) -> keras.Model:
    images = keras.Input((None, None, 3))
    x = layers.conv2d_bn(images, 4, 3, 2, name="hidden")
    x = keras.layers.GlobalAveragePooling2D(dtype="float32")(x)
    outputs = _heads.build_head(x, attributes, embedding, hidden=4)
    return keras.Model(images, outputs, name="tiny", dtype="float32")
