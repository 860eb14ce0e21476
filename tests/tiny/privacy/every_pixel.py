"""An f_B that looks at every pixel: one convolution, its mean."""

import keras

from tfanon.models import layers
from tfanon.models.privacy import _heads


def build(attributes=None, embedding=None):
    images = keras.Input((None, None, 3))
    x = layers.conv2d_bn(
        layers.make_normalization((0.5,) * 3, (0.2,) * 3)(images), 8, 3, name="hidden"
    )
    x = keras.layers.GlobalAveragePooling2D(dtype="float32")(x)
    return keras.Model(
        images,
        _heads.build_head(x, attributes, embedding, hidden=4),
        name="every_pixel",
        dtype="float32",
    )
