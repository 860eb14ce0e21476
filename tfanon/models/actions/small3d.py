"""f_T for a CPU: three residual stages whose convolutions look at space, then at time, as in R(2+1)D.

About 0.1 GMAC for a clip of 8 x 64 x 64. The stem leaves time whole and time is halved late, so that every step of a
motion reaches the layers that can tell it apart. Beside each frame stands its change since the frame before: a few
hundred clips suffice to learn motion from that, where from frames alone they are learnt by heart.
"""

import keras
import tensorflow as tf

from tfanon.models import layers, layers_3d

STAGES = ((32, 1), (64, 2), (96, 2))  # channels, stride over time; space is halved by each stage


def build(classes):
    """Clips [N, T, H, W, 3] in [0, 1], any T, H and W -> logits [N, classes] float32."""
    clips = keras.Input((None, None, None, 3))
    x = layers.make_normalization((0.45,) * 3, (0.225,) * 3)(clips)
    x = keras.layers.Concatenate(dtype="float32")([x, FrameDifference(dtype="float32")(x)])
    x = layers_3d.conv2plus1d_bn(x, 16, 5, (1, 2, 2), name="stem")
    for index, (channels, time_stride) in enumerate(STAGES, 1):
        x = layers_3d.conv2plus1d_bn(x, channels, 3, (time_stride, 2, 2), name=f"stage{index}_0")
        x = keras.layers.Add()(
            [x, layers_3d.conv2plus1d_bn(x, channels, 3, (1, 1, 1), name=f"stage{index}_1")]
        )
    x = keras.layers.GlobalAveragePooling3D()(x)
    x = keras.layers.Dropout(0.2)(x)
    logits = keras.layers.Dense(classes, dtype="float32", name="logits")(x)
    return keras.Model(clips, logits, name="small3d", dtype="float32")


@keras.saving.register_keras_serializable("tfanon")
class FrameDifference(keras.layers.Layer):
    """Each frame of [N, T, H, W, C] minus the one before it; zero for the first."""

    def call(self, x):
        return x - tf.concat([x[:, :1], x[:, :-1]], axis=1)
