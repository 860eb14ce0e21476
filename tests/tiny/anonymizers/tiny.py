"""An f_A of two convolutions with batch statistics."""

from typing import Any

import keras

from tfanon.models import layers, per_frame


def build(**_: Any) -> keras.Model:
    frames = keras.Input((None, None, 3))
    x = layers.conv2d_bn(frames, 4, 3, name="hidden")
    x = keras.layers.Conv2D(3, 1, activation="sigmoid", dtype="float32", name="pixels")(x)
    return per_frame.PerFrame(keras.Model(frames, x, name="tiny"))
