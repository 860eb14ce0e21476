"""A small f_T for a CPU: three residual stages of R(2+1)D convolutions.

About 0.1 GMAC for a clip of 8 x 64 x 64. The stem does not reduce time, and later stages halve it,
so that every step of a motion reaches the layers that distinguish motions. The input of the stem
includes the change of each frame since the previous one. With it, a few hundred clips are enough
to learn motion; from frames alone the network memorizes them.
"""

import keras
import tensorflow as tf

from tfanon.models import layers, layers_3d

STAGES = ((32, 1), (64, 2), (96, 2))  # channels, stride over time; each stage halves H and W


def build(classes: int) -> keras.Model:
    """Build the network.

    Args:
        classes: Number of actions, K.

    Returns:
        Network of clips ``[N, T, H, W, 3]`` in [0, 1], of any T, H and W, to logits ``[N, K]``,
        float32.
    """
    clips = keras.Input((None, None, None, 3))
    x = layers.make_normalization((0.45,) * 3, (0.225,) * 3)(clips)
    x = keras.layers.Concatenate(dtype="float32")([x, Change(dtype="float32")(x)])
    x = layers_3d.conv2plus1d_bn(x, 16, 5, (1, 2, 2), name="stem")
    for stage, (channels, time_stride) in enumerate(STAGES, 1):
        x = layers_3d.conv2plus1d_bn(x, channels, 3, (time_stride, 2, 2), name=f"stage{stage}_0")
        y = layers_3d.conv2plus1d_bn(x, channels, 3, (1, 1, 1), name=f"stage{stage}_1")
        x = keras.layers.Add()([x, y])
    x = keras.layers.GlobalAveragePooling3D()(x)
    x = keras.layers.Dropout(0.2)(x)
    logits = keras.layers.Dense(classes, dtype="float32", name="logits")(x)
    return keras.Model(clips, logits, name="small3d", dtype="float32")


@keras.saving.register_keras_serializable("tfanon")
class Change(keras.layers.Layer):
    """Each frame minus the previous one; zero for the first."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return the differences of clips ``[N, T, H, W, C]``, same shape."""
        return x - tf.concat([x[:, :1], x[:, :-1]], axis=1)
