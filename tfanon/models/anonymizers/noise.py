"""Nothing but noise: an attacker who finds more than chance behind it is measured wrongly.

The noise is uniform in [0, 1], a function of `seed` and of the sum over the whole batch: an evaluation gives the same
numbers twice and a run that was stopped goes on bit for bit. Were it a function of the frame's place in the batch alone,
it would give away the order of the examples.
"""

import keras
import tensorflow as tf

from tfanon.models import layers
from tfanon.models.anonymizers import _fixed


@keras.saving.register_keras_serializable("tfanon")
class Noise(keras.layers.Layer):
    """[N, H, W, 3] -> noise of the same shape."""

    def __init__(self, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed

    def call(self, x):
        total = tf.bitcast(tf.reduce_sum(tf.cast(x, tf.float32)), tf.int32)
        noise = tf.random.stateless_uniform(tf.shape(x), tf.stack([self.seed, total]), alg="philox")
        return layers.set_static_shape(noise, x.shape)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}


def build(seed=0, **_):
    """Noise in the place of frames and clips; settings of other anonymizers are ignored.

    Raises ValueError for a seed that is no int32 of 0 or more.
    """
    _fixed.check_range("noise", "seed", seed, 0, 2**31 - 1)
    return _fixed.build_fixed("noise", Noise(seed, dtype="float32"))
