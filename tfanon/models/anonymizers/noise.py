"""Pure noise: the lower end of leakage, on which an attacker who finds something was measured wrongly.

The noise is a function of the whole batch that is shown, so that an evaluation gives the same numbers twice; of what is
in it nothing can be computed back.
"""

import keras
import tensorflow as tf

from tfanon.models import per_frame


@keras.saving.register_keras_serializable("tfanon")
class Noise(keras.layers.Layer):
    """[N, H, W, C] -> uniform in [0, 1) of the same shape."""

    def call(self, x):
        total = tf.bitcast(tf.reduce_sum(tf.cast(x, tf.float32)), tf.int32)
        return tf.random.stateless_uniform(tf.shape(x), tf.stack([total, tf.size(x)]))


def build(**_):
    """Noise in place of frames and clips; settings of other anonymizers are ignored."""
    frames = keras.Input((None, None, 3))
    return per_frame.PerFrame(keras.Model(frames, Noise(dtype="float32")(frames), name="noise", dtype="float32"))
