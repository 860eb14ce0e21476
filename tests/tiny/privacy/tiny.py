"""An f_B with batch statistics."""

import keras

from tfanon.models import layers
from tfanon.models.privacy import _heads


def build(attributes=None, embedding=None):
    images = keras.Input((None, None, 3))
    x = keras.layers.GlobalAveragePooling2D(dtype="float32")(
        layers.conv2d_bn(images, 4, 3, 2, name="hidden")
    )
    return keras.Model(
        images, _heads.build_head(x, attributes, embedding, hidden=4), name="tiny", dtype="float32"
    )
