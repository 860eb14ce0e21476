"""An f_T with batch statistics and dropout."""

import keras

from tfanon.models import layers_3d


def build(classes: int) -> keras.Model:
    clips = keras.Input((None, None, None, 3))
    x = layers_3d.conv3d_bn(clips, 4, (3, 3, 3), (1, 2, 2), name="hidden")
    x = keras.layers.Dropout(0.5)(keras.layers.GlobalAveragePooling3D()(x))
    logits = keras.layers.Dense(classes, dtype="float32", name="logits")(x)
    return keras.Model(clips, logits, name="tiny")
